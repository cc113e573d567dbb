"""The picture of a pipeline: complete, forward, legible, the same bytes every time."""

import itertools
import random
import xml.etree.ElementTree as ET

import pytest
from build import write_notebook

from fastkf.notebook.model import read
from fastkf.notebook.picture import draw_picture
from fastkf.runs.drawing.layers import assign_layers, reduce_edges
from fastkf.runs.drawing.layout import lay_out
from fastkf.runs.drawing.svg import STATUSES, draw_pipeline
from fastkf.runs.text import format_seconds

SVG = "{http://www.w3.org/2000/svg}"
MODELS = ["train_forest", "train_tree", "train_svm", "train_logistic", "train_boosting"]
CHAIN = {"load": [], "split": ["load"], "train": ["split"], "evaluate": ["train"]}
TITANIC = {
    "load_data": [],
    "prepare": ["load_data"],
    **{model: ["prepare"] for model in MODELS},
    "evaluate": ["load_data", "prepare", *MODELS],
    "explain": ["evaluate"],
}
DIAMOND = {"a": [], "left": ["a"], "right": ["a"], "join": ["left", "right"]}
PARALLEL = {f"fold_{number}": [] for number in range(12)}
LONG_CHAIN = {f"step_{n}": [f"step_{n - 1}"] if n else [] for n in range(15)}
UNEVEN = {"a": [], "b": ["a"], "c": ["b"], "side": ["a"], "d": ["c", "side"]}


def random_dag(seed: int) -> dict[str, list[str]]:
    generator = random.Random(seed)
    names = [f"step_{number}" for number in range(generator.randint(1, 16))]
    return {
        name: [before for before in names[:position] if generator.random() < 0.25]
        for position, name in enumerate(names)
    }


GRAPHS = [CHAIN, TITANIC, DIAMOND, PARALLEL, LONG_CHAIN, UNEVEN, *map(random_dag, range(30))]
every_graph = pytest.mark.parametrize("graph", GRAPHS)


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def drawn_steps(svg: str) -> list[str]:
    return [g.get("data-step") for g in parse(svg).iter(f"{SVG}g") if g.get("data-step")]


def drawn_edges(svg: str) -> list[tuple[str, str]]:
    groups = parse(svg).iter(f"{SVG}g")
    return [(g.get("data-from"), g.get("data-to")) for g in groups if g.get("class") == "edge"]


def ancestors(graph: dict, step: str) -> set[str]:
    return set(graph[step]).union(*(ancestors(graph, name) for name in graph[step]))


def overlap(a, b) -> bool:
    beside = abs(a.x - b.x) * 2 < a.width + b.width
    return beside and abs(a.y - b.y) * 2 < a.height + b.height


def inside(x: float, y: float, box) -> bool:
    return abs(x - box.x) * 2 < box.width - 0.1 and abs(y - box.y) * 2 < box.height - 0.1


def between(start, end, parts: int = 16) -> list[tuple[float, float]]:
    shares = [part / parts for part in range(parts + 1)]
    return [tuple(a + (b - a) * share for a, b in zip(start, end, strict=True)) for share in shares]


@every_graph
def test_every_step_is_drawn_once(graph):
    assert sorted(drawn_steps(draw_pipeline(graph))) == sorted(graph)


@every_graph
def test_every_edge_that_no_path_implies_is_drawn(graph):
    direct = {(name, step) for step, after in graph.items() for name in after}
    implied = {
        (name, step)
        for name, step in direct
        for via in graph[step]
        if name in ancestors(graph, via)
    }
    assert sorted(drawn_edges(draw_pipeline(graph))) == sorted(direct - implied)


@every_graph
def test_reduced_edges_keep_the_order_of_the_steps(graph):
    reduced = reduce_edges(graph)
    assert all(ancestors(reduced, step) == ancestors(graph, step) for step in graph)


@every_graph
def test_edges_go_forward(graph):
    layers = assign_layers(reduce_edges(graph))
    picture = lay_out(graph)
    for step, after in graph.items():
        assert all(layers[name] < layers[step] for name in after)
    for points in picture.edges.values():
        flow = [x if picture.across else y for x, y in points]
        assert flow == sorted(flow)


@every_graph
def test_boxes_are_apart_and_inside_the_picture(graph):
    picture = lay_out(graph)
    boxes = picture.boxes.values()
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    for box in boxes:
        assert box.width / 2 <= box.x <= picture.width - box.width / 2
        assert box.height / 2 <= box.y <= picture.height - box.height / 2


@every_graph
def test_edges_pass_beside_boxes(graph):
    picture = lay_out(graph)
    for points in picture.edges.values():
        passed = [place for pair in itertools.pairwise(points) for place in between(*pair)]
        assert not any(inside(x, y, box) for x, y in passed for box in picture.boxes.values())


@every_graph
def test_same_steps_same_bytes(graph):
    assert draw_pipeline(graph, title="twice") == draw_pipeline(dict(graph), title="twice")


