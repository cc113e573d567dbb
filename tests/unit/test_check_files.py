"""Which files a notebook's cells open, and what of it a cluster does not have."""

import pytest
from build import write_notebook

from fastkf.notebook.check.paths import RULES, file_uses, home_file
from fastkf.notebook.model import read


def uses(folder, source, tag="step:load"):
    notebook = read(write_notebook(folder / "one.ipynb", [(tag, source)]))
    return {(use.path, use.writes) for use in file_uses(notebook)}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("frame.to_csv('a.csv')", "a.csv"),
        ("joblib.dump(model, 'a.jl')", "a.jl"),
        ("np.save('a.npy', x)", "a.npy"),
        ("torch.save(model, 'a.pt')", "a.pt"),
        ("tf.saved_model.save(model, 'models/1')", "models/1"),
        ("model.save('a.keras')", "a.keras"),
        ("open('a.txt', 'w')", "a.txt"),
        ("open('a.txt', mode='ab')", "a.txt"),
        ("ZipFile('a.zip').extractall('out')", "out"),
        ("plt.savefig('a.png')", "a.png"),
        ("sqlite3.connect('a.db')", "a.db"),
        ("h5py.File('a.h5', 'w')", "a.h5"),
        ("os.makedirs('out')", "out"),
        ("shutil.copy('/data/a', 'b.txt')", "b.txt"),
        ("Path('a.txt').write_text('x')", "a.txt"),
        ("(Path('out') / 'a.txt').open('w')", "out/a.txt"),
        ("Path('out').mkdir()", "out"),
        ("zipfile.ZipFile('a.zip', 'w')", "a.zip"),
        ("NAME = 'a'\nopen(f'{NAME}.txt', 'w')", "a.txt"),
        ("FOLDER = 'out'\nopen(os.path.join(FOLDER, 'a.txt'), 'w')", "out/a.txt"),
        ("open(os.path.join(tempfile.gettempdir(), 'a.txt'), 'w')", "/tmp/a.txt"),
        ("box = tempfile.mkdtemp()\nopen(f'{box}/a.txt', 'w')", "/tmp/box/a.txt"),
        ("box = tempfile.TemporaryDirectory()\nopen(box.name + '/a.txt', 'w')", "/tmp/box/a.txt"),
        ("open(os.path.join(os.getcwd(), 'a.txt'), 'w')", "a.txt"),
        ("open(os.path.expanduser('~/a.txt'), 'w')", "~/a.txt"),
        ("table = keras.utils.get_file(origin=URL)", "~/table"),
        ("os.system('wget -q https://host/data/a.csv?x=1')", "a.csv"),
    ],
)
def test_a_file_that_is_written_is_seen(tmp_path, source, path):
    assert (path, True) in uses(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("!wget https://host/a.csv", "a.csv"),
        ("!wget -O b.csv https://host/a.csv", "b.csv"),
        ("!curl -L https://host/a -o a.csv", "a.csv"),
        ("!curl -O https://host/a.csv", "a.csv"),
        ("!mkdir -p data && unzip -q a.zip -d data", "data"),
        ("%%writefile words.txt\none", "words.txt"),
        ("%%bash\nset -e\ntouch made.txt", "made.txt"),
    ],
)
def test_what_shell_commands_make_is_seen(tmp_path, source, path):
    assert (path, True) in uses(tmp_path, source, "skip")


@pytest.mark.parametrize(
    "source",
    [
        "frame.to_csv()",
        "frame.to_csv(name)",
        "other = frame.copy()",
        "fs.copy('bucket/a.csv', 'bucket/b.csv')",
        "fs.mkdir('bucket/new')",
        "pd.read_csv('https://host/a.csv')",
        "mlflow.load_model('models:/best/1')",
        "AutoModel.from_pretrained('google/flan')",
        "sqlite3.connect(':memory:')",
        "open(os.path.join(os.environ['DATA'], 'a.txt'), 'w')",
        "os.chdir('/tmp')\nopen('a.txt', 'w')",
        "names.index('a.txt')",
        "get_ipython().run_cell_magic()",
        "os.system('wget $URL')",
        "os.system('wget \"')",
    ],
)
def test_where_it_is_not_sure_nothing_is_said(tmp_path, source):
    assert uses(tmp_path, source) == set()


