"""What a page switches back, moves back or shows by style alone is told as it is."""

import base64

import pytest

from support.wait import wait_for

FILES = [{"name": "a.txt", "data_base64": base64.b64encode(b"abc").decode()}]
BACK_MS = 120
CONTROLS = {
    "checkbox": f"<label><input type=checkbox onchange='setTimeout(() => this.checked = false, {BACK_MS})'>News</label>",
    "switch": "<div role=switch aria-checked=false tabindex=0 onclick=\"this.setAttribute('aria-checked', 'true');"
    f"setTimeout(() => this.setAttribute('aria-checked', 'false'), {BACK_MS})\">News</div>",
    "request": "<label><input type=checkbox onchange=\"fetch('/note?name=no').finally(() => this.checked = false)\">"
    "News</label>",
}


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page of this body."""

    def open_it(body, path="/taken.html"):
        web.files[path] = f"<!doctype html><title>Taken back</title>{body}".encode()
        lone_api.do(room, "navigate", url=web.url(path))

    return open_it


def said(told):
    """What is told to have changed, in words."""
    return " ".join(change["text"] for change in told["changes"])


@pytest.mark.parametrize("control", CONTROLS)
def test_a_switch_that_is_switched_back(lone_api, room, show, control):
    """No value is told as the effect, and the words say what became of it; read anew, it is off."""
    show(CONTROLS[control])
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "News"))
    assert told["effect"]["kind"] != "value" and "changed it back" in said(told), told
    assert "holds true" not in said(told), told
    listed = next(e for e in lone_api.context(room, elements="true")["elements"] if e["name"] == "News")
    assert listed["checked"] is False


def test_a_choice_that_is_put_back(lone_api, room, show):
    """Refused, with what the list shows now."""
    options = "<option value=a>A<option value=b>B"
    show(f"<select aria-label=Size onchange=\"setTimeout(() => this.value = 'a', {BACK_MS})\">{options}</select>")
    refused = lone_api.fail(room, "select", "value_not_accepted", index=lone_api.index_of(room, "Size"), value="b")
    assert 'shows "A" now' in refused["error"], refused


def test_a_file_field_that_is_emptied(lone_api, room, show):
    """Whether the page has taken the files or thrown them away is not known, and not claimed."""
    show(f"<input type=file aria-label=Photo onchange=\"setTimeout(() => this.value = '', {BACK_MS})\">")
    told = lone_api.do(room, "upload", index=lone_api.index_of(room, "Photo"), files=FILES)
    assert told["effect"]["verified"] is None and "changed it back" in said(told), told
    show("<input type=file aria-label=Photo>")
    kept = lone_api.do(room, "upload", index=lone_api.index_of(room, "Photo"), files=FILES)
    assert kept["effect"]["verified"] is True, kept


def test_what_is_the_same_again_by_hand_is_not_the_page_s_doing(lone_api, room, show):
    """Switched twice by one action; and the same file given again."""
    show("<label><input type=checkbox onchange='1'>News</label><input type=file aria-label=Photo>")
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "News"), count=2)
    assert "changed it back" not in said(told), told
    for _ in range(2):
        told = lone_api.do(room, "upload", index=lone_api.index_of(room, "Photo"), files=FILES)
        assert "changed it back" not in said(told) and told["effect"]["verified"], told


def test_a_file_field_that_keeps_the_old_one(lone_api, room, show):
    """The new file was heard of and put away again: not claimed to be kept."""
    show("<input type=file aria-label=Photo>")
    index = lone_api.index_of(room, "Photo")
    lone_api.do(room, "upload", index=index, files=FILES)
    show(
        "<input type=file aria-label=Photo id=f><script>let old; f.onchange = () => {"
        " if (old) setTimeout(() => { f.files = old }, 50); else { const kept = new DataTransfer();"
        " kept.items.add(f.files[0]); old = kept.files } }</script>"
    )
    index = lone_api.index_of(room, "Photo")
    lone_api.do(room, "upload", index=index, files=FILES)
    other = [{"name": "b.txt", "data_base64": FILES[0]["data_base64"]}]
    told = lone_api.do(room, "upload", index=index, files=other)
    assert told["effect"]["verified"] is None, told


def test_back_to_a_place_of_the_same_address(lone_api, room, show):
    """As lightboxes make one: the move is told, and what it changed."""
    show(
        "<button onclick=\"history.pushState({open: 1}, ''); box.hidden = false\">Open</button><p id=box hidden>Large picture"
        "<script>onpopstate = () => { box.hidden = true }</script>"
    )
    lone_api.do(room, "click", index=lone_api.index_of(room, "Open"))
    told = lone_api.do(room, "go_back")
    assert told["effect"]["kind"] == "navigation" and "took the move back" not in said(told), told
    assert not lone_api.context(room, find="Large picture")["found"]


def test_back_in_a_page_that_goes_on(lone_api, room, show):
    """As routers with a guard do: it is at a third place, which is where it is told to be."""
    show(
        "<button onclick=\"history.pushState(0, '', '#two')\">Next</button>"
        "<script>onpopstate = () => history.pushState(0, '', '#login')</script>"
    )
    lone_api.do(room, "click", index=lone_api.index_of(room, "Next"))
    told = lone_api.do(room, "go_back")
    assert told["effect"]["kind"] == "navigation" and "took the move back" not in said(told), told
    assert told["url"].endswith("#login") and told["effect"]["after"] == told["url"], told


def test_back_in_a_page_that_holds_its_visitor(lone_api, room, show):
    """It puts its address back at once: no navigation is told."""
    back = "history.pushState(0, '', '#here')"
    show(f"<h1>Stay</h1><script>{back}; onpopstate = () => {back}</script>")
    told = lone_api.do(room, "go_back")
    assert (told["effect"]["kind"], told["effect"]["verified"]) == ("none", False), told
    assert told["url"].endswith("#here") and "took the move back" in said(told), told


def test_back_in_a_frame(lone_api, room, web, show):
    """The frame shows what it showed before, in far less than the time a navigation is given."""
    web.files["/one.html"], web.files["/two.html"] = b"<p>First page", b"<p>Second page"
    show("<iframe name=inner src=/one.html></iframe><a href=/two.html target=inner>Next</a>")
    lone_api.do(room, "click", index=lone_api.index_of(room, "Next"))
    assert lone_api.context(room, find="Second page")["found"]
    told = lone_api.do(room, "go_back")
    assert told["effect"] == {"kind": "page", "verified": True, "before": None, "after": None}, told
    assert told["duration_ms"] < 5000 and "A frame" in said(told), told
    assert lone_api.context(room, find="First page")["found"]


HIDES = {"display": ("display:none", "display:block"), "height": ("max-height:0;overflow:hidden", "max-height:300px")}


@pytest.mark.parametrize("by", ["index", "point"])
@pytest.mark.parametrize("hides", HIDES)
def test_a_menu_that_style_alone_shows(lone_api, room, show, by, hides):
    """Told as an effect, with what can be used in it."""
    closed, opened = HIDES[hides]
    show(
        f"<style>nav{{{closed}}} button:hover+nav{{{opened}}}</style>"
        "<style>button{position:fixed;left:40px;top:40px}</style>"
        "<button>Menu</button><nav style='position:fixed;left:40px;top:60px'><a href=/one.html>Orders</a></nav>"
    )
    lone_api.do(room, "hover", x=600, y=500)
    where = {"index": lone_api.index_of(room, "Menu")} if by == "index" else {"x": 50, "y": 50}
    told = lone_api.do(room, "hover", **where)
    assert (told["effect"]["kind"], told["effect"]["verified"]) == ("page", True), told
    assert [change["kind"] for change in told["changes"]] == ["shown"] and "Orders" in said(told), told
    again = lone_api.do(room, "hover", **where)
    assert again["effect"]["kind"] == "none", again


def test_bare_text_far_down_in_a_scroller(lone_api, room, web, show):
    """Held by elements without boxes of their own, in a part of the page that scrolls."""
    web.files["/one.html"] = b"<title>One</title>"
    show(
        "<style>body{margin:0;height:100vh;overflow:hidden} main{height:100vh;overflow:auto} x-i{display:contents}</style>"
        "<main><div>" + "<br>" * 150 + "<x-i><a href=/one.html style='display:contents'>Onwards</a></x-i>" + "<br>" * 150 + "</div></main>"
    )
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Onwards"))
    assert told["url"].endswith("/one.html"), told


@pytest.mark.parametrize("tag", ["a href=/one.html", "a href=/one.html class=text", "button onclick=\"location='/one.html'\""])
def test_what_is_drawn_by_what_it_wraps(lone_api, room, web, show, tag):
    """An element without a box of its own is pressed where its content is."""
    web.files["/one.html"] = b"<title>One</title>"
    inner = "Onwards" if "text" in tag else "<b>Onwards</b>"
    show(f"<div style='height:1500px'></div><{tag} style='display:contents'>{inner}</{tag.split()[0]}>")
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Onwards"))
    assert told["effect"]["kind"] == "navigation" and told["url"].endswith("/one.html"), told


def test_a_page_behind_a_dialog_is_told_as_it_was(lone_api, room, show):
    """Marked; and what was never read is said to be unreadable."""
    show("<h1>Orders</h1><button onclick=\"confirm('Sure?')\">Delete</button>")
    before = lone_api.context(room, elements="true")
    lone_api.do(room, "click", index=before["elements"][0]["index"])
    behind = lone_api.context(room, elements="true", text="true")
    assert behind["dialog"]["message"] == "Sure?" and behind["from_before"] is True
    assert [e["name"] for e in behind["elements"]] == ["Delete"]
    assert behind["text"] is None and behind["unreadable"] == "dialog_open"
    lone_api.do(room, "handle_dialog", accept=False)
    after = lone_api.context(room, elements="true", text="true")
    assert after["dialog"] is None and "from_before" not in after and "Orders" in after["text"]


LISTBOX = """<ul role=listbox aria-label=Toppings {many} tabindex=0>{options}</ul><script>
for (const one of document.querySelectorAll('[role=option]')) one.onclick = () => {{ {press} }};
</script>"""
PRESSES = {
    "many": "one.ariaSelected = String(one.ariaSelected !== 'true')",
    "one": "for (const all of document.querySelectorAll('[role=option]')) all.ariaSelected = String(all === one)",
}


def listbox(press, many="aria-multiselectable=true"):
    """A list of the page's own, in which the first option is chosen."""
    options = "".join(f"<li role=option aria-selected={'true' if n == 'Ham' else 'false'}>{n}" for n in ("Ham", "Egg", "Leek"))
    return LISTBOX.format(many=many, options=options, press=PRESSES[press])


