"""What saves asking each element: pages whose style reaches few, and long lists that are read on.

Whatever has a look of its own is listed all the same, by whichever way the page gives it; judged by the
page's own computed styles and counts."""

import pytest

from support.api import assert_envelope, new_room

# The page says by itself which of its elements show a pointer; nothing listens on them.
STYLED = {
    "class": ("<style>.go { cursor: pointer }</style>", "<div class='a go b'>Target</div>"),
    "id": ("<style>#one { cursor: pointer }</style>", "<div id=one>Target</div>"),
    "tag": ("<style>article { cursor: pointer }</style>", "<article>Target</article>"),
    "attribute": ("<style>[data-go~='x, y'], [data-go='a b'] { cursor: pointer }</style>", "<div data-go='a b'>Target</div>"),
    "escapes": (r"<style>.md\:w-1\/2.\32xl\:go { cursor: pointer }</style>", "<div class='md:w-1/2 2xl:go'>Target</div>"),
    "escaped brackets": (r"<style>.min-\[9px\]\:go.cursor-\(--c\) { cursor: pointer }</style>", "<div class='min-[9px]:go cursor-(--c)'>Target</div>"),
    "escaped dot": (r"<style>#a\.b { cursor: pointer }</style>", "<div id=a.b>Target</div>"),
    "quoted": ("<style>[data-a='\"]'], [data-b='x'] { cursor: pointer }</style>", "<div data-b=x>Target</div>"),
    "prefixed": ("<style>@namespace x url(http://www.w3.org/1999/xlink); [x|href], .go { cursor: pointer }</style>", "<div class=go>Target</div>"),
    "not, by attribute": ("<style>li:not([data-off]) { cursor: pointer }</style>", "<ul><li>Target</ul>"),
    "either, by attribute": ("<style>:is([data-go], .go) { cursor: pointer }</style>", "<p class=go>Target</p>"),
    "both, by attribute": ("<style>[data-sort]:not([data-sort=none]) { cursor: pointer }</style>", "<p data-sort=up>Target</p>"),
    "descriptors": ("<style>@position-try --a { top: 0 } @function --f() { result: 1px } .go { cursor: pointer }</style>", "<p class=go>Target</p>"),
    "scope": ("<style>@scope (.card) { & { cursor: pointer } }</style>", "<div class=card>Target</div>"),
    "scope, bare": ("<style>@scope (.card) { cursor: pointer }</style>", "<div class=card>Target</div>"),
    "nested, but": ("<style>.go { color: red; &:not([data-off]) { cursor: pointer } }</style>", "<p class=go>Target</p>"),
    "nested, hovered": ("<style>.menu { color: red; &:hover > ul { display: block } ul { display: none } }</style>", "<div class=menu>Target<ul><li>One</ul></div>"),
    "set": ("", "<svg width=90 height=30><g><text y=20>Target</text><set attributeName=cursor to=pointer begin=0s /></g></svg>"),
    "either": ("<style>:is(.no, article > .go) { cursor: pointer }</style>", "<article><div class=go>Target</div></article>"),
    "either, inside": ("<style>:where(.no, :is(b, .go)):not(.x) { cursor: pointer }</style>", "<div class=go>Target</div>"),
    "neither": ("<style>div:not(.no) > :not(.x) { cursor: pointer }</style>", "<div><p>Target</p></div>"),
    "any": ("<style>div > * { cursor: pointer }</style>", "<div><p>Target</p></div>"),
    "nested": ("<style>.out { & .go { cursor: pointer } }</style>", "<div class=out><p class=go>Target</p></div>"),
    "nested, itself": ("<style>.go { color: red; &:nth-child(n) { cursor: pointer } }</style>", "<p class=go>Target</p>"),
    "nested, in a condition": ("<style>.go { @media (min-width: 1px) { cursor: pointer } }</style>", "<p class=go>Target</p>"),
    "layer": ("<style>@layer base { @supports (color: red) { .go { cursor: pointer } } }</style>", "<p class=go>Target</p>"),
    "variable": ("<style>:root { --c: pointer } .go { cursor: var(--c) }</style>", "<p class=go>Target</p>"),
    "import": ("<style>@import '/imported.css';</style>", "<p class=imported>Target</p>"),
    "sheet of another origin": ("<link rel=stylesheet href=OTHER/imported.css>", "<p class=imported>Target</p>"),
    "style attribute": ("", "<p style='cursor: pointer'>Target</p>"),
    "inherited": ("<style>.out { cursor: pointer } .in { cursor: auto }</style>", "<div class=in><p class=out><i>Target</i></p></div>"),
    "quirks": ("<!--quirks--><style>.GO { cursor: pointer }</style>", "<p class=go>Target</p>"),
    "adopted": ("<script>const s = new CSSStyleSheet(); s.replaceSync('.go { cursor: pointer }'); document.adoptedStyleSheets = [s]</script>",
                "<p class=go>Target</p>"),
    "animation": ("<style>@keyframes k { from, to { cursor: pointer } } p > u { animation: k 1s forwards }</style>", "<p><u>Target</u></p>"),
    "shadow root": ("", "<div id=h></div><script>h.attachShadow({mode: 'open'}).innerHTML = '<style>p { cursor: pointer }</style><p>Target</p>'</script>"),
    "slotted": ("", "<div id=h><p>Target</p></div><script>h.attachShadow({mode: 'open'}).innerHTML = "
                    "'<style>::slotted(p) { cursor: pointer }</style><slot></slot>'</script>"),
    "drawing": ("", "<svg width=90 height=30><text y=20 cursor=pointer>Target</text></svg>"),
}
LATER = {
    "a rule": "sheet.insertRule('.go { cursor: pointer }')",
    "other rules": "sheet.replaceSync('.go { cursor: pointer }')",
    "another rule in place": "document.styleSheets[0].deleteRule(1); document.styleSheets[0].insertRule('.go { cursor: pointer }', 1)",
    "a rule in a group": "document.styleSheets[0].cssRules[0].insertRule('.go { cursor: pointer }')",
    "a declaration": "document.styleSheets[0].cssRules[1].style.cursor = 'pointer'",
    "a selector": "document.styleSheets[0].cssRules[2].selectorText = '.go'",
    "a class": "document.getElementById('t').className = 'known'",
}
GONE = {
    "class": ("<style>.off { display: none }</style>", "class=off"),
    "hidden": ("", "hidden"),
    "ghost": ("<style>.out { pointer-events: none } .off { opacity: 0 }</style>", "class='out off'"),
    "ghost by two": ("<style>.out { pointer-events: none } .off { opacity: 0 }</style>", "class=out><div class=off"),
    "invisible": ("<style>.off { visibility: hidden }</style>", "class=off"),
    "content": ("<style>.off { content-visibility: hidden }</style>", "class=off"),
    "no height": ("<style>.off { height: 0; overflow: hidden }</style>", "class=off"),
}
ROWS = "<title>Rows</title><ul id=rows></ul><script>for (let i = 1; i <= COUNT; i++) rows.innerHTML += '<li>Row ' + i + ' <button>Edit</button>'</script>"


