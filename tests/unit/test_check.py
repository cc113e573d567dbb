"""The rules of `fastkf check`: each with notebooks that break it and notebooks that keep it."""

import json
import sys
from dataclasses import asdict, dataclass, field

import pytest
from build import notebook_metadata, write_notebook

from fastkf.base.errors import FastkfError
from fastkf.notebook.check import RULES, Finding, Severity, check
from fastkf.notebook.compile import compile_notebook
from fastkf.notebook.model import read

PARAMETERS = ["pipeline-parameters", "parameters"]
LOAD = ("step:load", "x = 1")
TRAIN = (["step:train", "prev:load"], "score = x + 1")
USE_BOTH = (["step:use", "prev:load"], "print(v, x)")
USE_TABLE = (["step:use", "prev:scale"], "print(len(table))")
EVALUATE = (["step:evaluate", "prev:train"], "print(score)")
METRICS = ("pipeline-metrics", "print(score)")

ACCEPTS = "Kale accepts"
STOPS = "Kale stops"
DOES_NOT_COMPILE = "Kale accepts, the pipeline does not compile"


@dataclass(frozen=True)
class Example:
    """A notebook that breaks a rule, and the same put right as the message says.

    Attributes:
        cell: the number of the finding's cell; None: the finding is about the file.
        says: words of the message.
        breaks, keeps: the cells.
        kale: what Kale does with the notebook that breaks the rule.
        settings: further arguments of `write_notebook` for the notebook that breaks the rule.
    """

    rule: str
    cell: int | None
    says: str
    breaks: list
    keeps: list
    kale: str = ACCEPTS
    settings: dict = field(default_factory=dict)


TAGS = [
    Example(
        "unknown-tag",
        1,
        "did you mean imports?",
        [("import", "import math"), LOAD],
        [("imports", "import math"), LOAD],
        STOPS,
    ),
    Example(
        "unknown-tag",
        1,
        "write the comment `# NBVAL_IGNORE_OUTPUT`",
        [(["step:load", "nbval-ignore-output"], "x = 1")],
        [("step:load", "# NBVAL_IGNORE_OUTPUT\nx = 1")],
        STOPS,
    ),
    Example(
        "unknown-tag",
        1,
        "did you mean cache:enabled or cache:disabled?",
        [(["step:load", "cache:off"], "x = 1")],
        [(["step:load", "cache:disabled", "report:enabled", "image:python:3.12"], "x = 1")],
        STOPS,
    ),
    Example(
        "tag-order",
        1,
        "put `pipeline-parameters` first",
        [(["parameters", "pipeline-parameters"], "a = 1"), ("step:load", "x = a")],
        [(["pipeline-parameters", "parameters"], "a = 1"), ("step:load", "x = a")],
        STOPS,
    ),
    Example(
        "tag-order",
        2,
        "put `skip` first",
        [LOAD, (["hide-input", "skip"], "print(x)")],
        [LOAD, (["skip", "hide-input"], "print(x)")],
        STOPS,
    ),
    Example(
        "ignored-tag",
        2,
        "the cell is `skip`; move it or remove it",
        [LOAD, (["skip", "step:train"], "print(x)")],
        [LOAD, ("skip", "print(x)")],
    ),
    Example(
        "ignored-tag",
        3,
        "first cell of the step only; move it",
        [LOAD, ("step:train", "y = 1"), (["step:train", "prev:load"], "print(x, y)")],
        [LOAD, (["step:train", "prev:load"], "y = 1"), ("step:train", "print(x, y)")],
    ),
    Example(
        "tag-without-step",
        2,
        "add `step:NAME`",
        [LOAD, ("prev:load", "print(x)")],
        [LOAD, (["step:show", "prev:load"], "print(x)")],
        STOPS,
    ),
    Example(
        "tag-without-step",
        1,
        "add `step:NAME`",
        [("image:python:3.12", "x = 1")],
        [(["image:python:3.12", "step:load"], "x = 1")],
        STOPS,
    ),
    Example(
        "several-steps",
        1,
        "keep one of step:load, step:train",
        [(["step:load", "step:train"], "x = 1")],
        [LOAD],
        STOPS,
    ),
    Example(
        "invalid-step-name",
        1,
        "write `step:load_data`",
        [("step:load-data", "x = 1")],
        [("step:load_data", "x = 1")],
        STOPS,
    ),
    Example(
        "invalid-step-name",
        1,
        "write `step:load`",
        [("step:_load", "x = 1")],
        [LOAD],
        DOES_NOT_COMPILE,
    ),
    Example(
        "invalid-step-name",
        1,
        "give the step another name",
        [("step:skip", "y = 1"), LOAD],
        [("step:skip_first", "y = 1"), LOAD],
    ),
    Example(
        "duplicate-step-name",
        3,
        "give this step another name or move the cell up",
        [LOAD, TRAIN, ("step:load", "x = 3")],
        [LOAD, ("step:load", "x = 3"), ("", "x = 4"), ("skip", "x"), ("step:load", "x = 5"), TRAIN],
    ),
    Example(
        "limit-without-effect",
        1,
        "remove the tag",
        [(["step:load", "limit:cpu:2"], "x = 1")],
        [(["step:load", "limit:nvidia.com/gpu:1"], "x = 1")],
    ),
]

STEPS = [
    Example(
        "no-steps", None, "tag the cells", [("imports", "import math")], [("imports", ""), LOAD]
    ),
    Example(
        "prev-unknown",
        2,
        "name a step above (load)",
        [LOAD, (["step:train", "prev:loaded"], "y = 1")],
        [LOAD, (["step:train", "prev:load"], "y = x")],
        STOPS,
    ),
    Example(
        "prev-unknown",
        1,
        "move it above step `train`",
        [(["step:train", "prev:load"], "y = 1"), LOAD],
        [LOAD, (["step:train", "prev:load"], "y = x")],
        STOPS,
    ),
    Example(
        "prev-cycle",
        1,
        "remove this tag",
        [(["step:load", "prev:load"], "x = 1")],
        [LOAD],
        STOPS,
    ),
    Example(
        "prev-cycle",
        1,
        "remove this tag",
        [(["step:load", "prev:train"], "x = 1"), TRAIN],
        [LOAD, TRAIN],
        STOPS,
    ),
    Example(
        "prev-without-data",
        4,
        "use a variable of `tree` here or remove the tag",
        [
            LOAD,
            (["step:forest", "prev:load"], "forest = x"),
            (["step:tree", "prev:load"], "tree = x"),
            (["step:compare", "prev:forest", "prev:tree"], "print(forest)"),
        ],
        [
            LOAD,
            (["step:forest", "prev:load"], "forest = x"),
            (["step:tree", "prev:load"], "tree = x"),
            (["step:compare", "prev:forest", "prev:tree"], "print(forest, tree)"),
            (["step:tidy", "prev:compare", "prev:load"], "print('follows the step above')"),
        ],
    ),
    Example(
        "unowned-cell",
        2,
        "tag the cell",
        [("markdown", "# Title"), ("", "import math"), LOAD],
        [("markdown", "# Title"), ("", "# only a comment"), ("imports", "import math"), LOAD],
    ),
]

CODE = [
    Example(
        "magic",
        1,
        "`!pip install pandas`",
        [("imports", "import math\n!pip install pandas"), LOAD],
        [("imports", "import math"), ("skip", "!pip install pandas"), LOAD],
        STOPS,
    ),
    Example(
        "magic",
        1,
        "move it to a cell of its own tagged `skip`",
        [("step:load", "%time x = 1")],
        [("step:load", "x = f'{7 % 4} %time !ls'")],
        STOPS,
    ),
    Example(
        "magic", 1, "`%%time`", [("step:load", "%%time\nx = 1")], [("step:load", "x = '%%'")], STOPS
    ),
    Example(
        "magic",
        1,
        "`files = !ls`",
        [("step:load", "files = !ls")],
        [("step:load", "files = not 1 != 2")],
        STOPS,
    ),
    Example(
        "magic",
        1,
        "`t = %timeit -o 1 + 1`",
        [("step:load", "t = %timeit -o 1 + 1")],
        [("step:load", "t = 7 % 4")],
        STOPS,
    ),
    Example(
        "leading-percent",
        2,
        "end the line above with the `%`",
        [LOAD, (["step:train", "prev:load"], "y = (\n    7\n    % x\n)")],
        [LOAD, (["step:train", "prev:load"], 'y = (\n    7 %\n    x\n)\ntext = """\n%d\n"""')],
    ),
    Example(
        "leading-percent",
        2,
        "line 3",
        [LOAD, (["step:train", "prev:load"], "y = (\n    7\n    % x)")],
        [LOAD, (["step:train", "prev:load"], "y = f'{7 % x}'")],
        STOPS,
    ),
    Example(
        "line-separator",
        2,
        "line 2 holds LINE SEPARATOR (U+2028)",
        [LOAD, (["step:train", "prev:load"], "y = x\nz = y  # was\u2028z = 9")],
        [LOAD, (["step:train", "prev:load"], "y = x\n\x0c\nz = '\\u2028'")],
    ),
    Example(
        "line-separator",
        2,
        "write it in a text as \\x85",
        [LOAD, (["step:train", "prev:load"], "y = 'a\x85b' * x")],
        [LOAD, (["step:train", "prev:load"], "y = 'a\\x85b' * x")],
    ),
    Example(
        "syntax-error",
        2,
        "in line 2; correct the code",
        [LOAD, (["step:train", "prev:load"], "y = x\nz = (")],
        [LOAD, (["step:train", "prev:load"], "y = x\nz = ()")],
        STOPS,
    ),
    Example(
        "syntax-error",
        1,
        "'return' outside function",
        [("step:load", "x = 1\nreturn x")],
        [("step:load", "import asyncio\nawait asyncio.sleep(0)\npattern = '\\d'")],
    ),
    Example(
        "interactive-input",
        1,
        "make the value a pipeline parameter",
        [("step:load", "x = input('Folder: ')")],
        [("step:load", "x = 'input()'")],
    ),
    Example(
        "magic",
        1,
        "`pip install numpy` is for Jupyter only",
        [("step:load", "pip install numpy"), LOAD],
        [("skip", "pip install numpy"), LOAD],
        STOPS,
    ),
]