def test_a_list_of_many_holds_what_was_asked_for(lone_api, room, show):
    """And nothing besides, as a select element would."""
    show(listbox("many"))
    told = lone_api.do(room, "select", index=lone_api.index_of(room, "Toppings"), labels=["Egg", "Leek"])
    assert told["data"]["value"] == "Egg, Leek", told
    options = {e["name"]: e.get("selected") for e in lone_api.context(room, elements="true")["elements"] if e["role"] == "option"}
    assert options == {"Ham": False, "Egg": True, "Leek": True}, options


def test_a_list_that_keeps_one_of_two(lone_api, room, show):
    """Both were clicked, and the first is let go of by the page: refused, and named."""
    show(listbox("one", many=""))
    index = lone_api.index_of(room, "Toppings")
    refused = lone_api.fail(room, "select", "value_not_accepted", index=index, labels=["Egg", "Leek"])
    assert refused["context"]["not_chosen"] == ["Egg"], refused


@pytest.mark.parametrize("listens", ["nowhere", "window.onkeyup", "document.onkeydown", "field.oninput", "form.onbeforeinput"])
def test_keys_where_a_page_listens(lone_api, room, show, listens):
    """The browser's own count of key events: one for each sign of a keyboard where anything listens, else none."""
    wire = "" if listens == "nowhere" else f"{listens.split('.')[0]}.addEventListener('{listens.split('.')[1][2:]}', () => 0);"
    count = "setInterval(() => { document.title = 'keys ' + (performance.eventCounts.get('keydown') || 0) }, 20);"
    show(f"<form id=form><input id=field aria-label=Name></form><script>{wire}{count}</script>")
    told = lone_api.do(room, "type", index=lone_api.index_of(room, "Name"), text="Grüße 7")
    assert told["data"]["value"] == "Grüße 7" and told["effect"]["verified"], told
    want = "keys 0" if listens == "nowhere" else "keys 5"
    wait_for(lambda: lone_api.context(room)["title"], 3, "the keys are counted", accept=lambda title: title == want)


