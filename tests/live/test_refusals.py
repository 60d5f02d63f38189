"""What stands in the way of an action is named, and the page is left as it was; then the way is free."""

import pytest

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
    assert [button["name"] for button in cover["buttons"]] == ["Only what is needed"], refused
    assert "never" in told(lone_api, room)
    lone_api.do(room, "click", index=cover["buttons"][0]["index"])
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
    lone_api.do(room, "press_key", keys="Escape")
    refused = lone_api.fail(room, "click", "element_not_visible", index=index)
    assert "Save" in refused["error"] and "never" in told(lone_api, room), refused


@pytest.mark.alone
def test_a_page_that_hangs_at_a_press(lone_api, room, show):
    """The press was sent: what came of it is said to be unknown, and it is not sent again."""
    show(BUTTON.replace("onclick='", "onclick='const end = Date.now() + 9000; while (Date.now() < end); "))
    refused = lone_api.fail(room, "click", "outcome_unknown", index=lone_api.index_of(room, "Save"))
    assert refused["outcome"]["delivery"] == "unknown", refused
    lone_api.fail(room, "click", "page_unresponsive", x=5, y=300)
    lone_api.do(room, "wait", seconds=6)
    assert "pressed 1" in told(lone_api, room)
