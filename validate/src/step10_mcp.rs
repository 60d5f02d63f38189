//! Step 10: the MCP server, as a client that starts its servers itself finds it: a child process,
//! spoken to by lines of JSON-RPC.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::bench::Bench;
use super::cdp::Tab;
use super::outcome::{Expect, Failure, Outcome, ensure, result_of, seconds, until};
use super::runner::Runner;
use super::service::Running;
use super::{mcp, service};

const TOOLS: [&str; 7] = [
    "start_browser_session",
    "execute_action",
    "get_browser_context",
    "pause_browser_session",
    "resume_browser_session",
    "recover_browser_session",
    "close_browser_session",
];

pub(super) async fn run_step10_tests(runner: &mut Runner) -> bool {
    runner.begin(10, "MCP server");
    let passed = [
        runner
            .test(
                "MCP Server Initialization",
                test_step10_mcp_server_initialization,
            )
            .await,
        runner
            .test("MCP Tools Listing", test_step10_mcp_tools_listing)
            .await,
        runner
            .test("MCP Action Execution", test_step10_mcp_action_execution)
            .await,
        runner
            .test("MCP Browser Context", test_step10_mcp_browser_context)
            .await,
        runner
            .test("MCP Error Handling", test_step10_mcp_error_handling)
            .await,
    ];
    runner.tally(&passed)
}

/// A client and the server that it started, which ends with it.
struct Client {
    bench: Bench,
    asking: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    next_id: u64,
    work_dir: PathBuf,
    /// The answer to `initialize`.
    hello: Value,
}

impl Client {
    /// Starts `ghostcast mcp` and shakes hands.
    async fn start(bench: &Bench) -> Outcome<Self> {
        let work_dir = bench.work_dir()?;
        let keys = ["executable", "sandbox", "extra_args"];
        let file = bench.browser(&work_dir, Some(&keys)).write(&work_dir)?;
        let mut command = Command::new(bench.program());
        command
            .args(["mcp", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(service::log(&work_dir)?);
        let mut running = Running::spawn(command, &work_dir)?;
        let pipes = running.pipes();
        bench.keep(running);
        let (asking, answers) = pipes.expect_that("the child listens and speaks")?;
        let mut client = Self {
            bench: bench.clone(),
            asking,
            answers: BufReader::new(answers).lines(),
            next_id: 1,
            work_dir,
            hello: Value::Null,
        };
        client.hello = client.ask("initialize", mcp::hello()).await?;
        client.send(&mcp::ready()).await?;
        Ok(client)
    }

    async fn send(&mut self, message: &Value) -> Outcome {
        let line = format!("{message}\n");
        self.asking.write_all(line.as_bytes()).await?;
        self.asking.flush().await?;
        Ok(())
    }

    /// Sends a request; answers its result.
    async fn ask(&mut self, method: &str, params: Value) -> Outcome<Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&mcp::request(id, method, params)).await?;
        let reading = async {
            while let Some(line) = self.answers.next_line().await? {
                let message: Value = serde_json::from_str(&line)?;
                if message["id"] == id {
                    return result_of(method, message);
                }
            }
            Err(Failure::new("the MCP server has hung up"))
        };
        let answered = tokio::time::timeout(seconds(20), reading).await;
        answered.expect_that(&format!("{method} is answered"))?
    }

    /// Calls a tool; answers whether it failed, its sentence, and its facts.
    async fn call(&mut self, tool: &str, arguments: Value) -> Outcome<(bool, String, Value)> {
        let params = json!({ "name": tool, "arguments": arguments });
        let mut result = self.ask("tools/call", params).await?;
        let is_error = result["isError"] == true;
        let sentence = result["content"][0]["text"].as_str().unwrap_or_default();
        let sentence = sentence.to_owned();
        Ok((is_error, sentence, result["structuredContent"].take()))
    }

    /// Calls a tool that must succeed; answers its facts.
    async fn perform(&mut self, tool: &str, arguments: Value) -> Outcome<Value> {
        let (is_error, sentence, facts) = self.call(tool, arguments).await?;
        ensure!(!is_error, "{tool} fails: {sentence}");
        Ok(facts)
    }

    /// Hangs up; the server ends by itself and leaves nothing.
    async fn end(self) -> Outcome {
        drop(self.asking);
        let what = "the MCP server ends when its client hangs up";
        let ended = until(seconds(8), what, async || self.bench.ended(&self.work_dir));
        let status = ended.await?;
        ensure!(status.success(), "the MCP server ends with {status}");
        let left = super::processes::browsers(&self.work_dir).len();
        ensure!(left == 0, "the MCP server leaves {left} browsers behind");
        std::fs::remove_dir_all(&self.work_dir)?;
        Ok(())
    }
}

