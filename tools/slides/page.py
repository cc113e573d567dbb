"""The slides of a lab as one HTML page that asks nobody for anything."""

import base64
import html
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.slides.divide import Part, Slide, markdown

HERE = Path(__file__).parent
SOURCE = re.compile(r'src="([^":]+)"')
LINK = re.compile(r'<a href="(?!https?:)[^"]*">(.*?)</a>', re.S)


def write_page(notebook: Path, slides: Sequence[Slide]) -> str:
    """The page.

    Args:
        notebook: whose folder the images are seen from.
    """
    sections = "\n".join(
        write_slide(slide, number, len(slides), notebook.parent)
        for number, slide in enumerate(slides, start=1)
    )
    style = (HERE / "slides.css").read_text(encoding="utf-8")
    style += HtmlFormatter(style="default").get_style_defs(".code")
    script = (HERE / "slides.js").read_text(encoding="utf-8")
    title = html.escape(slides[0].title if slides else notebook.stem)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>'
        '\n<meta name="viewport" content="width=device-width">'
        f"\n<style>\n{style}\n</style>\n</head>\n<body>\n<main>\n{sections}\n</main>\n"
        f'<div id="notes" hidden></div>\n<script>\n{script}\n</script>\n</body>\n</html>\n'
    )


def write_slide(slide: Slide, number: int, total: int, folder: Path) -> str:
    heading = markdown.renderInline(slide.title)
    level = 1 if slide.level == 1 else 2
    parts = "\n".join(write_part(part, slide.title, folder) for part in slide.parts)
    notes = embed(markdown.render("\n\n".join(slide.notes)), folder)
    return (
        f'<section class="slide" id="{number}" aria-label="slide {number} of {total}">\n'
        f'<h{level}>{heading}</h{level}>\n<div class="content"><div class="fit">\n{parts}\n</div>'
        f"</div>\n<footer>{number} / {total}</footer>\n<aside hidden>{notes}</aside>\n</section>"
    )


def write_part(part: Part, title: str, folder: Path) -> str:
    """The HTML of a part.

    Args:
        title: of its slide, which is all that is known of a plot.
        folder: where images are seen from.
    """
    if part.kind == "code":
        label = f'<p class="tags">{html.escape(part.label)}</p>' if part.label else ""
        code = highlight(part.content, PythonLexer(), HtmlFormatter(nowrap=True))
        return f'{label}<pre class="code">{code}</pre>'
    if part.kind == "output":
        return f'<pre class="output">{html.escape(part.content)}</pre>'
    if part.kind == "image":
        return f'<img alt="Plot: {html.escape(title)}" src="data:image/png;base64,{part.content}">'
    if part.kind == "html":
        return part.content
    return embed(markdown.render(part.content), folder)


def embed(text: str, folder: Path) -> str:
    """HTML with its images inside, and without links that lead nowhere from here."""

    def put_in(found: re.Match[str]) -> str:
        path = folder / found[1]
        if not path.is_file():
            return found[0]
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return f'src="data:{kind};base64,{data}"'

    return LINK.sub(r"\1", SOURCE.sub(put_in, text))
