"""What a failed action tells, and how the next try is tied to it. No model is asked."""

import re


from support.web import closed_port


def counted(api, name):
    """A counter of the service without labels."""
    return float(re.search(rf"^{name} (\S+)$", api.get("/metrics").text, re.MULTILINE).group(1))


def test_a_stale_index_is_corrected(lone_api, room, open_page):
    """The list is made anew between look and click; the candidates hold what was meant."""
    visit = open_page("/shuffled")
    before = [counted(lone_api, f"ghostcast_{n}_total") for n in ("corrections", "corrected")]
    index = lone_api.index_of(room, "Figs")
    lone_api.do(room, "click", x=900, y=600)
    visit.wait_note("drawn")
    with lone_api.events(room, ["all"]) as events:
        failed = lone_api.fail(room, "click", "stale_element", index=index)
        heard = events.wait("action_error")
        assert set(heard["action"]) == {"action_type", "params"}
        context = failed["context"]
        assert {"action", "url", "title", "ready_state", "candidates", "was", "now"} <= set(context)
        best = context["candidates"][0]
        assert best["name"] == "Figs" and {"index", "role", "box"} <= set(best)
        assert not visit.notes("chosen")
        again = lone_api.act(
            room, "click", index=best["index"], correction_of=failed["action_id"]
        )
        assert again["success"] and again["correction_of"] == failed["action_id"]
        assert visit.wait_note("chosen") == "Figs"
        started = events.wait("action_started", accept=lambda e: "correction_of" in e)
        assert (started["action_id"], started["correction_of"]) == (
            again["action_id"],
            failed["action_id"],
        )
        done = events.wait("action_completed")
        assert set(done["action"]) == {"action_type", "params"}
    after = [counted(lone_api, f"ghostcast_{n}_total") for n in ("corrections", "corrected")]
    assert after == [n + 1 for n in before]


def test_a_stand_in_agent_corrects_itself(lone_api, room, open_page):
    """Hears of the failure by event, looks at the page, and does the right thing."""
    visit = open_page("/form")
    assert lone_api.elements(room)
    with lone_api.events(room) as events:
        failed = lone_api.fail(room, "click", "element_not_found", index=4000)
        events.wait("action_error")
        index = lone_api.index_of(room, "Press me")
        result = lone_api.act(room, "click", index=index, correction_of=failed["action_id"])
        assert result["success"], result
        events.wait("action_completed")
    assert visit.wait_note("click")["target"] == "press"


def test_a_correction_of_nothing_is_refused(lone_api, room, open_page):
    """Neither unknown ids nor those of what succeeded are failures to correct."""
    open_page("/form")
    done = lone_api.do(room, "wait", seconds=0)
    assert done["correction_of"] is None
    for wrong in ("never-seen", done["action_id"]):
        refusal = lone_api.act(room, "wait", seconds=0, correction_of=wrong)
        assert refusal["error_kind"] == "invalid_parameter" and wrong in refusal["error"]
        assert refusal["correction_of"] is None and refusal["action_id"] != wrong
        assert refusal["context"]["action"]["action_type"] == "wait"


def test_ids_are_short_and_unique(lone_api, room):
    """Every result has one, failed or not."""
    ids = [lone_api.do(room, "wait", seconds=0)["action_id"] for _ in range(20)]
    ids += [lone_api.fail(room, "click", "missing_parameter")["action_id"] for _ in range(20)]
    assert len(set(ids)) == 40 and max(map(len, ids)) <= 16


def test_failed_navigations_name_their_cause(lone_api, room, open_page, web):
    """The error can be spoken; what a program wants to know is beside it."""
    open_page("/still")
    with closed_port() as port:
        failed = lone_api.fail(
            room, "navigate", "connection_failed", url=f"http://127.0.0.1:{port}/"
        )
    assert failed["context"]["net_error"].startswith("net::ERR_")
    assert "ERR_" not in failed["error"]
    failed = lone_api.fail(room, "navigate", "navigation_failed", url=web.url("/no-content"))
    assert failed["context"]["http_status"] == 204, failed
    for key in ("url", "title", "ready_state"):
        assert key in failed["context"]


def test_typing_into_nothing_offers_fields(lone_api, room, open_page):
    """Whoever forgot the index is told of the fields that there are."""
    open_page("/form")
    failed = lone_api.fail(room, "type", "element_not_editable", text="lost")
    names = [candidate["name"] for candidate in failed["context"]["candidates"]]
    assert "Field" in names and "Press me" not in names


def test_ten_failures_and_a_good_action(lone_api, room, open_page):
    """The session takes no harm."""
    visit = open_page("/form")
    assert lone_api.elements(room)
    for number in range(10):
        lone_api.fail(room, "click", "element_not_found", index=5000 + number)
    lone_api.do(room, "click", index=lone_api.index_of(room, "Press me"))
    assert visit.wait_note("click")["target"] == "press"
