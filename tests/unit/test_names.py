"""Names in code: what a cell binds, writes into, uses and imports."""

import ast

import pytest

from fastkf.notebook.names import Names


def names(source: str) -> Names:
    return Names.of(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("x = y = 1", {"x", "y"}),
        ("x, (y, *z) = 1, (2, 3)", {"x", "y", "z"}),
        ("x += 1", {"x"}),
        ("del x", {"x"}),
        ("x: int = 1", {"x"}),
        ("def f(x):\n    y = x", {"f"}),
        ("class C:\n    x = 1", {"C"}),
        ("for x in y:\n    z = x", {"x", "z"}),
        ("with f() as x:\n    pass", {"x"}),
        ("try:\n    x = 1\nexcept E as error:\n    y = error", {"x", "error", "y"}),
        ("import a.b, c as d", {"a", "d"}),
        ("from a import b, c as d", {"b", "d"}),
        ("y = lambda x: x", {"y"}),
        ("y = [x for x in z]", {"y"}),
        ("y = {x: z for x, z in w}", {"y"}),
        ("y = [(x := z) for z in w]", {"y", "x"}),
        ("match y:\n    case [1, *x] as z:\n        pass", {"x", "z"}),
        ("match y:\n    case {'a': 1, **x}:\n        pass", {"x"}),
        ("x[0] = 1\nx.y = 2\nf(x)", set()),
    ],
)
def test_bound(source, bound):
    assert names(source).bound == bound


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("x[0] = 1", {"x"}),
        ("x.y = 1", {"x"}),
        ("x.y[0].z = 1", {"x"}),
        ("del x[0]", {"x"}),
        ("x[0] += 1", {"x"}),
        ("f(x)[0] = 1", set()),
        ("y = x[0]", set()),
    ],
)
def test_written(source, written):
    assert names(source).written == written
    assert names(source).changed == names(source).bound | written


def test_used_are_those_in_functions_too():
    assert names("def f(x):\n    return x + y\nz = f(1)").used == {"x", "y", "z", "f"}


def test_imported_are_those_in_functions_too():
    assert names("import a.b\ndef f():\n    from c import d as e").imported == {"a", "e"}


def test_no_tree_has_no_names():
    assert Names.of(None) == Names()