DESK = """<title>Desk</title><style>body{margin:0} div{height:60px;border:1px solid}</style><div draggable=true id=card>Card</div>
<div id=bin aria-label=Bin role=group>Bin</div><button style="position:fixed;left:200px;top:200px" onclick="bin.append('pressed')">Press</button><script>
bin.ondragover = (event) => event.preventDefault();
bin.ondrop = () => bin.append(card);
</script>"""


@pytest.mark.parametrize("by", ["index", "point"])
def test_what_comes_of_input_in_a_frame(lone_api, room, web, show, by):
    """A drop and a press inside a frame are told as what they changed there."""
    web.files["/desk.html"] = DESK.encode()
    show("<style>body{margin:0} iframe{border:0;width:400px;height:300px}</style><iframe src=/desk.html></iframe>")
    ends = {"from": {"x": 40, "y": 30}, "to": {"x": 40, "y": 90}}
    if by == "index":
        names = {"from": "Card", "to": "Bin"}
        ends = {end: {"index": lone_api.index_of(room, name)} for end, name in names.items()}
    dropped = lone_api.do(room, "drag", **ends)
    assert dropped["effect"]["kind"] in ("page", "focus") and dropped["effect"]["verified"], dropped
    pressed = lone_api.do(room, "click", x=215, y=210)
    assert pressed["effect"]["kind"] in ("page", "focus") and pressed["target"]["name"] == "Press", pressed