async fn test_step10_mcp_server_initialization(bench: Bench) -> Outcome {
    let client = Client::start(&bench).await?;
    let hello = &client.hello;
    let server = &hello["serverInfo"];
    bench.say(format!(
        "{server}, protocol {}, capabilities {}",
        hello["protocolVersion"], hello["capabilities"]
    ));
    ensure!(
        server["name"] == "ghostcast",
        "the name is {}",
        server["name"]
    );
    let version = bench.version();
    ensure!(
        server["version"] == version,
        "the version is {}",
        server["version"]
    );
    ensure!(
        hello["capabilities"]["tools"].is_object(),
        "it has no tools: {}",
        hello["capabilities"]
    );
    client.end().await
}

async fn test_step10_mcp_tools_listing(bench: Bench) -> Outcome {
    let mut client = Client::start(&bench).await?;
    let listed = client.ask("tools/list", json!({})).await?;
    let tools = listed["tools"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = tools.iter().filter_map(|t| t["name"].as_str()).collect();
    bench.say(names.join(", "));
    for name in TOOLS {
        let tool = tools.iter().find(|tool| tool["name"] == name);
        let tool = tool.expect_that(&format!("the tool {name} is listed"))?;
        ensure!(
            tool["inputSchema"]["type"] == "object" && tool["description"].is_string(),
            "{name} is not described: {tool}"
        );
    }
    ensure!(
        names.len() == TOOLS.len(),
        "{} tools are listed",
        names.len()
    );
    let act = tools.iter().find(|tool| tool["name"] == "execute_action");
    let act = act.expect_that("execute_action is listed")?;
    let actions = &act["inputSchema"]["properties"]["action_type"]["enum"];
    let actions = actions.as_array().cloned().unwrap_or_default();
    for action in [
        "navigate", "click", "type", "scroll", "wait", "go_back", "refresh",
    ] {
        ensure!(
            actions.iter().any(|listed| listed == action),
            "execute_action does not list {action}"
        );
    }
    client.end().await
}

async fn test_step10_mcp_action_execution(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let mut client = Client::start(&bench).await?;
    // No session was started: the first action starts one.
    let go = json!({ "action_type": "navigate", "params": { "url": pages.url("/form") } });
    let went = client.perform("execute_action", go).await?;
    bench.say(format!("{}", went["message"]));
    ensure!(
        pages.arrivals_at("/form") == 1,
        "the page's server was not asked"
    );
    let looked = client.perform("get_browser_context", json!({})).await?;
    let elements = looked["elements"].as_array().cloned().unwrap_or_default();
    let button = elements
        .iter()
        .find(|element| element["name"] == "Press me");
    let index = &button.expect_that("the context lists the button")?["index"];
    let click = json!({ "action_type": "click", "params": { "index": index } });
    let clicked = client.perform("execute_action", click).await?;
    bench.say(format!("{}", clicked["message"]));
    let mut tab = Tab::attach(&client.work_dir).await?;
    let hit = tab.evaluate("hits.at(-1).id").await?;
    ensure!(hit == "press", "the click hits {hit}");
    client.end().await
}

async fn test_step10_mcp_browser_context(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let mut client = Client::start(&bench).await?;
    let start = json!({ "room_name": "validate", "initial_url": pages.url("/two") });
    client.perform("start_browser_session", start).await?;
    let room = json!({ "room_name": "validate" });
    let told = client.perform("get_browser_context", room.clone()).await?;
    let mut tab = Tab::attach(&client.work_dir).await?;
    let seen = tab.evaluate("[location.href, document.title, document.readyState]");
    let seen = seen.await?;
    let told = json!([told["url"], told["title"], told["ready_state"]]);
    bench.say(format!("told {told}, in the page {seen}"));
    ensure!(told == seen, "the context is {told}, the page {seen}");
    client.perform("close_browser_session", room).await?;
    client.end().await
}

async fn test_step10_mcp_error_handling(bench: Bench) -> Outcome {
    let mut client = Client::start(&bench).await?;
    for (tool, arguments, kind) in [
        (
            "execute_action",
            json!({ "action_type": "bogus" }),
            "unknown_action",
        ),
        (
            "execute_action",
            json!({ "action_type": "click", "params": {} }),
            "missing_parameter",
        ),
        (
            "execute_action",
            json!({ "action_type": "click", "params": { "index": 99 } }),
            "element_not_found",
        ),
        (
            "pause_browser_session",
            json!({ "room_name": "no-such-room" }),
            "not_found",
        ),
    ] {
        let (is_error, sentence, facts) = client.call(tool, arguments.clone()).await?;
        bench.say(format!("{tool} {arguments}: {sentence}"));
        ensure!(is_error, "{tool} {arguments} is no error: {sentence}");
        ensure!(
            facts["error_kind"] == kind,
            "{tool} {arguments} fails as {} and not as {kind}",
            facts["error_kind"]
        );
        // The next call is answered as ever.
        client.perform("get_browser_context", json!({})).await?;
    }
    client.end().await
}
