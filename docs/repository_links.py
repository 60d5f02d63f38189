"""A preprocessor of mdBook: links of a chapter that lead out of the book lead to the repository then.

In the files they are relative, so that they work wherever the repository is read.
"""

import json
import posixpath
import re
import sys

REPOSITORY = "https://github.com/ghostcast/ghostcast/blob/main"
# From the top of the repository.
BOOK = "docs/src"


def elsewhere(match, folder):
    """A link as it is, or to the repository where its file is none of the book's."""
    path = posixpath.normpath(posixpath.join(BOOK, folder, match[1]))
    return match[0] if path.startswith(BOOK) else f"]({REPOSITORY}/{path}{match[2] or ''})"


def walk(items):
    """Rewrites all chapters below `items`."""
    for item in items:
        if isinstance(item, dict) and (chapter := item.get("Chapter")):
            folder = posixpath.dirname(chapter["path"] or "")
            chapter["content"] = re.sub(
                r"\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)", lambda match: elsewhere(match, folder), chapter["content"]
            )
            walk(chapter["sub_items"])


if sys.argv[1:2] != ["supports"]:
    _, book = json.load(sys.stdin)
    walk(book.get("sections") or book["items"])
    json.dump(book, sys.stdout)