def test_a_database_is_made_by_the_first_step_and_read_by_the_next(tmp_path):
    cells = [
        ("step:make", "con = sqlite3.connect('a.db')"),
        (["step:use", "prev:make"], "con = sqlite3.connect('a.db')"),
    ]
    notebook = read(write_notebook(tmp_path / "two.ipynb", cells))
    [(cell, problem, _)] = [found for rule in RULES for found in rule.find(notebook)]
    assert cell.number == 2
    assert "cell 1 (step `make`) writes `a.db` and step `use` reads it" in problem


def test_what_a_download_in_no_step_brings_a_step_does_not_find(tmp_path):
    cells = [("skip", "!wget https://host/a.csv"), ("step:load", "pd.read_csv('a.csv')")]
    notebook = read(write_notebook(tmp_path / "two.ipynb", cells))
    [(_, problem, _)] = [found for rule in RULES for found in rule.find(notebook)]
    assert "cell 1 (which is no step) writes `a.csv` and step `load` reads it" in problem


FUNCTIONS = (
    "functions",
    "def keep(table, path='kept.csv'):\n    table.to_csv(path)\n"
    "def load(folder):\n    path = os.path.join(folder, 'a.csv')\n    return pd.read_csv(path)\n"
    "def load_all(folder):\n    return [load(folder)]",
)


@pytest.mark.parametrize(
    ("call", "use"),
    [
        ("keep(t)", ("kept.csv", True)),
        ("keep(t, 'b.csv')", ("b.csv", True)),
        ("keep(path='b.csv', table=t)", ("b.csv", True)),
        ("load_all('data')", ("data/a.csv", False)),
    ],
)
def test_what_a_function_opens_the_step_opens_that_calls_it(tmp_path, call, use):
    notebook = read(write_notebook(tmp_path / "one.ipynb", [FUNCTIONS, ("step:load", call)]))
    assert [(one.path, one.writes) for one in file_uses(notebook)] == [use]


@pytest.mark.parametrize("call", ["keep(t, name)", "load(os.environ['DATA'])", "load(box)"])
def test_a_path_that_a_function_is_given_from_elsewhere_is_not_known(tmp_path, call):
    cells = [FUNCTIONS, (["pipeline-parameters"], "box = 'data'"), ("step:load", call)]
    assert file_uses(read(write_notebook(tmp_path / "one.ipynb", cells))) == []


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("box = tempfile.mkdtemp()\nkeep(t, box + '/a.csv')", "load(box)"),
        ("box = tempfile.gettempdir()\nkeep(t, f'{box}/a.csv')", "load(box)"),
        ("table = keras.utils.get_file(origin='https://host/a.csv')", "pd.read_csv(table)"),
    ],
)
def test_a_path_that_goes_to_another_step_leads_to_nothing_there(tmp_path, made, used):
    imports = ("imports", "import os, tempfile\nimport keras, tensorflow\nimport pandas as pd")
    cells = [imports, FUNCTIONS, ("step:make", f"t = pd.DataFrame()\n{made}")]
    cells.append((["step:use", "prev:make"], used))
    notebook = read(write_notebook(tmp_path / "two.ipynb", cells))
    [(cell, problem, _)] = [found for rule in RULES for found in rule.find(notebook)]
    assert cell.number == 4
    assert "files do not go from step to step" in problem


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open('{home}/words.txt').read()", "reads"),
        ("open('{home}/other.txt', 'w')", "writes"),
        ("open('{home}/.keys').read()", "reads"),
        ("open('{home}/none.txt').read()", None),  # an image may have a folder of this name
        ("open('{home}/none/other.txt', 'w')", None),
        ("open('{home}2/words.txt').read()", None),
        ("open(os.path.expanduser('~/.cache/words.txt')).read()", None),
        ("open(os.path.expanduser('~/other.txt'), 'w')", None),
    ],
)
def test_a_file_of_your_home_folder_is_told(tmp_path, monkeypatch, source, found):
    home = tmp_path / "me"
    for folder in (home, tmp_path / "me2"):
        folder.mkdir()
        (folder / "words.txt").touch()
    (home / ".keys").touch()
    monkeypatch.setenv("HOME", str(home))
    assert list_home_files(tmp_path, source.format(home=home)) == ([found] if found else [])


