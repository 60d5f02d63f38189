//! Step 3: domain allowlist.

use std::time::Duration;

use serde_json::json;

use super::bench::Bench;
use super::http::Body;
use super::outcome::{Outcome, ensure};
use super::pages::Pages;
use super::runner::Runner;
use super::session::Session;

const PATTERNS: [&str; 2] = ["*.allowed.localhost", "exact.localhost"];
const BLOCKED: &str = "blocked.localhost";
/// A refusal needs no network.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn run_step3_tests(runner: &mut Runner) -> bool {
    runner.begin(3, "Domain allowlist");
    let passed = [
        runner
            .test(
                "Allowed Domain Navigation",
                test_step3_allowed_domain_navigation,
            )
            .await,
        runner
            .test(
                "Blocked Domain Navigation",
                test_step3_blocked_domain_navigation,
            )
            .await,
        runner
            .test(
                "Wildcard Pattern Matching",
                test_step3_wildcard_pattern_matching,
            )
            .await,
    ];
    runner.tally(&passed)
}

async fn fenced(bench: &Bench) -> Outcome<(Pages, Session)> {
    let pages = bench.pages().await?;
    let service = bench.service(json!({})).await?;
    let fields = json!({ "allowed_domains": PATTERNS });
    let session = bench.session_of(&service, "fenced", fields).await?;
    Ok((pages, session))
}

async fn test_step3_allowed_domain_navigation(bench: Bench) -> Outcome {
    let (pages, session) = fenced(&bench).await?;
    for host in ["exact.localhost", "a.allowed.localhost"] {
        let url = pages.url_at(host, "/example");
        session.navigate(&url).await?;
        let context = session.context().await?;
        ensure!(
            context.url == url && context.title.as_deref() == Some("Example Domain"),
            "{url} leads to {} ({})",
            context.url,
            context.title.as_deref().unwrap_or("no title")
        );
        let asked = pages.arrivals(host).len();
        ensure!(asked == 1, "the server of {host} was asked {asked} times");
    }
    Ok(())
}

async fn test_step3_blocked_domain_navigation(bench: Bench) -> Outcome {
    let (pages, session) = fenced(&bench).await?;
    let to = pages.url_at(BLOCKED, "/two");
    let refused = session
        .fail("navigate", json!({ "url": to }), "blocked")
        .await?;
    let error = refused.error.unwrap_or_default();
    bench.say(&error);
    ensure!(error.contains(BLOCKED), "the error does not name the host");
    let took = Duration::from_secs_f64(refused.duration_ms / 1e3);
    ensure!(took < REFUSED_WITHIN, "the refusal takes {took:?}");
    let lent = pages.url_at("exact.localhost", &format!("/redirect?to={to}"));
    session
        .fail("navigate", json!({ "url": lent }), "blocked")
        .await?;
    // Without a list each of these ways leads there; with it none does.
    let free_service = bench.service(json!({})).await?;
    let free = bench.session_of(&free_service, "free", json!({})).await?;
    for how in ["script", "link", "popup", "fetch", "frame"] {
        let from = pages.url_at("exact.localhost", &format!("/escape?how={how}&to={to}"));
        let mut reached = Vec::new();
        for session in [&free, &session] {
            let before = pages.arrivals(BLOCKED).len();
            session.act("navigate", json!({ "url": from })).await?;
            if how == "link" {
                let index = session.index_of("Follow").await?;
                session.act("click", json!({ "index": index })).await?;
            }
            session.perform("wait", json!({ "seconds": 0.4 })).await?;
            reached.push(pages.arrivals(BLOCKED).len() - before);
        }
        bench.say(format!(
            "by {how}: {} requests without a list, {} with it",
            reached[0], reached[1]
        ));
        ensure!(
            reached[0] > 0,
            "{how} does not work at all, so it proves nothing"
        );
        ensure!(reached[1] == 0, "{how} reaches the blocked host");
    }
    session
        .navigate(&pages.url_at("exact.localhost", "/two"))
        .await?;
    Ok(())
}

/// Whether the list lets a session begin at a URL, which is decided before there is a browser.
async fn is_begun(beside: &Session, url: &str) -> Outcome<bool> {
    let service = &beside.service;
    let order = json!({
        "room_name": "begun", "allowed_domains": PATTERNS, "initial_url": url,
    });
    let answer = service.ask("POST", "/sessions", Body::Json(&order)).await?;
    if answer.status == 201 {
        service.close("begun").await?;
        return Ok(true);
    }
    let kind = answer.json()?["error"]["kind"].take();
    ensure!(
        answer.status == 403 && kind == "forbidden",
        "a session at {url} is answered with {} {kind}",
        answer.status
    );
    Ok(false)
}

async fn test_step3_wildcard_pattern_matching(bench: Bench) -> Outcome {
    let (pages, session) = fenced(&bench).await?;
    for (host, is_allowed) in [
        ("a.allowed.localhost", true),
        ("b.a.allowed.localhost", true),
        ("exact.localhost", true),
        ("allowed.localhost", false),
        ("sub.exact.localhost", false),
        ("badallowed.localhost", false),
        ("notexact.localhost", false),
        ("a.allowed.localhost.evil.localhost", false),
        ("127.0.0.1", false),
    ] {
        let url = pages.url_at(host, "/example");
        let by_matcher = is_begun(&session, &url).await?;
        let before = pages.arrivals(host).len();
        let result = session.act("navigate", json!({ "url": url })).await?;
        let has_arrived = pages.arrivals(host).len() > before;
        bench.say(format!(
            "{} / {}: {host} is {}",
            PATTERNS[0],
            PATTERNS[1],
            if result.success { "allowed" } else { "blocked" }
        ));
        let got = [by_matcher, result.success, has_arrived];
        ensure!(
            got == [is_allowed; 3],
            "{host}: allowed by the matcher, by the browser, request seen: {got:?}"
        );
    }
    bench.say("*.allowed.localhost takes every subdomain, and not allowed.localhost itself");
    Ok(())
}
