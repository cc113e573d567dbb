"""References to variables in a container's words are expanded as the kubelet expands them."""

from fastkf.base.expansion import read_command


def test_a_variable_knows_those_before_it():
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "C"}]
    container = {"command": ["run", "$(B)", "$$(B)"], "args": ["[$(C)]", "$(D)"], "env": env}
    assert read_command(container) == ["run", "12", "$(B)", "[]", "$(D)"]
