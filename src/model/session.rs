//! What a session is asked to be, and what it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::allowlist;
use super::control::ControlStatus;
use super::geometry::Size;
use super::ids::{RoomName, SessionId, SessionName};
use super::outcome::DialogPolicy;
use super::place::{BrowserPlace, BrowserWish, RemoteFence};
use super::recording::RecordingStatus;
use super::secrets;
use super::storage_state::StorageState;
pub use super::watched::{LiveKitStatus, VideoStats, Viewers};
use crate::error::Error;

/// What a new session shall be: the body of `POST /sessions`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionSpec {
    /// The session's own name. A session with one is kept: its profile (cookies, storage, cache) and its
    /// record stay on disk, and it comes back as it was. One of `session_name` and `room_name` is needed.
    #[schema(value_type = Option<String>, example = "shop-login", pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub session_name: Option<SessionName>,
    /// The LiveKit room; one session per room. Without it the session is watched by WHEP alone.
    #[schema(value_type = Option<String>, example = "demo")]
    pub room_name: Option<RoomName>,
    /// Whether a session of that name that lives, or is stored, is answered in place of a new one
    /// (200, `reused: true`); with `false` it is a conflict.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub reuse: bool,
    /// Where the browser keeps what pages store: `profile` for a session with a name (the default), or
    /// `none`, gone with its browser.
    pub storage: Option<Storage>,
    /// `chromium`; no other browser is supported.
    #[schema(example = "chromium")]
    pub browser_type: Option<String>,
    /// Whether the browser is without a window; `false` is not supported yet.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub headless: bool,
    /// The viewport in one piece, instead of `viewport_width` and `viewport_height`.
    pub viewport: Option<Size>,
    /// Whether pages are shown as on a phone: they follow their viewport's tag, and are told that they are touched.
    pub mobile: Option<bool>,
    /// `ws://` or `wss://` URL of a LiveKit server; without it the service's own. Any other server
    /// than that needs `livekit_token`.
    pub livekit_url: Option<String>,
    /// A JWT that may join and publish; without it the service mints one for its own server.
    #[serde(skip_serializing)]
    pub livekit_token: Option<String>,
    /// The first page; `about:blank` without it.
    pub initial_url: Option<String>,
    /// CSS px, 16 to 3840; 1280 without it, and 1920 for a session with a name.
    #[schema(minimum = 16, maximum = 3840)]
    pub viewport_width: Option<u32>,
    /// CSS px, 16 to 2160; 720 without it, and 1080 for a session with a name.
    #[schema(minimum = 16, maximum = 2160)]
    pub viewport_height: Option<u32>,
    /// Most pictures a second, 1 to 60.
    #[schema(default = 30, minimum = 1, maximum = 60)]
    pub fps: Option<u32>,
    /// Target of the video's bit rate, bits a second.
    #[schema(default = 2_000_000, minimum = 100_000, maximum = 20_000_000)]
    pub bitrate_bps: Option<u32>,
    /// Host patterns that the page may reach (`example.com`, `*.example.com`); absent or empty
    /// for no restriction of its own. It can only narrow what the operator permits.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Refuse this machine and private networks to the page; on anyway where the operator says so.
    #[serde(default)]
    pub block_private_networks: bool,
    /// How to capture: `auto` or `screencast`.
    pub capture: Option<CaptureMode>,
    /// Which browser serves: `local`, this machine's; `remote`; or `auto`, this machine's first and the remote one
    /// where that cannot. Without it, as the service is set.
    pub browser: Option<BrowserWish>,
    /// `strict` refuses to give a session with a fence to a remote browser, where WebSockets, for one, pass it.
    pub remote_fence: Option<RemoteFence>,
    /// Options of the remote browser's vendor (proxies, stealth, captchas), passed on as they are; never told.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Object, write_only)]
    pub remote_options: Map<String, Value>,
    /// Whose session it is: a label for the time that a remote browser runs. 1 to 128 characters.
    #[schema(example = "user-17")]
    pub user_id: Option<String>,
    /// What becomes of the dialogs that the page opens: `ask`, `accept` or `dismiss`.
    #[serde(default)]
    pub dialogs: DialogPolicy,
    /// Whether a small badge in the video says who drives while a person does; as the service is set without it.
    pub driver_badge: Option<bool>,
    /// Ends the session after so many seconds in which nobody uses it: no call, no action, no viewer, no
    /// event subscriber. 0 for never; 1800 without it, and 3600 for a session with a name, which is
    /// stored.
    #[schema(example = 1800)]
    pub idle_timeout_s: Option<u32>,
    /// Ends the session so many seconds after its start, used or not; 0 or absent for never.
    pub max_lifetime_s: Option<u32>,
    /// Cookies, `localStorage` and IndexedDB that the browser begins with, in Playwright's form; never told by
    /// the record.
    #[serde(skip_serializing)]
    #[schema(write_only)]
    pub storage_state: Option<StorageState>,
    /// Anything of the caller's own, returned as it came.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Values by label, typed where a text says `{{label}}` and never told again: each a text, or an
    /// object with `value` and the `origins` of the pages that it may be typed into.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Object, write_only, example = json!({"shop-password":
        {"value": "…", "origins": ["https://shop.example.com"]}}))]
    pub secrets: BTreeMap<String, secrets::Entry>,
}

