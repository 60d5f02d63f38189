"""A session's page: seen, acted on, waited for; and the session's own life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ghostcast import (
    ActionFailed,
    Conflict,
    InvalidInput,
    NotFound,
    ScriptError,
    Timeout,
    Unprocessable,
)

from .conftest import done, until
from .website import Site

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


async def said(session: Any) -> Any:
    """What the page's own listeners have noted."""
    return await done(session.execute_js("document.querySelector('#said').textContent"))


def png_size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(PNG), picture[:20]
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


async def test_one_script_that_does_what_everybody_does(session: Any, site: Site, tmp_path: Path) -> None:
    await done(session.navigate(f"{site.url}/other"))
    await done(session.screenshot(tmp_path / "new" / "page.png"))
    title = await done(session.execute_js("document.title"))
    await done(session.refresh())
    assert session.record.current_url == f"{site.url}/other"
    assert png_size((tmp_path / "new" / "page.png").read_bytes()) == (800, 600)
    assert title == "Other" and session.is_active is True


async def test_navigation_tells_what_came_of_it(session: Any, site: Site) -> None:
    result = await done(session.navigate(f"{site.url}/other", wait_until="settled", timeout_ms=5_000))
    assert result.success and result.data["http_status"] == 200 and result.title == "Other"
    assert session.record.current_url == f"{site.url}/other" and session.record.title == "Other"
    with pytest.raises(ActionFailed) as failed:
        await done(session.navigate("http://127.0.0.1:1/"))
    outcome = failed.value.result
    assert outcome is not None and not outcome.success
    assert failed.value.error_kind == outcome.error_kind and failed.value.message == outcome.error
    with pytest.raises(InvalidInput):
        await done(session.navigate(site.url, wait_until="never"))


async def test_a_navigation_may_be_answered_sooner(session: Any, site: Site) -> None:
    for wait_until in ("commit", "domcontentloaded", "load"):
        result = await done(session.navigate(f"{site.url}/other?{wait_until}", wait_until=wait_until))
        assert result.url == f"{site.url}/other?{wait_until}"


async def test_screenshots(session: Any) -> None:
    assert png_size(await done(session.screenshot())) == (800, 600)
    width, height = png_size(await done(session.screenshot(full_page=True)))
    assert width >= 785 and height > 3000
    assert (await done(session.screenshot(format="jpeg", quality=50))).startswith(JPEG)
    assert (await done(session.screenshot(format="webp")))[8:12] == b"WEBP"
    clip = {"x": 10, "y": 20, "width": 30, "height": 40}
    assert png_size(await done(session.screenshot(clip=clip))) == (30, 40)
    elements = (await done(session.context(elements=True))).elements
    box = next(one for one in elements if one["name"] == "Press")
    part = png_size(await done(session.screenshot(index=box["index"])))
    assert part[0] < 200 and part[1] < 100
    assert png_size(await done(session.screenshot(marks=True))) == (800, 600)
    with pytest.raises(InvalidInput):
        await done(session.screenshot(format="bmp"))


async def test_screenshots_that_the_service_keeps(session: Any, name: str) -> None:
    saved = await done(session.screenshot_on_server(f"{name}.png"))
    assert (saved.width, saved.height) == (800, 600)
    assert Path(saved.path).name == f"{name}.png"
    assert Path(saved.path).stat().st_size == saved.bytes
    whole = await done(session.screenshot_on_server(f"{name}-whole.png", full_page=True, format="png"))
    assert whole.height > 3000
    part = await done(session.screenshot_on_server(f"{name}-part.png", selector="#pick"))
    assert (part.width, part.height) == (120, 40)
    jpeg = await done(session.screenshot_on_server(f"{name}.jpg", quality=30))
    assert Path(jpeg.path).read_bytes().startswith(JPEG)
    with pytest.raises(Unprocessable):
        await done(session.screenshot_on_server("../escape.png"))


