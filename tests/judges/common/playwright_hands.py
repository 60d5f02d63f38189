"""Hands of the reference: Playwright on the same browser, with the same moves."""

import contextlib
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from .endings import Refused
from .hands import Hands, Thing

LIST = (Path(__file__).parent / "list.js").read_text()
LIMIT_MS = 5000
OPEN_MS = 30_000
VIEWPORT = {"width": 1280, "height": 720}
BROWSERS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
HIDDEN_MS = 2000
DRAWN = ("checkbox", "radio", "switch")
FILLED = ("date", "time", "datetime-local", "month", "week", "range", "color", "number")


@contextlib.contextmanager
def browser():
    """The machine's own Chromium under Playwright."""
    path = next((path for path in BROWSERS if Path(path).exists()), None)
    if path is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


class PlaywrightHands(Hands):
    """One page of the reference."""

    def __init__(self, running):
        super().__init__()
        self.page = running.new_page(viewport=VIEWPORT)
        self.page.set_default_timeout(LIMIT_MS)

    def open(self, url):
        """Opens a page."""
        with self.step("open"):
            self.page.goto(url, timeout=OPEN_MS)

    def close(self):
        """Closes the page."""
        self.page.close()

    @contextlib.contextmanager
    def step(self, action):
        """One step; what Playwright refuses is refused."""
        try:
            yield
        except Error as error:
            raise Refused(action, "playwright", str(error).splitlines()[0]) from None
        self.steps.append({"action": action, "success": True})

    def handle(self, thing):
        """The element of a thing."""
        return self.page.evaluate_handle("ref => window.__listed[ref]", thing.ref).as_element()

    def elements(self):
        with contextlib.suppress(Error):
            return [Thing(**{**listed, "box": tuple(listed["box"])}) for listed in self.page.evaluate(LIST)]
        return []

    def text(self):
        return "\n".join(frame.locator("body").inner_text() for frame in self.page.frames)

    def click(self, target, button="left", count=1):
        with self.step("click"):
            if not isinstance(target, Thing):
                self.page.mouse.click(*target, button=button, click_count=count)
            elif target.role in DRAWN:
                # The box that a person sees is often drawn over a hidden one.
                self.page.mouse.click(*self.point(target), button=button, click_count=count)
            else:
                self.handle(target).click(button=button, click_count=count)

    def hover(self, target):
        with self.step("hover"):
            if isinstance(target, Thing):
                self.handle(target).hover()
            else:
                self.page.mouse.move(*target)

    def type(self, thing, text, clear=False, submit=False):
        with self.step("type"):
            if thing is None:
                self.page.keyboard.type(text)
            elif thing.type in FILLED:
                self.handle(thing).fill(text)
            else:
                field = self.handle(thing)
                try:
                    field.click(timeout=HIDDEN_MS)
                except Error:
                    # The text area of some editors lies hidden behind what they draw.
                    field.focus()
                if clear:
                    self.page.keyboard.press("Control+A")
                    self.page.keyboard.press("Delete")
                self.page.keyboard.type(text)
            if submit:
                self.page.keyboard.press("Enter")

    def press(self, keys, thing=None, count=1):
        with self.step("press"):
            if thing:
                self.handle(thing).focus()
            for _ in range(count):
                self.page.keyboard.press(keys)

    def select(self, thing, *labels):
        with self.step("select"):
            if thing.tag == "select":
                self.handle(thing).select_option(label=list(labels))
                return
            for label in labels:
                self.handle(thing).click()
                self.page.get_by_role("option", name=label, exact=True).first.click()

    def drag(self, start, end):
        with self.step("drag"):
            self.page.mouse.move(*self.point(start))
            self.page.mouse.down()
            x, y = self.point(end)
            self.page.mouse.move(x - 3, y - 3, steps=12)
            self.page.mouse.move(x, y, steps=3)
            self.page.mouse.up()

    def point(self, target):
        """Where a target is now, scrolled into view."""
        if not isinstance(target, Thing):
            return target
        handle = self.handle(target)
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def scroll(self, direction, amount, thing=None):
        with self.step("scroll"):
            if thing:
                self.page.mouse.move(*self.point(thing))
            sign = -1 if direction in ("up", "left") else 1
            across, down = (sign * amount, 0) if direction in ("left", "right") else (0, sign * amount)
            self.page.mouse.wheel(across, down)
            self.page.wait_for_timeout(250)