const fn yes() -> bool {
    true
}

/// Where a browser keeps what pages store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// In a profile on disk, that the session finds again.
    Profile,
    /// In memory, until its browser ends.
    None,
}

/// How a page's pixels come to the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// As the service is configured; there, the display where a Chromium that draws to it can be had.
    #[default]
    Auto,
    /// A Chromium with windows draws to a Wayland display of the service's own.
    Display,
    /// Chromium sends a JPEG of each frame (CDP `Page.startScreencast`).
    Screencast,
}

/// Bounds of the numbers in a [`SessionSpec`].
pub mod limits {
    use std::ops::RangeInclusive;

    /// CSS px; OpenH264 encodes no more than 3840.
    pub const VIEWPORT_WIDTH: RangeInclusive<u32> = 16..=3840;
    /// CSS px; OpenH264 encodes no more than 2160.
    pub const VIEWPORT_HEIGHT: RangeInclusive<u32> = 16..=2160;
    /// Pictures a second; Chromium draws no more than 60.
    pub const FPS: RangeInclusive<u32> = 1..=60;
    /// Bits a second.
    pub const BITRATE_BPS: RangeInclusive<u32> = 100_000..=20_000_000;
    /// Patterns in one allowlist.
    pub const ALLOWED_DOMAINS: usize = 1000;
    /// Bytes of `metadata` as JSON.
    pub const METADATA_BYTES: usize = 16 * 1024;
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self {
            room_name: None,
            session_name: None,
            reuse: true,
            storage: None,
            browser_type: None,
            headless: true,
            viewport: None,
            mobile: None,
            livekit_url: None,
            livekit_token: None,
            initial_url: None,
            viewport_width: None,
            viewport_height: None,
            fps: None,
            bitrate_bps: None,
            allowed_domains: Vec::new(),
            block_private_networks: false,
            capture: None,
            browser: None,
            remote_fence: None,
            remote_options: Map::new(),
            user_id: None,
            dialogs: DialogPolicy::default(),
            driver_badge: None,
            idle_timeout_s: None,
            max_lifetime_s: None,
            storage_state: None,
            metadata: Map::new(),
            secrets: BTreeMap::new(),
        }
    }
}

impl SessionSpec {
    /// A session of a room with everything else by default.
    pub fn of(room_name: RoomName) -> Self {
        Self {
            room_name: Some(room_name),
            ..Self::default()
        }
    }

    /// A kept session of that name, with everything else by default or as it was.
    pub fn named(name: SessionName) -> Self {
        Self {
            session_name: Some(name),
            ..Self::default()
        }
    }

