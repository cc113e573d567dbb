"""Sphinx's settings for `make site`: the guides and the labs, as they are, and a start page.

Nothing is fetched when the site is built or read.
"""

import functools
import gc
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

# Looking for garbage among millions of nodes that stay took an eighth of the time of a build.
gc.set_threshold(100_000, 20, 20)

HERE = Path(__file__).parent
PROJECT = HERE.parent
sys.path.insert(0, str(HERE))

from fastkf.base.iri import import_jsonschema  # noqa: E402

import_jsonschema()  # quickly, before nbformat is imported

from sources import adapt_links, adapt_notebook  # noqa: E402 - a module beside this one
from sphinx.search.en import SearchEnglish  # noqa: E402

from fastkf.course.labs import read_labs  # noqa: E402

project = "Fast-Kubeflow"
author = "the Fast-Kubeflow authors"
html_title = project
html_show_copyright = False

root_doc = "README"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "data/README.md",
    "labs/*.md",
    "labs/*/*.md",
    "labs/project/example/*.md",
    "fastkf/notebook/check/pages/*.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
]
# Folders of many files and no page: to look through an environment took a sixth of a build.
exclude_patterns = [".*", "runs", "workbook"]
extensions = ["myst_nb", "sphinx_copybutton", "diagrams"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # with tables, which the default leaves as they are written
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4

# GitHub says which repository a site is built of. A clone does not know where others find it.
repository = os.environ.get("GITHUB_REPOSITORY")
# `make links`. These are a reader's own machine, and names to be replaced.
linkcheck_ignore = [
    r"https?://(localhost|127\.0\.0\.1|10\.10\.10\.10)\b",
    r"https?://[\w.-]*\bexample\.(com|org)\b",
    r"https://github\.com/OWNER/",
]
linkcheck_retries = 3
linkcheck_timeout = 30

html_theme = "sphinx_book_theme"
html_theme_options = {
    "navbar_persistent": [],  # the sidebar has the search already
    "show_navbar_depth": 1,
    "collapse_navbar": True,  # the theme's buttons that unfold have no name for a screen reader
    "show_toc_level": 2,
    "use_fullscreen_button": False,
}
if repository:
    html_theme_options |= {
        "repository_url": f"https://github.com/{repository}",
        "repository_branch": "main",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    }
html_favicon = "_static/favicon.svg"
html_static_path = ["_static", "../labs/images/one_click.png"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "start.html"}


def describe(labs: Iterable[Path]) -> list[dict]:
    """What the start page says of each lab: the notebook's own metadata."""
    described = []
    for path in labs:
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"]["fastkf"]
        page, number = f"notebooks/{path.stem}", path.stem.split("_")[0]
        described.append({"page": page, "number": number, **about})
    return described


ORDER = read_labs(PROJECT / "notebooks")
CORE, ELECTIVES = describe(ORDER.core), describe(ORDER.electives)
CONTENTS = {
    "Learn": [
        *(f"notebooks/{path.stem}" for path in ORDER.welcome),
        *(f"{lab['number']} {lab['title']} <{lab['page']}>" for lab in CORE),
        *(f"{lab['number']} {lab['title']} (elective) <{lab['page']}>" for lab in ELECTIVES),
        "labs/what_is_kubeflow",
        "labs/containers_and_kubernetes",
        "labs/kubeflow_pipelines",
        "labs/kale",
        "labs/the_real_platform",
        "labs/projects",
        "labs/project/README",
        "labs/project/example/README",
        "labs/teaching",
        "labs/glossary",
        "labs/references",
    ],
    "Install": [
        "labs/one_click",
        "labs/kubeflow_on_kind",
        "labs/installing_kubeflow_wsl2",
        "labs/using_minikf",
        "labs/kubeflow_notebooks/README",
        "labs/data_and_images",
        "labs/what_runs_where",
        "labs/is_it_broken",
        "labs/troubleshooting",
    ],
    "Reference": [
        "labs/own_notebooks",
        "labs/local_pipelines_server",
        "labs/kfp_sdk",
        "labs/custom_images/README",
        "labs/control_flow/README",
        "labs/gpus_queues_cost/README",
        "labs/drift/README",
        "labs/trainer/README",
        "labs/beside/README",
        "labs/beside/feast",
        "labs/beside/spark",
        "labs/beside/mlflow",
        "labs/beside/tensorboard",
        "labs/distributed_training/README",
        "labs/katib/README",
        "labs/kserve/README",
        "labs/language_model/README",
        "labs/object_storage/README",
        "labs/migrating_old_notebooks",
        "CONTRIBUTING",
        "CHANGELOG",
        "SECURITY",
        "CODE_OF_CONDUCT",
        "data/README",
    ],
}
WITH_RULES = "labs/own_notebooks"  # the guide under which the rules of `fastkf check` are listed
RULES = ["/fastkf/notebook/check/pages/*"]

html_context = {"default_mode": "auto", "repository": repository}
html_context |= {"core": CORE, "electives": ELECTIVES}
if repository:
    owner, name = repository.split("/")
    html_context |= {"github_user": owner, "github_repo": name, "github_version": "main"}


class SearchLanguage(SearchEnglish):
    """English: the stem of a word is looked for once, and not once for each page."""

    @functools.cached_property
    def stem(self):
        return functools.cache(super().stem)


def setup(app) -> None:
    app.add_search_language(SearchLanguage)
    app.connect("source-read", adapt_source)
    app.connect("html-page-context", name_folds)
    app.connect("build-finished", finish)


def adapt_source(app, document: str, source: list[str]) -> None:
    path = Path(app.srcdir, document)
    source[0] = adapt_links(source[0], path.parent)
    if document == app.config.root_doc:
        source[0] += "".join(table_of_contents(*group) for group in CONTENTS.items())
    elif document == WITH_RULES:
        source[0] += table_of_contents("The rules of fastkf check", RULES)
    elif source[0].lstrip().startswith("{"):
        solution = Path("solutions", f"{path.name}.ipynb")
        has_one = (path.parent / solution).exists()
        is_solution = path.parent.name == "solutions"
        source[0] = adapt_notebook(source[0], solution if has_one else None, is_solution)


def table_of_contents(caption: str, documents: list[str]) -> str:
    entries = "\n".join(documents)
    return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{entries}\n```\n"


def name_folds(app, page: str, template: str, context: dict, tree) -> None:
    """A folded cell is named by the words that are seen on it, as voice control needs it."""
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def finish(app, error: Exception | None) -> None:
    """Offers the notebooks for download as they are, without what the site adds to them."""
    if error or app.builder.name != "html":
        return
    for copy in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        shutil.copyfile(app.srcdir / copy.relative_to(app.outdir / "_sources"), copy)