MODULES = [
    Example(
        "import-in-step",
        1,
        "move the import to the imports cell",
        [("step:load", "import pandas as pd\nx = pd.DataFrame()")],
        [("imports", "import pandas as pd"), ("step:load", "x = pd.DataFrame()")],
    ),
    Example(
        "import-in-step",
        3,
        "move the import to the imports cell",
        [("imports", "import math"), ("skip", "1"), ("", "import pandas"), LOAD],
        [("imports", "import math"), ("", "import pandas"), ("skip", "1"), LOAD],
    ),
    Example(
        "import-in-step",
        1,
        "`seaborn`",
        [("step:load", "import seaborn")],
        [
            ("functions", "import pandas"),
            (
                "step:load",
                "import tomllib, time\nimport yaml, kfp, numpy\nfrom IPython import display",
            ),
        ],
    ),
    Example(
        "wrong-package",
        1,
        "comes with attrs; import another module of that package here",
        [("imports", "import attr"), LOAD],
        [("imports", "import attrs"), ("step:load", "import attr\nx = 1")],
    ),
    Example(
        "unknown-package",
        1,
        "the steps will install `no_such_module_anywhere`, which is not installed here",
        [("imports", "import no_such_module_anywhere"), LOAD],
        [
            ("imports", "import yaml, sklearn.svm, numpy, serial\nfrom PIL import Image"),
            ("imports", "import torch, xgboost, lightgbm, cv2, skimage, bs4"),
            LOAD,
        ],
    ),
    Example(
        "wrong-package",
        1,
        "the module comes with `scikit-optimize`",
        [("imports", "import skopt"), LOAD],
        [("imports", "import sklearn"), LOAD],
    ),
    Example(
        "wrong-package",
        1,
        "import it in the steps that use it",
        [("imports", "import tomllib"), LOAD],
        [("imports", "import json, os.path, urllib.parse"), ("step:load", "import tomllib")],
    ),
    Example(
        "wrong-package",
        1,
        "remove the import",
        [("imports", "from __future__ import annotations"), LOAD],
        [("imports", "from typing import Any"), LOAD],
        DOES_NOT_COMPILE,
    ),
    Example(
        "local-module",
        1,
        "put what you need of it in a functions cell",
        [("imports", "from helpers import double"), LOAD],
        [("functions", "def double(x):\n    return 2 * x"), ("skip", "import helpers"), LOAD],
    ),
    Example(
        "local-module",
        1,
        "a step's container does not have `fastkf.notebook`",
        [("skip", "import fastkf.notebook"), LOAD],
        [("skip", "import json"), LOAD],
    ),
    Example(
        "local-module",
        2,
        "a step's container does not have `util_wf`",
        [("skip", "%%writefile util_wf.py\nx = 1"), ("step:a", "import util_wf\ny = util_wf.x")],
        [("skip", "%%writefile util_wf.txt\nx = 1"), ("step:a", "y = 1")],
        ACCEPTS,
    ),
    Example(
        "keras-without-backend",
        1,
        "add `import tensorflow`",
        [("imports", "from keras import layers"), LOAD],
        [("imports", "import tensorflow\nfrom keras import layers"), LOAD],
    ),
    Example(
        "unnamed-package",
        2,
        "`pd.read_parquet` works with `pyarrow`, which pandas does not bring",
        [
            ("imports", "import pandas as pd"),
            ("step:a", "n = len(pd.read_parquet('https://a.b/c.parquet'))"),
        ],
        [
            ("imports", "import pandas as pd\nimport pyarrow"),
            ("step:a", "n = len(pd.read_parquet('https://a.b/c.parquet'))"),
        ],
    ),
    Example(
        "unnamed-package",
        2,
        "add `import openpyxl` to the imports cell",
        [
            ("imports", "import pandas"),
            ("functions", "def save(t, path):\n    t.to_excel(path)"),
            LOAD,
        ],
        [
            ("imports", "import openpyxl\nimport pandas"),
            ("functions", "def save(t, path):\n    t.to_excel(path)"),
            LOAD,
        ],
    ),
    Example(
        "star-import",
        1,
        "import the names you use",
        [("imports", "from math import *"), LOAD],
        [("imports", "from math import pi"), LOAD, TRAIN],
    ),
]

A = ("step:load", "x = a")
VALUES = [
    Example(
        "parameter-not-literal",
        1,
        "negate it in a step",
        [(PARAMETERS, "a = -1"), A],
        [(PARAMETERS, "a = 1"), ("step:load", "x = -a")],
        STOPS,
    ),
    *(
        Example(
            "parameter-not-literal",
            1,
            says,
            [(PARAMETERS, source), A],
            [(PARAMETERS, "a = 1\nb = 0.5\nc = 'text'\nd = True  # a comment"), A],
            STOPS,
        )
        for source, says in {
            "a = None": "make the real value from it in a step",
            "a = [1, 2]": "make the real value from it in a step",
            "a = 60 * 60": "make the real value from it in a step",
            "a = f'x'": "make the real value from it in a step",
            "a: int = 1": "write it without",
            "a, b = 1, 2": "one `name = value` on each line",
            "a = b = 1": "one `name = value` on each line",
            "a = 1\nprint(a)": "move it to another cell",
            "'''Settings'''\na = 1": "move it to another cell",
        }.items()
    ),
    Example(
        "parameter-not-literal",
        2,
        "move it to another cell",
        [(PARAMETERS, "a = 1"), ("", "print(a)"), A],
        [(PARAMETERS, "a = 1"), ("skip", "print(a)"), A],
        STOPS,
    ),
    *(
        Example(
            "parameter-quote",
            1,
            f"{sign}, which breaks the code that Kale generates; choose a value without it",
            [(PARAMETERS, source), A],
            [(PARAMETERS, "a = 's3://data/{part}/\"é\"'\nb = 'a tab:\\t'"), A],
        )
        for source, sign in {
            'a = "it\'s"': "a single quote",
            "a = 'C:\\\\data'": "a backslash",
            "a = 'one\\ntwo'": "a line break",
            "a = 'one\\x0ctwo'": "a control character",
            "a = 'one\\u2028two'": "a line separator",
            "a = 'it\\'s C:\\\\data'": "a single quote",
        }.items()
    ),
    *(
        Example(
            "parameter-name",
            1,
            says,
            [(PARAMETERS, source), ("step:load", "x = 1")],
            [(PARAMETERS, "a = 1\nB = 2\nlearningRate = 3"), ("step:load", "x = (a, B)")],
            DOES_NOT_COMPILE,
        )
        for source, says in {
            "rate = 1\nRATE = 2": "it meets the parameter `rate`; choose another name",
            "rate_param = 1\nRATE = 2": "it meets the parameter `rate_param`",
            "load_step = 1": "it meets the code of step `load`",
            "LAMBDA = 0.1": "a word of Python's own; choose another name",
            "self = 1": "an argument that KFP has already; choose another name",
            "_rate = 1": "a parameter begins with a letter",
        }.items()
    ),
    *(
        Example(
            "parameter-assigned",
            2,
            "use another name here",
            [(PARAMETERS, "a = 1"), (tag, source)] + ([LOAD] if tag != "step:load" else []),
            [
                (PARAMETERS, "a = 1"),
                ("step:load", "x = [a for a in 'b'] + [a]\nf = lambda: (a := x)"),
            ],
        )
        for tag, source in [
            ("step:load", "a = 2"),
            ("step:load", "a += 1"),
            ("step:load", "for a in range(3):\n    pass"),
            ("step:load", "with open('file') as a:\n    pass"),
            ("step:load", "print(a := 2)"),
            ("step:load", "x = [a := i for i in range(3)]"),
            ("step:load", "del a"),
            ("step:load", "x, (a, *y) = 1, (2, 3)"),
            ("step:load", "match 1:\n    case a:\n        pass"),
            ("functions", "def a():\n    pass"),
            ("imports", "import math as a"),
            ("skip", "a = 5"),
        ]
    ),
    Example(
        "papermill-tag",
        1,
        "add the tag `parameters` behind `pipeline-parameters`",
        [("pipeline-parameters", "a = 1"), A],
        [(PARAMETERS, "a = 1"), A],
    ),
    Example(
        "papermill-tag",
        2,
        "move these to cell 1",
        [(PARAMETERS, "a = 1"), (PARAMETERS, "b = 1"), A],
        [(PARAMETERS, "a = 1\nb = 1"), ("", "# a comment"), A],
    ),
    *(
        Example(
            "metrics-line",
            3,
            "compute the value in a step",
            [LOAD, TRAIN, ("pipeline-metrics", source)],
            [LOAD, TRAIN, ("pipeline-metrics", "print(score)\n\nprint(score)\n"), ("skip", "1")],
            STOPS,
        )
        for source in [
            "print(score * 2)",
            "print(score, x)",
            "print(score); print(x)",
            "# the score\nprint(score)",
            "if score:\n    print(score)",
            "score",
            "print(Score)",
            "print(score_)",
        ]
    ),
    Example(
        "metrics-line",
        4,
        "put other code in another cell",
        [LOAD, TRAIN, METRICS, ("", "print('done', score)")],
        [LOAD, TRAIN, METRICS, ("skip", "print('done', score)")],
        STOPS,
    ),
    Example(
        "metrics-not-last",
        3,
        "make the metrics cell the last",
        [LOAD, TRAIN, METRICS, EVALUATE],
        [LOAD, TRAIN, EVALUATE, METRICS],
        STOPS,
    ),
    Example(
        "unknown-metric",
        3,
        "assign it in a step or remove the line",
        [LOAD, TRAIN, ("pipeline-metrics", "print(score)\nprint(accuracy)")],
        [LOAD, TRAIN, METRICS],
    ),
    Example(
        "unknown-metric",
        3,
        "no step computes `b`",
        [(PARAMETERS, "a = 1\nb = 2"), A, ("pipeline-metrics", "print(b)")],
        [(PARAMETERS, "a = 1\nb = 2"), A, ("pipeline-metrics", "print(a)")],
    ),
]

FLOW = [
    Example(
        "missing-prev",
        2,
        "add it to this step",
        [LOAD, ("step:train", "y = x")],
        [LOAD, (["step:train", "prev:load"], "y = x")],
    ),
    Example(
        "function-global",
        1,
        "step `train` does not get it",
        [
            ("functions", "def double(x):\n    return 2 * x\n\n\ndef unused():\n    return rate"),
            LOAD,
            (["step:train", "prev:load"], "y = double(x)"),
        ],
        [
            ("functions", "def double():\n    return 2 * x"),
            LOAD,
            (["step:other", "prev:load"], "other = 1"),
            (["step:train", "prev:other"], "y = double() + other"),
        ],
    ),
    Example(
        "function-global",
        1,
        "hand it to the function as an argument",
        [("functions", "def double():\n    return 2 * x"), LOAD, ("step:train", "y = double()")],
        [
            ("functions", "def double(x):\n    return rate * x"),
            (PARAMETERS, "rate = 2"),
            LOAD,
            (["step:train", "prev:load"], "y = double(x)"),
        ],
    ),
    Example(
        "missing-prev",
        2,
        "move the import from step `load` to the imports cell",
        [("step:load", "import time\nx = 1"), ("step:train", "y = time.time()")],
        [("imports", "import time"), LOAD, ("step:train", "y = time.time()")],
    ),
    Example(
        "missing-prev",
        2,
        "assign it with a plain `=`",
        [
            ("step:load", "x = 1\nasync def later():\n    return 1"),
            (["step:train", "prev:load"], "y = later()\nawait y"),
        ],
        [
            ("step:load", "x = 1\ndef later():\n    return 1"),
            (["step:train", "prev:load"], "y = x + later()"),
        ],
    ),
    Example(
        "undefined-name",
        2,
        "correct the name, or make the variable in a step above",
        [LOAD, (["step:train", "prev:load"], "score = x + y")],
        [LOAD, (["step:train", "prev:load"], "display(x)\nscore = x + len(__name__)"), EVALUATE],
    ),
    Example(
        "undefined-name",
        3,
        "the `skip` cell 2 makes it, which the pipeline leaves out: make it in a step",
        [LOAD, ("skip", "y = x"), (["step:train", "prev:load"], "score = x + y")],
        [LOAD, ("skip", "y = x"), (["step:train", "prev:load"], "y = x\nscore = x + y")],
    ),
    Example(
        "undefined-name",
        2,
        "cell 3 makes it: move that cell up",
        [LOAD, (["step:train", "prev:load"], "score = x + y"), ("step:late", "y = 1")],
        [LOAD, (["step:train", "prev:load"], "score = x"), ("step:late", "y = 1")],
    ),
    Example(
        "undefined-name",
        2,
        "correct the name",
        [LOAD, (["step:train", "prev:load"], "y = y + x")],
        [LOAD, (["step:train", "prev:load"], "y = x\ny = y + x")],
    ),
    Example(
        "different-value",
        3,
        "from step `load` in the pipeline, but from cell 2 (which is no step)",
        [LOAD, ("skip", "x = 5"), TRAIN],
        [("skip", "x = 5"), LOAD, ("skip", "y = x\nfor i in range(3):\n    y += i"), TRAIN],
    ),
    Example(
        "different-value",
        3,
        "use another name there",
        [("step:load", "x = {}"), ("skip", "x['age'] = 1"), (["step:train", "prev:load"], "x")],
        [("step:load", "x = {}"), ("skip", "y = x['age']"), (["step:train", "prev:load"], "x")],
    ),
    Example(
        "different-value",
        4,
        "from step `forest` in the pipeline, but from cell 3 (step `tree`)",
        [
            LOAD,
            (["step:forest", "prev:load"], "model = x + 1"),
            (["step:tree", "prev:load"], "model = x + 2\ntree = model"),
            (["step:compare", "prev:forest", "prev:tree"], "print(model, tree)"),
        ],
        [
            LOAD,
            (["step:forest", "prev:load"], "model = x + 1\nforest = model"),
            (["step:tree", "prev:load"], "model = x + 2\ntree = model"),
            (["step:compare", "prev:forest", "prev:tree"], "print(forest, tree, x)"),
        ],
    ),
    Example(
        "different-value",
        4,
        "`score` comes from step `forest`",
        [
            LOAD,
            (["step:forest", "prev:load"], "score = x + 1"),
            (["step:tree", "prev:load"], "score = x + 2"),
            METRICS,
        ],
        [
            LOAD,
            (["step:forest", "prev:load"], "score = x + 1"),
            (["step:tree", "prev:forest"], "score = score + 2"),
            METRICS,
        ],
    ),
    Example(
        "local-name",
        2,
        "rename it here",
        [
            LOAD,
            (["step:train", "prev:load"], "y = [x for x in range(3)]"),
            (["step:evaluate", "prev:train"], "print(x, y)"),
        ],
        [
            LOAD,
            (["step:train", "prev:load"], "y = [i for i in range(3)] + [x]"),
            (["step:evaluate", "prev:train"], "print(x, y)"),
        ],
    ),
    Example(
        "unportable-name",
        1,
        "rename it",
        [("step:load", "_x = 1"), (["step:train", "prev:load"], "y = _x")],
        [("step:load", "_x = 1\nx = _x"), TRAIN],
        DOES_NOT_COMPILE,
    ),
]

