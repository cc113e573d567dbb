"""The workflows are what GitHub takes, by the schema that check-jsonschema carries."""

import re
import subprocess
import sys

import pytest
import yaml

from fastkf.course import places

WORKFLOWS = sorted((places.PROJECT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (places.PROJECT / "Makefile").read_text()


FORMS = sorted((places.PROJECT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def validate(*files, schema: str = "github-workflows") -> subprocess.CompletedProcess:
    command = ["check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    return subprocess.run([sys.executable, "-m", *command, *files], capture_output=True, text=True)


def test_the_workflows_follow_the_schema():
    assert WORKFLOWS
    validated = validate(*WORKFLOWS)
    assert validated.returncode == 0, validated.stdout


def test_the_issue_forms_follow_theirs(tmp_path):
    assert FORMS
    validated = validate(*FORMS, schema="github-issue-forms")
    assert validated.returncode == 0, validated.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text(FORMS[0].read_text().replace("type: textarea", "type: text area"))
    assert validate(broken, schema="github-issue-forms").returncode == 1


def test_a_misspelled_key_is_found(tmp_path):
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert validate(broken).returncode == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_what_make_is_asked_for_is_there(workflow):
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    commands = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    for target in re.findall(r"\bmake ([a-z-]+)", commands):
        assert f"\n{target}: " in MAKEFILE, target


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_needs_more(workflow):
    assert "\npermissions:\n  contents: read\n\n" in workflow.read_text()
