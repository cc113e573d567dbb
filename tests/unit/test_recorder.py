"""The record of a run is written while it goes, and nobody waits for it."""

import threading

from waiting import wait_for

from fastkf.runs.model import Run
from fastkf.server import recorder


def test_the_newest_record_is_written_and_none_after_the_end(tmp_path, monkeypatch):
    written, may_go = [], threading.Event()

    def write(run):
        may_go.wait(20)
        written.append(run.name)

    monkeypatch.setattr(recorder, "write_run", write)
    one = recorder.Recorder()
    for number in range(100):
        one.note(Run(tmp_path, f"state {number}", ""))
    may_go.set()
    wait_for(lambda: "state 99" in written)
    assert len(written) <= 2
    one.end()
    one.note(Run(tmp_path, "too late", ""))
    assert "too late" not in written


def test_a_record_that_cannot_be_written_does_not_end_the_run(tmp_path):
    one = recorder.Recorder()
    one.note(Run(tmp_path / "gone", "name", ""))
    one.note(Run(tmp_path, "name", ""))
    wait_for(lambda: (tmp_path / "run.json").exists())
    one.end()


def test_what_was_never_noted_ends_at_once():
    recorder.Recorder().end()
