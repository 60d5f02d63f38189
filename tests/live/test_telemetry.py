"""What programs that watch the service are told: traces, measurements, reports of errors."""

import re
import time

import pytest

from support.api import new_room
from support.collector import Watcher, attributes
from support.jobs import connected, ended, enqueue, finalise, note
from support.service import refused_start
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

CALLER, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
READ = {"platform": "local", "workflow": "read"}


@pytest.fixture
def watcher():
    """A collector."""
    made = Watcher()
    yield made
    made.close()


def ancestors(spans, span):
    """Names of a span's parents, from it upwards."""
    by_id = {one.span_id: one for one in spans}
    names = [span.name]
    while span.parent_span_id in by_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)
    return names


def test_one_trace_from_the_request_to_the_browser(office, local, watcher):
    """From the caller's own trace through the request, the job, its actions and their commands; over a restart too."""
    telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": watcher.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=hush%20hush"}
    service = office(more='[telemetry]\nenvironment = "test"', jobs={"automation": 1}, **telemetry)
    api = service.api
    connected(api, local)
    note_id = note(api, local)
    headers = {"traceparent": f"00-{CALLER}-{PARENT}-01"}
    answer = api.request("POST", f"/notes/{note_id}/finalise", headers=headers)
    ended(api, answer.json()["job_id"])
    late = api.request(
        "POST", "/jobs", json={"kind": "workflow", "args": READ, "run_at": time.time() + 4}, headers=headers
    ).json()["job_id"]
    assert not service.stop()
    service = office(more='[telemetry]\nenvironment = "test"', **telemetry)
    ended(service.api, late)
    assert not service.stop()
    spans = [span for span in watcher.spans if span.trace_id.hex() == CALLER]
    names = {span.name for span in spans}
    wanted = {"POST /notes/{note_id}/finalise", "job post_note", "action navigate", "action type", "action click"}
    assert wanted <= names and {"POST /jobs", "job workflow"} <= names, names
    request = next(span for span in spans if span.name == "POST /notes/{note_id}/finalise")
    assert request.parent_span_id.hex() == PARENT
    assert attributes(request.attributes)["http.response.status_code"] == 200
    command = next(span for span in spans if span.name == "cdp Page.navigate")
    assert ancestors(spans, command)[1:] == ["action navigate", "job post_note", request.name]
    of_late = next(span for span in spans if span.name == "job workflow")
    assert ancestors(spans, of_late) == ["job workflow", "POST /jobs"]
    for span in spans:
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano < time.time_ns(), span
    assert any(one["service.name"] == "ghostcast" and one["deployment.environment.name"] == "test" for one in watcher.resources)
    assert all(one["x-key"] == "hush hush" for one in watcher.headers)
    # What somebody types, and what a page is called, is in no trace; nor are spans in the log.
    told = b"".join(watcher.raw)
    assert b"correct horse" not in told and b"Test note" not in told
    assert local.url("").encode() not in told and b"/video/test" not in told
    assert "otel" not in service.log(1_000_000)


def test_an_action_that_fails_says_so_in_its_trace(office, watcher, local):
    """An error in its span, of the kind that its caller is told."""
    api = office(GHOSTCAST_TELEMETRY__OTLP_ENDPOINT=watcher.url + "/").api
    with api.session(new_room("traced"), initial_url=local.url("/open")) as room:
        assert not api.act(room, "click", index=999)["success"]
    find = lambda: [one for one in watcher.spans if one.name == "action click"]  # noqa: E731
    span = wait_for(find, 15, "the action's span")[0]
    assert attributes(span.attributes)["error.type"] == "element_not_found" and span.status.code == 2


