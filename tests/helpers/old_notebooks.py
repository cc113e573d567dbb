"""Old notebooks: one for each feature of Kale 0.2 to 0.7."""

from dataclasses import dataclass, field

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "version": "3.6.9"}


def old_metadata(**kale) -> dict:
    """Notebook metadata as the panel of Kale 0.5 saved them."""
    block = {
        "autosnapshot": False,
        "docker_image": "gcr.io/arrikto/jupyter-kale:v0.5.0-47-g2427cc9",
        "experiment": {"id": "75b16a8e-0270-4d9f-a685-2a4512632b53", "name": "old-days"},
        "experiment_name": "old-days",
        "katib_metadata": {
            "algorithm": {"algorithmName": "grid"},
            "maxFailedTrialCount": 3,
            "maxTrialCount": 12,
            "objective": {"objectiveMetricName": "", "type": "minimize"},
            "parallelTrialCount": 3,
            "parameters": [],
        },
        "katib_run": False,
        "pipeline_description": "An old pipeline",
        "pipeline_name": "old-pipeline",
        "snapshot_volumes": False,
        "steps_defaults": [],
        "volumes": [],
        **kale,
    }
    return {"kernelspec": KERNEL, "kubeflow_notebook": block, "language_info": LANGUAGE}


@dataclass(frozen=True)
class Example:
    """An old notebook with one feature, and what becomes of it.

    Attributes:
        kale: the version whose parser says what the notebook means; "": none accepts it.
        cells: the old cells, as `write_notebook` takes them.
        new: the tags of the new notebook's code cells, each a text.
        done: words of the report, on what was changed.
        left: words on what is left for a person, one entry each; none: nothing is.
        compiles: whether the result compiles.
        metadata: the notebook's metadata.
        source: the source of new code cells, by place from 0.
        is_same: whether the pipeline has the same code (magics and imports aside).
    """

    name: str
    kale: str
    cells: list
    new: list[str]
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    compiles: bool = True
    metadata: dict = field(default_factory=old_metadata)
    source: dict[int, str] = field(default_factory=dict)
    is_same: bool = True