LIST = """<style>li{height:30px;border:1px solid;width:200px}</style><ul aria-label=%s>%s</ul>"""
BOARD = (
    LIST % ("Plan", "<li draggable=true>Paint<li draggable=true>Sand<li draggable=true>Drill")
    + LIST % ("Done", "<li draggable=true>Measure")
    + """<script>
let held, over, heard = 0;
addEventListener('dragstart', (event) => { held = event.target });
addEventListener('dragover', (event) => {  // looks every 60 ms, as libraries do
  event.preventDefault();
  if (event.timeStamp - heard > 60) { heard = event.timeStamp; over = event.target.closest('li') }
});
addEventListener('dragend', () => { if (over && over !== held && !REFUSES) over.after(held) });
</script>"""
)


@pytest.mark.parametrize(
    ("end", "refuses", "kind", "words"),
    [
        ("Drill", False, "moved", ['"Paint"', 'after the listitem "Drill" as the last']),
        ("Sand", False, "moved", ['"Paint"', 'between the listitem "Sand" and the listitem "Drill"']),
        ("Measure", False, "moved", ['"Paint"', 'after the listitem "Measure"', 'in the list "Done"']),
        ("Drill", True, "not_moved", ['"Paint"', "where it stood before"]),
    ],
)
def test_where_it_stands_after_a_drag(lone_api, room, show, end, refuses, kind, words):
    """A board that looks at the pointer now and then, and one that takes nothing: told is where it stands."""
    show(f"<script>const REFUSES = {'true' if refuses else 'false'}</script>{BOARD}")
    ends = {side: {"index": lone_api.index_of(room, name)} for side, name in (("from", "Paint"), ("to", end))}
    told = lone_api.do(room, "drag", **ends)
    place = next(change for change in told["changes"] if change["kind"] in ("moved", "not_moved"))
    assert place["kind"] == kind and all(word in place["text"] for word in words), told
    assert not (refuses and told["effect"]["verified"]), told
    orders = {"Drill": "Sand Drill Paint Measure", "Sand": "Sand Paint Drill Measure", "Measure": "Sand Drill Measure Paint"}
    text = lone_api.context(room, text="true")["text"].replace("-", " ").split()
    assert " ".join(text).endswith("Paint Sand Drill Measure" if refuses else orders[end]), text


