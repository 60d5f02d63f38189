"""Files that a page gives: told by the action, listed, and fetched whole or not at all."""

import pytest

from support.wait import wait_for
from support.web import HALF


@pytest.fixture
def save(lone_api, room, web):
    """Clicks a link to a file that comes in two halves; what the result says of it."""

    def click(**query):
        page = f"<title>Files</title><a href='{web.url('/file', **query)}'>Save</a>".encode()
        web.files["/files.html"] = page
        lone_api.do(room, "navigate", url=web.url("/files.html"))
        told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
        assert told["effect"]["kind"] == "download" and told["downloads"][-1] == told["data"]["download"], told
        return told["data"]["download"]

    return click


def path(room, download):
    """Where a download is fetched."""
    return f"/sessions/{room}/downloads/{download['id']}"


def listed(lone_api, room, download):
    """A download as the list has it."""
    rows = lone_api.get(f"/sessions/{room}/downloads").json()
    rows = rows["downloads"] if isinstance(rows, dict) else rows
    return next(row for row in rows if row["id"] == download["id"])


def test_a_file_that_still_comes_is_waited_for(lone_api, room, save):
    """Asked for at once, the answer is the whole file, byte for byte."""
    download = save(pause=0.4)
    assert download["name"] == "halves.bin"
    assert lone_api.get(path(room, download)).content == HALF + HALF
    row = listed(lone_api, room, download)
    assert (row["state"], row["bytes"]) == ("completed", 2 * len(HALF)), row


def test_a_file_that_takes_long_is_said_to_come(lone_api, room, save):
    """409, with what to do; later it is there."""
    download = save(pause=2.5)
    answer = lone_api.request("GET", path(room, download))
    assert answer.status_code == 409 and "still coming" in answer.json()["error"]["message"], answer.text
    wait_for(lambda: listed(lone_api, room, download)["state"], 5, "it comes", accept=lambda s: s == "completed")
    assert lone_api.get(path(room, download)).content == HALF + HALF


def test_half_a_file_is_never_given(lone_api, room, save):
    """The connection breaks between the halves: failed, in the list and for who asks for it."""
    download = save(pause=0.2, cut="yes")
    answer = lone_api.request("GET", path(room, download))
    assert answer.status_code == 409 and "broke off" in answer.json()["error"]["message"], answer.text
    assert listed(lone_api, room, download)["state"] == "failed"


@pytest.mark.parametrize("how", ["link", "script"])
def test_a_file_that_begins_late_is_told(lone_api, room, web, how):
    """The server thinks for a moment before it answers a link to save, or one that a script clicks."""
    target = web.url("/file", pause=0, late=0.15)
    ways = {
        "link": f"<a href='{target}' download>Save</a>",
        "script": f"<a id=a href='{target}' download></a><button onclick=a.click()>Save</button>",
    }
    web.files["/files.html"] = f"<title>Files</title>{ways[how]}".encode()
    lone_api.do(room, "navigate", url=web.url("/files.html"))
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert told["effect"]["kind"] == "download" and told["data"]["download"]["name"] == "halves.bin", told


@pytest.mark.parametrize("late", [0, 0.3])
@pytest.mark.parametrize("how", ["link", "script", "form"])
def test_a_window_for_a_file_alone(lone_api, room, web, how, late):
    """The file is told and kept, and the window is gone, as in any browser; also when its server thinks first."""
    target = web.url("/file", pause=0, late=late)
    ways = {
        "link": f"<a href='{target}' target=_blank>Save</a>",
        "script": f"<button onclick=\"window.open('{target}')\">Save</button>",
        "form": f"<form action='{web.url('/file')}' target=_blank><input type=hidden name=pause value=0>"
        f"<input type=hidden name=late value={late}>"
        "<button>Save</button></form>",
    }
    web.files["/files.html"] = f"<title>Files</title>{ways[how]}".encode()
    lone_api.do(room, "navigate", url=web.url("/files.html"))
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert told["effect"]["kind"] == "download" and told["data"]["download"]["name"] == "halves.bin", told
    assert lone_api.get(path(room, told["data"]["download"])).content == HALF + HALF
    context = lone_api.context(room)
    assert told["tab"] == context["tabs"][0]["tab"], told
    assert context["url"].endswith("/files.html") and len(context["tabs"]) == 1, context


@pytest.mark.parametrize("way", ["written", "shown"])
def test_a_window_that_shows_something_stays(lone_api, room, web, way):
    """Written into by its opener, or a page: a file that it gives is told, and its tab is there still."""
    link = f"<title>Window</title><a href='{web.url('/file', pause=0)}'>Save</a>"
    web.files["/window.html"] = link.encode()
    opens = {
        "written": "const w = window.open(''); w.document.write(document.querySelector('template').innerHTML); w.document.close()",
        "shown": "window.open('/window.html')",
    }
    page = f"<title>Files</title><template>{link}</template><button onclick=\"{opens[way]}\">Open</button>"
    web.files["/files.html"] = page.encode()
    lone_api.do(room, "navigate", url=web.url("/files.html"))
    opened = lone_api.do(room, "click", index=lone_api.index_of(room, "Open"))
    told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
    assert told["effect"]["kind"] == "download" and told["tab"] == opened["tab"], told
    tabs = lone_api.context(room)["tabs"]
    assert [tab["tab"] for tab in tabs if tab["current"]] == [opened["tab"]], tabs
    lone_api.do(room, "close_tab", tab=opened["tab"])