TAGS = [
    Example(
        "blocks become steps",
        "0.5",
        [
            ("imports", "import math"),
            ("block:load", "x = 1"),
            (["block:train", "prev:load"], "y = x + 1"),
        ],
        ["imports", "step:load", "step:train prev:load"],
        ["cell 2: tags block:load → step:load", "cell 3: tags block:train prev:load →"],
    ),
    Example(
        "step names with hyphens, digits in front, and those of tags",
        "0.3",
        [
            ("block:load-data", "x = 1"),
            (["block:2nd", "prev:load-data"], "y = x"),
            (["block:imports", "prev:2nd"], "z = y"),
        ],
        ["step:load_data", "step:step_2nd prev:load_data", "step:imports_step prev:step_2nd"],
    ),
    Example(
        "two old names that become the same",
        "0.3",
        [
            ("block:a-b", "x = 1"),
            (["block:ab", "prev:a-b"], "y = x"),
            (["block:a--b", "prev:ab"], "z = y"),
        ],
        ["step:a_b", "step:ab prev:a_b", "step:a_b_2 prev:ab"],
    ),
    Example(
        "a name with an underscore in front",
        "0.4",
        [("block:_load", "x = 1"), (["block:b", "prev:_load"], "y = x")],
        ["step:load", "step:b prev:load"],
    ),
    Example(
        "several steps before, in one tag",
        "0.2",
        [
            ("block:a", "x = 1"),
            (["block:b", "prev:a"], "y = x"),
            (["block:c", "prev:a"], "z = x"),
            (["prev:b;c", "block:d"], "s = y + z"),
        ],
        ["step:a", "step:b prev:a", "step:c prev:a", "step:d prev:b prev:c"],
    ),
    Example(
        "a cell in two steps",
        "0.2",
        [
            ("block:a;b", "x = 1"),
            ("", "y = 2"),
            (["block:c", "prev:a"], "z = x + y"),
        ],
        ["step:a", "", "step:b", "step:c prev:a"],
        ["cell 3: a copy of cell 1 for step b"],
        ["cell 3: run as a notebook, this code now runs twice", "cell 4: different-value: `x`"],
    ),
    Example(
        "a cell with the tags of two steps",
        "0.4",
        [(["block:a", "block:b"], "x = 1"), (["block:c", "prev:a"], "y = 2")],
        ["step:a", "step:b", "step:c prev:a"],
        ["cell 2: a copy of cell 1 for step b"],
        ["cell 2: run as a notebook, this code now runs twice"],
    ),
    Example(
        "an unnamed block belongs to the step above",
        "0.4",
        [
            ("functions", "def double(n):\n    return 2 * n"),
            ("block:", "def half(n):\n    return n / 2"),
            ("block:load", "x = 1"),
            ("block:", "y = double(x)"),
            ("", "z = half(y)"),
            (["block:end", "prev:load"], "w = z"),
        ],
        ["functions", "functions", "step:load", "step:load", "", "step:end prev:load"],
        ["cell 4: tags block: → step:load, where Kale merged it"],
    ),
    Example(
        "an unnamed block with steps before it: they had no effect",
        "0.4",
        [
            ("block:a", "x = 1"),
            (["block:b", "prev:a"], "y = x"),
            (["block:", "prev:a"], "z = y"),
        ],
        ["step:a", "step:b prev:a", "step:b"],
    ),
    Example(
        "imports that go on behind a skip cell",
        "0.5",
        [
            ("imports", "import json"),
            ("skip", "json.dumps(1)"),
            ("", "import numpy as np"),
            ("block:a", "x = int(np.sum([1, 2]))"),
        ],
        ["imports", "skip", "imports", "step:a"],
    ),
    Example(
        "parameters of Kale 0.3 are code for all steps",
        "0.3",
        [
            ("parameters", "rate = 0.5\nname = 'a'"),
            ("block:a", "x = rate"),
            (["block:b", "prev:a"], "y = x * rate"),
        ],
        ["pipeline-parameters parameters", "step:a", "step:b prev:a"],
    ),
    Example(
        "parameters that are more than values",
        "0.4",
        [
            ("parameters", "sizes = [1, 2]\nrate = sizes[0] / 2"),
            ("block:a", "x = rate"),
        ],
        ["functions parameters", "step:a"],
        ["cell 1: its code runs in every step, as before, and is no pipeline parameter"],
    ),
    Example(
        "a parameters cell that papermill does not find yet",
        "0.5",
        [("pipeline-parameters", "rate = 0.5"), ("block:a", "x = rate")],
        ["pipeline-parameters parameters", "step:a"],
    ),
    Example(
        "papermill's tag stands first",
        "",
        [(["parameters", "pipeline-parameters"], "rate = 0.5"), ("block:a", "x = rate")],
        ["pipeline-parameters parameters", "step:a"],
    ),
    Example(
        "the output of papermill",
        "0.4",
        [
            ("parameters", "rate = 0.5"),
            ("injected-parameters", "rate = 0.7"),
            ("block:a", "x = rate"),
        ],
        ["pipeline-parameters parameters", "injected-parameters", "step:a"],
        left=["cell 2: papermill-output", "cell 2: parameter-name"],
        compiles=False,
        is_same=False,
    ),
    Example(
        "tags on a cell that has a role already",
        "0.5",
        [(["imports", "block:a"], "import math"), ("block:a", "x = math.pi")],
        ["imports", "step:a"],
    ),
    Example(
        "tags without effect",
        "",
        [(["block:a", "in", "out"], "x = 1"), (["prev:a"], "y = x")],
        ["step:a", ""],
    ),
    Example(
        "limits: those of GPUs stay",
        "0.5",
        [
            (["limit:nvidia.com/gpu:1", "limit:memory:4Gi", "block:a"], "x = 1"),
            (["block:b", "label:team:blue", "prev:a", "annotation:note:hello"], "y = x"),
        ],
        ["step:a limit:nvidia.com/gpu:1", "step:b prev:a label:team:blue annotation:note:hello"],
        left=["cell 1: the limit of memory (4Gi) is gone"],
    ),
    Example(
        "metrics",
        "0.5",
        [("block:a", "score = 0.5"), ("pipeline-metrics", "print(score)")],
        ["step:a", "pipeline-metrics"],
    ),
    Example(
        "order without data is no longer kept",
        "0.5",
        [
            ("block:a", "x = 1"),
            (["block:b", "prev:a"], "y = 2"),
            (["block:c", "prev:a", "prev:b"], "z = x"),
        ],
        ["step:a", "step:b prev:a", "step:c prev:a prev:b"],
        left=["cell 3: prev-without-data: step `c` takes no variable from step `b`"],
    ),
]

