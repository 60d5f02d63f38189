"""The pages that are watched; each paints the clock of the live tests, so that a decoded picture tells its age."""

from support.pages import page
from support.web import Web

WORDS = "river stone lamp paper window garden letter bridge summer engine yellow quiet number table north"

JS_TEXT = """
const words = 'WORDS'.split(' ');
let text = '';
for (let i = 0; i < 600; i++) text += words[(i * 7 + (i >> 4)) % words.length] + (i % 11 ? ' ' : '. ');
document.getElementById('text').textContent = text;
""".replace("WORDS", WORDS)
PROSE = "<p id=text style='margin:60px 40px;width:760px;font:18px/30px sans-serif'></p>"

JS_SCROLL = """
let y = 0, step = 8, isMoving = true;
function frame() {
  paintClock();
  y += step;
  if (y > 1200 || y < 1) step = -step;
  scrollTo(0, y);
  if (isMoving) requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
"""

# It asks whether it shall rest, since nobody but the page itself is the same for every publisher.
JS_REST = """
const asking = setInterval(async () => {
  if (!(await (await fetch('/rest.js')).json())) return;
  clearInterval(asking);
  isMoving = false;
  requestAnimationFrame(() => { scrollTo(0, 0); note('rests', paintClock()); });
}, 200);
"""

JS_TYPING = """
const line = document.getElementById('text');
let count = 0;
setInterval(() => {
  const letter = words[count % words.length][count++ % 4];
  line.textContent = (line.textContent + letter + (count % 6 ? '' : ' ')).slice(-1500);
  paintClock();
}, 100);
"""

JS_STILL = "paintClock(); setInterval(paintClock, 1000);"


def scroll():
    """Small print that scrolls with every frame of the browser."""
    return page("Scroll", PROSE, JS_TEXT + JS_SCROLL)


def reading():
    """The same, until it is told to rest; then the text stands still from its beginning."""
    return page("Reading", PROSE, JS_TEXT + JS_SCROLL + JS_REST)


def rested():
    """What the page above shows in the end."""
    return page("Rested", PROSE, JS_TEXT + "paintClock();")


def typing():
    """Ten letters a second."""
    script = JS_TEXT + "document.getElementById('text').textContent = '';" + JS_TYPING
    return page("Typing", PROSE, script)


def still():
    """Text that rests; only the clock changes, once a second, so that its latency can be told."""
    return page("Still", PROSE, JS_TEXT + JS_STILL)


# By the names that the tables have; two are pages of the live tests.
PATHS = {
    "repainting": "/clock",
    "scroll": "/scroll.html",
    "video": "/playing",
    "typing": "/typing.html",
    "still": "/still.html",
}


class Pages(Web):
    """A web of these pages; `rest` tells the one that is read to stand still."""

    def __init__(self):
        super().__init__()
        for made in (scroll, reading, rested, typing, still):
            self.files[f"/{made.__name__}.html"] = made().encode()
        self.move()

    def move(self):
        """The next page that is read scrolls."""
        self.files["/rest.js"] = b"false"

    def rest(self):
        """Tells the page that is open to rest."""
        self.files["/rest.js"] = b"true"
