"""`make site` builds the course as a site that works offline, on a phone too."""

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import pytest
from bs4 import BeautifulSoup

from fastkf.course import places
from fastkf.course.labs import read_labs
from fastkf.notebook.model import read

PHONE = {"width": 390, "height": 844}
ARE_DRAWN = """[...document.querySelectorAll(".diagram")].every(one => {
    const drawing = one.querySelector("svg")
    return drawing && drawing.getBoundingClientRect().height > 50
        && drawing.querySelectorAll(".node").length > 1
        && !one.textContent.includes("Syntax error")
})"""
SMALLEST_WORDS = """Math.min(...[...document.querySelectorAll(".diagram .nodeLabel")].map(
    one => one.getBoundingClientRect().height / (one.innerText.split("\\n").length || 1)))"""


IN_SCRIPTS = re.compile(r"(<script\b[^>]*>).*?</script>|<!--.*?-->", re.S)
TAG = re.compile(r"""<([a-zA-Z][\w-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
ATTRIBUTE = re.compile(r"""\s([\w-]+)=(?:"([^"]*)"|'([^']*)')""")


class Page:
    """The text of a page. To parse all pages as trees takes a quarter of the time of the site."""

    def __init__(self, text: str):
        self.text = text

    @cached_property
    def tree(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")

    def select(self, selector: str):
        return self.tree.select(selector)

    def select_one(self, selector: str):
        return self.tree.select_one(selector)

    @cached_property
    def tags(self) -> list[tuple[str, dict[str, str]]]:
        """The name and the attributes of each tag."""
        return [
            (name, {key: unescape(one or other) for key, one, other in ATTRIBUTE.findall(text)})
            for name, text in TAG.findall(IN_SCRIPTS.sub(r"\1", self.text))
        ]

    @property
    def article(self) -> "Page":
        return Page("".join(re.findall(r"<article\b.*</article>", self.text, re.S)))

    @property
    def has_diagrams(self) -> bool:
        return any(attributes.get("class") == "diagram" for _, attributes in self.tags)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; a warning of Sphinx fails the build, as it does in the Makefile."""
    folder = tmp_path_factory.mktemp("site") / "html"
    command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-c", places.PROJECT / "site"]
    built = subprocess.run(
        [sys.executable, *command, places.PROJECT, folder], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {
        path.relative_to(site).as_posix(): Page(path.read_text())
        for path in sorted(site.rglob("*.html"))
        # What is there to be fetched, such as the page of a lab's server, is no page of the site.
        if not {"_static", "_downloads"}.intersection(path.parts)
    }


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        """What all pages take stays in the browser for the next page."""
        self.send_header("Cache-Control", "max-age=3600")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def chromium():
    with browser.start_chromium() as program:
        yield program


def test_every_lab_and_every_guide_is_a_page(pages):
    sources = [
        *places.NOTEBOOKS.glob("*.ipynb"),
        *places.NOTEBOOKS.glob("solutions/*.ipynb"),
        *(places.PROJECT / "labs").rglob("*.md"),
        *places.PROJECT.glob("*.md"),
    ]
    expected = {
        path.relative_to(places.PROJECT).with_suffix(".html").as_posix() for path in sources
    }
    assert expected | {"index.html"} <= pages.keys()
    for start in ("index.html", "README.html"):
        contents = {unquote(link["href"]) for link in pages[start].select("nav.bd-links a[href]")}
        solutions = {page for page in expected if "/solutions/" in page}
        assert expected - {"README.html"} - solutions <= contents
        assert solutions & contents == set()


def test_every_picture_says_what_it_shows(pages):
    silent = [
        f"{page}: {attributes['src']}"
        for page, content in pages.items()
        for name, attributes in content.article.tags
        if name == "img" and re.search(r"^$|\.(png|svg)$", attributes.get("alt", ""))
    ]
    assert silent == []


def test_an_example_of_a_guide_can_be_downloaded(site, pages):
    page = pages["labs/project/README.html"]
    links = [a["href"] for a in page.select("article a[href]") if "late_flights" in a["href"]]
    assert len(links) == 1
    found = (site / "labs" / "project" / links[0]).read_bytes()
    assert found == (places.PROJECT / "labs/project/example/late_flights.ipynb").read_bytes()


def test_a_lab_leads_to_its_solution(pages):
    for solution in places.NOTEBOOKS.glob("solutions/*.ipynb"):
        lab = pages[f"notebooks/{solution.stem}.html"]
        links = {attributes.get("href") for name, attributes in lab.article.tags if name == "a"}
        assert f"solutions/{solution.stem}.html" in links, solution.stem


def test_each_guide_stands_once_in_the_contents(pages):
    links = [link["href"] for link in pages["README.html"].select("nav.bd-links a[href]")]
    assert sorted(links) == sorted(set(links))


def test_tags_stand_above_their_cells(pages):
    lab = pages["notebooks/01_first_pipeline.html"]
    notebook = read(places.NOTEBOOKS / "01_first_pipeline.ipynb")
    expected = [
        shown
        for cell in notebook.code_cells
        if (shown := [tag for tag in cell.tags if tag not in ("parameters", "hide-input")])
    ]
    shown = [[chip.text for chip in tags.select("span")] for tags in lab.select(".kale-tags")]
    assert shown == expected


def test_the_start_page_lists_the_labs(pages):
    labs = [link["href"] for link in pages["index.html"].select(".start-labs a")]
    assert labs == [f"notebooks/{path.stem}.html" for path in read_labs().all]
    assert f"{len(labs)} labs" in pages["index.html"].select_one(".start-doors").text


def test_a_table_that_a_cell_shows_as_markdown_is_drawn(pages):
    cells = [cell.text for cell in pages["notebooks/09_control_flow.html"].select("article td")]
    assert {"boosting", "baseline", "0.755"} <= set(cells)


def test_the_line_that_says_the_tags_is_not_said_twice(pages):
    assert (
        "Tags of the next cell" not in pages["notebooks/00_welcome.html"].select_one("article").text
    )


@pytest.fixture(scope="module")
def anchors(pages) -> dict[str, set[str]]:
    return {
        name: {attributes["id"] for _, attributes in content.tags if "id" in attributes}
        for name, content in pages.items()
    }


def test_every_link_leads_somewhere(site, pages, anchors):
    broken = [
        f"{page}: {target}"
        for page, content in pages.items()
        for target in targets(content)
        if not leads_somewhere(site, anchors, page, target)
    ]
    assert broken == []


def test_a_broken_link_is_found(site, anchors):
    assert not leads_somewhere(site, anchors, "index.html", "nowhere.html")
    assert not leads_somewhere(site, anchors, "index.html", "#nowhere")
    assert leads_somewhere(site, anchors, "index.html", "#labs")


def test_labs_are_downloaded_as_they_are(site, pages):
    for notebook in places.NOTEBOOKS.rglob("*.ipynb"):
        source = notebook.relative_to(places.PROJECT)
        page = source.with_suffix(".html").as_posix()
        links = {
            attributes["href"]
            for name, attributes in pages[page].tags
            if "btn-download-source-button" in attributes.get("class", "").split()
        }
        copies = [(site / page).parent / unquote(link) for link in links]
        assert [copy.read_bytes() for copy in copies] == [notebook.read_bytes()], source


def test_the_code_of_checks_is_folded(pages):
    content = json.loads((places.NOTEBOOKS / "02_titanic.ipynb").read_text())
    hidden = [cell["metadata"].get("jupyter", {}).get("source_hidden") for cell in content["cells"]]
    folded = pages["notebooks/02_titanic.html"].select("details.hide")
    assert len(folded) == hidden.count(True) >= 3


@dataclass
class Visit:
    """What a reader with a phone meets.

    Attributes:
        faults: pages that are too wide, or complain, or ask for what is elsewhere.
        drawn: pages whose diagrams are all drawn.
        undrawn: pages with one that is not.
    """

    faults: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    undrawn: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def visit(pages, address, chromium) -> Visit:
    visit = Visit()
    with browser.open_page(chromium, viewport=PHONE) as shown:
        for page, content in pages.items():
            shown.goto(f"{address}/{page}")
            width = shown.evaluate("document.scrollingElement.scrollWidth")
            visit.faults += [f"{page}: {width} pixels wide"] if width > PHONE["width"] else []
            if content.has_diagrams:
                (visit.drawn if shown.evaluate(ARE_DRAWN) else visit.undrawn).append(page)
                small = shown.evaluate(SMALLEST_WORDS)
                visit.faults += [f"{page}: a line of {small} pixels"] if small < 14 else []
            visit.faults += [f"{page}: {complaint}" for complaint in shown.complaints]
            shown.complaints.clear()
    visit.faults += [f"asks {url}" for url in shown.requested_elsewhere(address)]
    return visit


def test_every_page_is_readable_on_a_phone(visit):
    assert visit.faults == []


def test_diagrams_are_drawn(pages, visit):
    sources = [*places.PROJECT.glob("*.md"), *(places.PROJECT / "labs").rglob("*.md")]
    fences = sum(source.read_text().count("\n```mermaid\n") for source in sources)
    assert (
        sum(len(page.select(".diagram > svg")) for page in pages.values() if page.has_diagrams)
        == fences
    )
    assert visit.drawn
    assert visit.undrawn == []


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("Titanic", "02_titanic"),
        ("drift", "glossary.html#data-drift"),
        ("caching", "glossary.html"),
        ("recurring run", "glossary.html#recurring-run"),
    ],
)
def test_search_finds(words, target, address, chromium):
    with browser.open_page(chromium, f"{address}/search.html?q={words}") as shown:
        results = shown.locator(f'#search-results li a[href*="{target}"]')
        results.first.wait_for()


def test_the_contents_have_three_groups(pages):
    captions = pages["README.html"].select("nav.bd-links .caption-text")
    assert [caption.text for caption in captions] == ["Learn", "Install", "Reference"]


def test_it_is_dark_where_the_reader_is(address, chromium):
    def background(scheme: str) -> str:
        with browser.open_page(chromium, address, color_scheme=scheme) as shown:
            return shown.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background("light") != background("dark")


def targets(page: Page) -> set[str]:
    """What the page links to and shows, on the site itself."""
    links = set()
    for name, attributes in page.tags:
        if name in ("a", "link") and "href" in attributes:
            links.add(attributes["href"])
        if "src" in attributes:
            links.add(attributes["src"])
    return {link for link in links if not urlsplit(link).scheme}


def leads_somewhere(site: Path, anchors: dict[str, set[str]], page: str, target: str) -> bool:
    place = urlsplit(target)
    path = (site / page).parent / unquote(place.path) if place.path else site / page
    name = Path(os.path.normpath(path)).relative_to(site).as_posix()
    if not place.fragment or name not in anchors:
        return path.is_file()
    return unquote(place.fragment) in anchors[name]
