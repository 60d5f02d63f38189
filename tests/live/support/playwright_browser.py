"""A browser that is none of the service's: the machine's Chromium, under Playwright."""

import contextlib
import shutil

from playwright.sync_api import sync_playwright


@contextlib.contextmanager
def browser_context(**options):
    """A context of its own, with these options."""
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_context(**options)
        browser.close()


def spot(person, x, y, width=1280, height=720):
    """Where a place of the page is on the picture."""
    box = person.locator("#video").bounding_box()
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return left + x * scale, top + y * scale
