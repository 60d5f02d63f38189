"""What stands in the way of an action is named, and the page is left as it was; then the way is free."""

import time

import pytest

from support.wait import wait_for
from support.web import closed_port

# What goes to a page without asking for an element first.
HANDS = {
    "click": {"x": 5, "y": 300},
    "hover": {"x": 5, "y": 300},
    "type": {"text": "abc"},
    "press": {"keys": "Enter"},
    "scroll": {"direction": "down"},
    "drag": {"from": {"x": 5, "y": 5}, "to": {"x": 50, "y": 50}},
    "clipboard_write": {"text": "abc"},
}
BUTTON = "<button id=b onclick='this.dataset.n = ++n; r.textContent = \"pressed \" + n'>Save</button>"
PAGE = "<!doctype html><title>Refusals</title><script>let n = 0</script><output id=r aria-label=Told>never</output>%s"
BANNER = (
    "<style>#b { position: fixed; bottom: 60px } #banner { position: fixed; left: 0; right: 0; bottom: 0;"
    "height: 200px; background: %s }</style>"
    + BUTTON
    + "<div id=banner role=dialog aria-label='We use cookies'>Cookies"
    "<button onclick='banner.remove()'>Only what is needed</button></div>"
)


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page of this body."""

    def open_it(body, path="/refusals.html"):
        web.files[path] = (PAGE % body).encode()
        lone_api.do(room, "navigate", url=web.url(path))

    return open_it


def told(lone_api, room):
    """What the page says has come of its button."""
    return lone_api.context(room, text="true")["text"]


def test_a_cover_is_named(lone_api, room, show):
    """A banner over a button: it and its own buttons are named, and after the one the other is pressed."""
    show(BANNER % "wheat")
    refused = lone_api.fail(room, "click", "element_covered", index=lone_api.index_of(room, "Save"))
    cover = refused["context"]["cover"]
    assert cover["name"] == "We use cookies" and cover["role"] == "dialog", refused
    candidates = refused["context"]["candidates"]
    assert [button["name"] for button in candidates] == ["Only what is needed"], refused
    assert "never" in told(lone_api, room)
    lone_api.do(room, "click", index=candidates[0]["index"])
    lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert "pressed 1" in told(lone_api, room)


def test_a_cover_that_cannot_be_seen_is_one_too(lone_api, room, show):
    """A layer without colour takes the press as one of colour does."""
    show(BUTTON + "<div id=layer style='position: fixed; inset: 0' onclick='r.textContent = \"the layer\"'></div>")
    lone_api.fail(room, "click", "element_covered", index=lone_api.index_of(room, "Save"))
    assert "never" in told(lone_api, room)


@pytest.mark.parametrize("fading", ["transition: opacity .6s; opacity: 1", "animation: out .8s forwards"])
def test_a_cover_that_goes_is_waited_for(lone_api, room, show, fading):
    """What fades away by itself is not in the way for long."""
    show(
        "<style>@keyframes out { to { opacity: 0; visibility: hidden } }</style>" + BUTTON + f"<div id=c style='position:"
        f" fixed; inset: 0; background: wheat; {fading}' onmouseover='1'>Loading</div>"
        "<script>c.ontransitionend = c.onanimationend = () => c.remove(); setTimeout(() => c.style.opacity = 0, 50)</script>"
    )
    lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert "pressed 1" in told(lone_api, room)


@pytest.mark.parametrize(
    "body",
    [
        BUTTON.replace("<button", "<button disabled"),
        f"<fieldset disabled>{BUTTON}</fieldset>",
        BUTTON.replace("<button", "<button aria-disabled=true"),
        f"<div inert>{BUTTON}</div>",
    ],
    ids=["disabled", "fieldset", "aria-disabled", "inert"],
)
def test_what_is_disabled_is_not_pressed(lone_api, room, show, body):
    """Refused by name, whichever way the page says it; what is enabled again is pressed."""
    show(body + "<button onclick=\"for (const a of ['disabled', 'aria-disabled', 'inert']) for (const e of "
         "document.querySelectorAll(`[${a}]`)) e.removeAttribute(a)\">Enable</button>")  # fmt: skip
    refused = lone_api.fail(room, "click", "element_disabled", index=lone_api.index_of(room, "Save"))
    assert "Save" in refused["error"], refused
    assert "never" in told(lone_api, room)
    lone_api.do(room, "click", index=lone_api.index_of(room, "Enable"))
    lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert "pressed 1" in told(lone_api, room)


@pytest.mark.parametrize("how", ["display = 'none'", "visibility = 'hidden'"])
def test_what_was_hidden_since(lone_api, room, show, how):
    """It is still the same element, and cannot be seen: named, and not pressed."""
    show(BUTTON + f"<script>addEventListener('keydown', () => b.style.{how})</script>")
    index = lone_api.index_of(room, "Save")
    lone_api.do(room, "press", keys="Escape")
    refused = lone_api.fail(room, "click", "element_not_visible", index=index)
    assert "Save" in refused["error"] and "never" in told(lone_api, room), refused


@pytest.mark.alone
def test_a_page_that_hangs_at_a_press(lone_api, room, show, web):
    """The press was sent: what came of it is said to be unknown. A hung page is told as one, at once the second
    time, and a page of the same site, which comes in the same process, takes its place."""
    show(BUTTON.replace("onclick='", "onclick='for (;;);") + "<iframe srcdoc='<button>In it</button>'></iframe>")
    refused = lone_api.fail(room, "click", "outcome_unknown", index=lone_api.index_of(room, "Save"))
    assert refused["delivery"] == "unknown", refused
    refused = lone_api.fail(room, "click", "page_unresponsive", x=5, y=300)
    assert refused["delivery"] == "not_sent", refused
    start = time.monotonic()
    for action, params in HANDS.items():
        refused = lone_api.fail(room, action, "page_unresponsive", **params)
        assert refused["delivery"] == "not_sent", refused
    assert time.monotonic() - start < 2 * len(HANDS), "each is refused by what the one before has found"
    left = lone_api.do(room, "navigate", url=web.url("/still"), timeout_ms=1500)
    assert left["url"] == web.url("/still"), left
    assert [change["kind"] for change in left["changes"]] == ["script_ended"], left


@pytest.mark.alone
def test_a_page_that_hangs_while_it_is_typed_into(lone_api, room, show, web):
    """What was typed before is not said to be unsent."""
    show("<input id=f aria-label=Field oninput='if (f.value == \"abc\") setTimeout(() => { for (;;); })'><form></form>")
    index = lone_api.index_of(room, "Field")
    refused = lone_api.fail(room, "type", "outcome_unknown", index=index, text="abc", submit=True)
    assert refused["delivery"] != "not_sent", refused
    # That its script was ended is told also where that led nowhere.
    with closed_port() as port:
        left = lone_api.fail(room, "navigate", "connection_failed", url=f"http://127.0.0.1:{port}/")
    assert [change["kind"] for change in left["changes"]] == ["script_ended"], left
    lone_api.do(room, "navigate", url=web.url("/still"))


def test_leaving_a_page_that_waits_for_another(lone_api, room, show, web):
    """A slow answer is no hang: the next navigation takes its place at once, and no script is ended."""
    show(f"<button onclick='location = \"{web.url('/slow?seconds=5')}\"'>Slow</button>")
    action = lone_api.submit(room, "click", index=lone_api.index_of(room, "Slow"))
    wait_for(lambda: any(r.path == "/slow" for r in web.requests()), 5, "the slow page is asked for")
    lone_api.cancel_action(room, action["action_id"])
    start = time.monotonic()
    left = lone_api.do(room, "navigate", url=web.url("/still"))
    assert not left["changes"] and time.monotonic() - start < 1.5, left
