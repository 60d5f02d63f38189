"""The table that a judge prints while it plays, and the file with the rows."""

import collections
import json
import os
import sys
from pathlib import Path

WHY_CHARS = 160


class Report:
    """Prints rows as they come; `right` of a row decides its mark."""

    def __init__(self, file, columns):
        self.file, self.columns = file, columns
        self.rows = []
        self.widths = {}

    def add(self, row):
        """Prints one row and keeps it."""
        self.rows.append(row)
        cells = []
        for column in self.columns:
            value = row.get(column)
            text = " ".join(str("" if value is None else value).split())
            if column == "why":
                text = text[: WHY_CHARS - 1] + "…" if len(text) > WHY_CHARS else text
            width = max(self.widths.get(column, len(column)), len(text) if column != "why" else 0)
            self.widths[column] = width
            cells.append(text.rjust(width) if isinstance(value, (int, float)) else text.ljust(width))
        print(" " if row["right"] else "!", "  ".join(cells).rstrip(), flush=True)
        self.write()

    def write(self):
        """The rows so far, whole."""
        if self.file:
            Path(self.file).write_text(json.dumps(self.rows, indent=1, default=str))

    def end(self, words):
        """The last line."""
        print(f"\n{words}", flush=True)


def counts(rows, column):
    """How often each value of a column occurs, in words."""
    return ", ".join(f"{value} {count}" for value, count in collections.Counter(r[column] for r in rows).most_common())


def has_program(path):
    """The program to try; ends with a sentence when there is none."""
    if path and os.access(path, os.X_OK):
        return path
    print(f"--ghostcast {path}: no such program; build it with cargo build --bin ghostcast", file=sys.stderr)
    raise SystemExit(2)
