//! What each route takes of whoever calls it: the one table, for every door.

use crate::model::Right;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it holds nothing of any session.
    Nothing,
    /// Any token. What is answered, or made, is within its scope.
    Anybody,
    /// A token, and no link: it holds one of the places for conversations.
    Conversation,
    /// This right on the session that the path names.
    OfPath(Right),
    /// This right on the session whose recording the path names.
    OfFile(Right),
    /// This right on the session that the body names; whoever reads it asks
    /// [`super::Caller::enter`].
    OfBody(Right),
    /// This right on every session.
    OfAll(Right),
}

/// The table. What is not in it is for those only who may do everything.
pub(super) fn need(method: &str, path: &str) -> Need {
    use Need::{Anybody, Conversation, Nothing, OfAll, OfBody, OfFile, OfPath};
    use Right::{Admin, Control, Watch};
    // Whatever is fetched can be asked about too.
    let method = if method == "HEAD" { "GET" } else { method };
    if let Some(method) = path.strip_prefix("/ghostcast.v1.BrowserService/") {
        return of_grpc(method);
    }
    match (method, path) {
        ("GET", "/" | "/demo" | "/docs" | "/assets/{name}" | "/openapi.json")
        | ("GET", "/health" | "/health/live" | "/health/ready")
        // What is sent is the token of a link.
        | ("GET", "/takeover/{token}")
        | ("POST", "/takeover") => Nothing,
        // Of those that have ended, whoever reads it looks whether the very session may be seen.
        ("GET", "/sessions" | "/sessions/{room_name}/ended") | ("POST", "/tickets") => Anybody,
        ("POST", "/sessions") => OfBody(Control),
        ("GET", "/sessions/{room_name}" | "/sessions/{room_name}/context")
        | ("GET", "/sessions/{room_name}/screenshot" | "/sessions/{room_name}/recording")
        | ("GET", "/sessions/{room_name}/actions/{action_id}")
        | ("GET", "/sessions/{room_name}/downloads" | "/sessions/{room_name}/downloads/{id}")
        | ("GET", "/rooms/{room_name}/connections" | "/mcp/events/{room_name}")
        // Who may take the wheel is asked again.
        | ("GET", "/sessions/{room_name}/drive")
        | ("POST", "/sessions/{room_name}/drive/files")
        | ("POST", "/whep/{room_name}")
        | ("PATCH" | "DELETE", "/whep/{room_name}/{viewer_id}") => OfPath(Watch),
        ("DELETE", "/sessions/{room_name}" | "/sessions/{room_name}/actions/{action_id}")
        | ("POST", "/sessions/{room_name}/pause" | "/sessions/{room_name}/resume")
        | ("POST", "/sessions/{room_name}/recover" | "/sessions/{room_name}/actions")
        | ("POST", "/sessions/{room_name}/navigate" | "/sessions/{room_name}/execute")
        | ("POST", "/sessions/{room_name}/interact" | "/sessions/{room_name}/wait")
        | ("POST", "/sessions/{room_name}/screenshot" | "/sessions/{room_name}/analyze")
        | ("POST" | "DELETE", "/sessions/{room_name}/recording" | "/sessions/{room_name}/share")
        | ("POST" | "DELETE", "/sessions/{room_name}/takeover")
        // It tells where others watch from.
        | ("GET", "/sessions/{room_name}/viewers")
        | ("PUT" | "DELETE", "/sessions/{room_name}/drivers/{identity}") => OfPath(Control),
        ("GET", "/recordings" | "/stats" | "/metrics") => OfAll(Watch),
        ("GET", "/recordings/{file}") => OfFile(Watch),
        ("DELETE", "/recordings/{file}") => OfFile(Control),
        // Each tool has a need of its own.
        (_, "/mcp" | "/mcp/socket") => Conversation,
        _ if is_about_grpc(path) => Anybody,
        _ => OfAll(Admin),
    }
}

fn of_grpc(method: &str) -> Need {
    use Right::{Control, Watch};
    match method {
        "ListSessions" | "ListEnded" | "GetEnded" => Need::Anybody,
        "GetStats" => Need::OfAll(Watch),
        "GetSession" | "ListDownloads" | "GetDownload" | "GetBrowserContext" | "TakeScreenshot"
        | "StreamEvents" => Need::OfBody(Watch),
        "StartSession" | "PauseSession" | "ResumeSession" | "RecoverSession" | "CloseSession"
        | "ExecuteAction" | "Navigate" | "ExecuteScript" | "Interact" | "Wait" | "Analyze"
        | "StartRecording" | "StopRecording" | "ShareSession" | "RevokeShares" => {
            Need::OfBody(Control)
        }
        _ => Need::OfAll(Right::Admin),
    }
}

/// The same for the tools of MCP, some of whose operations only look.
pub(super) fn of_tool(tool: &str, operation: Option<&str>) -> Need {
    use Right::{Control, Watch};
    match (tool, operation) {
        // What is listed is what the caller may see.
        ("ended_sessions", _) => Need::Anybody,
        ("stats", _) => Need::OfAll(Watch),
        ("get_browser_context" | "screenshot", _)
        | ("tabs", Some("list"))
        | ("recording", Some("status")) => Need::OfBody(Watch),
        ("start_browser_session" | "pause_browser_session" | "resume_browser_session", _)
        | ("close_browser_session" | "recover_browser_session" | "execute_action", _)
        | ("analyze" | "tabs" | "recording" | "wait_for" | "share", _)
        | ("interact" | "run_script", _) => Need::OfBody(Control),
        _ => Need::OfAll(Right::Admin),
    }
}

/// The contract itself, and whether the service is there.
fn is_about_grpc(path: &str) -> bool {
    path.starts_with("/grpc.reflection.") || path.starts_with("/grpc.health.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_for_those_who_may_do_everything() {
        let admin = Need::OfAll(Right::Admin);
        for (method, path) in [
            ("GET", "/sessions/{room_name}/storage_state"),
            ("POST", "/sessions/cleanup"),
            ("POST", "/drain"),
            ("DELETE", "/drain"),
            ("PUT", "/sessions/{room_name}"),
            ("GET", "/anything/else"),
            ("POST", "/ghostcast.v1.BrowserService/Anything"),
            ("POST", "/health"),
        ] {
            assert_eq!(need(method, path), admin, "{method} {path}");
        }
        assert_eq!(of_tool("any_other", None), admin);
        assert_eq!(
            need("HEAD", "/sessions/{room_name}"),
            Need::OfPath(Right::Watch)
        );
    }
}