IMPORTS = [
    Example(
        "imports of the steps are gathered, their comments with them",
        "0.5",
        [
            ("imports", "import json"),
            (
                "block:a",
                "import numpy as np  # arrays\nfrom math import (\n    pi,\n)\n\nx = pi",
            ),
            (["block:b", "prev:a"], "import json\nimport numpy as np\ny = np.sin(x)"),
        ],
        ["imports", "step:a", "step:b prev:a"],
        ["cell 1: gets 2 imports from the steps", "cell 3: `import json`, `import numpy as np` →"],
        source={
            0: "import json\nimport numpy as np  # arrays\nfrom math import (\n    pi,\n)",
            1: "x = pi",
            2: "y = np.sin(x)",
        },
    ),
    Example(
        "there was no imports cell",
        "0.3",
        [("skip", "1 + 1"), ("block:a", "import numpy as np\nx = np.pi")],
        ["imports", "skip", "step:a"],
        ["cell 1: a new imports cell", "cell 3 (was 2): `import numpy as np` → imports cell"],
    ),
    Example(
        "the imports cell stands below a step",
        "0.4",
        [("block:a", "import numpy as np\nx = np.pi"), ("imports", "import json")],
        ["imports", "step:a", "imports"],
    ),
    Example(
        "a step's cell that only imports",
        "0.5",
        [
            ("imports", "import json"),
            ("block:a", "# numbers\nimport numpy as np"),
            ("", "x = np.pi"),
            (["block:b", "prev:a"], "import math"),
            (["block:b"], "y = math.sin(x)"),
        ],
        ["imports", "step:a", "step:b prev:a"],
        ["old cell 2: removed", "old cell 4: removed"],
        source={0: "import json\n# numbers\nimport numpy as np\nimport math"},
    ),
    Example(
        "a step that only imports ends",
        "0.5",
        [
            ("block:load", "x = 1"),
            (["block:setup", "prev:load"], "import math"),
            (["block:b", "prev:setup"], "y = math.sin(x)"),
        ],
        ["imports", "step:load", "step:b prev:load"],
        ["cell 3: prev:setup → prev:load", "step setup has no code left, and ends"],
        is_same=False,
    ),
    Example(
        "imports above all tags",
        "0.5",
        [
            ("", "%matplotlib inline\nimport math"),
            ("block:a", "x = math.pi"),
        ],
        ["skip", "imports", "step:a"],
        ["cell 2 (was 1): tagged imports: Kale left it out of the pipeline"],
    ),
    Example(
        "a name that is a variable elsewhere",
        "0.5",
        [
            ("block:a", "from sklearn import datasets\nx = len(datasets.__all__)"),
            (["block:b", "prev:a"], "datasets = [x]"),
        ],
        ["step:a", "step:b prev:a"],
        left=["cell 1: `from sklearn import datasets` stays in its step", "cell 1: import-in-step"],
    ),
    Example(
        "an import that has to come after what sets it up",
        "0.5",
        [
            ("imports", "import os"),
            ("block:a", "os.environ['A'] = '1'\nimport numpy as np\nx = np.pi"),
        ],
        ["imports", "step:a"],
        left=["cell 2: `import numpy as np` stays in its step", "cell 2: import-in-step"],
    ),
    Example(
        "several statements on a line",
        "0.5",
        [("block:a", "import math; import json\nx = math.pi"), ("", "import os; y = os.sep")],
        ["imports", "step:a", ""],
        source={0: "import math\nimport json", 1: "x = math.pi", 2: "import os; y = os.sep"},
    ),
    Example(
        "future statements for Python 2",
        "0.3",
        [
            ("imports", "from __future__ import print_function\nimport math"),
            ("block:a", "x = math.pi"),
        ],
        ["imports", "step:a"],
        ["cell 1: without `from __future__ import print_function`"],
    ),
    Example(
        "modules of MiniKF",
        "0.5",
        [
            ("imports", "from kale.common.serveutils import serve"),
            ("block:a", "kfserver = serve"),
        ],
        ["imports", "step:a"],
        left=[
            "cell 1: `kale.common.serveutils` came with old Kale and MiniKF and is gone",
            "cell 1: wrong-package: `import kale.common.serveutils`",
        ],
        is_same=False,
    ),
    Example(
        "modules of MiniKF in a cell that is no step",
        "0.5",
        [
            ("imports", "import math"),
            ("block:a", "x = math.pi"),
            ("skip", "from kale.common.serveutils import serve"),
        ],
        ["imports", "step:a", "skip"],
        left=["cell 3: `kale.common.serveutils` came with old Kale and MiniKF and is gone"],
        is_same=False,
    ),
]