@pytest.mark.parametrize("beside", ["toast", "row", "scrolled"])
def test_a_refused_drop_moves_nothing(lone_api, room, show, beside):
    """Not even where the page shows a word about it beside the list, a row comes, or the list is scrolled."""
    then = {
        "toast": "document.body.append(Object.assign(document.createElement('p'), { textContent: 'Not allowed' }))",
        "row": "held.after(Object.assign(document.createElement('li'), { textContent: 'New' }))",
        "scrolled": "held.parentElement.scrollTop = 40",
    }[beside]
    style = "<style>ul { overflow: auto; height: 90px }</style>" if beside == "scrolled" else ""
    refusing = BOARD.replace("if (over && over !== held && !REFUSES) over.after(held)", then)
    assert refusing != BOARD
    show(style + refusing)
    ends = {side: {"index": lone_api.index_of(room, name)} for side, name in (("from", "Paint"), ("to", "Sand"))}
    told = lone_api.do(room, "drag", **ends)
    assert [c["kind"] for c in told["changes"] if "moved" in c["kind"]] == ["not_moved"], told
    # That the list was scrolled is an effect, and was seen.
    assert beside == "scrolled" or not told["effect"]["verified"], told


def test_a_drag_that_the_page_makes_its_own(lone_api, room, show):
    """It prevents the browser's drag and follows the pointer: told as such, and the pointer rests at the end."""
    show("""<style>body{margin:0}</style><div id=w draggable=true role=button style="position:absolute;left:20px;top:60px;
    width:80px;height:40px;background:wheat">Window</div><output id=o style="position:absolute;top:300px"></output><script>
    let still = 0; w.ondragstart = (event) => event.preventDefault();
    w.onmousedown = () => { onmousemove = (move) => { if (!move.movementX && !move.movementY) still++;
      w.style.left = move.clientX - 40 + 'px' } };
    onmouseup = () => { onmousemove = null; o.textContent = 'still ' + still }</script>""")
    told = lone_api.do(room, "drag", **{"from": {"index": lone_api.index_of(room, "Window")}, "to": {"x": 260, "y": 80}})
    assert told["data"]["by"] == "pointer" and "200 px further right" in said(told), told
    assert "still 0" in lone_api.context(room, text="true")["text"]


def test_how_far_it_was_dragged(lone_api, room, show):
    """What follows the pointer is told by how far it went."""
    show("""<style>body{margin:0}</style><div id=w role=button tabindex=0 style="position:absolute;left:20px;top:60px;
    width:80px;height:40px;background:wheat">Window</div><script>
    w.onpointerdown = (down) => { w.setPointerCapture(down.pointerId);
      w.onpointermove = (move) => { w.style.left = move.clientX - 40 + 'px'; w.style.top = move.clientY - 20 + 'px' } };
    w.onpointerup = () => { w.onpointermove = null }</script>""")
    told = lone_api.do(room, "drag", **{"from": {"index": lone_api.index_of(room, "Window")}, "to": {"x": 260, "y": 180}})
    assert "200 px further right and 100 px further down" in said(told), told


