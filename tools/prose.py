"""Checks the course's text: spelling with codespell, words and terms with Vale.

Both read plain files, so the text cells of each notebook are written into a folder for temporary
files, each as a file that is named as its notebook and its cell.

    python tools/prose.py            # all text
    python tools/prose.py labs/kale.md notebooks/02_titanic.ipynb
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
STYLE = ROOT / "tools" / "vale" / "vale.ini"
ACCEPTED = ROOT / "tools" / "vale" / "accepted_spellings.txt"
NO_VALE = "prose: Vale (https://vale.sh) is not installed: words and terms were not checked"


def main(arguments: list[str]) -> int:
    paths = [Path(name).resolve() for name in arguments] or list_texts()
    with tempfile.TemporaryDirectory(prefix="prose-") as folder:
        for path in paths:
            write_texts(path, Path(folder))
        codes = [spell(Path(folder)), judge_words(Path(folder))]
    return max(codes)


def list_texts() -> list[Path]:
    """What git keeps of Markdown and notebooks; old notebooks are others' text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md", "*.ipynb"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and "old_notebooks" not in name]
    return [ROOT / name for name in names if (ROOT / name).exists()]


def write_texts(path: Path, folder: Path) -> None:
    """A Markdown file as it is; of a notebook, each text cell."""
    name = folder / path.relative_to(ROOT)
    if path.suffix != ".ipynb":
        name.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, name)
        return
    name.mkdir(parents=True)
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"]) + "\n"
            (name / f"cell {number}.md").write_text(text, encoding="utf-8")


def spell(folder: Path) -> int:
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words", str(ACCEPTED), "."]
    return subprocess.run(command, cwd=folder).returncode


def judge_words(folder: Path) -> int:
    vale = shutil.which("vale")
    if vale is None:
        print(NO_VALE)
        return 0
    command = [vale, f"--config={STYLE}", "--output=line", "--no-wrap", "."]
    return subprocess.run(command, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
