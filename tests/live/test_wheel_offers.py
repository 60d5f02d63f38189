"""What a browser shows in windows of its own is offered to the person who drives: lists of select elements, files."""

import base64
import time

import pytest

from support.api import assert_envelope
from support.people import Person
from support.playwright_browser import browser_context
from support.wait import wait_for

PAGE = b"""<!doctype html><title>offers</title><style>body { margin: 0 } body > * { position: absolute; left: 20px;
  width: 240px; height: 40px; font: 16px sans-serif }</style>
<select id=city style="top:20px" aria-label="City"><option value=b>Berlin</option>
  <optgroup label="France"><option value=p>Paris</option><option value=l disabled>Lyon</option></optgroup>
  <option value=r>Rome</option></select>
<input id=one type=file style="top:80px" accept="image/*,.txt">
<button id=open style="top:140px" onclick="many.click()">Upload</button>
<input id=many type=file multiple hidden>
<iframe id=inside src="/inside.html" style="top:200px;height:60px;border:0"></iframe>
<script>
  window.seen = [];
  const note = (event) => seen.push(event.type + ' ' + event.target.id + ' ' + event.target.value.split('\\\\').pop());
  for (const type of ['input', 'change', 'cancel']) document.addEventListener(type, note, true);
  city.addEventListener('mousedown', () => seen.push('mousedown city'));
</script>"""
INSIDE = b"""<!doctype html><style>body { margin: 0 }</style>
  <select id=size style="width:200px;height:40px"><option>Small<option>Large</select>"""
CITY, ONE, MANY, SIZE = (100, 40), (60, 100), (100, 160), (100, 220)


@pytest.fixture
def page(web):
    """A page with a list, two fields for files, and a list in a frame."""
    web.files["/offers.html"], web.files["/inside.html"] = PAGE, INSIDE
    return web.url("/offers.html")


def offered(person, kind):
    """What the page offers the person."""
    person.hear(lambda: (person.state["offer"] or {}).get("type") == kind)
    return person.state["offer"]


def done(person):
    """They give the wheel back."""
    person.say("hand_back", done=True)
    person.hear(lambda: not person.state["yours"])


def b64(data):
    """Bytes as they are sent."""
    return base64.b64encode(data).decode()


def test_a_list_is_offered_and_chosen_from(api, page):
    """The page hears of a choice as of a user's; what is left, off or of yesterday changes nothing."""
    with api.session(initial_url=page) as room:
        ada, bob = Person(api, room), Person(api, room)
        ada.take()
        ada.click(*CITY)
        offer = offered(ada, "list")
        assert offer["label"] == "City", offer
        assert offer["options"] == [
            {"label": "Berlin", "selected": True},
            {"label": "Paris", "group": "France"},
            {"label": "Lyon", "group": "France", "disabled": True},
            {"label": "Rome"},
        ], offer
        assert bob.state["offer"] is None
        # Nobody else chooses.
        bob.say("choose", number=offer["number"], index=3)
        assert bob.refused()["kind"] == "conflict"
        ada.say("choose", number=offer["number"] + 1, index=3)
        ada.say("choose", number=offer["number"], index=1)
        ada.hear(lambda: ada.state["offer"] is None)
        # With the keyboard too, and left.
        ada.say("key", down=True, key=" ")
        ada.say("key", down=False, key=" ")
        again = offered(ada, "list")
        assert again["number"] != offer["number"] and again["options"][1]["selected"], again
        ada.say("choose", number=again["number"])
        ada.hear(lambda: ada.state["offer"] is None)
        ada.click(*CITY)
        ada.say("choose", number=offered(ada, "list")["number"], index=2)
        ada.hear(lambda: ada.state["offer"] is None)
        ada.click(*SIZE)
        inside = offered(ada, "list")
        assert [option["label"] for option in inside["options"]] == ["Small", "Large"], inside
        ada.say("choose", number=inside["number"], index=1)
        ada.hear(lambda: ada.state["offer"] is None)
        # What is offered goes with the page, and with the wheel.
        ada.click(*CITY)
        offered(ada, "list")
        done(ada)
        assert ada.state["offer"] is None
        assert api.run(room, "city.value") == "p"
        assert api.run(room, "inside.contentDocument.getElementById('size').value") == "Large"
        assert api.run(room, "document.activeElement.id") in ("city", "inside")
        seen = api.run(room, "seen")
        assert seen.count("mousedown city") == 3, seen
        assert [one for one in seen if "mousedown" not in one] == ["input city p", "change city p"], seen
        # An agent's press opens the browser's own list, as ever.
        assert api.act(room, "click", x=CITY[0], y=CITY[1])["success"]
        assert api.act(room, "press", keys="Escape")["success"]
        ada.take()
        time.sleep(0.5)
        assert ada.state["offer"] is None


