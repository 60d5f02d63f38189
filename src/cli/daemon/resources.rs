//! What a service takes: as it tells by `GET /stats`, and of one that does not, as the system has it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::processes::{Process, Use, measure};

/// Processor time is measured over this time.
const MEASURED_FOR: Duration = Duration::from_millis(500);

/// What it takes, a line each.
pub(super) async fn tell(service: Process, stats: Option<&Value>) -> Vec<String> {
    let mut lines = match stats.and_then(told) {
        Some(lines) => lines,
        None => seen(service).await,
    };
    let sessions = stats.map(|stats| &stats["per_session"]);
    lines.extend(
        sessions
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(session),
    );
    lines
}

/// What the service says of itself and its browsers.
fn told(stats: &Value) -> Option<Vec<String>> {
    let number = |cost: &Value, key: &str| cost[key].as_u64();
    let service = &stats["service"];
    let (cpu, pss) = (
        service["cpu_percent"].as_f64()?,
        number(service, "pss_bytes")?,
    );
    let browsers = stats["browsers"].as_array()?;
    let sum = |key| {
        browsers
            .iter()
            .filter_map(|cost| number(cost, key))
            .sum::<u64>()
    };
    let browsers_cpu = browsers
        .iter()
        .filter_map(|cost| cost["cpu_percent"].as_f64());
    Some(vec![
        format!("service   {}", amounts(cpu, pss)),
        format!(
            "browsers  {}, {} processes",
            amounts(
                browsers_cpu.fold(0.0, |all, cpu| all + cpu),
                sum("pss_bytes")
            ),
            sum("processes")
        ),
    ])
}

fn session(session: &Value) -> String {
    let text = |key: &str| session[key].as_str();
    let name = text("session_name").or_else(|| text("room_name"));
    let name = name.or_else(|| text("session_id")).unwrap_or("?");
    let cpu = session["cpu_percent"].as_f64();
    let pss = session["pss_bytes"].as_u64();
    let state = text("state").unwrap_or("unknown");
    match (cpu, pss) {
        (Some(cpu), Some(pss)) => format!("session   {name}: {state}, {}", amounts(cpu, pss)),
        _ => format!("session   {name}: {state}"),
    }
}

/// What the system has of the service and of all that descends from it.
async fn seen(service: Process) -> Vec<String> {
    let look = || (measure(&[service]), measure(&service.descendants()));
    let (own, browsers) = look();
    let began = Instant::now();
    tokio::time::sleep(MEASURED_FOR).await;
    let (own_then, browsers_then) = look();
    let meanwhile = began.elapsed();
    let line = |name: &str, before: Use, after: Use| {
        let cpu = after.cpu_percent(before, meanwhile);
        format!("{name:9} {}", amounts(cpu, after.pss_bytes))
    };
    vec![
        line("service", own, own_then),
        format!(
            "{}, {} processes",
            line("browsers", browsers, browsers_then),
            browsers_then.count
        ),
    ]
}

fn amounts(cpu_percent: f64, pss_bytes: u64) -> String {
    format!(
        "{cpu_percent:.1} % CPU, {:.1} MB memory",
        pss_bytes as f64 / 1e6
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_service_tells_is_printed() {
        let stats = json!({
            "service": { "cpu_percent": 3.06, "pss_bytes": 61_000_000, "processes": 1 },
            "browsers": [
                { "cpu_percent": 15, "pss_bytes": 150_500_000, "processes": 7 },
                { "cpu_percent": 5, "pss_bytes": 100_000_000, "processes": 2 },
            ],
            "per_session": [
                { "session_name": "shop", "state": "live", "cpu_percent": 1.0, "pss_bytes": 90_000_000 },
                { "session_name": null, "room_name": "walk", "state": "stored" },
            ],
        });
        assert_eq!(
            told(&stats).unwrap(),
            [
                "service   3.1 % CPU, 61.0 MB memory",
                "browsers  20.0 % CPU, 250.5 MB memory, 9 processes"
            ]
        );
        let sessions: Vec<_> = stats["per_session"]
            .as_array()
            .unwrap()
            .iter()
            .map(session)
            .collect();
        assert_eq!(
            sessions,
            [
                "session   shop: live, 1.0 % CPU, 90.0 MB memory",
                "session   walk: stored"
            ]
        );
        assert!(told(&json!({ "uptime_s": 3 })).is_none());
        let none = json!({ "service": stats["service"], "browsers": [] });
        assert_eq!(
            told(&none).unwrap()[1],
            "browsers  0.0 % CPU, 0.0 MB memory, 0 processes"
        );
    }
}
