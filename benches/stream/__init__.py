"""What the benches of the stream are made of: pages, publishers, links, viewers, figures and tables.

They stand on what the live tests stand on: `tests/live/support` has the servers, the viewers and the clock.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/live"))

# Of every page, every picture and every window.
SIZE = (1280, 720)