# The course's own block in the metadata, and what is said of it.
WRONG_COURSE_METADATA = [
    ("x", "fastkf in the metadata is 'x', and not an object with keys"),
    (["x"], "fastkf in the metadata is ['x'], and not an object with keys"),
    (None, "fastkf in the metadata is None, and not an object with keys"),
    ({"title": 1}, "fastkf.title in the metadata is 1, and not a text"),
    ({"title": " "}, "fastkf.title in the metadata is ' ', and not a text"),
    ({"aim": ["x"]}, "fastkf.aim in the metadata is ['x'], and not a text"),
    ({"minutes": "ten"}, "fastkf.minutes in the metadata is 'ten', and not a number of minutes"),
    ({"minutes": True}, "fastkf.minutes in the metadata is True, and not a number of minutes"),
    ({"needs": "titanic"}, "fastkf.needs in the metadata is 'titanic', and not a list of names"),
    ({"needs": [1]}, "fastkf.needs in the metadata is [1], and not a list of names"),
    ({"needs": None}, "fastkf.needs in the metadata is None, and not a list of names"),
    ({"quick": ["epochs"]}, "fastkf.quick in the metadata is ['epochs'], and not an object"),
    ({"quick": {"a": [1]}}, "fastkf.quick in the metadata is {'a': [1]}, and not an object"),
    ({"tolerance": "0.1"}, "fastkf.tolerance in the metadata is '0.1', and not a number"),
    ({"tolerance": -0.1}, "fastkf.tolerance in the metadata is -0.1, and not a number"),
]

METADATA = [
    Example(
        "metadata-missing",
        None,
        "open the notebook in JupyterLab with Kale's extension",
        [LOAD],
        [LOAD],
        settings={"metadata": {}},
    ),
    Example(
        "metadata-missing",
        None,
        "lack the experiment_name; set it",
        [LOAD],
        [LOAD],
        settings={"kale": {"experiment_name": None}},
    ),
    Example(
        "metadata-invalid",
        None,
        "Not a valid Pipeline name: 'Titanic Lab'",
        [LOAD],
        [LOAD],
        STOPS,
        {"pipeline_name": "Titanic Lab"},
    ),
    Example(
        "metadata-invalid",
        None,
        "correct kubeflow_notebook in the metadata",
        [LOAD],
        [LOAD],
        STOPS,
        {"kale": {"volumes": [{"name": "data"}]}},
    ),
    Example(
        "metadata-invalid",
        None,
        "has 129 letters, and KFP takes 128",
        [LOAD],
        [LOAD],
        DOES_NOT_COMPILE,
        {"pipeline_name": "a" * 129},
    ),
    Example(
        "metadata-invalid",
        None,
        "write it on one line, without the quote",
        [LOAD],
        [LOAD],
        DOES_NOT_COMPILE,
        {"kale": {"pipeline_description": "The Titanic's passengers"}},
    ),
    Example(
        "unfit-value",
        None,
        "volumes: mount_point is 'data', but takes an absolute path, such as /data, since Kale",
        [LOAD],
        [LOAD],
        DOES_NOT_COMPILE,
        {"kale": {"volumes": [{"name": "data", "type": "pvc", "mount_point": "data"}]}},
    ),
    *(
        Example(
            "unfit-value",
            1,
            says,
            [(["step:load", tag], "x = 1")],
            [LOAD],
            DOES_NOT_COMPILE,
        )
        for tag, says in [
            ("label:team:two words", "label:team of step load is 'two words', but takes at most"),
            ('annotation:note:"quoted": so', "but takes one line without a double quote"),
            ("image:my image", "image of step load is 'my image', but takes the name of an image"),
            ("limit:nvidia.com/gpu:one", "limit:nvidia.com/gpu of step load is 'one', but takes"),
        ]
    ),
    *(
        Example("unfit-value", 1, f"{says} but takes", [(["step:load", tag], "x = 1")], [LOAD])
        for tag, says in [
            ("image:team/Model:1.0", "image of step load is 'team/Model:1.0',"),
            ("image:Python:3.12", "image of step load is 'Python:3.12',"),
            ("image:python@sha256:abc", "image of step load is 'python@sha256:abc',"),
            ("label:Team.org/model:a", "label of step load is 'Team.org/model',"),
            ("annotation:my_team/model:a", "annotation of step load is 'my_team/model',"),
            (
                "label:workflows.argoproj.io/workflow:mine",
                "label of step load is 'workflows.argoproj.io/workflow',",
            ),
            (
                "annotation:workflows.argoproj.io/node-id:mine",
                "annotation of step load is 'workflows.argoproj.io/node-id',",
            ),
            (f"annotation:{'a' * 64}:b", f"annotation of step load is '{'a' * 64}',"),
        ]
    ),
    *(
        Example(
            "metadata-not-normalised",
            None,
            f"({says}); open it there once with Kale's extension, save",
            [LOAD],
            [LOAD],
            settings={"kale": kale},
        )
        for kale, says in [
            ({"base_image": ""}, "base_image is removed"),
            ({"experiment": None}, "experiment gets id and name"),
            (
                {"experiment": {"id": "new", "name": "x"}},
                "experiment_name becomes the experiment's name",
            ),
            ({"steps_defaults": None}, "steps_defaults is added"),
            ({"steps_defaults": ["label:a:b"]}, "steps_defaults is emptied"),
            ({"pipeline_description": None}, "pipeline_description is added"),
        ]
    ),
    *(
        Example(
            "course-metadata",
            None,
            says,
            [LOAD],
            [LOAD],
            settings={"metadata": {**notebook_metadata(), "fastkf": block}},
        )
        for block, says in WRONG_COURSE_METADATA
    ),
    Example(
        "metadata-not-normalised",
        None,
        "(kernelspec is added, language_info is added)",
        [LOAD],
        [LOAD],
        settings={"metadata": {"kubeflow_notebook": notebook_metadata()["kubeflow_notebook"]}},
    ),
    Example(
        "old-kale",
        None,
        "remove it from the metadata",
        [LOAD],
        [LOAD],
        STOPS,
        {"kale": {"docker_image": ""}},
    ),
    Example(
        "old-kale",
        1,
        "write `step:load`",
        [("block:load", "x = 1"), ("prev:load", "y = x")],
        [LOAD, ("", "y = x")],
        STOPS,
    ),
    Example(
        "papermill-output",
        2,
        "use the notebook it was made from",
        [(PARAMETERS, "a = 1"), ("injected-parameters", "a = 2"), A],
        [(PARAMETERS, "a = 1"), A],
        STOPS,
    ),
    Example(
        "broken-reference",
        1,
        "the cell stands for the notebook `other` and holds code",
        [("notebook:other", "x = 1")],
        [("step:other", "x = 1")],
        STOPS,
    ),
    Example(
        "rejected-by-kale",
        None,
        "`notebook:other` cell is missing a 'notebook_path'",
        [("notebook:other", ""), LOAD],
        [LOAD],
        STOPS,
    ),
]

PANDAS = ("imports", "import numpy as np\nimport pandas as pd")
TABLE = ("step:load", "table = pd.DataFrame({'x': [1, 5]})")
BRANCHES = [
    ("step:load", "models = []\nx = 1"),
    (["step:one", "prev:load"], "models.append(x)\none = 1"),
    (["step:two", "prev:load"], "models.append(x + 1)\ntwo = 2"),
]
CHANGES = [
    Example(
        "different-value",
        3,
        "`models` comes from step `load` in the pipeline, but from cell 2 (step `one`)",
        BRANCHES,
        [
            ("step:load", "x = 1"),
            (["step:one", "prev:load"], "one = [x]"),
            (["step:two", "prev:load"], "two = [x + 1]"),
            (["step:choose", "prev:one", "prev:two"], "score = len(one + two)"),
        ],
    ),
    *(
        Example(
            "different-value",
            4,
            "but from cell 3 (step `change`)",
            [
                PANDAS,
                ("step:load", f"v = {value}\nx = 1"),
                (["step:change", "prev:load"], f"{change}\ny = x"),
                (["step:use", "prev:load"], "print(v, x)"),
            ],
            [
                PANDAS,
                ("step:load", f"v = {value}\nx = 1"),
                (["step:change", "prev:load"], f"{change}\ny = x"),
                (["step:use", "prev:change"], "print(v, y)"),
            ],
        )
        for value, change in [
            ("pd.DataFrame({'a': [1, None]})", "v.dropna(inplace=True)"),
            ("pd.DataFrame({'a': [1, None]})", "v['a'].fillna(0, inplace=True)"),
            ("{}", "v.update(a=1)"),
            ("{'a': []}", "v['a'].append(1)"),
            ("[[]]", "for one in v:\n    one.append(1)"),
            ("[3, 1]", "v.sort()"),
            ("[3, 1]", "w = v\nw.reverse()"),
            ("[1]", "v += [2]"),
            ("[1]", "np.random.default_rng(1).shuffle(v)"),
            ("[1]", "[v.append(i) for i in range(3)]"),
        ]
    ),
    Example(
        "two-names",
        2,
        "`a` and `b` are one object in step `load`",
        [("step:load", "a = []\nb = a"), (["step:use", "prev:load"], "a.append(1)\nn = len(b)")],
        [
            ("step:load", "a = []\nb = list(a)"),
            (["step:use", "prev:load"], "a.append(1)\nn = len(b)"),
        ],
    ),
    *(
        Example(
            "shared-state",
            2,
            f"step `load` gives `{name}` another value, and step `train` gets what cell 1 makes",
            [shared, ("step:load", f"x = 1\n{name} = {value}"), train],
            [shared, ("step:load", f"x = 1\ny = {value}"), (train[0], f"score = x + 1\n{name}")],
        )
        for shared, name, value in [
            (("imports", "from math import sqrt"), "sqrt", "sqrt(4)"),
            (("functions", "def double(n):\n    return 2 * n"), "double", "double(4)"),
        ]
        for train in [(["step:train", "prev:load"], f"score = x + {name}")]
    ),
    Example(
        "shared-state",
        2,
        "which every step starts with anew",
        [
            ("functions", "seen = []\ndef see(x):\n    seen.append(x)"),
            ("step:load", "x = 1\nsee(x)"),
            (["step:use", "prev:load"], "score = x + len(seen)"),
        ],
        [
            ("functions", "SIZES = [1, 2]\ndef see(seen, x):\n    return seen + [x] + SIZES"),
            ("step:load", "x = 1\nseen = see([], x)"),
            (["step:use", "prev:load"], "score = x + len(seen) + len(SIZES)"),
        ],
    ),
]

