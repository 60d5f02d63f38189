"""The dashboard as a person has it: in a real browser, on a desktop and on a phone, held upright or on its side, or a tablet."""

import contextlib

from .playwright_browser import browser_context

PHONE = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
SCREENS = {
    "desktop": {"viewport": {"width": 1400, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, **PHONE},
    "tablet": {"viewport": {"width": 820, "height": 1180}, **PHONE},
    "landscape": {"viewport": {"width": 844, "height": 390}, **PHONE},
}
# What a finger can hit, CSS px.
FINGER = 44

# What is too small for a finger, is cut off, or makes the page wider than the screen.
MISFITS = """(finger) => {
  const found = [];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getBoundingClientRect().width > 1;
  const say = (what, node) => found.push(`${what}: ${node.tagName} #${node.id} .${node.className} "${node.textContent.trim().slice(0, 40)}"`);
  for (const node of document.querySelectorAll('button, a, input, select, summary')) {
    if (!shown(node) || node.classList.contains('skip') || node.classList.contains('copied')) continue;
    const box = node.type === 'checkbox' ? node.closest('label').getBoundingClientRect() : node.getBoundingClientRect();
    if (!node.closest('.tabs ul') && (box.right > innerWidth + 1 || box.left < -1)) say('beside the screen', node);
    if (box.height < finger - 0.5 || box.width < finger - 0.5) say(`${Math.round(box.width)}x${Math.round(box.height)}`, node);
  }
  for (const node of document.querySelectorAll('button, a.button, h1, h2, .pill, .said, .advice')) {
    const isCut = node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).textOverflow !== 'ellipsis';
    if (shown(node) && isCut && getComputedStyle(node).display !== 'inline') say('cut', node);
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) found.push(`the page is ${wide} px wider than the screen`);
  return found;
}"""


@contextlib.contextmanager
def person(screen, **more):
    """Somebody before that screen: a page, whose errors are the test's."""
    with browser_context(**SCREENS[screen], **more) as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        yield page
        assert not wrong, wrong


def misfits(page):
    """What a finger misses or an eye does not see whole."""
    return page.evaluate(MISFITS, FINGER)
