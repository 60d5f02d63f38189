//! Names that LiveKit's agents and UI components go by, and our own beside them.

/// The name of the video track.
pub const TRACK_NAME: &str = "browser";
/// The name under which agents find the browser among the participants.
pub const AGENT_NAME: &str = "ghostcast";

/// Set to the own identity: without this attribute an agent participant is taken for the voice
/// assistant, and with the assistant's identity for its avatar.
pub const PUBLISH_ON_BEHALF: &str = "lk.publish_on_behalf";
/// The agent's name, as the server sets it.
pub const AGENT_NAME_SERVER: &str = "lk.agent_name";
/// The agent's name, as the agents framework sets it.
pub const AGENT_NAME_FRAMEWORK: &str = "lk.agent.name";

/// Own attribute: the state of the session.
pub const ATTRIBUTE_STATE: &str = "browser.state";
/// Own attribute: the address of the page.
pub const ATTRIBUTE_URL: &str = "browser.url";
/// Own attribute: who has the wheel, `agent`, `human` or `nobody`.
pub const ATTRIBUTE_CONTROL: &str = "browser.control";
/// Own attribute: the session's id.
pub const ATTRIBUTE_SESSION: &str = "browser.session";

/// Own attribute: what the person is called who has the wheel; none where none has.
pub const ATTRIBUTE_DRIVER: &str = "browser.driver";

/// Attribute of a participant, or key of its metadata: what it may do with the browser.
pub(super) const ATTRIBUTE_ROLE: &str = "browser.role";
/// That of one who may drive it.
pub(super) const ROLE_CONTROLLER: &str = "controller";

/// Topics of what a person does on the page: our own, and that of LiveKit's browser plugin.
pub const INPUT_TOPICS: [&str; 2] = ["browser.input", "browser-input"];
/// Topics of what all in the room are told, as that plugin has them: the page's address, and who has the wheel.
pub const TOPIC_URL: &str = "browser-url";
/// See [`TOPIC_URL`].
pub const TOPIC_FOCUS: &str = "browser-focus";

/// The participant kind. A standard participant is taken for the user by the agents framework.
pub(super) const KIND: &str = "agent";
/// What the participant may publish.
pub(super) const SOURCES: [&str; 2] = ["screen_share", "screen_share_audio"];
