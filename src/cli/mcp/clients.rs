//! Programs that speak MCP: where each keeps its servers, and how it writes one.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// A program that speaks MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Client {
    /// Claude Code, for the project in this directory: .mcp.json.
    Claude,
    /// The Claude desktop application: claude_desktop_config.json.
    ClaudeDesktop,
    /// Codex: ~/.codex/config.toml.
    Codex,
    /// Cursor: ~/.cursor/mcp.json.
    Cursor,
    /// Gemini CLI: ~/.gemini/settings.json.
    Gemini,
    /// Visual Studio Code, for the project in this directory: .vscode/mcp.json.
    Vscode,
    /// Windsurf: ~/.codeium/windsurf/mcp_config.json.
    Windsurf,
}

/// What a client is told of the service.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Where it serves MCP.
    pub(super) url: String,
    /// The variable of the client's environment that holds the token, if one is needed.
    pub(super) token_env: Option<String>,
    /// How it is reached by a program that the client starts.
    pub(super) command: Vec<String>,
}

/// A place in the file system that is the user's.
enum Base {
    /// The directory of the project.
    Here,
    Home,
    /// What programs are set by (XDG Base Directory).
    Settings,
}

impl Client {
    /// What it calls itself.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Codex => "Codex",
            Self::Cursor => "Cursor",
            Self::Gemini => "Gemini CLI",
            Self::Vscode => "Visual Studio Code",
            Self::Windsurf => "Windsurf",
        }
    }

    /// Its file, where the user has a home.
    pub(super) fn file(self, home: Option<PathBuf>, settings: Option<PathBuf>) -> Option<PathBuf> {
        let (base, path) = match self {
            Self::Claude => (Base::Here, ".mcp.json"),
            Self::Vscode => (Base::Here, ".vscode/mcp.json"),
            Self::ClaudeDesktop => (Base::Settings, "Claude/claude_desktop_config.json"),
            Self::Codex => (Base::Home, ".codex/config.toml"),
            Self::Cursor => (Base::Home, ".cursor/mcp.json"),
            Self::Gemini => (Base::Home, ".gemini/settings.json"),
            Self::Windsurf => (Base::Home, ".codeium/windsurf/mcp_config.json"),
        };
        match base {
            Base::Here => Some(path.into()),
            Base::Home => Some(home?.join(path)),
            Base::Settings => Some(settings?.join(path)),
        }
    }

    /// What its servers stand in.
    pub(super) const fn section(self) -> &'static str {
        match self {
            Self::Vscode => "servers",
            Self::Codex => "mcp_servers",
            Self::Claude | Self::ClaudeDesktop | Self::Cursor | Self::Gemini | Self::Windsurf => {
                "mcpServers"
            }
        }
    }

    /// Whether it only knows programs that it starts itself.
    pub(super) const fn starts_its_servers(self) -> bool {
        matches!(self, Self::ClaudeDesktop)
    }

    /// Whether its file is JSON; else it is TOML.
    pub(super) const fn is_json(self) -> bool {
        !matches!(self, Self::Codex)
    }

    /// The service, as it writes one.
    pub(super) fn entry(self, server: &Server) -> Value {
        let mut entry = Map::new();
        let url = Value::from(server.url.as_str());
        match self {
            Self::Claude | Self::Vscode => {
                entry.insert("type".to_owned(), "http".into());
                entry.insert("url".to_owned(), url);
            }
            Self::Cursor | Self::Codex => drop(entry.insert("url".to_owned(), url)),
            Self::Gemini => drop(entry.insert("httpUrl".to_owned(), url)),
            Self::Windsurf => drop(entry.insert("serverUrl".to_owned(), url)),
            Self::ClaudeDesktop => {
                let (program, arguments) = server.command.split_first().unzip();
                entry.insert("command".to_owned(), json!(program));
                entry.insert("args".to_owned(), json!(arguments.unwrap_or_default()));
                return Value::Object(entry);
            }
        }
        if let Some(name) = &server.token_env {
            // None of them is given the token itself: the file may be shared.
            let variable = match self {
                Self::Claude | Self::Gemini | Self::ClaudeDesktop | Self::Codex => {
                    format!("${{{name}}}")
                }
                Self::Cursor | Self::Vscode | Self::Windsurf => format!("${{env:{name}}}"),
            };
            match self {
                Self::Codex => {
                    entry.insert("bearer_token_env_var".to_owned(), name.as_str().into())
                }
                _ => entry.insert(
                    "headers".to_owned(),
                    json!({ "Authorization": format!("Bearer {variable}") }),
                ),
            };
        }
        Value::Object(entry)
    }

    /// The part of its file that is ours.
    pub(super) fn text(self, name: &str, entry: &Value) -> String {
        if self.is_json() {
            let whole = json!({ self.section(): { name: entry } });
            return serde_json::to_string_pretty(&whole).unwrap_or_default();
        }
        let lines = entry.as_object().into_iter().flatten();
        // Texts are written in TOML as they are in JSON.
        let lines = lines.map(|(key, value)| format!("\n{key} = {value}"));
        format!("[{}.{name}]{}", self.section(), lines.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn server(token_env: Option<&str>) -> Server {
        Server {
            url: "http://127.0.0.1:8765/mcp".to_owned(),
            token_env: token_env.map(str::to_owned),
            command: ["/usr/bin/ghostcast", "mcp", "--listen", "127.0.0.1:8765"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    #[test]
    fn each_has_the_service_in_its_own_words() {
        let url = "http://127.0.0.1:8765/mcp";
        let bearer = |variable: &str| json!({ "Authorization": format!("Bearer {variable}") });
        let (plain, env) = (bearer("${T}"), bearer("${env:T}"));
        let wanted = [
            (
                Client::Claude,
                json!({"type": "http", "url": url, "headers": plain}),
            ),
            (
                Client::ClaudeDesktop,
                json!({"command": "/usr/bin/ghostcast", "args": ["mcp", "--listen", "127.0.0.1:8765"]}),
            ),
            (
                Client::Codex,
                json!({"url": url, "bearer_token_env_var": "T"}),
            ),
            (Client::Cursor, json!({"url": url, "headers": env})),
            (Client::Gemini, json!({"httpUrl": url, "headers": plain})),
            (
                Client::Vscode,
                json!({"type": "http", "url": url, "headers": env}),
            ),
            (Client::Windsurf, json!({"serverUrl": url, "headers": env})),
        ];
        assert_eq!(wanted.len(), Client::value_variants().len());
        for (client, entry) in wanted {
            assert_eq!(client.entry(&server(Some("T"))), entry, "{client:?}");
            let open = client.entry(&server(None)).to_string();
            assert!(
                !open.contains("Bearer") && !open.contains("bearer"),
                "{open}"
            );
        }
    }

    #[test]
    fn what_is_printed_is_what_its_file_holds() {
        for client in Client::value_variants() {
            let entry = client.entry(&server(Some("T")));
            let text = client.text("ghostcast", &entry);
            if client.is_json() {
                let read: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(read, json!({ client.section(): { "ghostcast": entry } }));
            } else {
                assert_eq!(
                    text,
                    "[mcp_servers.ghostcast]\nbearer_token_env_var = \"T\"\n\
                     url = \"http://127.0.0.1:8765/mcp\""
                );
            }
        }
    }
}