async def test_scripts(session: Any) -> None:
    assert await done(session.execute_js("document.title")) == "Home"
    assert await done(session.execute_js("return args.a + args.b", args={"a": 1, "b": 2})) == 3
    assert await done(session.execute_js("new Promise((go) => setTimeout(() => go([1, null]), 50))")) == [
        1,
        None,
    ]
    assert await done(session.execute_js("null")) is None
    assert await done(session.execute_js("undefined")) is None
    with pytest.raises(ScriptError) as thrown:
        await done(session.execute_js("throw new TypeError('no good')"))
    assert (thrown.value.name, thrown.value.message) == ("TypeError", "no good")
    assert "TypeError" in thrown.value.stack
    with pytest.raises(Timeout) as late:
        await done(session.execute_js("new Promise(() => {})", timeout_ms=300))
    assert late.value.kind == "timeout" and isinstance(late.value, TimeoutError)
    with pytest.raises(Unprocessable):
        await done(session.execute_js("'x'.repeat(2_000_000)"))


async def test_what_is_so_is_not_waited_for(session: Any) -> None:
    conditions: list[dict[str, Any]] = [
        {"selector": "#press"},
        {"selector": "#press", "state": "attached"},
        {"selector": "#nothing", "state": "detached"},
        {"selector": "#nothing", "state": "hidden"},
        {"text": "drop here"},
        {"url": "*127.0.0.1*"},
        {"load_state": "load"},
        {"load_state": "settled"},
        {"function": "document.title === 'Home'"},
        {"seconds": 0.1},
    ]
    for condition in conditions:
        assert 0 <= await done(session.wait_for(**condition)) < 5_000, condition


async def test_what_does_not_come_is_a_timeout(session: Any) -> None:
    with pytest.raises(Timeout):
        await done(session.wait_for(selector="#nothing", timeout_ms=200))
    with pytest.raises(Timeout):
        await done(session.wait_for(function="false", timeout_ms=200))
    with pytest.raises(InvalidInput):
        await done(session.wait_for())
    with pytest.raises(InvalidInput):
        await done(session.wait_for(text="a", url="b"))


async def test_what_comes_later_is_waited_for(session: Any) -> None:
    await done(session.click("#late"))
    await done(session.wait_for(text="later"))
    assert await said(session) == "later"


async def test_clicks(session: Any) -> None:
    result = await done(session.click("#press"))
    assert result.target.name == "Press" and await said(session) == "clicked"
    await done(session.click("#press", button="left", count=2, timeout_ms=3_000))
    assert await said(session) == "twice"
    await done(session.execute_js("say('')"))
    elements = (await done(session.context(elements=True))).elements
    press = next(one for one in elements if one["name"] == "Press")
    await done(session.click(press["index"]))
    assert await said(session) == "clicked"
    await done(session.execute_js("say('')"))
    box = press["box"]
    await done(session.click((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)))
    assert await said(session) == "clicked"
    with pytest.raises(ActionFailed):
        await done(session.click("#nothing", timeout_ms=200))


async def test_text_and_keys(session: Any) -> None:
    value = "document.querySelector('#field').value"
    result = await done(session.fill("#field", "new"))
    assert result.data["value"] == "new" and result.effect.kind == "value"
    await done(session.focus("#field"))
    await done(session.press("End"))
    await done(session.type(" words"))
    assert await done(session.execute_js(value)) == "new words"
    await done(session.type("!", "#field", timeout_ms=2_000))
    await done(session.press(["Control+A", "Delete"], "#field"))
    assert await done(session.execute_js(value)) == ""
    await done(session.press("a", "#field", count=3))
    assert await done(session.execute_js(value)) == "aaa"
    await done(session.fill("#field", "sent", submit=True))
    assert await said(session) == "entered"
    await done(session.execute_js("say('')"))
    await done(session.type("more", "#field", submit=True))
    assert await said(session) == "entered"