    /// This specification of a session that is stored, with what a caller asks for who wants it back:
    /// what the caller names holds, and the fence becomes no wider.
    pub fn completed_by(&self, wanted: &Self) -> Result<Self, Error> {
        let mut spec = self.clone();
        if wanted.room_name.is_some() {
            spec.room_name.clone_from(&wanted.room_name);
        }
        if wanted.livekit_url.is_some() {
            spec.livekit_url.clone_from(&wanted.livekit_url);
        }
        if wanted.livekit_token.is_some() {
            spec.livekit_token.clone_from(&wanted.livekit_token);
        }
        let asked = wanted.viewport;
        let width = wanted.viewport_width.or(asked.map(|size| size.width));
        let height = wanted.viewport_height.or(asked.map(|size| size.height));
        if width.is_some() || height.is_some() {
            let before = spec.viewport();
            spec.viewport = None;
            spec.viewport_width = width.or(Some(before.width));
            spec.viewport_height = height.or(Some(before.height));
        }
        spec.mobile = wanted.mobile.or(spec.mobile);
        spec.fps = wanted.fps.or(spec.fps);
        spec.bitrate_bps = wanted.bitrate_bps.or(spec.bitrate_bps);
        spec.capture = wanted.capture.or(spec.capture);
        spec.driver_badge = wanted.driver_badge.or(spec.driver_badge);
        spec.take_place_of(wanted);
        spec.idle_timeout_s = wanted.idle_timeout_s.or(spec.idle_timeout_s);
        spec.max_lifetime_s = wanted.max_lifetime_s.or(spec.max_lifetime_s);
        if wanted.dialogs != DialogPolicy::default() {
            spec.dialogs = wanted.dialogs;
        }
        spec.allowed_domains = allowlist::narrowed(&wanted.allowed_domains, &self.allowed_domains)?;
        spec.block_private_networks |= wanted.block_private_networks;
        if !wanted.metadata.is_empty() {
            spec.metadata.clone_from(&wanted.metadata);
        }
        spec.secrets.extend(wanted.secrets.clone());
        spec.storage_state.clone_from(&wanted.storage_state);
        if spec.initial_url.is_none() {
            spec.initial_url.clone_from(&wanted.initial_url);
        }
        Ok(spec)
    }

    /// The caller's token, if one came; an empty text is none.
    pub fn own_livekit_token(&self) -> Option<&str> {
        self.livekit_token
            .as_deref()
            .filter(|token| !token.is_empty())
    }

    /// The viewport, with its default: that of a session with a name is a desk's, that of a room a
    /// video's.
    pub fn viewport(&self) -> Size {
        let usual = match self.session_name {
            Some(_) => Size::new(1920, 1080),
            None => Size::new(1280, 720),
        };
        let asked = self.viewport.unwrap_or(usual);
        Size::new(
            self.viewport_width.unwrap_or(asked.width),
            self.viewport_height.unwrap_or(asked.height),
        )
    }

    /// Whether the browser keeps a profile on disk.
    pub fn has_profile(&self) -> bool {
        self.session_name.is_some() && self.storage != Some(Storage::None)
    }

    /// Where the session's events are told: its room, or what a room of its own name would be called.
    pub fn channel(&self) -> Result<RoomName, Error> {
        channel(self.room_name.as_ref(), self.session_name.as_ref()).ok_or_else(|| {
            Error::unprocessable("neither session_name nor room_name came").hint(
                "Send a session_name for a browser that is kept, a room_name for one that a LiveKit \
                 room sees, or both.",
            )
        })
    }