KERAS = ("imports", "import keras\nimport tensorflow")
OWN_KERAS = (
    "functions",
    "class Twice(keras.layers.Layer):\n    def call(self, x):\n        return 2 * x\n"
    "def gap(y, said):\n    return y - said\n"
    "def build():\n    net = keras.Sequential([Twice()])\n    return net",
)
PIPE = (
    "imports",
    "import numpy as np\nimport pandas as pd\nfrom sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import FunctionTransformer",
)
DOUBLE = ("functions", "def double(n):\n    return 2 * n")
USE_MODEL = (["step:use", "prev:load"], "print(model)")
MODEL = "keras.Sequential([keras.layers.Dense(1)])"
OWN_IMPORTS = (
    "imports",
    "from enum import Enum\n\nimport pandas as pd\nfrom sklearn.base import TransformerMixin\n"
    "from sklearn.pipeline import make_pipeline",
)
OWN_TRANSFORMER = "class Cut(TransformerMixin):\n    def fit(self, X):\n        return self"
OWN_PROXY = (
    "class Proxy:\n    def __init__(self, inner):\n        self.inner = inner\n"
    "    def __getattr__(self, name):\n        return getattr(self.inner, name)"
)
GUARD = "        if name[0] == '_':\n            raise AttributeError(name)\n        return"
OWN_PARTS = [
    *(
        Example(
            "own-part",
            3,
            says,
            [KERAS, OWN_KERAS, ("step:load", made), USE_MODEL],
            [KERAS, OWN_KERAS, ("step:load", f"model = {MODEL}\nmodel.compile()"), USE_MODEL],
        )
        for made, says in [
            ("model = keras.Sequential([Twice()])", "has a part of the class `Twice`"),
            ("model = build()", "has a part of the class `Twice`"),
            (
                "start = keras.Input((1,))\nend = Twice()(start)\nmodel = keras.Model(start, end)",
                "has a part of the class `Twice`",
            ),
            (f"model = {MODEL}\nmodel.compile(loss=gap)", "has the function `gap` in it"),
            ("model = keras.Sequential([keras.layers.Lambda(abs)])", "has a Lambda layer"),
        ]
    ),
    *(
        Example(
            "own-part",
            3,
            says,
            [PIPE, DOUBLE, ("step:load", f"model = {made}"), USE_MODEL],
            [PIPE, DOUBLE, ("step:load", "model = FunctionTransformer(np.log1p)"), USE_MODEL],
        )
        for made, says in [
            ("make_pipeline(FunctionTransformer(double))", "holds the function `double`"),
            ("FunctionTransformer(lambda v: v).fit([[1]])", "holds a lambda"),
        ]
    ),
    *(
        Example(
            "own-part",
            3,
            "holds the function `double`",
            [PIPE, DOUBLE, ("step:load", f"first = {made}\nmodel = {whole}"), USE_MODEL],
            [PIPE, DOUBLE, ("step:load", f"first = {made}\nmodel = str({whole})"), USE_MODEL],
        )
        for made, whole in [
            ("FunctionTransformer(double)", "make_pipeline(first).fit([[1]])"),
            ("[FunctionTransformer(double)]", "make_pipeline(*first)"),
            ("double", "make_pipeline(FunctionTransformer(first))"),
        ]
    ),
    *(
        Example(
            "own-part",
            4,
            "holds the function `double`",
            [PIPE, DOUBLE, ("step:load", f"df = pd.DataFrame([1])\n{part}"), fit, take],
            [PIPE, DOUBLE, ("step:load", f"df = pd.DataFrame([1])\n{part}"), fit, ("skip", "1")],
        )
        for part in ["a, b = df.loc[:0], 1", "a = df.iloc[0:, [0]]", "a = df.loc[df[0] > 0]"]
        for fit in [(["step:fit", "prev:load"], "model = FunctionTransformer(double).fit(a)")]
        for take in [(["step:use", "prev:fit"], "print(model)")]
    ),
    *(
        Example(
            "own-part",
            2,
            says,
            [OWN_IMPORTS, ("step:load", f"{code}\nmodel = {made}"), USE_MODEL],
            [OWN_IMPORTS, ("step:load", f"{code}\nmodel = len([{made}])"), USE_MODEL],
        )
        for code, made, says in [
            (OWN_TRANSFORMER, "Cut().fit([[1]])", "holds a `Cut`, a class of step `load`"),
            (f"{OWN_TRANSFORMER}\ncut = Cut()", "make_pipeline(cut)", "holds a `Cut`"),
            ("class Wide(pd.DataFrame):\n    pass", "Wide({'a': [1]})", "holds a `Wide`"),
            ("class Color(Enum):\n    RED = 1", "Color.RED", "holds a `Color`"),
            (OWN_PROXY, "Proxy([1])", "`__getattr__` asks for `self.inner`"),
        ]
    ),
    Example(
        "own-part",
        2,
        "is a `Proxy`, whose `__getattr__` asks for `self.inner`",
        [("functions", OWN_PROXY), ("step:load", "model = Proxy([1])"), USE_MODEL],
        [
            ("functions", OWN_PROXY.replace("        return", GUARD)),
            ("step:load", "model = Proxy([1])"),
            USE_MODEL,
        ],
    ),
]
NUMPY = ("imports", "import numpy as np")
SCALARS = [
    Example(
        "numpy-scalar",
        3,
        "`score` is a number of NumPy in step `load`, and an array without dimensions in step",
        [NUMPY, ("step:load", "score = np.mean([1, 2])"), (TRAIN[0], "print(round(score, 1))")],
        [NUMPY, ("step:load", "score = 1.5"), (TRAIN[0], "print(round(score, 1))")],
    )
]
LOST = [
    Example(
        "lost-attribute",
        3,
        says,
        [("imports", imports), ("step:load", f"{made}\n{given}"), (USE_MODEL[0], use)],
        [("imports", imports), ("step:load", f"{made}\n{given}"), (USE_MODEL[0], keeps)],
    )
    for imports, made, given, use, keeps, says in [
        (
            *("import pandas as pd", "model = pd.read_csv('https://example.org/a.csv')"),
            *("model.name = 'small'", "print(model.name)", "print(model)"),
            "`model.name` is of step `load`: Kale saves the table without it, and step `use` asks",
        ),
        (
            *("import pandas as pd", "model = pd.DataFrame({'a': [1]})", "model.unit = 'm'"),
            *("for t in (model, 1):\n    print(t.unit)", "for t in (model, 1):\n    print(t)"),
            "keep it in `model.attrs`",
        ),
        (
            *("import keras\nimport tensorflow", f"model = {MODEL}", "model.fit([1], [1])"),
            *("print(model.history.history)", "model.fit([1], [1])\nprint(model.history.history)"),
            "Kale saves the model without it",
        ),
        (
            "import numpy as np",
            "class Meters(np.ndarray):\n    pass\nmodel = np.zeros(2).view(Meters)",
            *("model.unit = 'm'", "print(model.unit)", "print(model.sum())"),
            "pass a plain array on",
        ),
    ]
]
SETTINGS = [
    Example(
        "setting-of-another-step",
        3,
        f"in step `load` only: step `train` is a process of its own, and uses `{uses}` without it",
        [
            ("imports", f"{imports}\nimport numpy as np"),
            ("step:load", f"{setting}\nx = 1"),
            (TRAIN[0], f"{use}\nscore = x"),
        ],
        [
            ("imports", f"{imports}\nimport numpy as np\n{setting}"),
            ("step:load", "x = 1"),
            (TRAIN[0], f"{use}\nscore = x"),
        ],
    )
    for imports, setting, use, uses in [
        (
            "from decimal import Decimal, getcontext",
            "getcontext().prec = 3",
            "print(Decimal(1) / 3)",
            "decimal.Decimal",
        ),
        (
            "import sklearn\nfrom sklearn.preprocessing import StandardScaler",
            "sklearn.set_config(transform_output='pandas')",
            "StandardScaler().fit_transform([[1]])",
            "fit_transform",
        ),
        (
            "import keras\nimport tensorflow",
            "keras.config.set_floatx('float64')",
            "keras.layers.Dense(1)",
            "keras.layers.Dense",
        ),
        (
            "import pandas as pd",
            "@pd.api.extensions.register_dataframe_accessor('geo')\nclass Geo:\n    pass",
            "print(pd.DataFrame().geo)",
            "geo",
        ),
        (
            "import pandas as pd",
            "np.seterr(all='raise')",
            "try:\n    print(pd.NA)\nexcept FloatingPointError:\n    pass",
            "FloatingPointError",
        ),
        ("import os", "os.chdir('/data')", "print(os.getcwd())", "os.getcwd"),
        (
            "import argparse\nimport sys",
            *("sys.argv = ['a']", "argparse.ArgumentParser().parse_args()", "parse_args()"),
        ),
        ("import locale", "locale.setlocale(0, 'de_DE')", "locale.atof('1,5')", "locale.atof"),
    ]
]

