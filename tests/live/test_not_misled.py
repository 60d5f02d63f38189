"""Pages on which it is easy to say what is not so; judged by what the page itself holds."""

import pytest

from support.api import new_room
from support.wait import wait_for

LISTS = """<title>Lists</title><p id=says></p>
<ul role=listbox aria-label=Countries><li role=option>France<li role=option>Spain</ul>
<div role=combobox tabindex=0 aria-label=Ship aria-expanded=false id=ship>Choose</div>
<script>
for (const one of document.querySelectorAll('[role=option]')) one.onclick = () => { says.textContent += 'other:' + one.textContent };
ship.onclick = () => setTimeout(() => {
  const list = document.createElement('ul');
  list.setAttribute('role', 'listbox');
  for (const name of ['Spain', 'Italy']) {
    const one = document.createElement('li');
    one.setAttribute('role', 'option');
    one.textContent = name;
    one.onclick = () => { ship.textContent = name; list.remove(); ship.setAttribute('aria-expanded', 'false') };
    list.append(one);
  }
  document.body.append(list);
  ship.setAttribute('aria-expanded', 'true');
}, 100);
</script>"""
EDITABLE = """<title>Editable</title>
<input id=f role=combobox aria-label=Field aria-controls=l aria-expanded=false value=Rome><ul role=listbox id=l hidden></ul>
<script>
function show() {
  l.hidden = false; f.setAttribute('aria-expanded', 'true');
  l.innerHTML = ['Rome', 'Paris', 'Berlin'].filter((c) => c.includes(f.value)).map((c) => '<li role=option>' + c).join('');
}
f.onclick = show; f.oninput = show;
</script>"""
LATE = {
    "a word": ("says.textContent = 'Card declined'", "focus"),
    "a page": ("location = '/still'", "navigation"),
    "a question": ("confirm('Sure?')", "dialog"),
}
NO_CLICK = {
    "made anew": "this.replaceWith(this.cloneNode(true))",
    "disabled": "this.disabled = true",
    "moved": "this.style.marginTop = '60px'",
}


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page that is made of this."""

    def visit(html, path="/misleads.html"):
        web.files[path] = html.encode()
        lone_api.do(room, "navigate", url=web.url(path))

    return visit


def text(lone_api, room):
    """All that the page shows."""
    return lone_api.context(room, text="true")["text"]


@pytest.mark.parametrize("way", ["<button onclick=\"window.open('/opened.html')\">Open</button>", "<a href=/opened.html target=named>Open</a>"])
def test_a_window_that_a_page_opened_is_pressed_once(lone_api, room, web, show, way):
    """It begins empty and goes on with another document in the same window: several times over."""
    button = "<button onmousedown=\"document.title += ' down'\" onclick=\"document.title += ' click'\">Allow</button>"
    web.files["/opened.html"] = f"<title>p</title>{button}".encode()
    for _ in range(5):
        show(f"<title>Opens</title>{way}")
        lone_api.do(room, "click", index=lone_api.index_of(room, "Open"))
        pressed = lone_api.do(room, "click", index=lone_api.index_of(room, "Allow"))
        assert pressed["title"] == "p down click", pressed
        lone_api.do(room, "close_tab", tab=pressed["tab"])


@pytest.mark.parametrize("does", LATE)
def test_what_a_button_does_a_moment_later_is_told(lone_api, room, show, does):
    """That the button has the focus then is not all that came of it."""
    script, kind = LATE[does]
    show(f"<title>Late</title><p role=alert id=says></p><button onclick=\"setTimeout(() => {{ {script} }}, 60)\">Pay</button>".replace("'", "&#39;"))
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Pay"))
    assert told["effect"]["kind"] == kind, told
    if does == "a word":
        assert any("Card declined" in change["text"] for change in told["changes"]), told
    if does == "a question":
        lone_api.do(room, "handle_dialog", accept=True)


@pytest.mark.parametrize("does", NO_CLICK)
def test_a_press_that_is_no_click_is_told(lone_api, room, show, does):
    """The page takes its button away, or moves it, between press and release: its click is not heard."""
    show(f"<title>no</title><button onmousedown=\"{NO_CLICK[does]}\" onclick=\"document.title = 'clicked'\">Save</button>")
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert told["title"] == "no" and told["effect"]["verified"] is None, told
    assert any(change["kind"] == "no_click" for change in told["changes"]), told


def test_a_choice_is_made_in_its_own_list(lone_api, room, show):
    """Not in one that happens to show."""
    show(LISTS)
    lone_api.do(room, "select", index=lone_api.index_of(room, "Ship"), label="Spain")
    shown = text(lone_api, room)
    assert "other:" not in shown and shown.count("Spain") == 2, shown


def test_a_search_without_an_end_leaves_the_field_alone(lone_api, room, show):
    """What was typed to find an option is taken back when there is none."""
    show(EDITABLE)
    field = lone_api.index_of(room, "Field")
    lone_api.fail(room, "select", "option_not_found", index=field, label="Oslo")
    wait_for(
        lambda: next(e["value"] for e in lone_api.elements(room) if e["name"] == "Field"), 2, "it holds what it held",
        accept=lambda value: value == "Rome",
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_form_in_a_shadow_that_is_stopped_is_no_success(lone_api, room, show, mode):
    """Its messages are told as those of any other form."""
    form = "<form><input required aria-label=Town><button>Send</button></form>"
    show(f"<title>Shadow</title><div id=h></div><script>h.attachShadow({{ mode: '{mode}' }}).innerHTML = '{form}'</script>")
    refused = lone_api.fail(room, "click", "not_accepted", index=lone_api.index_of(room, "Send"))
    assert refused["context"]["fields"][0]["name"] == "Town", refused


def test_an_answered_dialog_is_told(lone_api, room, show):
    """By the result of the answer, and by an event of its own."""
    show("<title>Asks</title><button onclick=\"document.title = prompt('Who?', 'Bo')\">Ask</button>")
    with lone_api.events(room, types=["dialog"]) as events:
        lone_api.do(room, "click", index=lone_api.index_of(room, "Ask"))
        told = lone_api.do(room, "handle_dialog", accept=True, text="Ana")
        answered = {"type": "prompt", "message": "Who?", "accepted": True, "handled_by": "agent"}
        assert answered.items() <= told["dialogs"][0].items() and told["title"] == "Ana", told
        heard = events.wait("dialog", accept=lambda event: event["handled_by"] == "agent")
        assert heard["accepted"] is True, heard


def test_a_choice_that_is_not_there_is_not_made(lone_api, room, show):
    """Nothing was done, and what there is comes along."""
    show("<title>List</title><select aria-label=Field><option>One<option>Two</select>")
    refused = lone_api.fail(room, "select", "value_not_accepted", index=lone_api.index_of(room, "Field"), label="Three")
    assert refused["delivery"] == "not_sent" and len(refused["context"]["options"]) == 2, refused


def test_what_the_fence_stopped_is_in_the_result(lone_api, web):
    """Each host once, with the reason in words."""
    button = "<button onclick=\"fetch('http://blocked.localhost:8099/a').catch(() => 0); fetch('http://blocked.localhost:8099/b').catch(() => 0)\">Go</button>"
    web.files["/misleads.html"] = f"<title>Fence</title>{button}".encode()
    with lone_api.session(new_room("fence-told"), allowed_domains=["127.0.0.1"]) as fenced:
        lone_api.do(fenced, "navigate", url=web.url("/misleads.html"))
        told = lone_api.do(fenced, "click", index=lone_api.index_of(fenced, "Go"))
        (blocked,) = told["blocked_requests"]
        assert blocked["host"] == "blocked.localhost:8099" and "allowed_domains" in blocked["reason"], told
