"""Reading decoded pictures, RGB arrays (h, w, 3): the clock, a colour, the cursor."""

import numpy as np

from . import pages

# A pixel differs when one channel moved by more than coding noise does on a flat page.
DIFFERENT = 40
# The cursor is 28 px high by default; its tip is at the point, the rest right of and below it.
CURSOR_BOX = 32
# Of an arrow in that box, at least this many pixels differ from a white page.
CURSOR_PIXELS_MIN = 40
CLOCK_PAGE_WIDTH, CLOCK_SCALE_MIN = 1280, 0.2


def read_clock(luma):
    """The clock in a luma plane (h, w): milliseconds modulo 2**32, or None.

    A plane that is narrower than the page is a layer of it, in which all is as much smaller.
    """
    height, width = luma.shape
    scale = min(1, width / CLOCK_PAGE_WIDTH)
    if height < pages.CLOCK_HEIGHT * scale or scale < CLOCK_SCALE_MIN:
        return None
    quarter = pages.CELL // 4

    def part(start):
        """The middle of a cell that begins there."""
        return slice(round((start + quarter) * scale), round((start + pages.CELL - quarter) * scale))

    row = luma[part(pages.CLOCK_Y)]
    cells = []
    for number in range(pages.CLOCK_CELLS):
        cells.append(int(row[:, part(pages.CLOCK_X + number * pages.CELL)].mean() < 128))
    if cells[:2] != [1, 0]:
        return None
    value = sum(bit << i for i, bit in enumerate(cells[2 : 2 + pages.CLOCK_BITS]))
    check = sum(bit << i for i, bit in enumerate(cells[2 + pages.CLOCK_BITS :]))
    expected = 10
    for nibble in range(8):
        expected ^= value >> (4 * nibble) & 15
    return value if check == expected else None


def picture_clock(picture):
    """The clock in an RGB picture, or None."""
    return None if picture is None else read_clock(picture.astype(np.float32).mean(axis=2))


# Unlike any colour.
NOWHERE = (-1000, -1000, -1000)


def colour_at(picture, x, y, half=10):
    """The median colour of the square around a point; none at all where the picture is too small for it, as the
    low layer is with which a room's server may begin."""
    part = picture[y - half : y + half, x - half : x + half].reshape(-1, 3)
    if not part.size:
        return NOWHERE
    return tuple(int(channel) for channel in np.median(part, axis=0))


def colour_distance(one, other):
    """The largest difference of a channel."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def block_colour(picture):
    """The colour of the block by which the test pages are told apart."""
    x, y, width, height = pages.BLOCK
    return colour_at(picture, x + width // 2, y + height // 2)


def changed_pixels(before, after, x, y, box=CURSOR_BOX):
    """How many pixels differ in the box right of and below a point."""
    area = np.s_[y : y + box, x : x + box]
    difference = np.abs(before[area].astype(int) - after[area].astype(int)).max(axis=2)
    return int((difference > DIFFERENT).sum())


def worst_patch(picture):
    """The patch of the colour page that is farthest from its colour: (distance, is, should)."""
    rows = []
    for number, should in enumerate(pages.PATCHES):
        seen = colour_at(picture, *pages.patch_centre(number), half=30)
        rows.append((colour_distance(seen, should), seen, should))
    return max(rows)