OBJECTS = [
    *(
        Example(
            "live-object",
            2,
            f"`v` is {what}",
            [("imports", imports), ("step:load", f"x = 1\nv = {value}"), USE_BOTH],
            [("imports", imports), ("step:load", f"x = 1\nv = {value}\nv = 2"), USE_BOTH],
        )
        for imports, value, what in [
            ("import sqlite3", "sqlite3.connect(':memory:')", "a connection"),
            ("import os", "(i for i in range(3))", "a generator"),
            ("import os", "open(os.devnull)", "an open file"),
            ("import numpy as np", "np.random.default_rng(1)", "a random generator of NumPy"),
            ("import pandas as pd", "pd.DataFrame({'a': [1]}).groupby('a')", "a groupby object"),
            (
                "import io\nimport pandas as pd",
                "pd.read_csv(io.StringIO('a'), chunksize=1)",
                "an open file",
            ),
            (
                "import tensorflow as tf",
                "tf.data.Dataset.from_tensor_slices([1]).batch(1)",
                "a tf.data.Dataset",
            ),
            (
                "import tensorflow\nimport keras",
                "keras.Sequential([]).fit([1], [1])",
                "the History of a Keras model",
            ),
            ("from concurrent.futures import ThreadPoolExecutor", "ThreadPoolExecutor()", "a pool"),
            ("import hashlib", "hashlib.md5(b'a')", "a hash that is being computed"),
            ("import sqlite3", "sqlite3.connect(':memory:').cursor()", "a connection"),
            ("from typing import TypeVar", "TypeVar('T')", "an object that there is once"),
            (
                "from concurrent.futures import ThreadPoolExecutor",
                "ThreadPoolExecutor().submit(len, 'a')",
                "the future of a pool",
            ),
            ("import re", "re.search('a+', 'baa')", "a match of a regular expression"),
            ("import numpy as np", "np.random.PCG64(1)", "a random generator of NumPy"),
            ("import numpy as np", "np.matrix([[1, 2]])", "a matrix of NumPy"),
            ("import numpy as np", "np.poly1d([1, 2])", "a polynomial of NumPy"),
            ("import numpy as np", "np.polynomial.Polynomial.fit([0, 1], [0, 1], 1)", "a polyn"),
            ("import numpy as np", "np.rec.array([(1, 2.0)])", "a record array of NumPy"),
            ("import numpy as np", "np.vectorize(abs)", "an object of NumPy that is no array"),
            ("import numpy as np", "np.array([{}], dtype=object)", "an array of Python objects"),
            ("import numpy as np", "np.array([1, None])", "an array of Python objects"),
            (
                "import pandas as pd",
                "pd.Series(['A']).str.lower().values",
                "an array of Python objects",
            ),
            (
                "import pandas as pd",
                "pd.Series([1]).astype(str).to_numpy()",
                "an array of Python objects",
            ),
            ("", "object()", "an object that there is once in a process"),
            ("import pandas as pd", "pd.DataFrame({'a': [1]}).itertuples()", "a generator"),
            (
                "from sklearn.model_selection import KFold",
                "KFold(2).split([1, 2])",
                "a generator",
            ),
            (
                "import tensorflow\nfrom keras import layers",
                "layers.TextVectorization()",
                "a part of a Keras model",
            ),
            (
                "from tensorflow import keras",
                "keras.optimizers.schedules.CosineDecay(0.1, 9)",
                "a part of a Keras model",
            ),
        ]
    ),
    Example(
        "live-object",
        1,
        "(its name alone on the last line of the step passes it on)",
        [("step:load", "numbers = (i for i in range(3))\nnumbers")],
        [("step:load", "numbers = (i for i in range(3))\nprint(*numbers)")],
    ),
    Example(
        "cut-off-object",
        2,
        "`v` is a lock",
        [("imports", "import threading"), ("step:load", "x = 1\nv = threading.Lock()"), USE_BOTH],
        [
            ("imports", "import threading"),
            ("step:load", "x = 1\nv = 2\nthreading.Lock()"),
            USE_BOTH,
        ],
    ),
    *(
        Example(
            "type-change",
            3,
            "give the new value a name of its own",
            [PANDAS, TABLE, (["step:scale", "prev:load"], change), USE_TABLE],
            [PANDAS, TABLE, (["step:scale", "prev:load"], keep), USE_TABLE],
        )
        for change, keep in [
            ("table = table.to_numpy()", "table = table.dropna()"),
            ("table = table.values", "table = table[table.x > 1]"),
            ("table = np.asarray(table)", "table = table.assign(y=1)"),
            ("table = list(table.x)", "table = table.head(1)"),
        ]
    ),
    Example(
        "functions-class",
        2,
        "it is no `Box` of that step there",
        [
            ("functions", "class Box:\n    def __init__(self, n):\n        self.n = n"),
            ("step:load", "box = Box(1)"),
            (["step:use", "prev:load"], "score = box.n if isinstance(box, Box) else 0"),
        ],
        [
            ("functions", "class Box:\n    def __init__(self, n):\n        self.n = n"),
            ("step:load", "box = Box(1)\nn = Box(2).n"),
            (["step:use", "prev:load"], "score = box.n + n"),
        ],
    ),
    Example(
        "function-of-step",
        1,
        "does not get `k`",
        [
            ("step:load", "k = 3\nf = lambda x: (lambda y=k: x * y)()"),
            (["step:use", "prev:load"], "score = f(2)"),
        ],
        [
            ("step:load", "k = 3\nf = lambda x, k=k: (lambda y=k: x * y)()"),
            (["step:use", "prev:load"], "score = f(2)"),
        ],
    ),
    Example(
        "function-of-step",
        1,
        "does not get `k`",
        [
            ("step:load", "k = 3\nfunctions = {'times': lambda x: x * k}"),
            (["step:use", "prev:load"], "score = functions['times'](2)"),
        ],
        [
            ("step:load", "k = 3\nfunctions = {'times': lambda x, k=k: x * k}"),
            (["step:use", "prev:load"], "score = functions['times'](2)"),
            ("step:use", "order = sorted([2, 1], key=lambda x: x * score)"),
            (["step:last", "prev:use"], "print(order)"),
        ],
    ),
    Example(
        "builtin-name",
        1,
        "so step `train` gets that and not this value",
        [("step:load", "sum = 3"), ("step:train", "score = sum")],
        [("step:load", "sum = 3\ntotal = sum"), (["step:train", "prev:load"], "score = total")],
    ),
    *(
        Example(
            "double-dollar",
            cell,
            "of each `$$` in a text, a step gets one `$`",
            [(tag, wrong), (["step:load"], "text = '5 $'")],
            [(tag, right), (["step:load"], "text = '5 $'  # not $$")],
        )
        for cell, tag, wrong, right in [
            (1, ["pipeline-parameters", "parameters"], "sign = '$$'", "sign = '$'"),
            (1, "functions", "def f(x): return f'$${x}'", "def f(x): return 2 * '$' + x"),
            (1, ["step:show"], "formula = '$$x$$'", "two = '$' * 2\nformula = f'{two}x{two}'"),
            (1, ["step:show"], "formula = '$$x$$'", "formula = '\\x24' * 2"),
            (1, "functions", "def f(): return '$$'", "def f():\n    '$$x$$'\n    return 1"),
        ]
    ),
    *(
        Example(
            "hidden-name",
            3,
            "does not get it",
            [PANDAS, ("step:load", f"limit = 3\n{TABLE[1]}"), (["step:use", "prev:load"], use)],
            [PANDAS, ("step:load", f"limit = 3\n{TABLE[1]}"), (["step:use", "prev:load"], keep)],
        )
        for use, keep in [
            ("n = len(table.query('x > @limit'))", "n = len(table.query('x > @limit')) + limit"),
            ("n = len(table) + eval('limit + 1')", "n = len(table) + eval('3 + 1')"),
            ("n = len(table) + globals()['limit']", "n = len(table)\nm = globals()['n']"),
            (
                "async def add(x):\n    return x + 1\nn = len(table) + await add(limit)",
                "async def add(x):\n    return x + 1\nlimit\nn = len(table) + await add(limit)",
            ),
        ]
    ),
    Example(
        "seed-in-imports",
        1,
        "steps `load` and `train` draw the same numbers",
        [
            ("imports", "import random\nrandom.seed(1)"),
            ("step:load", "x = random.random()"),
            (["step:train", "prev:load"], "score = x + random.random()"),
        ],
        [
            ("imports", "import random\nrandom.seed(1)"),
            ("step:load", "x = random.random()"),
            (["step:train", "prev:load"], "score = x + random.Random(2).random()"),
        ],
    ),
]

SEEDED = "import random\n\nimport keras\nimport numpy as np\nimport tensorflow as tf"
SEEDS = [
    Example(
        "seed-of-another-step",
        3,
        "only step `load` sets their seed",
        [("imports", SEEDED), ("step:load", f"{seed}\nx = 1"), (TRAIN[0], f"score = x + {draw}")],
        [
            ("imports", SEEDED),
            ("step:load", f"{seed}\nx = 1"),
            (TRAIN[0], f"{seed}\nscore = x + {draw}"),
        ],
    )
    for seed, draw in [
        ("np.random.seed(1)", "np.random.rand()"),
        ("random.seed(1)", "random.random()"),
        ("tf.random.set_seed(1)", "float(tf.random.normal([]))"),
        ("keras.utils.set_random_seed(1)", "len(keras.Sequential([]).layers)"),
        ("keras.utils.set_random_seed(1)", "np.random.permutation(3)[0]"),
    ]
]

FILES = [
    *(
        Example(
            "file-between-steps",
            3,
            "(step `make`) writes",
            [
                PANDAS,
                ("step:make", f"n = 1\n{write}"),
                (["step:use", "prev:make"], f"m = n\n{read}"),
            ],
            [
                PANDAS,
                ("step:make", f"n = 1\n{write}\n{read}"),
                (["step:use", "prev:make"], "m = n"),
            ],
        )
        for write, read in [
            ("pd.DataFrame().to_csv('/tmp/a.csv')", "pd.read_csv('/tmp/a.csv')"),
            ("open('/tmp/a', 'w').write('x')", "text = open('/tmp/a').read()"),
            ("path = '/tmp/a.npy'\nnp.save(path, [1])", "a = np.load('/tmp/' + 'a.npy')"),
        ]
    ),
    Example(
        "file-between-steps",
        2,
        "cell 1 (which is no step) writes `made.csv`",
        [("skip", "open('made.csv', 'w')"), ("step:load", "x = open('made.csv').read()")],
        [("skip", "open('made.csv', 'w')"), ("step:load", "x = 1")],
    ),
    Example(
        "relative-file",
        1,
        "below tempfile.gettempdir()",
        [("step:load", "open('out/table.csv', 'w').close()")],
        [("step:load", "open('/tmp/table.csv', 'w').close()")],
    ),
    Example(
        "relative-file",
        1,
        "which is empty on a cluster",
        [("step:load", "x = open('words.txt').read()")],
        [("step:load", "x = open('https://example.org/words.txt').read()")],
    ),
    Example(
        "home-file",
        2,
        "step `load` reads `~/words.txt` in your home folder",
        [
            ("imports", "import os"),
            ("step:load", "x = open(os.path.expanduser('~/words.txt')).read()"),
        ],
        [
            ("imports", "import os"),
            ("step:load", "place = os.path.expanduser('~/words.txt')\nopen(place, 'w').write('a')"),
            ("step:load", "x = open(place).read()"),
        ],
    ),
    Example(
        "waits-for-step-above",
        2,
        "so it waits for `load`, the step above it",
        [LOAD, ("step:other", "y = 2"), (["step:train", "prev:load", "prev:other"], "z = x + y")],
        [LOAD, TRAIN, ("step:late", "y = 2")],
    ),
]

OS = ("imports", "import os")
READ_KEY = "key = os.environ['KEY']"
SET_KEY = "os.environ['KEY'] = 'k'"
READ_IN_FUNCTION = ("functions", f"def read():\n    {READ_KEY}\n    return key")
ENVIRONMENT = [
    Example(
        "environment-variable",
        2,
        "tag the step `secret:NAME:KEY:KEY`",
        [OS, ("step:load", READ_KEY)],
        [OS, (["step:load", "secret:api:key:KEY"], READ_KEY)],
    ),
    Example(
        "environment-variable",
        3,
        "step `load` reads the environment variable KEY",
        [OS, READ_IN_FUNCTION, ("step:load", "x = read()")],
        [OS, READ_IN_FUNCTION, (["step:load", "secret:api:key:KEY"], "x = read()")],
    ),
    Example(
        "environment-variable",
        3,
        "step `train` reads",
        [OS, ("step:load", f"{SET_KEY}\nx = 1"), (["step:train", "prev:load"], f"{READ_KEY} * x")],
        [OS, LOAD, (["step:train", "prev:load"], f"{SET_KEY}\n{READ_KEY} * x")],
    ),
    Example(
        "environment-variable",
        3,
        "which only step `load` sets",
        [OS, ("step:load", f"{SET_KEY}\nx = 1"), (TRAIN[0], "score = os.getenv('KEY', x)")],
        [OS, LOAD, (TRAIN[0], "score = os.getenv('KEY', x)")],
    ),
]

