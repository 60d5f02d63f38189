#!/usr/bin/env python3
"""Judges of the service on pages that others have written; see README.md."""

import argparse
import importlib
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
JUDGES = {
    "miniwob": "the public tasks of MiniWoB++, by the page's own reward",
    "real": "tasks on pages made of well-known packages, by the page's own state",
    "soak": "random commands on live pages: every success holds, nothing leaks",
}


def main():
    """The command line; exit code 0 only when the judge's bar holds, 2 on misuse."""
    parser = argparse.ArgumentParser(description=__doc__)
    judges = parser.add_subparsers(dest="judge", required=True)
    for name, about in JUDGES.items():
        one = judges.add_parser(name, help=about, description=about)
        one.add_argument("--ghostcast", metavar="PATH", help="the program to try")
        one.add_argument("--json", metavar="FILE", help="write the rows here, whole")
        one.add_argument("--cache", default=HERE.parents[1] / "target/test-env/judges", metavar="DIR",
                         help="where fetched packages are kept (target/test-env/judges)")  # fmt: skip
        importlib.import_module(f"{name}.judge").options(one)
    given = parser.parse_args()
    # An interrupted judge takes its service and browsers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return 0 if importlib.import_module(f"{given.judge}.judge").run(given) else 1


if __name__ == "__main__":
    sys.exit(main())