async def test_focus(session: Any) -> None:
    await done(session.focus("#press"))
    assert await done(session.execute_js("document.activeElement.id")) == "press"
    with pytest.raises(ActionFailed):
        await done(session.focus("h1"))
    with pytest.raises(ActionFailed) as absent:
        await done(session.focus("#nothing", timeout_ms=200))
    assert absent.value.error_kind == "condition_not_met"


async def test_hover(session: Any) -> None:
    await done(session.hover("#over"))
    assert await said(session) == "over"


async def test_lists(session: Any) -> None:
    await done(session.select("#list", "b"))
    assert await said(session) == "b"
    await done(session.select("#list", label="Ay"))
    assert await said(session) == "a"
    await done(session.select("#many", label=["one", "three"]))
    chosen = "[...document.querySelector('#many').selectedOptions].map((one) => one.text)"
    assert await done(session.execute_js(chosen)) == ["one", "three"]
    await done(session.select("#many", ["two"]))
    assert await done(session.execute_js(chosen)) == ["two"]
    with pytest.raises(ActionFailed) as refused:
        await done(session.select("#list", "zzz"))
    assert refused.value.error_kind == "value_not_accepted"


async def test_ticks(session: Any) -> None:
    assert await done(session.check("#tick")) is True
    assert await said(session) == "tick true"
    assert await done(session.check("#tick")) is False, "it is ticked already"
    assert await done(session.uncheck("#tick")) is True
    assert await said(session) == "tick false"
    elements = (await done(session.context(elements=True))).elements
    index = next(one["index"] for one in elements if one["name"] == "Tick")
    assert await done(session.check(index)) is True
    with pytest.raises(ActionFailed) as refused:
        await done(session.check("#stubborn"))
    assert refused.value.result is not None, "it was clicked"
    with pytest.raises(ActionFailed):
        await done(session.uncheck("#press", timeout_ms=1_000))


async def test_uploads(session: Any, tmp_path: Path) -> None:
    one, large = tmp_path / "one.txt", tmp_path / "large.bin"
    one.write_text("one")
    large.write_bytes(bytes(1_000_000))
    await done(session.upload("#file", one))
    assert await said(session) == "one.txt"
    await done(session.upload("#file", [one, str(large)], timeout_ms=2_000))
    assert await said(session) == "one.txt,large.bin"
    with pytest.raises(FileNotFoundError):
        await done(session.upload("#file", tmp_path / "none"))


async def test_drags(session: Any) -> None:
    result = await done(session.drag("#pick", "#drop"))
    assert result.success and await said(session) == "dropped"


async def test_scrolls(session: Any) -> None:
    await done(session.scroll())
    assert await done(session.execute_js("scrollY")) == 500
    await done(session.scroll("up", 200))
    assert await done(session.execute_js("scrollY")) == 300
    await done(session.scroll("up", 5_000, target="#press"))
    assert await done(session.execute_js("scrollY")) == 0


async def test_any_interaction_by_its_name(session: Any) -> None:
    await done(session.interact("fill", "#field", text="by name"))
    assert await done(session.execute_js("document.querySelector('#field').value")) == "by name"
    with pytest.raises(ActionFailed) as refused:
        await done(session.interact("juggle"))
    assert refused.value.error_kind == "unknown_action"


async def test_any_action_by_its_name(session: Any, site: Site) -> None:
    await done(session.act("navigate", url=f"{site.url}/other"))
    await done(session.act("go_back"))
    assert session.record.current_url == f"{site.url}/"
    await done(session.act("wait", {"for": {"text": "Drop here"}}, timeout_ms=2_000))
    failed = await done(session.act("click", index=4_000, check=False))
    assert not failed.success and failed.error_kind == "element_not_found"
    assert failed.delivery == "not_sent" and failed.retry
    with pytest.raises(ActionFailed):
        await done(session.act("click", index=4_000))
    mended = await done(session.act("click", x=5, y=5, correction_of=failed.action_id))
    assert mended.correction_of == failed.action_id
    moved = await done(session.act("refresh", expects={"url": "http://elsewhere/"}, check=False))
    assert moved.error_kind == "page_changed"


