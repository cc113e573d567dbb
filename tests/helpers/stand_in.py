#!/usr/bin/env python3
"""Stands in for the programs that labs/kubeflow_vm.sh calls: writes each call down, and keeps
just enough state to tell a first run from a second one. Its name says which program it is.

The folder $STAND_IN holds `calls`, `clusters`, `downloads/`, and `failing`: regular expressions of
calls that fail, a line each, as "times regex" (times may be "ever").
"""

import os
import re
import shutil
import sys
from pathlib import Path

HERE = Path(os.environ["STAND_IN"])
ROOT = Path(os.environ["DESTDIR"])
NAME, ARGS = Path(sys.argv[0]).name, sys.argv[1:]
CALL = " ".join([NAME, *ARGS])
CLUSTERS = HERE / "clusters"


def option(name: str) -> str:
    return ARGS[ARGS.index(name) + 1]


def must_fail() -> bool:
    rules = [line.split(" ", 1) for line in (HERE / "failing").read_text().splitlines()]
    for rule in rules:
        if rule[0] != "0" and re.search(rule[1], CALL):
            if rule[0] != "ever":
                rule[0] = str(int(rule[0]) - 1)
                (HERE / "failing").write_text("".join(f"{' '.join(one)}\n" for one in rules))
            return True
    return False


def kind() -> None:
    clusters = CLUSTERS.read_text().split()
    if ARGS[:2] == ["get", "clusters"]:
        print("\n".join(clusters))
    elif ARGS[:2] == ["create", "cluster"]:
        if option("--name") in clusters:
            sys.exit("a cluster with that name exists")
        CLUSTERS.write_text("\n".join([*clusters, option("--name")]))
    elif option("--name") not in clusters:
        sys.exit("no such cluster")
    elif "--kubeconfig" in ARGS:
        Path(option("--kubeconfig")).write_text("kubeconfig\n")


def docker() -> None:
    if ARGS[0] == "start" and ARGS[1].removesuffix("-control-plane") not in CLUSTERS.read_text():
        sys.exit("no such container")


def curl() -> None:
    target = Path(option("--output"))
    if target != Path("/dev/null"):
        shutil.copyfile(HERE / "downloads" / ARGS[-1].rpartition("/")[2], target)


def apt_get() -> None:
    if "docker.io" in ARGS:
        os.symlink(HERE / "stand_in.py", Path(sys.argv[0]).with_name("docker"))


def systemctl() -> None:
    if ARGS[-1].startswith("forward-") and not (ROOT / "etc/systemd/system" / ARGS[-1]).is_file():
        sys.exit(f"Unit {ARGS[-1]} not found")


def sysctl() -> None:
    if not Path(ARGS[-1]).is_file():
        sys.exit("no such file")


ANSWERS = {
    "id": "0",
    "uname": "x86_64",
    "df": "Avail\n  57",
    "free": "        total  used\nMem:    8150  900",
    "getent": "ada:x:1000:1000::/home/ada:/bin/bash",
}
ACTIONS = {
    "apt-get": apt_get,
    "curl": curl,
    "docker": docker,
    "kind": kind,
    "sysctl": sysctl,
    "systemctl": systemctl,
}

with (HERE / "calls").open("a") as calls:
    calls.write(CALL + "\n")
if must_fail():
    sys.exit(f"{NAME}: made to fail")
if NAME in ANSWERS:
    print(os.environ.get(f"ANSWER_{NAME}", ANSWERS[NAME]))
elif NAME in ACTIONS:
    ACTIONS[NAME]()
