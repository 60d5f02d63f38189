"""The real pages: packages by npm at pinned versions, one bundle a page by esbuild."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/{name}.css"></head>
<body><script src="/{name}.js"></script></body></html>
"""


def open_pages(cache):
    """A reader of the pages; fetches and bundles first what is not there or has changed."""
    folder = cache / "real"
    fetch(folder)
    built = bundle(folder)

    def read(path):
        name, _, kind = path.rpartition(".")
        if kind == "html" and (built / f"{name}.js").is_file():
            return PAGE.format(name=name).encode()
        file = built / path
        if kind == "css" and not file.is_file():
            return b""
        return file.read_bytes() if file.is_file() and file.parent == built else None

    return read


def fetch(folder):
    """Installs the packages when the list is another one."""
    wanted = (HERE / "package.json").read_text()
    stamp = folder / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder / "package.json")
    subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
        check=True,
    )
    stamp.write_text(wanted)


def bundle(folder):
    """Bundles every page; esbuild takes a second for all."""
    built = folder / "built"
    entries = [str(file) for file in sorted((HERE / "pages").glob("*.js")) if file.name != "truth.js"]
    subprocess.run(
        [str(folder / "node_modules/.bin/esbuild"), *entries, "--bundle", f"--outdir={built}", "--minify",
         "--log-level=warning", "--define:process.env.NODE_ENV=\"production\"", "--loader:.svg=dataurl",
         "--loader:.woff2=dataurl"],
        check=True,
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
    )  # fmt: skip
    return built