MAGICS = [
    Example(
        "magics without their sign",
        "0.5",
        [("imports", "pip install numpy"), ("imports", "import numpy"), ("block:a", "x = 1")],
        ["skip", "imports", "step:a"],
    ),
    Example(
        "what sets the notebook up moves into a skip cell",
        "0.5",
        [
            ("imports", "!pip install --quiet numpy==1.18\n%matplotlib inline\nimport numpy as np"),
            ("block:a", "x = float(np.pi)"),
        ],
        ["skip", "imports", "step:a"],
        ["cell 2 (was 1): now plain Python, without `!pip install --quiet numpy==1.18`"],
        source={
            0: "# !pip install --quiet numpy==1.18\n%matplotlib inline",
            1: "import numpy as np",
        },
    ),
    Example(
        "installing in a cell of its own",
        "0.5",
        [
            ("skip", "!pip install pandas==0.25 \\\n    numpy\n!pip list\nprint('done')"),
            ("block:a", "x = 1"),
        ],
        ["skip", "step:a"],
        ["cell 1: its install commands are comments now"],
        source={0: "# !pip install pandas==0.25 \\\n#     numpy\n!pip list\nprint('done')"},
    ),
    Example(
        "a package that nothing imports",
        "0.5",
        [("imports", "%pip install pyarrow\nimport math"), ("block:a", "x = math.pi")],
        ["skip", "imports", "step:a"],
        left=["cell 1: no step installs pyarrow"],
    ),
    Example(
        "cells of magics only, and a step of magics only",
        "0.5",
        [
            ("imports", "%matplotlib inline\n# plots stay here"),
            ("", "import math"),
            ("block:setup", "!pip install numpy \\\n    scipy\n!nvidia-smi"),
            (["block:a", "prev:setup"], "import numpy, scipy\nx = math.pi"),
        ],
        ["skip", "imports", "skip", "step:a"],
        ["cell 3: step setup has no code left, and ends", "cell 4: prev:setup → none"],
        is_same=False,
    ),
    Example(
        "measuring time",
        "0.5",
        [
            ("block:a", "%%time\nx = 1\nif x:\n    %time y = x + 1"),
            (["block:b", "prev:a"], "%%capture out\nz = y"),
        ],
        ["step:a", "step:b prev:a"],
        source={0: "x = 1\nif x:\n    y = x + 1", 1: "z = y"},
        is_same=False,
    ),
    Example(
        "a command in the middle keeps its place",
        "0.5",
        [
            (["block:a", "limit:nvidia.com/gpu:1"], "folder = 'a'\n!mkdir -p {folder}\nx = folder"),
            (["block:b", "prev:a"], "y = x"),
        ],
        ["step:a limit:nvidia.com/gpu:1", "skip", "step:a", "step:b prev:a"],
        left=["cell 2: step a ran `!mkdir -p {folder}` and no longer does"],
        source={0: "folder = 'a'", 1: "!mkdir -p {folder}", 2: "x = folder"},
    ),
    Example(
        "a cell in another language",
        "0.5",
        [
            ("block:a", "x = 1"),
            ("", "%%bash\nwget http://example.org/data.csv"),
            (["block:b", "prev:a"], "y = x"),
        ],
        ["step:a", "skip", "step:b prev:a"],
        left=["cell 2: step a ran this `%%bash` cell and no longer does"],
        is_same=False,
    ),
    Example(
        "a magic whose value the code uses",
        "0.5",
        [("block:a", "files = !ls\nx = len(files)")],
        ["step:a"],
        left=["cell 1: magic: `files = !ls`"],
        compiles=False,
        is_same=False,
    ),
    Example(
        "a text that looks like a magic, beside one",
        "0.5",
        [("block:a", "%config Application\nx = '''\n!ls\n'''")],
        ["skip", "step:a"],
        source={0: "%config Application", 1: "x = '''\n!ls\n'''"},
        is_same=False,
    ),
    Example(
        "a command with a comment above it, in a cell of its own",
        "0.5",
        [("block:a", "x = 1"), ("", "# the data\n!wget http://example.org/data.csv")],
        ["step:a", "skip"],
        left=["cell 2: step a ran `!wget http://example.org/data.csv` and no longer does"],
        source={1: "# the data\n!wget http://example.org/data.csv"},
    ),
    Example(
        "a magic inside a block of code, and one that is only text",
        "0.5",
        [("block:a", "x = '''\n!ls\n'''\nif x:\n    !ls")],
        ["step:a"],
        left=["cell 1: magic: "],
        compiles=False,
        is_same=False,
    ),
]

