"""What an agent sees: the elements and the accessibility tree, which agree and stay small."""

import json

import pytest

from support.api import assert_envelope, new_room

BYTES_MAX = 8192
STATES = ("checked", "disabled", "expanded", "pressed", "required", "selected", "value")


@pytest.fixture(scope="module")
def room(lone_ghostcast):
    """One session for all of this module; every test opens its own page in it."""
    with lone_ghostcast.api.session(new_room("eyes")) as name:
        yield name


def pages(api, room, **options):
    """All parts of the elements, each checked for its size."""
    parts, more = [], None
    while more or not parts:
        answer = api.context(room, elements="true", **options, **({"more": more} if more else {}))
        parts.append(answer)
        more = answer["more"]
        assert len(parts) < 200
    return parts


def tree_of(api, room):
    """The whole accessibility tree, read part by part."""
    nodes, more = [], None
    while more or not nodes:
        options = {"accessibility_more": more} if more else {"accessibility": "true"}
        answer = api.context(room, **options)
        assert len(json.dumps(answer["accessibility"])) <= BYTES_MAX
        nodes += answer["accessibility"]
        more = answer["accessibility_more"]
    assert len(nodes) == answer["accessibility_total"]
    return nodes


def test_elements_and_tree_agree(lone_api, room, open_page):
    """Role, name and states are the same in both, whatever the element is named by."""
    open_page("/rich")
    elements = [e for part in pages(lone_api, room) for e in part["elements"]]
    nodes = tree_of(lone_api, room)
    indexed = {node["index"]: node for node in nodes if "index" in node}
    assert set(indexed) == {element["index"] for element in elements}
    for element in elements:
        node = indexed[element["index"]]
        assert (node["role"], node["name"]) == (element["role"], element["name"])
        for state in STATES:
            assert node.get(state) == element.get(state), (state, node, element)
    assert {"heading", "img"} & {node["role"] for node in nodes if "index" not in node}


def test_names_roles_and_states(lone_api, room, open_page):
    """Each way of naming is followed; what nobody can see is in neither."""
    open_page("/rich")
    found = {e["name"]: e for part in pages(lone_api, room) for e in part["elements"]}
    expected = {
        "Labelled by two": ("textbox", {}),
        "E-mail": ("textbox", {"required": True, "value": "a@b.test"}),
        "Wrapped": ("checkbox", {"checked": True}),
        "Option one": ("radio", {"checked": False}),
        "Only placeholder": ("textbox", {}),
        "Only title": ("textbox", {}),
        "Logo": ("link", {}),
        "×": ("button", {}),
        "Menu": ("button", {"expanded": False}),
        "Bold": ("button", {"pressed": True}),
        "Inside": ("button", {"disabled": True}),
        "More info": ("button", {"expanded": False}),
        "Colour": ("combobox", {"value": "Green"}),
        "Many": ("listbox", {}),
        "Rich text": ("textbox", {"value": "Hi there"}),
        "Dark mode": ("switch", {"checked": True}),
        "First": ("tab", {"selected": True}),
        "Mixed": ("menuitemcheckbox", {"checked": "mixed"}),
        "Click me": ("generic", {}),
        "Range": ("slider", {"value": "3"}),
        "Seek": ("searchbox", {}),
        "Pass": ("textbox", {"value": None}),
        "When": ("textbox", {}),
        "Area": ("textbox", {"value": "txt"}),
        "Custom box": ("checkbox", {"checked": False}),
        "Open shadow": ("button", {}),
        "Closed shadow": ("button", {}),
        "In frame": ("button", {}),
        "Trash": ("button", {}),
        "Div button": ("button", {}),
        "Far away": ("link", {"in_viewport": False}),
    }
    for name, (role, states) in expected.items():
        assert name in found, (name, sorted(found))
        assert found[name]["role"] == role, found[name]
        for state, value in states.items():
            assert found[name].get(state) == value, (state, found[name])
    # Readers are told nothing of it, and yet everybody sees it.
    assert found["Hidden two"]["role"] == "button"
    # Everybody sees what is inert too, and nobody can use it.
    assert found["Hidden three"]["disabled"]
    text = json.dumps([list(found), tree_of(lone_api, room)])
    for unseen in ("Hidden one", "Hidden four", "Folded", "hunter22"):
        assert unseen not in text, unseen
    assert "•" not in text


