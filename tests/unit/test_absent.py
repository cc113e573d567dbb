import importlib
import sys

import pytest

from fastkf.base.absent import absent


def test_what_is_absent_cannot_be_imported_and_can_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ImportError), absent(["this", "sys"]):
        importlib.import_module("this")
    assert "this" not in sys.modules
    assert importlib.import_module("this")


def test_what_is_imported_already_stays():
    with absent(["pytest"]):
        assert importlib.import_module("pytest") is pytest
    assert sys.modules["pytest"] is pytest