LENGTHS = [
    Example(
        "long-code",
        2,
        "in step load, its code, with all that stands in it, has 13",
        [("imports", "import math"), ("step:load", f"x = '{'7' * 131_000}'")],
        [("imports", "import math"), ("step:load", f"x = '{'7' * 128_000}'")],
    ),
    Example(
        "long-code",
        1,
        "bring it in the image",
        [("step:load", f"x = len('{'😀' * 13_100}')"), TRAIN],
        [("step:load", f"x = len('{'😀' * 12_700}')"), TRAIN],
    ),
]

EXAMPLES = [
    *(*TAGS, *STEPS, *CODE, *MODULES, *VALUES, *FLOW, *METADATA, *CHANGES, *OBJECTS, *FILES),
    *(*ENVIRONMENT, *SEEDS, *SETTINGS, *OWN_PARTS, *LOST, *SCALARS, *LENGTHS),
]
every_example = pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{number}-{e.rule}" for number, e in enumerate(EXAMPLES)]
)


@pytest.fixture
def write(tmp_path):
    """Writes a notebook into a folder that also holds the module `helpers`, and reads it."""
    (tmp_path / "helpers.py").write_text("def double(x):\n    return 2 * x\n")

    def call(cells, **settings):
        return read(write_notebook(tmp_path / "example.ipynb", cells, **settings))

    return call


@every_example
def test_notebook_that_breaks_the_rule(example, write):
    findings = [
        finding
        for finding in check(write(example.breaks, **example.settings))
        if finding.rule == example.rule
    ]
    assert [finding.cell for finding in findings] == [example.cell]
    assert example.says in findings[0].message


@every_example
def test_notebook_that_keeps_the_rule(example, write):
    assert check(write(example.keeps)) == []


@every_example
def test_kale_agrees(example, write, tmp_path):
    notebook = write(example.breaks, **example.settings)
    if example.kale == STOPS:
        with pytest.raises(FastkfError):
            notebook.pipeline  # noqa: B018
        return
    assert notebook.pipeline is not None
    if example.kale == DOES_NOT_COMPILE:
        with pytest.raises(FastkfError):
            compile_notebook(notebook, tmp_path / "pipeline.yaml")


@pytest.mark.parametrize(
    "code",
    [
        "key = os.environ.get('KEY')",
        "path = os.environ['PATH']",
        "pod = os.environ['KFP_POD_NAME'] + os.environ['MINIO_SERVICE_SERVICE_HOST']",
        f"if 'KEY' in os.environ:\n    {READ_KEY}",
        "if 'KEY' not in os.environ:\n    raise SystemExit\n" + READ_KEY,
        f"try:\n    {READ_KEY}\nexcept KeyError:\n    key = ''",
        f"os.environ.update(KEY='k')\n{READ_KEY}",
        f"os.environ.setdefault('KEY', 'k')\n{READ_KEY}",
        f"os.environ |= dict(KEY='k')\n{READ_KEY}",
        f"for name in ['KEY']:\n    os.environ[name] = 'k'\n{READ_KEY}",
        f"%env KEY=k\n{READ_KEY}",
        f"def train():\n    {READ_KEY}",
        f"use = False\nif use:\n    {READ_KEY}",
    ],
)
def test_a_variable_that_the_code_sees_to_is_no_finding(code, write):
    found = check(write([OS, ("step:load", code)]))
    assert [one for one in found if one.rule == "environment-variable"] == []


@pytest.mark.parametrize(
    "value",
    [
        "np.random.rand(3)",
        "np.polynomial.polynomial.polyfit([0, 1], [0, 1], 1)",
        "np.array([1.0], dtype=float)",
        "re.findall('a', 'aa')",
        "re.compile('a')",
        "KFold(2)",
        "list(KFold(2).split([1, 2]))",
    ],
)
def test_what_kale_can_save_is_no_finding(value, write):
    imports = "import re\n\nimport numpy as np\nfrom sklearn.model_selection import KFold"
    assert (
        check(write([("imports", imports), ("step:load", f"x = 1\nv = {value}"), USE_BOTH])) == []
    )


@pytest.mark.parametrize(
    ("setting", "use"),
    [
        ("np.seterr(all='ignore')", "try:\n    pass\nexcept FloatingPointError:\n    pass"),
        ("pd.set_option('display.max_rows', 5)", "pd.DataFrame({'a': [1]}).fillna(0)"),
        ("warnings.filterwarnings('ignore')", "print(UserWarning)"),
        ("sklearn.set_config(display='text')", "StandardScaler().fit_transform([[1]])"),
        ("decimal.getcontext().prec = 3", "print(x)"),
        ("locale.setlocale(locale.LC_ALL, 'C')", "locale.atof('1.5')"),
        ("decimal.getcontext().prec = 3", "decimal.getcontext().prec = 3\ndecimal.Decimal(1)"),
        ("with decimal.localcontext() as c:\n    c.prec = 3", "decimal.Decimal(1)"),
    ],
)
def test_a_setting_that_changes_nothing_in_the_step_is_no_finding(setting, use, write):
    imports = (
        "import decimal\nimport locale\nimport warnings\n\nimport numpy as np\n"
        "import pandas as pd\nimport sklearn\nfrom sklearn.preprocessing import StandardScaler"
    )
    cells = [("imports", imports), ("step:load", f"{setting}\nx = 1"), (TRAIN[0], f"{use}\nx")]
    found = check(write(cells))
    assert [one for one in found if one.rule == "setting-of-another-step"] == []


def test_what_a_step_imports_once_more_is_the_same(write):
    again = ("step:load", "from math import sqrt\nx = sqrt(4)")
    found = check(write([("imports", "from math import sqrt"), again, (TRAIN[0], "sqrt(x)")]))
    assert [one for one in found if one.rule == "shared-state"] == []


@pytest.mark.parametrize(
    ("draw", "drawn"),
    [
        ("torch.randn(3)", True),
        ("nn.Linear(2, 1)", True),
        ("nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())", True),
        ("DataLoader(rows, batch_size=4, shuffle=True)", True),
        ("torch.utils.data.random_split(rows, [1, 1])", True),
        ("nn.ReLU()", False),
        ("torch.zeros(3)", False),
        ("nn.functional.linear(rows, rows)", False),
        ("DataLoader(rows, batch_size=4)", False),
        ("DataLoader(rows, shuffle=True, generator=torch.Generator().manual_seed(1))", False),
    ],
)
def test_what_draws_from_the_generator_of_pytorch(draw, drawn, write):
    imports = "import torch\nfrom torch import nn\nfrom torch.utils.data import DataLoader"
    seeded = ("step:load", "torch.manual_seed(1)\nrows = torch.rand(2)")
    found = check(write([("imports", imports), seeded, (TRAIN[0], f"y = rows\n{draw}")]))
    assert [one.rule for one in found if one.rule.startswith("seed-")] == (
        ["seed-of-another-step"] if drawn else []
    )


@pytest.mark.parametrize(
    "draw",
    [
        "random.random()",
        "np.random.default_rng(2).random()",
        "train_test_split([1, 2], random_state=3)",
        "keras.random.normal((2,), seed=4)",
    ],
)
def test_a_seed_of_another_generator_is_no_finding(draw, write):
    imports = f"{SEEDED}\nfrom sklearn.model_selection import train_test_split"
    seeded = ("step:load", "np.random.seed(1)\nx = np.random.rand()")
    found = check(write([("imports", imports), seeded, (TRAIN[0], f"y = x\n{draw}")]))
    assert [one for one in found if one.rule == "seed-of-another-step"] == []


@pytest.mark.parametrize(
    ("functions", "first", "second", "rules"),
    [
        ("rng = np.random.default_rng(1)", "x = rng.random()", "y = rng.random()", 1),
        (
            "rng = np.random.default_rng(1)\ndef draw():\n    return rng.random()",
            *("x = draw()", "y = draw()", 1),
        ),
        ("rng = np.random.default_rng(1)", "x = rng.random()", "y = x", 0),
        ("rng = random.Random(1)", "x = rng.random()", "y = rng.choice([x])", 1),
        ("", "np.random.seed(1)\nx = 3", "y = make_blobs(x)", 1),
        ("", "np.random.seed(1)\nx = 3", "y = make_blobs(x, random_state=1)", 0),
        (
            "def draw():\n    return np.random.rand()\ndef fix():\n    np.random.seed(1)",
            *("fix()\nx = draw()", "fix()\ny = draw() + x", 0),
        ),
        (
            "def draw():\n    return np.random.rand()\ndef fix():\n    np.random.seed(1)",
            *("fix()\nx = draw()", "y = draw() + x", 1),
        ),
    ],
)
def test_generators_that_every_step_makes(functions, first, second, rules, write):
    imports = ("imports", "import random\n\nimport numpy as np")
    cells = [imports, ("functions", functions), ("step:load", first), (TRAIN[0], second)]
    found = check(write(cells))
    assert len([one for one in found if one.rule.startswith("seed-")]) == rules


MEMOS = [
    "CACHE = {}\ndef f(x):\n    if x not in CACHE:\n        CACHE[x] = 2 * x\n    return CACHE[x]",
    "CACHE = {}\ndef f(x):\n    v = CACHE.get(x)\n    if v is None:\n        v = CACHE[x] = 2 * x\n"
    "    return v",
    "def f(x):\n    if x not in f.seen:\n        f.seen[x] = x\n    return f.seen[x]\nf.seen = {}",
    "one = None\ndef f(x):\n    global one\n    if one is None:\n        one = x\n    return one",
    "def f(x, seen={}):\n    if x not in seen:\n        seen[x] = 2 * x\n    return seen[x]",
]
COUNTS = "class M:\n    n = 0\n    def __init__(self):\n        M.n += 1"
CLOSURE = (
    "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n"
    "    return up"
)
SHARED = [
    *((memo, "x = f(1)", "y = f(x)", 0) for memo in MEMOS),
    ("C = {}\ndef f(x):\n    C[x] = C.get(x, 0) + 1", "f(1)\nx = 1", "f(x)\nprint(C)", 1),
    ("C = {}\ndef f(x):\n    C['f'] = x", "f(1)\nx = 1", "f(x)", 0),
    ("C = []\ndef f(x):\n    C.append(x)", "f(1)\nx = 1", "f(x)", 0),
    ("C = []\ndef f(x):\n    C.append(x)", "f(1)\nx = 1", "f(x)\nprint(sum(C))", 1),
    (f"{CLOSURE}\ncount = make()", "x = count()", "print(x, count())", 1),
    (CLOSURE, "x = make()()", "print(x, make()())", 0),
    ("import numpy as np", "x = [1, 2]\nnp.random.shuffle(x)", "print(x, np.random.PCG64)", 0),
    ("import logging", "logging.getLogger().x = x = 1", "print(x, logging.getLogger().x)", 0),
    (COUNTS, "M()\nx = M.n", "print(x, M.n)", 1),
    (COUNTS, "M()\nx = M.n", "M()\nprint(x)", 0),
    ("class C:\n    a = 1\n    b = 2", "C.a = 5\nx = 1", "print(x, C.b)", 0),
    ("class C:\n    a = 1", "C.a = 5\nx = 1", "C.a = 5\nprint(x, C.a)", 0),
    ("class C:\n    a = 1\ndef f():\n    return C.a", "C.a = 5\nx = 1", "print(x, f())", 1),
    ("class C:\n    def f(self):\n        self.n = 1", "c = C()\nc.f()\nx = 1", "print(x, c.n)", 0),
    ("def f():\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n", "x = f()", "print(x, f())", 1),
    ("import math", "math.tau2 = 6\nx = 1", "print(x, math.tau2)", 1),
    ("import math", "math.tau2 = 6\nx = math.tau2", "print(x, math.pi)", 0),
    ("import pandas as pd", "pd.DataFrame.n = len\nx = 1", "print(x, pd.DataFrame().n())", 1),
    ("def f(x, to=[]):\n    to.append(x)\n    return to", "x = f(1)", "print(x, f(2))", 1),
    ("def f(x, to=[]):\n    to.append(x)\n    return to", "x = f(1, [])", "print(x, f(2))", 0),
    ("def f(x, to=[]):\n    to = [*to, x]\n    return to", "x = f(1)", "print(x, f(2))", 0),
]