def test_measurements_are_those_of_the_metrics(office, watcher, local):
    """By OTLP, the numbers that /metrics tells; a collector that is away is no reason to end."""
    watcher.is_away = True
    settings = {"GHOSTCAST_TELEMETRY__OTLP_ENDPOINT": watcher.url, "GHOSTCAST_TELEMETRY__METRICS_EVERY_S": "1"}
    service = office(**settings)
    api = service.api
    ended(api, enqueue(api, args=READ)["job_id"])
    wait_for(lambda: "the collector does not take them" in service.log(1_000_000), 10, "it is told")
    watcher.is_away = False
    told = wait_for(lambda: watcher.metrics, 10, "measurements")[0]
    attempts = told["ghostcast_job_attempts_total"].sum
    assert attempts.is_monotonic and attempts.aggregation_temporality == 2
    point = attempts.data_points[0]
    assert attributes(point.attributes) == {"kind": "workflow", "outcome": "done", "attempt": "1"}
    assert point.as_double == 1 and point.start_time_unix_nano < point.time_unix_nano
    took = told["ghostcast_job_duration_seconds"].histogram.data_points[0]
    assert took.count == 1 == sum(took.bucket_counts) and len(took.bucket_counts) == len(took.explicit_bounds) + 1
    shown = re.search(r'ghostcast_job_duration_seconds_sum\{[^}]*\} (\S+)', api.get("/metrics").text)
    assert took.sum == float(shown[1])
    assert told["process_resident_memory_bytes"].gauge.data_points[0].as_double > 1e7
    families = set(re.findall(r"^# TYPE (\S+)", api.get("/metrics").text, re.M))
    assert families <= set(told) and told["ghostcast_sessions"].description
    before = len(watcher.metrics)
    assert not service.stop()
    assert len(watcher.metrics) > before, "the last ones are sent at the end"


def test_a_failed_job_is_reported_once(office, local, watcher):
    """A failing job makes one report; what may be secret is not in it."""
    service = office(SENTRY_DSN=watcher.dsn, GHOSTCAST_TELEMETRY__ENVIRONMENT="test")
    api = service.api
    ended(api, enqueue(api, args=READ)["job_id"])
    holds_for(lambda: not watcher.reports, 1, "nothing to report")
    local.mood = "busy"
    failed = enqueue(api, args={**READ, "user_id": "ada"})["job_id"]
    ended(api, failed, "failed")
    wait_for(lambda: watcher.reports, 10, "the report")
    holds_for(lambda: len(watcher.reports) == 1, 2, "one")
    report = watcher.reports[0]
    assert report["release"].startswith("ghostcast@") and report["environment"] == "test"
    text = str(report)
    assert failed in text and "wants fewer requests" in text, text
    assert "server_name" not in report and not report.get("user"), report
    local.mood = ""
    # A page that cannot be reached is told with its address in the log, and without it here.
    platform = '[platforms.gone]\nurl = "http://127.0.0.1:9/"\nlogged_in = "#x"\n[platforms.gone.workflows.go]\n'
    steps = 'page = "http://ada:hush-hush@127.0.0.1:9/private?key=hush-hush"\nseen = "null"\n'
    step = '[[platforms.gone.workflows.go.steps]]\naction = "press"\nparams = { key = "Enter" }\n'
    assert not service.stop()
    service = office(SENTRY_DSN=watcher.dsn, more=platform + steps + step)
    gone = enqueue(service.api, args={"platform": "gone", "workflow": "go"}, attempts_max=1)["job_id"]
    ended(service.api, gone, "failed")
    wait_for(lambda: len(watcher.reports) == 2, 10, "the report")
    assert gone in str(watcher.reports[1]) and "hush" not in str(watcher.reports[1])
    # At the end what is on its way arrives, or is counted.
    watcher.is_away = True
    gone = enqueue(service.api, args={"platform": "gone", "workflow": "go", "n": 2}, attempts_max=1)["job_id"]
    ended(service.api, gone, "failed")
    lost = lambda: "ghostcast_error_reports_lost_total 1" in service.api.get("/metrics").text  # noqa: E731
    wait_for(lost, 10, "a lost one is counted")


def test_telemetry_that_cannot_be_is_refused(ghostcast_bin, tmp_path):
    """With what is wrong; a key is not repeated."""
    for name, setting, told in (
        ("OTLP_ENDPOINT", "localhost:4317", "otlp_endpoint"),
        ("SENTRY_DSN", "hush-hush", "sentry_dsn"),
        ("SENTRY_DSN", "http://host/hush-hush", "sentry_dsn"),
        ("OTLP_HEADERS", "a key=hush-hush", "otlp_headers"),
        ("OTLP_HEADERS", "hush-hush", "otlp_headers"),
        ("METRICS_EVERY_S", "100000", "metrics_every_s"),
    ):
        said = refused_start(ghostcast_bin, tmp_path, **{f"GHOSTCAST_TELEMETRY__{name}": setting})
        assert f"telemetry.{told}" in said and "hush" not in said, said