PLACE = "p = os.path.expanduser('~/data/x.csv')"
READ = "open(p).read()"


@pytest.mark.parametrize(
    "made",
    [
        "z.extractall(os.path.expanduser('~/data'))",
        "tarfile.open(u).extractall(path=os.path.expanduser('~/data'))",
        "shutil.copytree('/data', os.path.expanduser('~/data'))",
        "shutil.unpack_archive('/a.zip', os.path.expanduser('~/data'))",
        "f = Path.home() / 'data/x.csv'\nf.open('a').write('1')",
        "torch.hub.download_url_to_file(URL, p)",
        "keras.utils.get_file('{home}/data/x.csv', origin=URL)",
        "hf_hub_download('a/b', 'x.csv', local_dir=os.path.expanduser('~/data'))",
        "gdown.download(URL, output=p)",
        "os.symlink('/data/x.csv', p)",
        "subprocess.run(['cp', '/data/x.csv', p])",
        "subprocess.run('cp /data/x.csv ~/data/', shell=True)",
        "os.system('wget -P ~/data https://a.b/x.csv')",
        "os.system('cd ~ && wget https://a.b/x.csv')",
        "assert os.path.exists(p)",
        "os.makedirs('{home}/data', exist_ok=True)",
    ],
)
def test_what_the_step_itself_may_have_put_into_its_home_is_not_told(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list_home_files(tmp_path, f"{PLACE}\n{made.format(home=tmp_path)}\n{READ}") == []


@pytest.mark.parametrize(
    "other", ["print(p)", "f = Path(p)", "os.path.dirname(p)", "fetch('/data')", "fit('y ~ x / z')"]
)
def test_what_only_names_a_file_of_the_home_folder_makes_none(other, tmp_path):
    assert list_home_files(tmp_path, f"{PLACE}\n{other}\n{READ}") == ["reads"]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("os.makedirs('{home}/models', exist_ok=True)", []),
        ("Path('{home}/models').mkdir(parents=True)", []),
        ("os.mkdir('{home}/models')", ["writes"]),
        ("os.makedirs('{home}/m', exist_ok=True)\nopen('{home}/m/a.txt', 'w')", []),
        ("open(keras.utils.get_file(origin=URL)).read()", []),
    ],
)
def test_folders_that_the_step_makes_in_the_home_folder(code, found, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").mkdir()
    assert list_home_files(tmp_path, code.format(home=tmp_path)) == found


def test_a_home_folder_on_a_volume_or_that_a_parameter_names_is_not_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "words.txt").touch()
    source = f"open('{tmp_path}/words.txt').read()"
    volumes = [{"mount_point": str(tmp_path), "type": "pvc", "name": "mine"}]
    assert list_home_files(tmp_path, source) == ["reads"]
    assert list_home_files(tmp_path, source, kale={"volumes": volumes}) == []
    named = [(["pipeline-parameters", "parameters"], f"place = '{tmp_path}/words.txt'")]
    assert list_home_files(tmp_path, "open(place).read()", named) == []
    monkeypatch.setenv("HOME", "/")
    assert list_home_files(tmp_path, source) == []


def list_home_files(folder, source, before=(), **settings):
    cells = [*before, ("step:load", source)]
    notebook = read(write_notebook(folder / "one.ipynb", cells, **settings))
    return [problem.split()[2] for _, problem, _ in home_file(notebook)]