def test_parallel_steps_share_a_layer():
    boxes = lay_out(TITANIC).boxes
    assert len({boxes[model].x for model in MODELS}) == 1
    assert boxes["prepare"].y == boxes["evaluate"].y == boxes["explain"].y


def test_a_tangle_is_untangled():
    crossed = {"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]}
    boxes = lay_out(crossed).boxes
    assert [boxes["x"].y, boxes["y"].y, boxes["z"].y] == [boxes[step].y for step in "cba"]


def test_a_short_pipeline_reads_left_to_right_and_a_long_one_downwards():
    assert lay_out(TITANIC).across
    assert not lay_out(LONG_CHAIN).across
    assert lay_out(LONG_CHAIN).width < 300


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_colours_the_box(status):
    svg = draw_pipeline(CHAIN, statuses={"split": status}, seconds={"split": 72})
    box = next(g for g in parse(svg).iter(f"{SVG}g") if g.get("data-step") == "split")
    assert box.get("class") == f"step {status}"
    assert f".fastkf-graph .{status} rect" in svg
    note = box.findtext(f"{SVG}text[@class='state']")
    assert ("1 min 12 s" in note) == (status in ("succeeded", "failed", "running"))
    assert (status in note) == (status != "succeeded")


def test_the_picture_is_accessible():
    root = parse(draw_pipeline(DIAMOND, title="Diamond <1>"))
    assert root.get("role") == "img"
    texts = {child.get("id"): child.text for child in root if child.get("id")}
    title, description = (texts[name] for name in root.get("aria-labelledby").split())
    assert title == "Diamond <1>"
    assert description == "a at the start. left after a. right after a. join after left, right."


def test_the_description_names_the_edges_that_are_not_drawn():
    svg = draw_pipeline(TITANIC)
    assert ("load_data", "evaluate") not in drawn_edges(svg)
    assert "evaluate after load_data, prepare" in svg


def test_the_picture_has_colours_for_dark_pages():
    assert "prefers-color-scheme:dark" in draw_pipeline(CHAIN)


def test_names_are_escaped():
    svg = draw_pipeline({'<script>"&': []}, title="</title><script>")
    assert drawn_steps(svg) == ['<script>"&']
    assert "<script" not in svg


def test_a_long_name_is_shortened_but_kept_as_tooltip():
    name = "train_" + "very_" * 20 + "long"
    box = next(g for g in parse(draw_pipeline({name: []})).iter(f"{SVG}g") if g.get("data-step"))
    assert box.findtext(f"{SVG}title") == name
    assert box.findtext(f"{SVG}text").endswith("…")


def test_nothing_is_loaded_from_elsewhere():
    svg = draw_pipeline(TITANIC).replace(SVG.strip("{}"), "")
    assert not any(word in svg for word in ("http", "href", "url(", "@import"))


def test_unknown_steps_are_left_out():
    assert drawn_edges(draw_pipeline({"a": ["gone"], "b": ["a", "gone"]})) == [("a", "b")]


def test_no_steps_make_an_empty_picture():
    assert drawn_steps(draw_pipeline({})) == []


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        draw_pipeline({"a": ["b"], "b": ["a"]})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.97, "10 s"),
        (41.2, "41 s"),
        (59.7, "1 min"),
        (185, "3 min 5 s"),
        (4320, "1 h 12 min"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds, text):
    assert format_seconds(seconds) == text


def test_a_step_can_lead_somewhere_and_keeps_its_place_whatever_its_state():
    links = {step: f"#/x?step={step}&y" for step in DIAMOND}
    places = set()
    for status in STATUSES:
        states = dict.fromkeys(DIAMOND, status)
        svg = draw_pipeline(DIAMOND, statuses=states, links=links, current="left", style=False)
        root = parse(svg)
        anchors = list(root.iter(f"{SVG}a"))
        assert [a.get("href") for a in anchors] == list(links.values())
        assert [a.get("aria-current") for a in anchors] == [None, "true", None, None]
        assert root.get("role") == "group"
        assert root.find(f"{SVG}style") is None
        places.add(tuple((r.get("x"), r.get("width")) for r in root.iter(f"{SVG}rect")))
    assert len(places) == 1


@pytest.mark.security
def test_a_name_that_is_no_text_is_drawn():
    assert "half \ud800" in draw_pipeline({"half \ud800": []})


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    notebook = read(write_notebook(tmp_path / "lab.ipynb", [("step:load", "x = 1")]))
    old = draw_picture(notebook).read_text()

    def fail(*_):
        raise OSError("full")

    monkeypatch.setattr("os.replace", fail)
    other = read(write_notebook(tmp_path / "lab.ipynb", [("step:other", "x = 1")]))
    with pytest.raises(OSError, match="full"):
        draw_picture(other)
    assert [path.read_text() for path in (tmp_path / "images").iterdir()] == [old]
