"""Files for pages: by their bytes, and by path from the one directory that the operator has set."""

import base64
import os

import pytest
from support.api import new_room
from support.service import running_service

MEBI = 1 << 20

TAKES = b"""<!doctype html><title>Takes</title><link rel=icon href=data:,><body>
<input type=file multiple aria-label=Files><input type=file aria-label=One>
<button onclick="this.nextElementSibling.click()">Choose</button><input type=file multiple hidden>
<script>
const query = new URLSearchParams(location.search);
for (const field of document.querySelectorAll('input')) field.onchange = async () => {
  const files = await Promise.all([...field.files].map(async (file) =>
    ({name: file.name, size: file.size, text: file.size < 100 ? await file.text() : null})));
  fetch(`/note?id=${query.get('id')}&name=files`, {method: 'POST', body: JSON.stringify(files)});
};
</script>"""


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """The operator's directory, with ways out of it laid inside."""
    base = tmp_path_factory.mktemp("offered")
    inside = base / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "a.txt").write_text("first")
    (inside / "deep" / "b.txt").write_text("second")
    (base / "outside.txt").write_text("never")
    (inside / "out.txt").symlink_to(base / "outside.txt")
    (inside / "up").symlink_to(base)
    (inside / "alias.txt").symlink_to("deep/b.txt")
    os.mkfifo(inside / "pipe")
    with (inside / "large.bin").open("wb") as file:
        file.truncate(33 * MEBI)
    return inside


@pytest.fixture(scope="module")
def service(ghostcast_bin, offered):
    """A service that offers it."""
    env = {"GHOSTCAST_BROWSER__UPLOADS_DIR": str(offered)}
    with running_service(ghostcast_bin, env=env) as service:
        yield service


def opened(api, room, web):
    """The page that takes files."""
    web.files["/takes.html"] = TAKES
    visit = web.visit("/takes.html")
    api.do(room, "navigate", url=visit.url)
    return visit


def test_by_path_inside_the_directory(service, offered, web):
    """Into a field and through a chooser, by a path from the directory or from the root."""
    api = service.api
    with api.session(new_room("offered")) as room:
        visit = opened(api, room, web)
        index = api.index_of(room, "Files")
        paths = ["a.txt", "deep/b.txt", "deep/../a.txt", str(offered / "a.txt"), "alias.txt"]
        result = api.do(room, "upload", index=index, path=paths)
        assert [file["name"] for file in result["data"]["files"]] == ["a.txt", "b.txt", "a.txt", "a.txt", "alias.txt"]
        noted = visit.wait_note("files")
        assert [file["text"] for file in noted] == ["first", "second", "first", "first", "second"]
        api.do(room, "upload", index=api.index_of(room, "Choose"), paths="deep/b.txt")
        visit.wait_note("files", lambda files: [file["text"] for file in files] == ["second"])


def test_nothing_outside_is_reached(service, offered, web):
    """By no link and no dots, and nothing is told of what is there."""
    api = service.api
    with api.session(new_room("outside")) as room:
        visit = opened(api, room, web)
        index = api.index_of(room, "Files")
        told = set()
        for path in [
            "../outside.txt", "out.txt", "up/outside.txt", "deep/../../outside.txt", "up/inside/../outside.txt",
            str(offered.parent / "outside.txt"), "/etc/hostname", "/etc/no-such-file", "/proc/self/environ",
            "/dev/zero", "pipe", "deep", ".", "none.txt",
        ]:  # fmt: skip
            failed = api.fail(room, "upload", "invalid_parameter", index=index, path=["a.txt", path])
            assert failed["delivery"] == "not_sent", failed
            told.add(failed["error"].replace(f'"{path}"', "…"))
        assert len(told) == 1, told
        assert "32 MiB" in api.fail(room, "upload", "invalid_parameter", index=index, path="large.bin")["error"]
        assert not visit.notes("files")


def test_without_a_directory(lone_api, web):
    """It is said what to do instead, and how an operator changes it."""
    with lone_api.session(new_room("none")) as room:
        opened(lone_api, room, web)
        failed = lone_api.fail(room, "upload", "unsupported", index=lone_api.index_of(room, "Files"), path="/etc/hosts")
        assert "data_base64" in failed["error"] and "browser.uploads_dir" in failed["error"]


@pytest.mark.timeout(240)
def test_what_a_session_is_given_is_bounded(lone_api, web):
    """By bytes and by number; another session is not concerned."""
    def files(count, size):
        data = base64.b64encode(bytes(size)).decode()
        return [{"name": f"{number}.bin", "data_base64": data} for number in range(count)]

    with lone_api.session(new_room("bytes")) as room:
        opened(lone_api, room, web)
        index = lone_api.index_of(room, "Files")
        for _ in range(8):
            lone_api.do(room, "upload", index=index, files=files(1, 32 * MEBI))
        failed = lone_api.fail(room, "upload", "exhausted", index=index, files=files(1, 1))
        assert "256 MiB" in failed["error"] and failed["delivery"] == "not_sent"
        with lone_api.session(new_room("other")) as other:
            opened(lone_api, other, web)
            other_index = lone_api.index_of(other, "Files")
            for _ in range(10):
                lone_api.do(other, "upload", index=other_index, files=files(100, 1))
            lone_api.fail(other, "upload", "exhausted", index=other_index, files=files(1, 1))