def test_files_are_asked_for_and_given(api, page):
    """By a field and by a button in front of one; the page has their bytes, and hears of a cancel."""
    with api.session(initial_url=page) as room:
        ada = Person(api, room)
        path = f"/sessions/{room}/drive/files"

        def give(number, *files, seat=None):
            body = {"seat": seat or ada.state["seat"], "number": number, "files": list(files)}
            return api.request("POST", path, json=body)

        note = {"name": "note.txt", "mime_type": "text/plain", "data_base64": b64(b"hello")}
        assert_envelope(give(1, note), 403, "forbidden")
        ada.take()
        assert_envelope(give(1, note), 404, "not_found")
        ada.click(*ONE)
        offer = offered(ada, "files")
        assert (offer["multiple"], offer["accept"]) == (False, "image/*,.txt"), offer
        assert_envelope(give(offer["number"], note, seat="seat_guess"), 403, "forbidden")
        assert_envelope(give(offer["number"], note, note), 400, "invalid_input")
        assert_envelope(give(offer["number"]), 400, "invalid_input")
        bad = {"name": "../x", "data_base64": b64(b"x")}
        assert_envelope(give(offer["number"], bad), 400, "invalid_input")
        assert_envelope(give(offer["number"], {"name": "x", "data_base64": "%"}), 400, "invalid_input")
        assert give(offer["number"], note).status_code == 204
        assert_envelope(give(offer["number"], note), 404, "not_found")
        ada.hear(lambda: ada.state["offer"] is None)
        ada.click(*MANY)
        offer = offered(ada, "files")
        assert offer["multiple"] and offer["accept"] == "", offer
        ada.say("choose", number=offer["number"])
        ada.hear(lambda: ada.state["offer"] is None)
        ada.click(*MANY)
        offer = offered(ada, "files")
        large = {"name": "large.bin", "data_base64": b64(bytes(3_000_000))}
        assert give(offer["number"], note, large).status_code == 204
        done(ada)
        names = "[...document.getElementById('%s').files].map((file) => [file.name, file.size])"
        assert api.run(room, names % "one") == [["note.txt", 5]]
        assert api.run(room, names % "many") == [["note.txt", 5], ["large.bin", 3_000_000]]
        assert api.run(room, "(async () => await document.getElementById('one').files[0].text())()") == "hello"
        seen = api.run(room, "seen")
        assert seen == [
            "input one note.txt", "change one note.txt", "cancel many ", "input many note.txt", "change many note.txt",
        ], seen  # fmt: skip


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_on_the_page_of_a_person(api, page, kind, tmp_path):
    """A real browser shows the list and the field, and the page has what was chosen."""
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    options = phone if kind == "phone" else {"viewport": {"width": 1100, "height": 800}}
    (tmp_path / "photo.png").write_bytes(b"not really")
    with api.session(initial_url=page) as room, browser_context(**options) as context:
        person = context.new_page()
        person.goto(api.request("POST", f"/sessions/{room}/takeover", json={}).json()["url"])
        person.wait_for_selector("#screen[data-picture=true]", timeout=8000)
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")

        def press(x, y):
            box = person.locator("#video").bounding_box()
            scale = min(box["width"] / 1280, box["height"] / 720)
            left = box["x"] + (box["width"] - 1280 * scale) / 2
            top = box["y"] + (box["height"] - 720 * scale) / 2
            (person.touchscreen.tap if kind == "phone" else person.mouse.click)(left + x * scale, top + y * scale)

        press(*CITY)
        person.wait_for_selector("#list[open]")
        person.screenshot(path=tmp_path / f"list-{kind}.png")
        boxes = [one.bounding_box() for one in person.locator("#list button").all()]
        least = 44 if kind == "phone" else 34
        assert all(box["height"] >= least and box["width"] >= 44 for box in boxes), boxes
        assert person.locator("#list-options button:disabled").all_text_contents() == ["Lyon"]
        person.click("#list-options button:text-is('Rome')")
        person.wait_for_selector("#list", state="hidden")
        wait_for(lambda: "Rome" in api.get(f"/sessions/{room}/context", params={"elements": "true"}).text, 3, "Rome")
        press(*ONE)
        person.wait_for_selector("#files[open]")
        person.screenshot(path=tmp_path / f"files-{kind}.png")
        assert person.get_attribute("#files-field", "accept") == "image/*,.txt"
        person.set_input_files("#files-field", tmp_path / "photo.png")
        person.wait_for_selector("#files", state="hidden")
        press(*MANY)
        person.wait_for_selector("#files[open]")
        person.click("#files-cancel")
        person.wait_for_selector("#files", state="hidden")
        person.click("#done")
        person.wait_for_selector("body[data-yours=false]")
        assert api.run(room, "city.value") == "r"
        assert api.run(room, "document.getElementById('one').files[0].name") == "photo.png"
        assert "cancel many " in api.run(room, "seen")