    /// Checks what a session is called and what it runs on.
    fn check_kind(&self) -> Result<(), Error> {
        self.channel()?;
        if let Some(other) = self
            .browser_type
            .as_deref()
            .filter(|name| *name != "chromium")
        {
            let shown: String = other.chars().take(32).collect();
            return Err(
                Error::unsupported(format!("browser_type \"{shown}\" is not supported"))
                    .hint("Use \"chromium\", or leave it out."),
            );
        }
        if !self.headless {
            return Err(Error::unsupported(
                "a browser with a window needs a display, which is not supported",
            )
            .hint("Leave out headless: the session can be watched without a window."));
        }
        if self.storage == Some(Storage::Profile) && self.session_name.is_none() {
            return Err(
                Error::unprocessable("storage \"profile\" came without session_name")
                    .hint("Name the session by which the profile is found again."),
            );
        }
        if let Some(size) = self.viewport
            && (self.viewport_width.is_some_and(|width| width != size.width)
                || self
                    .viewport_height
                    .is_some_and(|height| height != size.height))
        {
            return Err(Error::invalid_input("the viewport came twice, and differs")
                .hint("Send viewport, or viewport_width and viewport_height."));
        }
        Ok(())
    }

    /// Checks every bound; the error names the field and its range.
    pub fn check(&self) -> Result<(), Error> {
        self.check_kind()?;
        self.check_numbers()?;
        if self.allowed_domains.len() > limits::ALLOWED_DOMAINS {
            return Err(
                Error::invalid_input("allowed_domains has too many patterns")
                    .hint(format!("Use at most {}.", limits::ALLOWED_DOMAINS)),
            );
        }
        if serde_json::to_string(&self.metadata).map_or(0, |json| json.len())
            > limits::METADATA_BYTES
        {
            return Err(Error::invalid_input("metadata is too large").hint(format!(
                "Keep it under {} bytes of JSON.",
                limits::METADATA_BYTES
            )));
        }
        self.check_place()?;
        secrets::check(&self.secrets)?;
        self.storage_state
            .as_ref()
            .map_or(Ok(()), StorageState::check)?;
        if self.livekit_token.is_some() && self.livekit_url.is_none() {
            return Err(
                Error::invalid_input("livekit_token came without livekit_url")
                    .hint("Send both, or neither to use the service's own LiveKit settings."),
            );
        }
        let url = self.livekit_url.as_deref();
        if url.is_some() && self.room_name.is_none() {
            return Err(Error::unprocessable("livekit_url came without room_name")
                .hint("Name the room that the session shall be seen in."));
        }
        if url.is_some_and(|url| {
            !["ws://", "wss://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        }) {
            return Err(Error::invalid_input("livekit_url is not a WebSocket URL")
                .hint("It begins with ws:// or wss://."));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Error> {
        let size = self.viewport;
        let numbers = [
            (
                "viewport_width",
                self.viewport_width,
                limits::VIEWPORT_WIDTH,
            ),
            (
                "viewport_height",
                self.viewport_height,
                limits::VIEWPORT_HEIGHT,
            ),
            (
                "viewport.width",
                size.map(|size| size.width),
                limits::VIEWPORT_WIDTH,
            ),
            (
                "viewport.height",
                size.map(|size| size.height),
                limits::VIEWPORT_HEIGHT,
            ),
            ("fps", self.fps, limits::FPS),
            ("bitrate_bps", self.bitrate_bps, limits::BITRATE_BPS),
        ];
        for (name, value, range) in numbers {
            if value.is_some_and(|value| !range.contains(&value)) {
                return Err(
                    Error::invalid_input(format!("{name} is out of range")).hint(format!(
                        "Use {} to {}.",
                        range.start(),
                        range.end()
                    )),
                );
            }
        }
        Ok(())
    }
}

/// The room of a session, or what a room of its name would be called.
fn channel(room: Option<&RoomName>, name: Option<&SessionName>) -> Option<RoomName> {
    room.cloned().or_else(|| name.map(RoomName::from))
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// The browser starts and the room is joined.
    Starting,
    /// Actions and video both work.
    Live,
    /// Video is paused by request; actions and events go on.
    Paused,
    /// LiveKit is lost and being reached again; actions and events go on.
    Reconnecting,
    /// The browser is lost; only close, or a new start on the room, is left.
    Failed,
    /// Everything is being put away.
    Closing,
    /// Gone.
    Closed,
    /// Kept on disk without a browser: it comes back as it was when it is used.
    Stored,
}

impl SessionState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Live,
        Self::Paused,
        Self::Reconnecting,
        Self::Failed,
        Self::Closing,
        Self::Closed,
        Self::Stored,
    ];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Reconnecting => "reconnecting",
            Self::Failed => "failed",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Stored => "stored",
        }
    }

