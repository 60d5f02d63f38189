"""Builds the documents as a book, and follows every link in it: `tests/book.py MDBOOK`.

Links between the files are checked by tests/tidy.rs; here it is what the book makes of them.
"""

import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """The links of a page, and what they can lead to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.anchors.add(named.get("id"))
        self.links += [named[name] for name in ("href", "src") if named.get(name)]


def dead_links(book):
    """What leads nowhere, and links into this repository at files that it does not have."""
    pages = {path: Page(path.read_text()) for path in book.rglob("*.html")}
    blob = "https://github.com/ghostcast/ghostcast/blob/main/"
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(blob):
                if not (ROOT / urlsplit(link.removeprefix(blob)).path).exists():
                    yield f"{path.name}: {link}"
                continue
            parts = urlsplit(link)
            # 404.html stands for any address, and has a base of its own.
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_anchor = not parts.fragment or place not in pages or unquote(parts.fragment) in pages[place].anchors
            if not place.exists() or not is_anchor:
                yield f"{path.name}: {link}"


def main(mdbook):
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book"
        subprocess.run([mdbook, "build", ROOT / "docs", "--dest-dir", book], check=True)
        dead = sorted(set(dead_links(book)))
        pages = len(list(book.glob("*.html")))
    print("\n".join(dead) or f"{pages} pages, no dead link")
    return bool(dead)


sys.exit(main(sys.argv[1]))