async def test_dialogs(session: Any) -> None:
    opened = await done(session.click("#ask"))
    assert opened.data["dialog"]["type"] == "confirm"
    with pytest.raises(Conflict):
        await done(session.execute_js("1"))
    assert (await done(session.context())).dialog["message"] == "Sure?"
    await done(session.act("handle_dialog", accept=True))
    assert await said(session) == "true"


async def test_actions_that_nobody_waits_for(session: Any) -> None:
    running = await done(session.submit("wait", seconds=60))
    queued = await done(session.submit("refresh"))
    assert queued.state == "queued" and queued.position == 1
    assert (await done(session.action_status(running.action_id))).state in {"queued", "running"}
    cancelled = await done(session.cancel_action(queued.action_id))
    assert cancelled.result.error_kind == "cancelled"
    await done(session.cancel_action(running.action_id))

    async def is_over() -> bool:
        return bool((await done(session.action_status(running.action_id))).state == "done")

    await until(is_over, 5, "it is cancelled")
    with pytest.raises(Conflict):
        await done(session.cancel_action(running.action_id))
    with pytest.raises(NotFound):
        await done(session.action_status("nobody"))


async def test_context(session: Any, site: Site) -> None:
    plain = await done(session.context())
    assert plain.url == f"{site.url}/" and plain.title == "Home" and plain.elements is None
    assert plain.scroll is not None and plain.scroll["max_y"] > 0
    first = await done(session.context(elements=True, limit=2, boxes=False))
    assert len(first.elements) == 2 and first.truncated and "box" not in first.elements[0]
    more = await done(session.context(elements=True, limit=2, more=first.more))
    assert not {one["index"] for one in first.elements} & {one["index"] for one in more.elements}
    told = await done(session.context(text=True, find="drop here", accessibility=True))
    assert "Drop here" in told.text and told.found[0]["text"] and told.accessibility


async def test_tabs(session: Any, site: Site) -> None:
    (first,) = await done(session.tabs())
    second = await done(session.new_tab(f"{site.url}/other"))
    assert [tab.current for tab in await done(session.tabs())] == [False, True]
    assert (await done(session.refresh())).page_count == 2
    await done(session.switch_tab(first.tab))
    assert await done(session.execute_js("document.title")) == "Home"
    await done(session.close_tab(second))
    assert [tab.tab for tab in await done(session.tabs())] == [first.tab]
    with pytest.raises(ActionFailed) as refused:
        await done(session.close_tab())
    assert refused.value.error_kind == "only_tab"


async def test_downloads(session: Any, tmp_path: Path) -> None:
    assert await done(session.downloads()) == []
    result = await done(session.click("#save"))
    assert result.downloads[0].name == "file.txt"

    async def completed() -> Any:
        return [one for one in await done(session.downloads()) if one.state == "completed"]

    (download,) = await until(completed, 5, "the download is whole")
    content = await done(session.download(download.id, tmp_path / "saved.txt"))
    assert content == (tmp_path / "saved.txt").read_bytes() == b"what the file holds"
    assert download.bytes == len(content)
    with pytest.raises(NotFound):
        await done(session.download("nobody"))


async def test_pause_and_resume(session: Any) -> None:
    assert (await done(session.pause())).state == "paused"
    assert session.record.state == "paused" and session.is_active
    assert await done(session.execute_js("1")) == 1, "only the video is off"
    assert (await done(session.resume())).state == "live"


async def test_close_and_what_is_left_of_the_handle(client: Any, session: Any, name: str) -> None:
    stale = await done(client.get_session(name))
    closed = await done(session.close())
    assert closed.session_id == session.session_id and not session.is_active
    assert stale.is_active, "a handle knows what it last heard"
    with pytest.raises(NotFound):
        await done(stale.refresh())
    assert not stale.is_active and stale.record.state == "closed"
    with pytest.raises(NotFound):
        await done(session.navigate("about:blank"))
