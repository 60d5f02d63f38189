//! The tools: names, descriptions and annotations.

use rmcp::model::{Tool, ToolAnnotations};

use super::{brief, schemas};

/// Pictures a second where `start_browser_session` names none.
pub(super) const FPS_DEFAULT: u32 = 10;

const INTERACT: &str = "Acts on the element that a CSS selector, or its own words, name, once it is \
    there. For one of the list, execute_action with its index is surer.";
const RUN_SCRIPT: &str = "Runs JavaScript in the page and tells what it returned or threw. It has three \
    seconds. What people do, do by execute_action, which sees what comes of it.";
const CLEAN_UP: &str = "Closes all browsers, of everybody, that nothing has happened in for so many hours. \
    Call it with dry_run first: it only tells which they are.";

/// A tool that can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolName {
    Start,
    Pause,
    Resume,
    Close,
    Recover,
    Act,
    Look,
    Screenshot,
    Analyze,
    Tabs,
    Record,
    WaitFor,
    Ended,
    Stats,
    Drain,
    Share,
    Interact,
    RunScript,
    CleanUp,
}

impl ToolName {
    /// The default set, in the order of the documentation.
    const DEFAULT: [Self; 7] = [
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Close,
        Self::Act,
        Self::Look,
        Self::Recover,
    ];
    /// What comes with the option `extended`.
    const EXTENDED: [Self; 12] = [
        Self::Screenshot,
        Self::Analyze,
        Self::Tabs,
        Self::Record,
        Self::WaitFor,
        Self::Ended,
        Self::Stats,
        Self::Drain,
        Self::Share,
        Self::Interact,
        Self::RunScript,
        Self::CleanUp,
    ];

    /// The name on the wire.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start_browser_session",
            Self::Pause => "pause_browser_session",
            Self::Resume => "resume_browser_session",
            Self::Close => "close_browser_session",
            Self::Recover => "recover_browser_session",
            Self::Act => "execute_action",
            Self::Look => "get_browser_context",
            Self::Screenshot => "screenshot",
            Self::Analyze => "analyze",
            Self::Tabs => "tabs",
            Self::Record => "recording",
            Self::WaitFor => "wait_for",
            Self::Ended => "ended_sessions",
            Self::Stats => "stats",
            Self::Drain => "drain",
            Self::Share => "share",
            Self::Interact => "interact",
            Self::RunScript => "run_script",
            Self::CleanUp => "clean_up",
        }
    }

    fn all(extended: bool) -> impl Iterator<Item = Self> {
        let more = match extended {
            true => Self::EXTENDED.as_slice(),
            false => &[],
        };
        Self::DEFAULT.into_iter().chain(more.iter().copied())
    }

    /// The tool of that name, if the caller may see it.
    pub(super) fn parse(name: &str, extended: bool) -> Option<Self> {
        Self::all(extended).find(|tool| tool.as_str() == name)
    }
}

/// All tools of the default set, or of the extended one.
pub(super) fn tools(extended: bool) -> Vec<Tool> {
    let described = ToolName::all(extended).map(|tool| match extended {
        true => describe(tool),
        false => brief::tool(tool)
            .unwrap_or_else(|| describe(tool))
            .with_annotations(tool.annotations()),
    });
    described.collect()
}

fn describe(tool: ToolName) -> Tool {
    Tool::new(tool.as_str(), tool.description(), schemas::takes(tool))
        .with_raw_output_schema(schemas::answers(tool))
        .with_annotations(tool.annotations())
}