SETTINGS = [
    Example(
        "no metadata at all",
        "0.3",
        [("block:a", "x = 1")],
        ["step:a"],
        ["metadata: pipeline_name none → ", "language_info is added", "kernel none → python3"],
        metadata={},
    ),
    Example(
        "an image, names and a description that Kale refuses",
        "0.5",
        [("block:a", "x = 1")],
        ["step:a"],
        ["pipeline_name My_Pipe → my-pipe", "It's\nmine → It’s mine", "kernel kale → python3"],
        ["the steps ran in the image me/mine:1"],
        metadata={
            **old_metadata(
                docker_image="me/mine:1",
                pipeline_name="My_Pipe",
                pipeline_description="It's\nmine",
            ),
            "kernelspec": {"display_name": "Kale", "language": "python", "name": "kale"},
        },
    ),
    Example(
        "volumes: existing ones stay",
        "0.5",
        [("block:a", "x = open('/data/a.csv').name")],
        ["step:a"],
        ["volume data (clone) is removed", "volume models keeps name, mount_point and type"],
        ["the volume at /data was made or cloned for each run, which Kale no longer does (cell 1"],
        metadata=old_metadata(
            autosnapshot=True,
            volumes=[
                {
                    **{"type": kind, "name": name, "mount_point": f"/{name}", "size": "5"},
                    **{"size_type": "Gi", "snapshot": False, "annotations": []},
                }
                for kind, name in (("clone", "data"), ("pvc", "models"))
            ],
        ),
    ),
    Example(
        "what holds for all steps",
        "0.5",
        [("block:a", "x = 1"), (["block:b", "prev:a", "label:team:red"], "y = x")],
        ["step:a label:team:blue", "step:b prev:a label:team:red"],
        ["steps_defaults → tags of each step: label:team:blue limit:memory:1Gi"],
        ["limit:memory:1Gi held for all steps and is gone"],
        metadata=old_metadata(steps_defaults=["label:team:blue", "limit:memory:1Gi"]),
    ),
    Example(
        "a search with Katib",
        "0.5",
        [("pipeline-parameters", "rate = 0.5"), ("block:a", "x = rate")],
        ["pipeline-parameters parameters", "step:a"],
        ["katib_metadata is removed"],
        ["the search of rate is no longer part of the notebook"],
        metadata=old_metadata(
            katib_run=True,
            katib_metadata={"parameters": [{"name": "rate", "parameterType": "double"}]},
        ),
    ),
    Example(
        "the metadata of the first examples of Kale, misspelt",
        "0.3",
        [("block:a", "x = 1")],
        ["step:a"],
        ["kubeflow_noteobok → kubeflow_notebook"],
        metadata={
            "kernelspec": KERNEL,
            "kubeflow_noteobok": {"pipeline_name": "candies", "deploy": True},
            "language_info": LANGUAGE,
        },
    ),
]

EXAMPLES = [*TAGS, *IMPORTS, *MAGICS, *SETTINGS]
