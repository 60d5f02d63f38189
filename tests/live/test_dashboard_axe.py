"""Everybody can use the dashboard: axe-core finds nothing, in either colours, on a desktop and on a phone."""

import os
from pathlib import Path

import pytest

from support.api import new_room
from support.dashboard import person

AXE = Path(os.environ["AXE_JS"]).read_text() if "AXE_JS" in os.environ else ""
RUN = "async () => (await axe.run()).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 120))])"


def findings(page):
    """What axe finds on what is shown."""
    # A page's own rules let no script in; a debugger's are no page's.
    page.evaluate(AXE)
    return page.evaluate(RUN)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_axe_finds_nothing(lone_api, web, screen, scheme):
    """On each view, in each dialog, and on the page of the wheel."""
    with (
        lone_api.session(new_room("axe"), initial_url=web.url("/clock")) as room,
        lone_api.session(new_room("axe-fails"), initial_url="http://127.0.0.1:9/") as failed,
        person(screen, color_scheme=scheme) as page,
    ):
        found = {}

        def look(name):
            page.wait_for_timeout(300)
            if what := findings(page):
                found[name] = what

        page.goto(lone_api.base + "/")
        page.wait_for_selector(".room")
        look("rooms")
        page.click("#start-open")
        look("start")
        page.keyboard.press("Escape")
        page.goto(f"{lone_api.base}/?room={room}")
        page.wait_for_selector("#screen[data-picture=true]", timeout=20000)
        page.wait_for_selector(".tab")
        look("room")
        page.click("#close")
        look("close")
        page.keyboard.press("Escape")
        page.goto(f"{lone_api.base}/?room={failed}")
        page.wait_for_selector("#session-state:text-is('page failed')")
        look("failed")
        page.goto(f"{lone_api.base}/?room=nothing-here")
        page.wait_for_selector("#notice-title:has-text('No session')")
        look("none")
        for view in ("recordings", "connections", "jobs"):
            page.click(f"#view-{view}")
            page.wait_for_selector(f"#{view}-title:visible")
            look(view)
        link = lone_api.request("POST", f"/sessions/{room}/takeover", json={"one_time": True}).json()["url"]
        page.goto(link)
        page.wait_for_selector("#screen[data-picture=true]", timeout=20000)
        look("wheel")
        page.click("#take")
        page.wait_for_selector("body[data-yours=true]")
        look("at the wheel")
        assert not found, found
