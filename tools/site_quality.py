"""Measures five pages of the built site: Lighthouse's accessibility and best practices, and axe.

    make quality

Both programs come through npm, into site/_build/quality, the first time. A page below LEAST of 100
in any of the three is a failure. Axe has no mark of its own: here it is the share of its rules that
a page keeps, of those that concern it. Without npm or Chromium there is nothing to measure with,
which is said, and is no failure.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SITE = PROJECT / "site" / "_build" / "html"
PROGRAMS = PROJECT / "site" / "_build" / "quality"
VERSIONS = {"lighthouse": "12.8.2", "axe-core": "4.14.1"}
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu")
PAGES = (
    "index.html",
    "README.html",
    "notebooks/01_first_pipeline.html",
    "labs/kubeflow_pipelines.html",
    "labs/glossary.html",
)
CATEGORIES = ("accessibility", "best-practices")
LEAST = 95


def main() -> int:
    chromium = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not (chromium and shutil.which("npm")):
        missing = "Chromium" if shutil.which("npm") else "npm (a part of Node.js)"
        print(f"not measured: there is no {missing} here")
        return 0
    if not (SITE / PAGES[0]).is_file():
        print("there is no site yet: make site", file=sys.stderr)
        return 2
    install()
    low = []
    with serve() as address:
        for page in PAGES:
            marks, faults = measure(f"{address}/{page}", chromium)
            print(page, *(f"{name} {mark}" for name, mark in marks.items()), sep="  ", flush=True)
            if min(marks.values()) < LEAST:
                low.append(page)
            print(*(f"  {fault}" for fault in faults), sep="\n" if faults else "", end="")
            print(end="\n" if faults else "")
    if low:
        print(f"below {LEAST}: {', '.join(low)}")
    return 1 if low else 0


def install() -> None:
    """The two programs, in these very versions, where they are not there yet."""
    manifest = json.dumps({"private": True, "dependencies": VERSIONS}, indent=2)
    kept = PROGRAMS / "package.json"
    if kept.is_file() and kept.read_text() == manifest and (PROGRAMS / "node_modules").is_dir():
        return
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    kept.write_text(manifest)
    quiet = ("--silent", "--no-fund", "--no-audit")
    subprocess.run(["npm", "install", *quiet], cwd=PROGRAMS, check=True)


@contextmanager
def serve() -> Iterator[str]:
    """The address of the site, on this machine only."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def measure(url: str, chromium: str) -> tuple[dict[str, int], list[str]]:
    """The marks of a page, of 100, and what lowers them."""
    marks, faults = ask_lighthouse(url, chromium)
    mark, more = ask_axe(url, chromium)
    return {**marks, "axe": mark}, [*faults, *more]


def ask_lighthouse(url: str, chromium: str) -> tuple[dict[str, int], list[str]]:
    program = PROGRAMS / "node_modules" / ".bin" / "lighthouse"
    command = [program, url, "--quiet", "--output=json", f"--chrome-flags={' '.join(FLAGS)}"]
    command += [f"--only-categories={','.join(CATEGORIES)}", "--preset=desktop"]
    environment = {**os.environ, "CHROME_PATH": chromium}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    report = json.loads(found.stdout)
    marks = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
    faults = [
        f"Lighthouse: {audit['title']}"
        for audit in report["audits"].values()
        if audit["score"] == 0 and audit["scoreDisplayMode"] == "binary"
    ]
    return marks, faults


def ask_axe(url: str, chromium: str) -> tuple[int, list[str]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=list(FLAGS[1:]))
        page = browser.new_page()
        page.goto(url)
        page.add_script_tag(path=PROGRAMS / "node_modules" / "axe-core" / "axe.min.js")
        found = page.evaluate("axe.run()")
        browser.close()
    broken = found["violations"]
    faults = [
        f"axe: {one['help']}: {', '.join(node['target'][0] for node in one['nodes'][:3])}"
        for one in broken
    ]
    return round(100 * len(found["passes"]) / (len(found["passes"]) + len(broken))), faults


if __name__ == "__main__":
    sys.exit(main())
