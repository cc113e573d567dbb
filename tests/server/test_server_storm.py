"""A server that is killed again and again, with runs that go, wait, and are deleted."""

import signal

import pytest
import yaml
from servers import Server, at, chain
from waiting import wait_for, wait_until_gone

pytestmark = pytest.mark.security

ROUNDS = 3
SLEEPING = (
    "import os, time\nopen(f'{place}.new', 'w').write(str(os.getpid()))\n"
    "os.rename(f'{place}.new', place)\n"
    "time.sleep(600)\nreturn 1"
)


def test_what_was_acknowledged_outlives_a_storm_of_kills(tmp_path):
    kept, deleted, pids, pid = {}, [], [], tmp_path / "pid"
    sleeping = chain(SLEEPING, parameters={"place": ""})
    for number in range(ROUNDS):
        server = Server(tmp_path, "--parallel-runs", 1)
        # The one of the round before is failed, and the oldest that waits goes.
        going = next(iter(kept), None) or server.run(sleeping, "going", **at(pid))
        kept[going] = "going"
        waiting = [server.run(sleeping, f"waiting {number}.{one}", **at(pid)) for one in range(4)]
        assert server.call("DELETE", f"/runs/{waiting[0]}") == (200, {})
        deleted.append(waiting[0])
        kept |= {run: "waiting" for run in waiting[1:]}
        package = yaml.safe_dump(chain("return 1")).encode()
        assert server.upload(package, query=f"name=pipeline-{number}")[0] == 200
        if number == 0:
            pids.append(int(wait_for(lambda: pid.exists() and pid.read_text())))
        server.stop(signal.SIGKILL)
    with Server(tmp_path, "--parallel-runs", 1) as server:
        runs = {run["run_id"]: run for run in server.call("GET", "/runs?page_size=100")[1]["runs"]}
        assert set(runs) == set(kept)
        assert not set(runs) & set(deleted)
        assert "while the run was going" in runs[next(iter(kept))]["error"]["message"]
        pipelines = server.call("GET", "/pipelines")[1]["pipelines"]
        names = {pipeline["display_name"] for pipeline in pipelines}
        assert names == {f"pipeline-{number}" for number in range(ROUNDS)}
        assert {path.name for path in (tmp_path / "runs").iterdir()} == set(kept)
        assert wait_until_gone(pids) == set()