    /// Whether a new session may take the room.
    pub const fn is_dead(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Closing | Self::Closed | Self::Stored
        )
    }
}

/// A session as the outside sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionRecord {
    /// UUID.
    #[schema(value_type = String)]
    pub session_id: SessionId,
    /// Its own name, under which it is kept; null for a session of a room alone.
    #[schema(value_type = Option<String>)]
    pub session_name: Option<SessionName>,
    /// The LiveKit room; null for a session without one.
    #[schema(value_type = Option<String>)]
    pub room_name: Option<RoomName>,
    /// Whether it has a browser that works.
    pub active: bool,
    /// Where it is in its life.
    pub state: SessionState,
    /// Why it is in that state, when that needs saying.
    pub state_reason: Option<String>,
    /// Whether the initial page is still on its way.
    pub is_opening: bool,
    /// Why the page at `current_url` could not be loaded, or the initial page not be opened; null again
    /// once another page is there.
    pub page_error: Option<String>,
    /// The HTTP status with which the page's document came (RFC 9110); null for one that came by no HTTP.
    pub http_status: Option<u16>,
    /// The page's URL.
    pub current_url: String,
    /// The page's title.
    pub title: String,
    /// ISO 8601, UTC.
    pub created_at: String,
    /// ISO 8601, UTC; moves with every action and navigation.
    pub last_activity: String,
    /// Pages (tabs) open in the session.
    pub page_count: u32,
    /// How pictures are taken; `auto` until there is a browser.
    pub capture: CaptureMode,
    /// Why they are taken by the screencast, where nobody has asked for that; null otherwise.
    #[serde(default)]
    pub capture_reason: Option<String>,
    /// Which browser serves it: `local` or `remote`.
    pub browser: BrowserPlace,
    /// Whether the browser is being captured at this moment.
    pub capturing: bool,
    /// Who watches.
    pub viewers: Viewers,
    /// The LiveKit side.
    pub livekit: LiveKitStatus,
    /// CSS px.
    pub viewport: Size,
    /// Most pictures a second.
    pub fps: u32,
    /// Target bit rate, bits a second.
    pub bitrate_bps: u32,
    /// The video as it is at this moment.
    pub video: VideoStats,
    /// The recording under way, or the last one; null before the first.
    pub recording: Option<RecordingStatus>,
    /// The ghost cursor's place, CSS px; null before its first move.
    pub cursor: Option<super::geometry::Point>,
    /// What becomes of the dialogs that the page opens.
    pub dialogs: DialogPolicy,
    /// Who drives: the agent, or a person who has taken the wheel.
    pub control: ControlStatus,
    /// The `action_id` of the action under way; null when none is.
    pub running_action: Option<String>,
    /// Actions that wait behind it.
    pub queued_actions: u32,
    /// Patterns of hosts that the page may reach: what the session and the operator both permit.
    pub allowed_domains: Vec<String>,
    /// Whether this machine and private networks are refused to the page.
    pub block_private_networks: bool,
    /// Event subscribers of the room.
    pub connections: u32,
    /// It ends after so many seconds in which nobody uses it; 0 for never.
    pub idle_timeout_s: u32,
    /// It ends so many seconds after its start; 0 for never.
    pub max_lifetime_s: u32,
    /// The caller's own.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

impl SessionRecord {
    /// Where the session's events are told, as [`SessionSpec::channel`] has it.
    pub fn channel(&self) -> RoomName {
        // A session without either is not started; its id is a name as well.
        channel(self.room_name.as_ref(), self.session_name.as_ref())
            .unwrap_or_else(|| RoomName::of_id(self.session_id))
    }
}
