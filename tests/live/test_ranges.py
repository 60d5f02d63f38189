"""Files in parts, as RFC 9110 has it: recordings and downloads are served by the same code."""

import time
from email.utils import formatdate

import pytest

from support.wait import wait_for
from support.web import HALF

SIZE = 2 * len(HALF)


@pytest.fixture(scope="module")
def fetch(lone_ghostcast, web):
    """Asks for a download of known bytes, with the headers that are given."""
    web.files["/ranges.html"] = f"<a href='{web.url('/file', pause=0)}'>Save</a>".encode()
    lone_api = lone_ghostcast.api
    with lone_api.session(initial_url=web.url("/ranges.html")) as room:
        told = lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
        path = f"/sessions/{room}/downloads/{told['data']['download']['id']}"
        wait_for(lambda: lone_api.request("GET", path).status_code == 200, 5, "the file is whole")
        # A date is exact to the second.
        time.sleep(1.1)

        def ask(method="GET", **headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return lone_api.request(method, path, headers=named)

        yield ask


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, SIZE - 1),
        (f"bytes=10-{SIZE + 5}", 10, SIZE - 1),
        ("bytes=-7", SIZE - 7, SIZE - 1),
        (f"bytes=-{SIZE}", 0, SIZE - 1),
        (f"bytes=-{SIZE + 1}", 0, SIZE - 1),
        ("bytes=-99999999999999999999999", 0, SIZE - 1),
        ("bytes=0-0", 0, 0),
    ],
)
def test_one_range(fetch, asked, first, last):
    """206 with those bytes, and where they stand; a suffix longer than the file is all of it."""
    answer = fetch(Range=asked)
    assert answer.status_code == 206, answer.text
    assert answer.content == (HALF + HALF)[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,4-5", "bytes=4-3", "bytes=a-b", "bytes", "lines=1-2", "bytes=", "bytes=1", "bytes=0-1,x", "\u00e9"],
)
def test_what_is_answered_by_the_whole_file(fetch, asked):
    """Several ranges, and what makes no sense (14.2): 200 as if nothing had been asked."""
    answer = fetch(Range=asked.encode("latin-1"))
    assert answer.status_code == 200 and answer.content == HALF + HALF, answer.text
    assert "content-range" not in answer.headers and answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 9}-{SIZE + 10}", "bytes=-0", f"bytes={SIZE}-,{SIZE}-"])
def test_what_is_not_there(fetch, asked):
    """416, with the size."""
    answer = fetch(Range=asked)
    assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.json()["error"]["kind"] == "invalid_input"


def test_a_part_of_the_same_file_only(fetch):
    """`If-Range` (13.1.5): by what the file was told to be, else the whole of it."""
    whole = fetch()
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    for same in (tag, date):
        answer = fetch(Range="bytes=1-3", If_Range=same)
        assert answer.status_code == 206 and answer.content == HALF[1:4], same
    for other in (f"W/{tag}", '"other"', formatdate(0, usegmt=True), "nonsense"):
        answer = fetch(Range="bytes=1-3", If_Range=other)
        assert answer.status_code == 200 and answer.content == HALF + HALF, other
    # What changed makes a range that lies outside harmless too.
    assert fetch(Range=f"bytes={SIZE}-", If_Range='"other"').status_code == 200


def test_conditions_and_heads(fetch):
    """What a client has already is not sent again, and only GET has ranges."""
    whole = fetch()
    assert fetch(If_None_Match=whole.headers["etag"]).status_code == 304
    assert fetch(If_Modified_Since=whole.headers["last-modified"]).status_code == 304
    head = fetch("HEAD", Range="bytes=0-1")
    assert head.status_code == 200 and head.headers["content-length"] == str(SIZE) and head.content == b""
