//! Step 9: self-correction.

use serde_json::json;

use super::bench::Bench;
use super::outcome::{Expect, Outcome, ensure};
use super::runner::Runner;
use super::session::Session;

pub(super) async fn run_step9_tests(runner: &mut Runner) -> bool {
    runner.begin(9, "Self-correction");
    let passed = [
        runner
            .test("Error Handling", test_step9_error_handling)
            .await,
        runner
            .test(
                "Action Result Error Reporting",
                test_step9_action_result_error_reporting,
            )
            .await,
    ];
    runner.tally(&passed)
}

async fn test_step9_error_handling(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/form"))).await?;
    for (action_type, params) in [
        ("click", json!({ "index": 4000 })),
        ("click", json!({ "x": "left" })),
        ("type", json!({ "index": 4000, "text": "a" })),
        ("bogus", json!({})),
        ("scroll", json!({ "direction": "inwards" })),
        ("navigate", json!({ "url": "http://127.0.0.1:1/" })),
        ("navigate", json!({ "url": "file:///etc/passwd" })),
        (
            "navigate",
            json!({ "url": pages.url("/hang"), "timeout_ms": 300 }),
        ),
        ("wait", json!({ "seconds": "long" })),
        ("go_forward", json!({})),
    ] {
        let result = session.act(action_type, params.clone()).await?;
        let error = result.error.unwrap_or_default();
        ensure!(!result.success, "{action_type} {params} should fail");
        ensure!(
            !error.is_empty(),
            "{action_type} {params} fails without a word"
        );
        bench.say(format!("{action_type}: {error}"));
    }
    let record = session.record().await?;
    ensure!(!record.is_dead(), "the session is {}", record.state);
    session.navigate(&pages.url("/form")).await?;
    let index = session.index_of("Press me").await?;
    session.perform("click", json!({ "index": index })).await?;
    let hit = session.tab().await?.evaluate("hits.at(-1).id").await?;
    ensure!(hit == "press", "the good click hits {hit}");
    Ok(())
}

async fn test_step9_action_result_error_reporting(bench: Bench) -> Outcome {
    let pages = bench.pages().await?;
    let session = bench.session(Some(pages.url("/list"))).await?;
    errors_differ(&session).await?;
    session.navigate(&pages.url("/list")).await?;
    correct(&bench, &session, &pages.url("/list")).await
}

/// Each kind of failure has words of its own.
async fn errors_differ(session: &Session) -> Outcome {
    let mut errors = Vec::new();
    for (action_type, params, kind) in [
        ("bogus", json!({}), "unknown_action"),
        ("click", json!({}), "missing_parameter"),
        ("wait", json!({ "seconds": -1 }), "invalid_parameter"),
        ("click", json!({ "index": 4000 }), "element_not_found"),
        (
            "navigate",
            json!({ "url": "file:///etc/passwd" }),
            "blocked",
        ),
        (
            "navigate",
            json!({ "url": "http://no-such-host.invalid/" }),
            "dns_failed",
        ),
    ] {
        errors.push(session.fail(action_type, params, kind).await?.error);
    }
    errors.sort();
    errors.dedup();
    ensure!(
        errors.len() == 6,
        "two failures have the same words: {errors:?}"
    );
    Ok(())
}

/// A stale index is refused, and what comes with the refusal puts it right.
async fn correct(bench: &Bench, session: &Session, url: &str) -> Outcome {
    // The list is made anew between look and click.
    let index = session.index_of("Figs").await?;
    session
        .perform("click", json!({ "x": 900, "y": 600 }))
        .await?;
    let failed = session
        .fail("click", json!({ "index": index }), "stale_element")
        .await?;
    let context = failed.context.expect_that("a failure has a context")?;
    ensure!(
        context["action"]["action_type"] == "click"
            && context["action"]["params"]["index"] == index,
        "the context does not hold what was tried: {}",
        context["action"]
    );
    ensure!(
        context["url"] == url && context["title"] == "List" && context["ready_state"] == "complete",
        "the context does not hold the page's state: {context}"
    );
    let best = &context["candidates"][0];
    ensure!(
        best["name"] == "Figs" && best["role"] == "button",
        "the first candidate is {best}"
    );
    let correction = json!({ "index": best["index"] });
    let again = session
        .act_on("click", correction, Some(failed.action_id.clone()))
        .await?;
    ensure!(
        again.success && again.correction_of.as_deref() == Some(failed.action_id.as_str()),
        "the correction fails: {:?}",
        again.error
    );
    let chosen = session.tab().await?.evaluate("chosen").await?;
    bench.say(format!(
        "index {index} was stale; corrected to {}, which chose {chosen}",
        best["index"]
    ));
    ensure!(chosen == "Figs", "the correction chooses {chosen}");
    Ok(())
}
