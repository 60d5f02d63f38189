"""Memory is bounded: what the browsers take together, and what one page takes."""

import re

import pytest

from support import procs
from support.api import assert_envelope, new_room
from support.kept import start
from support.service import running_service
from support.wait import wait_for

# It measures memory, and a page that takes much of it disturbs what is timed beside it.
pytestmark = pytest.mark.alone

MEGABYTE = 1 << 20
# Less than any browser takes, whatever it shares with others of the machine.
BUDGET_MB = 16
LIMIT_MB = 400
# Takes memory that is its own until it is ended.
HUNGRY = b"""<!doctype html><title>hungry</title><p id=size>0</p><script>
const kept = [];
setInterval(() => {
  kept.push(new Uint8Array(40 << 20).fill(kept.length + 1));
  document.getElementById('size').textContent = kept.length;
}, 150);
</script>"""
MODEST = b"<!doctype html><title>modest</title><p>little</p>"


def browsers_pss_mb(service):
    """What all processes but the service's own take, shared memory counted once, as the OS says it."""
    total = 0
    for pid in procs.descendants(service.process.pid):
        if pid == service.process.pid:
            continue
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1024


def test_no_session_is_started_beyond_the_budget(ghostcast_bin):
    """Refused with the numbers, which are the system's; what runs goes on."""
    env = {"GHOSTCAST_BROWSER__MEMORY_BYTES_MAX": str(BUDGET_MB * MEGABYTE)}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        # One that is still starting is no browser of the service yet.
        wait_for(lambda: api.get("/stats").json()["browsers"], 15, "a browser is kept warm")
        wait_for(lambda: browsers_pss_mb(service) > BUDGET_MB, 15, "it takes more than that")

        def refused():
            answer = api.request("POST", "/sessions", json={"room_name": new_room("full")})
            assert_envelope(answer, 429, "exhausted")
            assert "browser.memory_bytes_max" in answer.json()["error"]["hint"]
            taken, budget = map(int, re.findall(r"(\d+) MB", answer.json()["error"]["message"]))
            return taken, budget, browsers_pss_mb(service)

        # What is shared with other browsers of the machine changes as those come and go.
        wait_for(
            refused,
            15,
            "the numbers are the system's",
            accept=lambda seen: seen[1] == BUDGET_MB and abs(seen[0] - seen[2]) < max(5, seen[2] / 10),
        )
        assert api.get("/sessions").json() in ([], {"sessions": []})


def test_a_page_that_takes_too_much_is_ended(ghostcast_bin, web):
    """Told with the numbers; a session with a name comes back by itself, and one without fails."""
    web.files["/hungry.html"], web.files["/modest.html"] = HUNGRY, MODEST
    env = {"GHOSTCAST_BROWSER__RENDERER_BYTES_MAX": str(LIMIT_MB * MEGABYTE)}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        room, beside = new_room("hungry"), new_room("modest")
        api.create(room, initial_url=web.url("/modest.html"))
        api.create(beside, initial_url=web.url("/modest.html"))
        with api.events(room) as events:
            api.act(room, "navigate", url=web.url("/hungry.html"))
            told = events.wait("browser_error", 30)
        taken, limit = map(int, re.findall(r"(\d+) MB", told["error"]))
        assert limit == LIMIT_MB <= taken, told
        assert "browser.renderer_bytes_max" in told["error"] and "Start a new" in told["error"]
        record = api.record(room)
        assert record["state"] == "failed" and "MB" in record["state_reason"], record
        # Whoever is in the same browser is left alone.
        assert api.record(beside)["state"] == "live"
        assert api.context(beside)["title"] == "modest"
        start(api, "hungry", initial_url=web.url("/modest.html"))
        with api.events("hungry") as events:
            api.act("hungry", "navigate", url=web.url("/hungry.html"))
            told = events.wait("browser_error", 30)
            assert "MB" in told["error"] and "started again" in told["error"], told
            api.wait_record("hungry", lambda record: record["state"] == "live", 15, "it is back")
        assert "ghostcast_renderers_ended_total" in api.get("/metrics").text