impl ToolName {
    const fn description(self) -> &'static str {
        match self {
            Self::Start => {
                "Starts a browser in a LiveKit room: everybody there sees it, and execute_action \
                 drives it. One session per room; a room whose browser was lost is taken over. \
                 Answers within four seconds; a slower first page goes on loading."
            }
            Self::Pause => {
                "Stops the video of a room's browser. The browser, its actions and its events go on."
            }
            Self::Resume => "Shows a paused browser in the room again, as it is now.",
            Self::Close => {
                "Closes a room's browser and takes it out of the room. Its page is lost; the room \
                 can be started again."
            }
            Self::Recover => {
                "Reconnects a room's browser to LiveKit when the video was lost. Does no harm to a \
                 healthy session. When the browser itself is gone it says so; then call \
                 start_browser_session again."
            }
            Self::Act => {
                "Does one thing in the browser and tells what came of it. An index is one of the \
                 elements that get_browser_context lists. A failed action says why, and its \
                 context has the nearest elements to try instead."
            }
            Self::Look => {
                "Tells what the browser shows: URL, title, ready state, and the elements that can \
                 be clicked or typed into, each with its index."
            }
            Self::Screenshot => {
                "Takes a picture of the page, by wish with a numbered box round each element; the \
                 numbers are the indices for execute_action. With filename it is saved where the \
                 service runs, and only told of."
            }
            Self::Analyze => {
                "Asks a vision model a question about the page as it looks, and tells its answer. \
                 A model that needs more than four seconds is not waited for."
            }
            Self::Tabs => {
                "Lists the browser's tabs, opens a new one, switches to another or closes one. \
                 People see the current tab, and execute_action works in it."
            }
            Self::Record => {
                "Records what people see of the browser as an MP4 file: starts, stops, or tells \
                 how it is going."
            }
            Self::WaitFor => {
                "Waits until the page shows a text or an element, has a URL, or has come to rest."
            }
            Self::Ended => {
                "Tells which browsers have ended within the last day, why, and where they were last; \
                 or of one, with its last events."
            }
            Self::Stats => {
                "Tells what the service does and costs: sessions, browsers, memory, processor time, \
                 and how often it was asked for what."
            }
            Self::Drain => {
                "Lets the service take no new browsers any more and end when the last one is closed, \
                 for maintenance; or undoes that, or tells how far it is. What runs goes on."
            }
            Self::Share => {
                "Makes a link that you can give to a person, who can watch the browser by it without \
                 a token and do nothing else. It ends by itself, or with the session."
            }
            Self::Interact => INTERACT,
            Self::RunScript => RUN_SCRIPT,
            Self::CleanUp => CLEAN_UP,
        }
    }

    fn annotations(self) -> ToolAnnotations {
        // Where nothing is said it is not idempotent, and what it deals with comes from anywhere, as pages do.
        let changes = |title: &str| {
            ToolAnnotations::with_title(title)
                .read_only(false)
                .destructive(false)
        };
        let looks = |title: &str| ToolAnnotations::with_title(title).read_only(true);
        match self {
            Self::Start => changes("Start a browser"),
            Self::Pause => changes("Pause the video").idempotent(true),
            Self::Resume => changes("Resume the video").idempotent(true),
            Self::Close => changes("Close the browser").destructive(true),
            Self::Recover => changes("Recover the video").idempotent(true),
            // What a click does on a page is the page's to know.
            Self::Act => changes("Act in the browser").destructive(true),
            Self::Look => looks("Look at the page"),
            Self::Screenshot => looks("Take a picture of the page"),
            Self::Analyze => looks("Ask about the page"),
            Self::WaitFor => looks("Wait for the page"),
            Self::Tabs => changes("Manage tabs").destructive(true),
            Self::Record => changes("Record the browser").open_world(false),
            Self::Ended => ToolAnnotations::with_title("Look up ended browsers")
                .read_only(true)
                .open_world(false),
            Self::Stats => ToolAnnotations::with_title("Measure the service")
                .read_only(true)
                .open_world(false),
            Self::Drain => changes("Drain the service")
                .destructive(true)
                .idempotent(true)
                .open_world(false),
            Self::Share => changes("Make a link to watch by").open_world(false),
            Self::Interact => changes("Act by a selector").destructive(true),
            Self::RunScript => changes("Run a script in the page").destructive(true),
            Self::CleanUp => changes("Close old browsers")
                .destructive(true)
                .idempotent(true)
                .open_world(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_is_the_seven() {
        let names: Vec<_> = tools(false).into_iter().map(|tool| tool.name).collect();
        assert_eq!(
            names,
            [
                "start_browser_session",
                "pause_browser_session",
                "resume_browser_session",
                "close_browser_session",
                "execute_action",
                "get_browser_context",
                "recover_browser_session",
            ]
        );
    }

    #[test]
    fn every_tool_and_every_argument_is_described() {
        for tool in tools(true).into_iter().chain(tools(false)) {
            assert!(tool.description.is_some_and(|text| text.len() > 30));
            assert!(tool.output_schema.is_some() && tool.annotations.is_some());
            let properties = tool.input_schema["properties"].as_object().unwrap().clone();
            for (name, schema) in properties {
                assert!(schema["description"].is_string(), "{}.{name}", tool.name);
            }
        }
    }
}