@pytest.fixture(scope="module")
def room(lone_ghostcast):
    """One session for all of this module."""
    with lone_ghostcast.api.session(new_room("long")) as name:
        yield name


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page that is made of this."""

    def visit(html):
        web.files["/imported.css"] = b".imported { cursor: pointer }"
        doctype = "" if "<!--quirks-->" in html else "<!doctype html>"
        other = web.url("").replace("127.0.0.1", "localhost").rstrip("/")
        web.files["/long.html"] = (doctype + html.replace("OTHER", other)).encode()
        lone_api.do(room, "navigate", url=web.url("/long.html"))

    return visit


def names(api, room):
    """What is listed, by name."""
    return [element["name"] for element in api.context(room, elements="true")["elements"]]


@pytest.mark.parametrize("way", STYLED)
def test_a_pointer_is_seen_whatever_gives_it(lone_api, room, show, way):
    """And what stands beside it, that has none, is not listed."""
    style, body = STYLED[way]
    show(f"<title>Styled</title>{style}<section><em>Beside</em></section>{body}")
    assert names(lone_api, room) == ["Target"] or way == "any", way
    assert "Target" in names(lone_api, room)


@pytest.mark.parametrize("way", LATER)
def test_a_pointer_that_comes_later_is_seen(lone_api, room, show, way):
    """What was read of a sheet holds as long as the sheet does."""
    show(
        "<title>Later</title><style>@media (min-width: 1px) { .x { color: red } } .go { color: blue } .known { cursor: pointer }</style><p id=t class=go>Target</p><button>Later</button>"
        "<script>const sheet = new CSSStyleSheet(); sheet.replaceSync('.no { cursor: pointer }'); document.adoptedStyleSheets = [sheet];"
        f"document.querySelector('button').onclick = () => {{ {LATER[way]} }}</script>"
    )
    assert names(lone_api, room) == ["Later"]
    lone_api.do(room, "click", index=lone_api.index_of(room, "Later"))
    assert sorted(names(lone_api, room)) == ["Later", "Target"]


@pytest.mark.parametrize("way", GONE)
def test_what_does_not_show_is_not_listed(lone_api, room, show, way):
    """However deep in plain elements it is."""
    style, attribute = GONE[way]
    show(f"<title>Gone</title>{style}<button>There</button><section {attribute}><p><b><button>Gone</button></b></p></section>")
    assert names(lone_api, room) == ["There"]


def test_what_lies_outside_of_a_drawing_is_not_in_view(lone_api, room, show):
    """A browser clips drawings by itself."""
    show("<title>Drawing</title><style>svg { display: block }</style><svg width=90 height=30><a href=x><text x=500 y=20>Out</text></a></svg>")
    assert [element["in_viewport"] for element in lone_api.context(room, elements="true")["elements"]] == [False]


def test_a_page_that_is_written_in_is_a_field(lone_api, room, show):
    """By its own word alone."""
    show("<title>Written</title><p>Text</p><script>document.designMode = 'on'</script>")
    assert [element["tag"] for element in lone_api.context(room, elements="true")["elements"]] == ["body"]


@pytest.mark.parametrize("scrolls", ["<style>.box { overflow: auto; height: 60px; width: 90px }</style><div class=box>", "<div style='overflow-y: scroll; height: 60px; width: 90px'>"])
def test_what_scrolls_is_listed(lone_api, room, show, scrolls):
    """By a rule or by its own style."""
    show(f"<title>Scrolls</title>{scrolls}<p>{'words ' * 200}</p></div>")
    assert [e.get("scrollable") for e in lone_api.context(room, elements="true")["elements"]] == [True]


def test_a_long_list_is_read_on_to_its_end(lone_api, room, show):
    """Each once, in the order of the page; equal names are told apart from the first part on."""
    show(ROWS.replace("COUNT", "700"))
    answer = lone_api.context(room, elements="true")
    told, version = answer["elements"], answer["version"]
    assert answer["total"] == 700 and answer["truncated"]
    while answer["more"]:
        answer = lone_api.context(room, more=answer["more"])
        told += answer["elements"]
    assert [element["row"] for element in told] == [f"Row {i}" for i in range(1, 701)]
    assert len({element["index"] for element in told}) == 700
    again = lone_api.context(room, elements="true", limit=5000)
    assert [element["index"] for element in again["elements"]] == [element["index"] for element in told]
    assert again["version"] == version == lone_api.context(room, elements="true")["version"]
    assert not again["truncated"] and again["more"] is None


def test_a_long_list_that_changes_while_it_is_read_is_read_as_it_is(lone_api, room, show):
    """Nothing is told twice or of what is gone; what was told keeps its number."""
    show(
        "<button onclick=\"rows.children[5].remove(); rows.lastElementChild.remove();"
        "rows.insertAdjacentHTML('afterbegin', '<li>Row new <button>Edit</button>')\">Change</button>" + ROWS.replace("COUNT", "300")
    )
    first = lone_api.context(room, elements="true", limit=100)
    version = first["version"]
    lone_api.do(room, "click", index=lone_api.index_of(room, "Change"))
    told = {element["index"]: element.get("row") for element in first["elements"]}
    answer = first
    while answer["more"]:
        answer = lone_api.context(room, more=answer["more"])
        for element in answer["elements"]:
            assert element["index"] not in told, element
            told[element["index"]] = element.get("row")
    rows = list(told.values())
    assert "Row new" in rows and "Row 300" not in rows and rows.count("Row 150") == 1
    assert lone_api.context(room, elements="true")["version"] != version


def test_the_version_is_another_when_what_comes_late_is(lone_api, room, show):
    """Also where that is beyond what was read."""
    show("<button onclick='rows.lastElementChild.remove()'>Less</button>" + ROWS.replace("COUNT", "400"))
    less = lone_api.index_of(room, "Less")
    before = lone_api.context(room, elements="true")["version"]
    assert lone_api.context(room, elements="true")["version"] == before
    lone_api.do(room, "click", index=less)
    assert lone_api.context(room, elements="true")["version"] != before


def test_what_says_something_else_by_the_time_it_is_read_on_is_told_once(lone_api, room, show):
    """It has another number by then, and is the same element."""
    show("<button onclick=\"rows.children[3].firstChild.data = 'Other '\">Change</button>" + ROWS.replace("COUNT", "200"))
    answer = lone_api.context(room, elements="true", limit=100)
    told = answer["elements"]
    lone_api.do(room, "click", index=lone_api.index_of(room, "Change"))
    while answer["more"]:
        answer = lone_api.context(room, more=answer["more"])
        told += answer["elements"]
    assert [e.get("row") for e in told if e["name"] == "Edit"] == [f"Row {i}" for i in range(1, 201)]


def test_equal_names_of_a_long_list_have_their_sections(lone_api, room, show):
    """Also where the other one comes late."""
    some = "".join(f"<button>B{i}</button>" for i in range(150))
    show(f"<title>Twins</title><section><h2>First</h2><button>Edit</button></section>{some}<section><h2>Last</h2><button>Edit</button></section>")
    first = lone_api.context(room, elements="true")["elements"][0]
    assert (first["name"], first["section"]) == ("Edit", "First")


def test_frames_count_in_a_long_list(lone_api, room, web, show):
    """What a frame holds beyond the first is in the total, and another document in it makes another version."""
    web.files["/one.html"] = b"<a href=1>One</a>"
    web.files["/two.html"] = b"<a href=2>Two</a>"
    show("<button onclick=\"f.src = '/two.html'\">Change</button>" + ROWS.replace("COUNT", "150") + "<iframe id=f src=/one.html></iframe>")
    before = lone_api.context(room, elements="true")
    assert before["total"] == 152
    lone_api.do(room, "click", index=lone_api.index_of(room, "Change"))
    lone_api.do(room, "wait", **{"for": {"text": "Two"}})
    after = lone_api.context(room, elements="true")
    assert after["version"] != before["version"] and after["total"] == 152


def test_a_cursor_into_a_long_list_of_a_page_that_has_gone_is_refused(lone_api, room, show):
    """What was not read then cannot be read any more."""
    show(ROWS.replace("COUNT", "300"))
    more = lone_api.context(room, elements="true", limit=120)["more"]
    show("<title>Other</title><button>Other</button>")
    refusal = lone_api.request("GET", f"/sessions/{room}/context", params={"more": more})
    assert "stale_element" in assert_envelope(refusal, 400, "invalid_input")["message"]