@pytest.mark.parametrize("name", ["Open shadow", "Closed shadow", "Trash"])
def test_every_listed_element_can_be_clicked(lone_api, room, open_page, name):
    """An index leads to its element also behind a shadow root that no script can open."""
    visit = open_page("/rich")
    lone_api.do(room, "click", index=lone_api.index_of(room, name))
    visit.wait_note("click")


@pytest.mark.alone
def test_two_thousand_elements_in_small_parts(lone_api, room, open_page):
    """What is in view comes first, each element once, with an index that holds for all parts."""
    visit = open_page("/many")
    parts = pages(lone_api, room)
    sizes = [len(json.dumps(part, separators=(",", ":")).encode()) for part in parts]
    print(f"{len(parts)} parts of {min(sizes)} to {max(sizes)} bytes")
    assert max(sizes) < 8000
    elements = [element for part in parts for element in part["elements"]]
    assert len(elements) == 2000 == parts[0]["total"]
    assert len({part["version"] for part in parts}) == 1
    seen = [element["in_viewport"] for element in elements]
    assert seen[0] and sorted(seen, reverse=True) == seen
    indices = sorted(element["index"] for element in elements)
    assert indices == list(range(indices[0], indices[0] + 2000))
    far = next(element for element in elements if element["name"] == "Buy 900")
    assert far["index"] == indices[0] + 1801
    lone_api.do(room, "scroll", direction="down", amount=3000)
    first = lone_api.context(room, elements="true")
    names = {element["index"]: element["name"] for element in elements}
    again = {element["index"]: element["name"] for element in first["elements"]}
    assert names == names | again, "scrolling changes no index"
    assert first["elements"][0]["in_viewport"] and first["elements"][0]["index"] > 100
    assert visit.url == first["url"]


def test_limit_is_by_count(lone_api, room, open_page):
    """Whoever names a number gets it, however large the answer is."""
    open_page("/many", rows=600)
    answer = lone_api.context(room, elements="true", limit=1100)
    assert len(answer["elements"]) == 1100 and answer["truncated"]
    rest = lone_api.context(room, more=answer["more"], limit=1100)
    assert len(rest["elements"]) == 100 and rest["more"] is None
    assert not {e["index"] for e in rest["elements"]} & {e["index"] for e in answer["elements"]}


def test_tree_of_a_large_page_is_read_in_parts(lone_api, room, open_page):
    """In view first; each node once."""
    open_page("/many", rows=200)
    nodes = tree_of(lone_api, room)
    indices = [node["index"] for node in nodes if "index" in node]
    assert sorted(indices) == list(range(min(indices), min(indices) + 400))
    first = lone_api.context(room, accessibility="true")["accessibility"]
    assert any(node["name"] == "Buy 0" for node in first)


def test_cursor_of_an_older_page_is_refused(lone_api, room, open_page):
    """Neither list goes on where another page began."""
    open_page("/many")
    answer = lone_api.context(room, elements="true", accessibility="true")
    open_page("/many")
    for option in ("more", "accessibility_more"):
        refusal = lone_api.request(
            "GET", f"/sessions/{room}/context", params={option: answer[option]}
        )
        error = assert_envelope(refusal, 400, "invalid_input")
        assert "stale_element" in error["message"] and option in error["hint"], error
    for nonsense in ("", "1", "'); alert(1)", "a.b.c"):
        refusal = lone_api.request("GET", f"/sessions/{room}/context", params={"more": nonsense})
        assert_envelope(refusal, 400, "invalid_input")