@pytest.mark.parametrize(("functions", "first", "second", "number"), SHARED)
def test_what_names_of_shared_cells_hold(functions, first, second, number, write):
    found = check(write([("functions", functions), ("step:load", first), (TRAIN[0], second)]))
    assert [one.rule for one in found if one.severity == "error"] == ["shared-state"] * number


@pytest.mark.parametrize(
    "made",
    [
        f"model = {MODEL}\nmodel.compile(loss=gap)\nmodel.compile(loss='mse')",
        "probe = keras.Sequential([Twice()])\nmodel = 1",
        f"model = {MODEL}\nmodel = model.get_weights()\nTwice()",
        "model = FunctionTransformer(double(np.log1p))",
        "model = FunctionTransformer(kw_args={'n': len([double])})",
        "first = double(3)\nmodel = FunctionTransformer(kw_args={'n': first})",
    ],
)
def test_own_parts_that_stay_in_their_step_are_no_finding(made, write):
    imports = ("imports", f"{KERAS[1]}\n{PIPE[1]}")
    functions = ("functions", f"{OWN_KERAS[1]}\n{DOUBLE[1]}")
    found = check(write([imports, functions, ("step:load", made), USE_MODEL]))
    assert [one for one in found if one.rule == "own-part"] == []


@pytest.mark.parametrize(
    ("made", "use", "rules"),
    [
        ("np.mean([0.5, 1])", "round(v, 2)", ["numpy-scalar"]),
        ("np.argmax(x)", "{0: 'a'}[v]", ["numpy-scalar"]),
        ("np.mean(np.zeros(2) == x)", "json.dumps({'mean': v})", ["numpy-scalar"]),
        ("np.array([1, 2]).max()", "{v, 3}", ["numpy-scalar"]),
        ("pd.DataFrame({'a': [1]})['a'].mean()", "{v: 1}", ["numpy-scalar"]),
        ("np.mean([0.5, 1])", "v + 1", []),
        ("np.mean([0.5, 1])", "round(float(v), 2)", []),
        ("float(np.mean([0.5, 1]))", "round(v, 2)", []),
        ("np.mean([[1, 2]], axis=0)", "round(v[0], 2)", []),
        ("np.argmax(x)", "['a', 'b'][v]", []),
        ("pd.DataFrame({'a': [1]}).mean()", "round(v, 2)", []),
    ],
)
def test_a_number_of_numpy_is_an_array_in_the_next_step(made, use, rules, write):
    imports = ("imports", "import json\n\nimport numpy as np\nimport pandas as pd")
    cells = [imports, ("step:load", f"x = [1, 2]\nv = {made}"), (TRAIN[0], f"print({use})")]
    assert [one.rule for one in check(write(cells))] == rules


@pytest.mark.parametrize(
    ("made", "rules"),
    [
        ("np.argmax(x)", ["numpy-scalar"]),
        ("np.zeros(3).argmin()", ["numpy-scalar"]),
        ("np.sum(np.zeros(3) == 0)", ["numpy-scalar"]),
        ("(np.zeros(3) == 0).sum()", ["numpy-scalar"]),
        ("int(np.argmax(x))", []),
        ("np.mean(x)", []),
        ("np.sum(x)", []),
        ("np.sum(np.zeros(3) == 0)\nv = float(v)", []),
    ],
)
def test_a_whole_number_of_numpy_is_no_metric(made, rules, write):
    cells = [NUMPY, ("step:load", f"x = [1, 2]\nv = {made}"), ("pipeline-metrics", "print(v)")]
    assert [one.rule for one in check(write(cells))] == rules


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import ujson\nexcept ImportError:\n    ujson = None\nx = 1",
        "@contextmanager\ndef timer():\n    yield 3\nwith timer() as x:\n    pass",
    ],
)
def test_what_ends_well_is_no_finding(code, write):
    imports = ("imports", "from contextlib import contextmanager")
    assert check(write([imports, ("step:load", code), (TRAIN[0], "print(x)")])) == []


ONE = """
class One:
    def __init__(self, k):
        self.k = k

    def times(self, x):
        return self.k * x
"""
COUNTING = """
def counting():
    number = 0

    def count():
        nonlocal number
        number += 1
        return number

    return count
"""
SHARED = [
    ("imports", "from collections import defaultdict\nfrom functools import partial"),
    ("functions", ONE + COUNTING),
]


@pytest.mark.parametrize(
    ("made", "change", "use", "rules"),
    [
        ("v = {'a': 1}; names = v.keys()", "v['b'] = 2", "print(list(names), v)", ["two-names"]),
        ("v = {'a': 1}; names = v.keys()", "v['b'] = 2", "print(len(names), v)", ["two-names"]),
        ("v = defaultdict(int); names = v.items()", "v['b'] = 2", "print(names, v)", ["two-names"]),
        ("v = dict(a=1); names = v.values()", "v['b'] = 2", "print(names, v)", ["two-names"]),
        ("v = {'a': 1}; names = list(v)", "v['b'] = 2", "print(names, v)", []),
        ("v = {'a': 1}; names = v.keys()", "w = len(v)", "print(names, v, w)", []),
        ("v = One(2); up = partial(v.times, 3)", "v.k = 4", "print(up(), v.k)", ["two-names"]),
        ("v = One(2); up = partial(v.times, 3)", "w = up()", "print(w, v.k)", []),
        ("v = 2; up = partial(max, 3)", "v += up(v)", "print(up(v))", []),
    ],
)
def test_what_follows_an_object_follows_a_copy_in_another_step(made, change, use, rules, write):
    change, use = (["step:train", "prev:load"], change), (["step:use", "prev:train"], use)
    found = check(write([*SHARED, ("step:load", made.replace("; ", "\n")), change, use]))
    assert [one.rule for one in found] == rules


@pytest.mark.parametrize(("after", "rules"), [("load", ["different-value"]), ("train", [])])
def test_a_function_that_counts_is_changed_by_a_call(after, rules, write):
    load = ("step:load", "count = counting()\nx = 0")
    train = (["step:train", "prev:load"], "score = x + count()")
    use = (["step:use", f"prev:{after}"], f"print(count(), {'x' if rules else 'score'})")
    assert [one.rule for one in check(write([*SHARED, load, train, use]))] == rules


def test_a_module_of_the_terminals_path_is_told_as_one(write, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "own_tools_of_mine.py").write_text("x = 1\n")
    cells = [("imports", "import own_tools_of_mine"), ("step:load", "x = own_tools_of_mine.x")]
    [note] = check(write(cells))
    assert (note.rule, "not installed here" in note.problem) == ("unknown-package", True)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{tmp_path / 'lib'}")
    [note] = check(write(cells))
    assert f"here from {tmp_path / 'lib'} alone, a folder of your terminal's" in note.problem
    assert "functions cell" in note.remedy


def test_a_file_that_is_closed_travels(write):
    code = "with open('/dev/null') as file:\n    x = file.read()"
    use = (["step:train", "prev:load"], "print(x, file.closed)")
    assert check(write([("step:load", code), use])) == []


def test_what_one_step_after_the_other_takes_is_not_cut_off(write):
    take = "a = next(v)"
    cells = [("step:load", "v = iter([1, 2])"), (["step:one", "prev:load"], take)]
    chain = [*cells, (["step:two", "prev:one"], "print(a, next(v))")]
    assert check(write(chain)) == []
    cells = [("imports", "import random"), ("step:load", "v = random.Random(1)")]
    fork = [*cells, (["step:one", "prev:load"], "a = v.random()")]
    fork.append((["step:two", "prev:load"], "b = v.random()"))
    assert [one.rule for one in check(write(fork))] == ["cut-off-object"]


def test_a_tag_through_which_a_variable_is_found_is_no_finding(write):
    cells = [
        ("step:load", "x, y = [1], [2]"),
        (["step:first", "prev:load"], "last = len(x)\nsize = 1"),
        (["step:second", "prev:load", "prev:first"], "last = len(y)"),
        (["step:show", "prev:second"], "print(last, size)"),
    ]
    assert check(write(cells)) == []


def test_the_variable_of_a_comprehension_goes_with_its_lambdas(write):
    made = ("step:load", "fs = [lambda v: v * i for i in range(3)]")
    assert check(write([made, (TRAIN[0], "score = fs[0](2)")])) == []


def test_a_secret_of_all_steps_gives_each_its_variable(write):
    cells = [OS, ("step:load", READ_KEY)]
    found = check(write(cells, kale={"steps_defaults": ["secret:api:key:KEY"]}))
    assert [one for one in found if one.rule == "environment-variable"] == []


def test_every_rule_has_examples_and_an_explanation():
    assert {rule.name for rule in RULES} == {example.rule for example in EXAMPLES}
    for rule in RULES:
        assert rule.explanation, rule.name
        assert "\n" not in rule.explanation, rule.name


def test_findings_name_file_cell_rule_and_remedy(write):
    notebook = write([("markdown", "# Text cells count"), ("step:load-data", "x = 1")])
    assert [str(finding) for finding in check(notebook)] == [
        f"{notebook.path}: cell 2: invalid-step-name: a step name begins with a letter and has "
        "only a-z, 0-9 and _; write `step:load_data`"
    ]
    assert (
        str(Finding("a.ipynb", None, "no-steps", Severity.ERROR, "none", "tag one"))
        == "a.ipynb: no-steps: none; tag one"
    )


def test_findings_come_in_the_order_of_the_cells(write):
    cells = [("step:a", "x = open('x.csv')"), (["step:b", "prev:a"], "print(1)\nimport seaborn")]
    findings = check(write(cells, kale={"base_image": "python:3.12"}))
    assert [(finding.cell, finding.rule) for finding in findings] == [
        (None, "metadata-not-normalised"),
        (1, "relative-file"),
        (2, "import-in-step"),
    ]
    assert sorted(reversed(findings)) == findings


@pytest.mark.parametrize("block", [block for block, _ in WRONG_COURSE_METADATA])
def test_a_damaged_block_of_the_course_has_one_remedy(block, write):
    notebook = write([LOAD], metadata={**notebook_metadata(), "fastkf": block})
    assert [finding.remedy for finding in check(notebook)] == [
        "correct the metadata in JupyterLab's property inspector, or remove the key"
    ]


def test_the_whole_block_of_the_course(write):
    block = {
        "title": "Sums",
        "aim": "Add.",
        "minutes": 2.5,
        "needs": ["titanic"],
        "quick": {"n": 1, "rate": 0.5, "name": "x", "fast": True},
        "tolerance": 0,
        "author": "a key that nobody reads",
    }
    assert check(write([LOAD], metadata={**notebook_metadata(), "fastkf": block})) == []


