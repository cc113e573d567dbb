"""What old Kale makes of notebooks. Runs on Python 3.7 or 3.8, with old Kale installed.

python old_kale.py read ANSWER.json NOTEBOOK...      steps, edges and code, as the parser sees them
python old_kale.py compile FOLDER NOTEBOOK...        FOLDER/<notebook>.yaml, or <notebook>.error
"""

import json
import os
import sys

import nbformat


def read(path):
    """The notebook as Kale 0.2 to 0.5 parses it; an error as a text."""
    from kale.nbparser import parser

    notebook = nbformat.read(path, as_version=4)
    version = os.environ["OLD_KALE"]
    try:
        if version in ("0.2", "0.3"):
            graph, shared = parser.parse_notebook(path, 4), ""
        elif version == "0.4":
            graph, shared = parser.parse_notebook(notebook)
        else:
            graph, shared, _, _ = parser.parse_notebook(notebook, {})
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    sources = {name: data["source"] for name, data in graph.nodes(data=True)}
    return {
        "steps": {n: "\n".join(s) if isinstance(s, list) else s for n, s in sources.items()},
        "edges": sorted(map(list, graph.edges)),
        "parameters": shared,
    }


def compile_notebook(path, folder):
    from kale.common import kfputils
    from kale.core import Kale

    name = os.path.splitext(os.path.basename(path))[0]
    try:
        kale = Kale(path)
        script = kale.generate_kfp_executable(*kale.notebook_to_graph(), save_to_tmp=True)
        package = kfputils.compile_pipeline(script, name)
        os.replace(package, os.path.join(folder, name + ".yaml"))
    except Exception as error:
        with open(os.path.join(folder, name + ".error"), "w") as file:
            file.write(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    task, answer, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    if task == "compile":
        from kale.codegen import generate_code

        # Half of its time old Kale lays out the code that it has made, for human eyes. The first
        # notebook shows that it may.
        compile_notebook(paths[0], answer)
        generate_code.autopep8.fix_code = lambda code: code
        for notebook_path in paths[1:]:
            compile_notebook(notebook_path, answer)
    else:
        with open(answer, "w") as answer_file:
            json.dump({path: read(path) for path in paths}, answer_file)
