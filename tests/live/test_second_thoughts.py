"""Pages that think again a moment after they took what was done to them; judged by what they hold then."""

import time

import pytest

from support.wait import wait_for

FIELD = "<title>Field</title><input id=f aria-label=Field><p id=says role=alert></p><script>%s</script>"
# What a page does once its field holds "abc": by then the field is empty, or will be.
REFUSING = {
    "another query": "f.value = ''; history.replaceState(null, '', '?q=')",
    "a fragment": "f.value = ''; location.hash = 'x'",
    "a file": "f.value = ''; location = '/file?pause=0'",
    "no content": "location = '/no-content'; setTimeout(() => { f.value = '' }, 150)",
    "a request": "setTimeout(() => { f.value = '' }, 200); fetch('/slow?seconds=3')",
    "a tab": "f.value = ''; window.open('/still')",
    "a word later": "f.value = ''; setTimeout(() => { says.textContent = 'Digits only' }, 100)",
}
TALL = "<title>Tall</title><body style='margin:0'><div style='height:%dpx'></div><script>%s</script>"
# What a page does when it is scrolled, and how far it is to be scrolled.
GLIDING = {
    "on": (6000, 500, "let d = 0; onscroll = () => { if (!d++) scrollTo({ top: 2000, behavior: 'smooth' }) }"),
    "back": (6000, 500, "onscroll = () => { if (scrollY > 0) scrollTo({ top: 0, behavior: 'smooth' }) }"),
    "to a place": (6000, 500, "onscrollend = () => { if (scrollY !== 720) scrollTo({ top: 720, behavior: 'smooth' }) }"),
    "more at its end": (
        1500, 1000,
        """let n = 0; const end = document.createElement('div'); end.style.height = '1px'; document.body.append(end);
        new IntersectionObserver(([e]) => { if (e.isIntersecting && !n++) { const more = document.createElement('div');
          more.style.height = '3000px'; end.before(more) } }, { rootMargin: '100px' }).observe(end)""",
    ),
    "more by request": (
        1500, 1000,
        """let n = 0; onscroll = async () => { if (n++) return; await fetch('/slow?seconds=0.1');
          const more = document.createElement('div'); more.style.height = '3000px'; document.body.append(more) }""",
    ),
}  # fmt: skip


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page that is made of this; no dialog of it lies over the tests that follow, whatever became of its own."""

    def visit(html):
        web.files["/thinks.html"] = html.encode()
        lone_api.do(room, "navigate", url=web.url("/thinks.html"))

    yield visit
    lone_api.act(room, "handle_dialog", accept=True)


def held(lone_api, room):
    """What the field holds, as the list has it."""
    return next(e for e in lone_api.elements(room) if e["name"] == "Field").get("value", "")


@pytest.mark.parametrize("does", REFUSING)
def test_a_text_that_is_taken_back_is_refused(lone_api, room, show, does):
    """Whatever else the page does: no success, what else came of it, and the field is empty."""
    show(FIELD % f"f.oninput = () => {{ if (f.value === 'abc') {{ {REFUSING[does]} }} }}")
    field = lone_api.index_of(room, "Field")
    refused = lone_api.fail(room, "type", "value_not_accepted", index=field, text="abc")
    kinds = {"another query": "navigation", "a fragment": "navigation", "a file": "download", "a tab": "tab"}
    if does in kinds:
        assert refused["effect"]["kind"] == kinds[does], refused
    if does == "a word later":
        assert any("Digits only" in change["text"] for change in refused["changes"]), refused
    if does == "a tab":
        lone_api.do(room, "close_tab", tab=refused["tab"])
    assert held(lone_api, room) == ""


@pytest.mark.parametrize(
    "when",
    [
        "f.oninput = () => { if (f.value === 'abc') setTimeout(() => alert('Hi'), 0) }",
        "f.onkeyup = (event) => { if (event.key === 'c') alert('Hi') }",
    ],
)
def test_a_dialog_while_a_text_is_typed_is_told(lone_api, room, show, when):
    """At once, though the page can say nothing of the field until it is answered, nor of the last key let go."""
    show(FIELD % when)
    began = time.monotonic()
    told = lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="abc")
    assert told["effect"]["kind"] == "dialog" and told["data"]["dialog"]["message"] == "Hi", told
    assert time.monotonic() - began < 3
    lone_api.do(room, "handle_dialog", accept=True)


def test_a_dialog_that_stops_an_action_is_named(lone_api, room, show):
    """A page that opens one when its field gets the focus lets nothing be typed. By the display the focus comes back as the
    dialog goes, as it does before a person's eyes: this page says it once."""
    show(FIELD % "f.onfocus = () => { f.onfocus = null; alert('Stop') }")
    field = lone_api.index_of(room, "Field")
    refused = lone_api.fail(room, "type", "dialog_open", index=field, text="abc")
    assert refused["dialogs"][0]["message"] == "Stop", refused
    lone_api.do(room, "handle_dialog", accept=True)


def test_a_text_that_was_sent_is_no_longer_held(lone_api, room, show):
    """A chat's box is empty once Enter has sent the text: its value is what it holds."""
    show(FIELD % "f.onkeydown = (e) => { if (e.key === 'Enter') { says.textContent = f.value; f.value = '' } }")
    told = lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="abc", submit=True)
    assert told["data"]["value"] == "" == held(lone_api, room), told
    assert any("abc" in change["text"] for change in told["changes"]), told


def test_a_password_made_plain_stays_one(lone_api, room, show):
    """A page that shows what is typed into its password field gives it to nobody else."""
    show(
        "<title>Key</title><input id=f type=password aria-label=Field><script>f.oninput = () => { f.type = 'text' }</script>"
    )
    told = lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="s3cretpw")
    assert "s3cretpw" not in str(told) and "s3cretpw" not in str(lone_api.context(room, elements="true"))


@pytest.mark.parametrize("glides", GLIDING)
def test_a_scroll_is_told_as_it_ends(lone_api, room, show, glides):
    """Where the page stands when it has glided on, or back, and how far it then goes."""
    height, amount, script = GLIDING[glides]
    show(TALL % (height, script))
    told = lone_api.do(room, "scroll", direction="down", amount=amount)
    time.sleep(0.7)
    stands = lone_api.context(room)["scroll"]
    assert told["data"]["scroll"] == stands, told
    assert told["data"]["moved"] is (stands["y"] > 0)


def test_a_list_made_anew_holds_nobody_knows_what(lone_api, room, show):
    """The page answers a choice with another list: what that holds is not said to be the choice."""
    options = "<select aria-label=Field><option value=a>A</option><option value=b>B</option></select>"
    show(f"<title>List</title><div id=w>{options}</div><script>w.onchange = () => {{ w.innerHTML = w.innerHTML }}</script>")
    told = lone_api.act(room, "select", index=lone_api.index_of(room, "Field"), value="b")
    assert told["data"].get("values") is None, told
    wait_for(lambda: held(lone_api, room), 2, "the new list holds the first", accept=lambda value: value == "a")


def test_a_code_that_was_sent_is_told_whole(lone_api, room, show):
    """One box a digit, the page moves on by itself, and Enter sends: the value is that of all boxes."""
    boxes = "<input maxlength=1 aria-label=Field>" + "<input maxlength=1>" * 3
    script = """const all = [...document.querySelectorAll('input')];
    all.forEach((one, at) => { one.oninput = () => all[at + 1]?.focus() })"""
    show(f"<title>Code</title>{boxes}<script>{script}</script>")
    told = lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="1234", submit=True)
    assert told["data"]["value"] == "1234", told
