"""Sphinx's settings for `make site`: the README, the guides and the labs, as they are.

Nothing is fetched when the site is built or read: Mermaid's script is a file of the site.
"""

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

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
    "data/README.md",
    "labs/*.md",
    "labs/*/*.md",
    "fastkf/notebook/check/pages/*.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
]
extensions = ["myst_nb", "sphinx_copybutton", "sphinxcontrib.mermaid"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
mermaid_fullscreen = False
mermaid_height = "auto"
mermaid_use_local = "mermaid.mjs"

html_theme = "sphinx_book_theme"
html_theme_options = {
    "navbar_persistent": [],  # the sidebar has the search already
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_fullscreen_button": False,
}
html_context = {"default_mode": "auto"}
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]

CONTENTS = {
    "Labs": ["notebooks/*"],
    "Guides": [
        "labs/what_is_kubeflow",
        "labs/containers_and_kubernetes",
        "labs/kubeflow_pipelines",
        "labs/the_real_platform",
        "labs/what_runs_where",
        "labs/kale",
        "labs/one_click",
        "labs/own_notebooks",
        "labs/*",
        "labs/*/README",
    ],
    "Rules of fastkf check": ["fastkf/notebook/check/pages/*"],
    "Solutions": ["notebooks/solutions/*"],
    "Project": ["CONTRIBUTING", "CHANGELOG", "SECURITY", "data/README"],
}
LINK = re.compile(r"\[([^\[\]]+)\]\(([^()#\s:\"\\]+)\)")


def setup(app) -> None:
    app.connect("source-read", adapt_source)
    app.connect("build-finished", finish)


def adapt_source(app, document: str, source: list[str]) -> None:
    """What differs on the site: the contents, links to what is no page, folded cells."""
    folder = Path(app.srcdir, document).parent
    source[0] = LINK.sub(lambda link: adapt_link(link, folder), source[0])
    if document == app.config.root_doc:
        source[0] += "".join(table_of_contents(*group) for group in CONTENTS.items())
    elif source[0].lstrip().startswith("{"):
        source[0] = fold_cells(source[0])


def adapt_link(link: re.Match, folder: Path) -> str:
    """A link to a folder leads to its README; without one there is nothing to lead to.

    Nor is there for an example of an old notebook, which is no page.
    """
    text, target = link.groups()
    if target.startswith("old_notebooks/"):
        return text
    if not (folder / target).is_dir():
        return link[0]
    page = Path(target, "README.md")
    return f"[{text}]({page.as_posix()})" if (folder / page).exists() else text


def table_of_contents(caption: str, documents: list[str]) -> str:
    entries = "\n".join(documents)
    return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{entries}\n```\n"


def fold_cells(source: str) -> str:
    """Folds the cells that JupyterLab folds, by the tag that MyST-NB knows."""
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        if cell["metadata"].get("jupyter", {}).get("source_hidden"):
            cell["metadata"].setdefault("tags", []).append("hide-input")
    return json.dumps(notebook)


def finish(app, error: Exception | None) -> None:
    """Gives the front page its usual name, the notebooks as they are, and Mermaid as a module."""
    if error or app.builder.name != "html":
        return
    output = Path(app.outdir)
    shutil.copyfile(output / f"{app.config.root_doc}.html", output / "index.html")
    for copy in (output / "_sources").rglob("*.ipynb"):
        shutil.copyfile(app.srcdir / copy.relative_to(output / "_sources"), copy)
    mermaid = files("mermaidx").joinpath("assets/mermaid.js").read_text(encoding="utf-8")
    module = f"{mermaid}\nexport default __esbuild_esm_mermaid_nm.mermaid.default;\n"
    module = module.replace('globalThis["mermaid"] = globalThis.', 'globalThis["mermaid"] = ')
    (output / "_static" / app.config.mermaid_use_local).write_text(module, encoding="utf-8")