def test_what_is_in_view_at_the_end_of_a_large_page(lone_api, room, show):
    """Listed, though it comes after more than a list holds."""
    show("<style>button{display:block;height:30px}</style>" + "".join(f"<button>No {n}</button>" for n in range(5600)))
    lone_api.do(room, "press", keys="End")
    context = lone_api.context(room, elements="true")
    assert context["total"] == 5600
    in_view = [e["name"] for e in context["elements"] if e["in_viewport"]]
    assert "No 5599" in in_view, in_view


OPTIONS = "".join(
    f'<div role=option tabindex=-1 aria-selected=false onclick="chosen.textContent = this.textContent" '
    f'style="height:30px">{name}</div>'
    for name in ("Small", "Medium", "Large")
)


@pytest.mark.parametrize("padding", ["8px", "0"])
def test_a_press_on_a_list_is_none_on_an_option(lone_api, room, show, padding):
    """Where the list has a place of its own it is pressed there; else what was pressed is told."""
    show(f"<p>Chosen: <b id=chosen>nothing</b></p><div role=listbox aria-label=Size tabindex=0 "
         f"style='padding:{padding};width:300px'>{OPTIONS}</div>")  # fmt: skip
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Size"))
    chosen = lone_api.context(room, text="true")["text"].split("Chosen: ")[1].split()[0]
    if padding == "0":
        option = next(e for e in lone_api.context(room, elements="true")["elements"] if e["name"] == chosen)
        assert told["target"]["role"] == "option" and told["target"]["name"] == chosen, told
        assert told["target"]["index"] == option["index"] and told["data"]["element"]["name"] == chosen, told
    else:
        assert chosen == "nothing" and told["target"]["name"] == "Size", told


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("align", ["start", "center", "end"])
def test_a_strip_that_snaps(lone_api, room, web, axis, align):
    """A scroller that snaps elsewhere than it was sent: each card's button is pressed all the same."""
    across = axis == "x"
    strip = "width:640px;overflow-x:auto" if across else "height:420px;overflow-y:auto"
    way = "" if across else "flex-direction:column;"
    web.files["/snap.html"] = f"""<!doctype html><title>snap</title><style>
      #strip {{ display:flex; {way} {strip}; scroll-snap-type:{axis} mandatory }}
      article {{ flex:0 0 300px; min-width:200px; scroll-snap-align:{align}; border:1px solid;
        box-sizing:border-box }}
    </style><div id=strip></div><script>
      window.pressed = [];
      for (let i = 0; i < 10; i++) {{
        strip.insertAdjacentHTML('beforeend', `<article>Card ${{i}} <button>Take ${{i}}</button></article>`);
        strip.lastChild.lastChild.onclick = () => pressed.push(i);
      }}
    </script>""".encode()
    lone_api.do(room, "navigate", url=web.url("/snap.html"))
    order = [9, 0, 5, 8, 1]
    for number in order:
        lone_api.do(room, "click", index=lone_api.index_of(room, f"Take {number}"))
    answer = lone_api.request("POST", f"/sessions/{room}/execute", json={"script": "pressed"})
    assert answer.json()["result"] == order


def test_what_a_scroller_has_left_behind_is_listed(lone_api, room, show):
    """In a panel that is scrolled to its end, what lies before is there still; what no scrolling reaches is not."""
    show(
        "<div id=panel style='height:300px;overflow:auto'>"
        + "".join(f"<button style='display:block;height:40px'>Row {n}</button>" for n in range(60))
        + "</div><button style='position:absolute;left:-9999px'>Nowhere</button>"
        "<div style='position:relative'><button style='position:absolute;top:-9999px'>Above</button></div>"
        "<script>panel.scrollTop = 1e6</script>"
    )
    names = {e["name"] for e in lone_api.context(room, elements="true", limit=200)["elements"]}
    assert {f"Row {n}" for n in range(60)} <= names, names
    assert not names & {"Nowhere", "Above"}, names
    lone_api.do(room, "click", index=lone_api.index_of(room, "Row 0"))