def test_findings_become_json(write):
    finding = check(write([LOAD], kale={"base_image": "x"}))[0]
    assert json.loads(json.dumps(asdict(finding)))["rule"] == "metadata-not-normalised"
    assert json.loads(json.dumps(finding.as_dict())) == {
        "path": finding.path,
        "cell": None,
        "rule": "metadata-not-normalised",
        "severity": "note",
        "problem": finding.problem,
        "remedy": finding.remedy,
        "message": f"{finding.problem}; {finding.remedy}",
    }


def test_a_good_notebook_with_everything(write):
    notebook = write(
        [
            ("markdown", "# Everything"),
            ("imports", "import json\n\nimport numpy as np\nimport pandas as pd"),
            ("skip", "%matplotlib inline\n!ls"),
            ("functions", "def fit(table, seed):\n    return table.sample(1, random_state=seed)"),
            (PARAMETERS, "data_dir = 'data/titanic'\nseed = 3\nRATE = 0.5\nverbose = True"),
            ("markdown", "## Steps"),
            ("step:load", "table = pd.DataFrame({'a': [1, 2]})\nsource = f'{data_dir}/t.csv'"),
            ("", "# NBVAL_CHECK_OUTPUT\ntable.head()"),
            ("skip", "fig = table.plot()\nfor name in table:\n    print(name)"),
            (["step:one", "prev:load"], "model = fit(table, seed)\none = float(model.a.mean())"),
            (
                ["step:two", "prev:load"],
                "model = fit(table, seed + 1)\ntwo = model.a.mean() * RATE",
            ),
            (
                ["step:choose", "prev:one", "prev:two", "limit:nvidia.com/gpu:1"],
                "scores = {name: score for name, score in [('one', one), ('two', two)]}\n"
                "best_score = max(scores.values())\ndisplay(scores)\nprint(json.dumps(scores))",
            ),
            ("step:choose", "# continues\nprint(np.mean([one, two]))"),
            (["pipeline-metrics"], "print(best_score)\nprint(one)"),
            ("skip", "best_score"),
        ]
    )
    assert check(notebook) == []


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        (["prev:one", "prev:two"], "step `one` in the pipeline, but from cell 3 (step `two`)"),
        (["prev:two"], "step `two` in the pipeline, without what cell 2 (step `one`) makes"),
    ],
)
def test_what_branches_make_of_one_list_does_not_meet_again(write, tags, told):
    choose = (["step:choose", *tags], "score = len(models) + two")
    last = check(write([*BRANCHES, choose]))[-1]
    assert (last.cell, last.rule) == (4, "different-value")
    assert last.problem.startswith(f"`models` comes from {told}")


def test_an_undefined_name_is_reported_where_it_is_used_first(write):
    notebook = write(
        [LOAD, (["step:a", "prev:load"], "a = x + z"), (["step:b", "prev:a"], "a + z")]
    )
    assert [(f.cell, f.rule) for f in check(notebook)] == [(2, "undefined-name")]


def test_a_plain_notebook_gets_few_findings(write):
    cells = [("", "import pandas"), ("", "!ls"), ("", "print(1)")]
    assert [finding.rule for finding in check(write(cells, metadata={}))] == [
        "metadata-missing",
        "no-steps",
    ]


def test_the_settings_of_old_kale_are_one_finding(tmp_path):
    old = {"docker_image": "old:1", "autosnapshot": True, "katib_run": False}
    path = write_notebook(tmp_path / "old.ipynb", [LOAD], kale=old)
    assert [one.rule for one in check(read(path)) if one.severity == "error"] == ["old-kale"]


def test_cells_without_id_give_no_warning(tmp_path, recwarn):
    path = write_notebook(tmp_path / "old.ipynb", [LOAD])
    content = json.loads(path.read_text())
    del content["cells"][0]["id"]
    path.write_text(json.dumps(content))
    assert check(read(path)) == []
    assert [one for one in recwarn if one.category is not ResourceWarning] == []


def test_references_to_other_notebooks_are_left_to_kale(tmp_path):
    write_notebook(tmp_path / "part.ipynb", [LOAD], pipeline_name="part")
    path = write_notebook(
        tmp_path / "whole.ipynb", [("notebook:part", "# part.ipynb"), ("step:show", "print(x)")]
    )
    content = json.loads(path.read_text())
    content["cells"][0]["metadata"]["notebook_path"] = "part.ipynb"
    path.write_text(json.dumps(content))
    assert check(read(path)) == []


@pytest.mark.slow
def test_twice_the_steps_are_about_twice_the_work(write):
    """Counted in calls, which no clock and no other program changes."""

    def count_calls(steps: int) -> int:
        cells = [("imports", "import json"), ("step:s0", "v0 = 1\nw = 2")]
        for n in range(1, steps):
            source = f"v{n} = v{n - 1} + w\nprint(json.dumps(v{n}))\n" * 20
            cells.append(([f"step:s{n}", f"prev:s{n - 1}"], source))
        notebook, calls = write(cells), 0

        def count(frame, event, argument):
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            assert check(notebook) == []
        finally:
            sys.setprofile(None)
        return calls

    count_calls(2)  # imports Kale
    once = count_calls(10)
    assert count_calls(20) < 3 * once


@pytest.mark.parametrize("code", ["-" * 50_000 + "1", "1+" * 5_000 + "1", "1+" * 400 + "1"])
def test_code_that_is_too_deep_is_one_message(code, write):
    with pytest.raises(FastkfError, match="too deep"):
        check(write([("step:load", f"x = {code}")]))


PARQUET = "n = pd.read_parquet(p)"
OWN_INSTALL = (
    'import sys, subprocess\nsubprocess.run([sys.executable, "-m", "pip", "install", "x"])'
)
OWN_METHOD = "    def to_parquet(self):\n        return 1"
TAKES = "n = A().to_parquet()"
OTHERWISE = "except ImportError:\n    n = 1"


@pytest.mark.parametrize(
    "cells",
    [
        [("imports", "import pandas as pd"), ("step:a", "n = pd.read_excel(p, engine='calamine')")],
        [("imports", "import duckdb\nimport pandas"), ("step:a", "duckdb.sql(q).to_parquet(p)")],
        [("imports", "import pandas\nimport not_here"), ("step:a", "n = pandas.read_parquet(p)")],
        [("imports", "import pandas, lxml.etree"), ("step:a", "n = pandas.read_html(p)")],
        [("imports", "import pandas as pd"), ("skip", "n = pd.read_parquet(p)"), LOAD],
        [("imports", "import pandas as pd"), ("step:a", f"{OWN_INSTALL}\nn = pd.read_parquet(p)")],
        [("imports", "import pandas as pd"), (["step:a", "image:me/own:1"], PARQUET)],
        [("imports", "import pandas as pd"), ("functions", f"def f(pd):\n  {PARQUET}")],
        [("imports", "import pandas"), ("functions", f"class A:\n{OWN_METHOD}"), ("step:a", TAKES)],
        [("imports", "import pandas as pd"), ("step:a", f"try:\n    {PARQUET}\n{OTHERWISE}")],
    ],
    ids=[
        *("an engine", "another table", "a package that is not here", "another way", "skipped"),
        *("installed by itself", "an own image", "an argument", "an own method", "otherwise"),
    ],
)
def test_a_reader_that_may_be_there_is_not_reported(cells, tmp_path):
    notebook = read(write_notebook(tmp_path / "own.ipynb", cells))
    assert "unnamed-package" not in {one.rule for one in check(notebook)}


@pytest.mark.parametrize(
    ("image", "found"), [("me/own:1", False), ("python:3.12-slim", True), ("", True)]
)
def test_what_pandas_reads_with_an_own_image_may_have(image, found, tmp_path):
    cells = [("imports", "import pandas as pd"), ("step:a", "n = len(pd.read_parquet('s3://a/b'))")]
    settings = {"base_image": image}
    notebook = read(write_notebook(tmp_path / "own.ipynb", cells, kale=settings))
    assert ("unnamed-package" in {one.rule for one in check(notebook)}) == found


def test_a_step_that_installs_by_itself_does_so_for_no_other(tmp_path):
    cells = [
        ("imports", "import pandas as pd"),
        ("step:a", OWN_INSTALL),
        ("step:b", "n = len(pd.read_parquet('s3://a/b'))"),
    ]
    found = check(read(write_notebook(tmp_path / "own.ipynb", cells)))
    assert [(one.cell, one.rule) for one in found if one.rule == "unnamed-package"] == [
        (3, "unnamed-package")
    ]


@pytest.mark.parametrize(
    ("made", "used", "found"),
    [
        ("mae = np.mean([1, 2])", "better = mae < 3", ["numpy-scalar"]),
        ("mae = float(np.mean([1, 2]))", "better = mae < 3", []),
        ("mae = np.mean([1, 2])", "mae = float(mae)", []),
        ("mae = np.mean([1, 2])\nx = 1", "better = x < 3", []),
    ],
)
def test_a_metric_of_another_step_is_no_number_of_numpy(made, used, found, tmp_path):
    cells = [
        NUMPY,
        ("step:load", made),
        (["step:use", "prev:load"], used),
        ("pipeline-metrics", "print(mae)"),
    ]
    rules = [one.rule for one in check(read(write_notebook(tmp_path / "n.ipynb", cells)))]
    assert [rule for rule in rules if rule == "numpy-scalar"] == found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("b = b - .1 * e.mean()", ["type-change"]),
        ("b = -b - e.sum() / 2", ["type-change"]),
        ("b = b + np.mean(e)", ["type-change"]),
        ("b = b - .1 * float(e.mean())", []),
        ("b = b + len(e)", []),
        ("b = b + np.size(e)", []),
        ("b = '%s' % e.mean()", []),
        ("b = (e.mean() < 3) and b", []),
        ("b = e.mean() * [1]", []),
    ],
)
def test_a_number_that_becomes_one_of_numpy_changes_its_type(change, found, tmp_path):
    cells = [
        NUMPY,
        ("step:load", "b = 0.0\ne = np.array([1.0, 2.0])"),
        (["step:change", "prev:load"], change),
        (["step:use", "prev:change"], "print(b)"),
    ]
    assert [one.rule for one in check(read(write_notebook(tmp_path / "n.ipynb", cells)))] == found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("table = np.log(table)", []),
        ("table = np.log(table.x) + 1", []),
        ("table = np.asarray(table) + 1", ["type-change"]),
        ("table = np.log(table.to_numpy())", ["type-change"]),
    ],
)
def test_what_numpy_makes_of_a_table_may_be_a_table(change, found, tmp_path):
    cells = [
        ("imports", f"{NUMPY[1]}\nimport pandas as pd"),
        ("step:load", "table = pd.DataFrame({'x': [1]})"),
        (["step:change", "prev:load"], change),
        (["step:use", "prev:change"], "print(table)"),
    ]
    assert [one.rule for one in check(read(write_notebook(tmp_path / "n.ipynb", cells)))] == found


def test_a_number_to_which_one_of_numpy_was_added_is_one_of_numpy(tmp_path):
    cells = [
        NUMPY,
        ("step:load", "e = np.array([1.0, 2.0])\nb = 0.0\nb += e.mean()"),
        (["step:change", "prev:load"], "b = b - e.mean()"),
        (["step:use", "prev:change"], "print(b)"),
    ]
    assert check(read(write_notebook(tmp_path / "n.ipynb", cells))) == []
