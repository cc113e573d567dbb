"""The names of other packages that are called here and are no public interface of theirs.

Each may go or change with any release. What calls them is tested by its effects elsewhere; here it
stands which they are, and with which parameters, so that a new version that breaks one says so by
its name.
"""

import importlib
import inspect

import pytest

from fastkf.base import versions
from fastkf.base.errors import FastkfError
from fastkf.engine import isolation, placeholders
from fastkf.engine.warm import kale_runtime

pytestmark = pytest.mark.slow

SIGNATURES = {
    # engine/warm: what stands in for Kale's functions has their parameters, and calls this one.
    "kale.common.jputils:run_code": "source, kernel_name",
    "kale.common.jputils:process_outputs": "cells",
    "kale.common.kfputils:generate_mlpipeline_metrics": "metrics",
    "kale.common.kfputils:load_mlpipeline_metrics": "output",
    # base/connections.py, server/main.py
    "uvicorn:Server.startup": "self, sockets",
    "uvicorn:Server.capture_signals": "self",
    "uvicorn.protocols.http.h11_impl:H11Protocol": "config, server_state, app_state, _loop",
    "uvicorn.protocols.http.h11_impl:H11Protocol.connection_made": "self, transport",
    "uvicorn.protocols.http.h11_impl:H11Protocol.connection_lost": "self, exc",
    "uvicorn.protocols.http.h11_impl:H11Protocol.data_received": "self, data",
    "uvicorn.protocols.http.h11_impl:H11Protocol.pause_writing": "self",
    "uvicorn.protocols.http.h11_impl:H11Protocol.resume_writing": "self",
    "uvicorn.protocols.http.h11_impl:H11Protocol.send_400_response": "self, msg",
    # tune/tuning.py: a trial that goes on is made from the number of the one that was left.
    "optuna:Trial": "study, trial_id",
    "optuna.storages:BaseStorage.get_trial_id_from_study_id_trial_number": (
        "self, study_id, trial_number"
    ),
    # serving/server.py: kserve's REST server, with an application of its own.
    "kserve.protocol.rest.server:RESTServer.create_application": "self",
    "kserve.protocol.rest.server:RESTServer._add_middlewares": "self, app",
    "kserve.protocol.rest.server:RESTServer._register_endpoints": "self, app",
    "kserve.protocol.rest.server:RESTServer._add_exception_handlers": "self, app",
    "kserve.protocol.dataplane:DataPlane": "model_registry",
    "kserve.protocol.rest.v1_endpoints:V1Endpoints.predict": "self, model_name, request",
    "kserve.protocol.rest.v2_endpoints:V2Endpoints.infer": (
        "self, raw_request, raw_response, model_name, request_body, model_version"
    ),
    "kserve.utils.utils:get_predict_response": "payload, result, model_name",
    # notebook/kale.py
    "kale:Compiler": "pipeline, imports_and_functions",
    "kale:Compiler.generate_dsl": "self",
    "kale:NotebookProcessor.run": "self",
    "kale:NotebookProcessor.get_imports_and_functions": "self",
    "kale.common.imports:ImportInfo": "module, names, alias, is_from, line_number",
    "kale.common.imports:ImportInfo.get_pypi_package": "self",
    "kale.common.flakeutils:pyflakes_report": "code",
    "kale.common.graphutils:get_ordered_ancestors": "g, node",
    "kale.pipeline:Pipeline.get_step": "self, name",
    # engine/warm/interpreter.py: how a forked interpreter ends.
    "threading:_shutdown": "",
    "atexit:_run_exitfuncs": None,  # in C, and without a signature
}
VALUES = {
    "kfp.dsl.component_factory:EXECUTOR_MODULE": "kfp.dsl.executor_main",
    # engine/placeholders.py: part of the IR, which KFP's compiler writes.
    "kfp.dsl:WORKSPACE_PATH_PLACEHOLDER": "{{$.workspace_path}}",
    "kfp.dsl.constants:WORKSPACE_MOUNT_PATH": placeholders.WORKSPACE,
    "kfp.dsl:PIPELINE_JOB_NAME_PLACEHOLDER": "{{$.pipeline_job_name}}",
    "kfp.dsl:PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER": "{{$.pipeline_job_resource_name}}",
    "kfp.dsl:PIPELINE_JOB_ID_PLACEHOLDER": "{{$.pipeline_job_uuid}}",
    "kfp.dsl:PIPELINE_TASK_NAME_PLACEHOLDER": "{{$.pipeline_task_name}}",
    "kfp.dsl:PIPELINE_TASK_ID_PLACEHOLDER": "{{$.pipeline_task_uuid}}",
    "kfp.dsl:PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER": "{{$.pipeline_job_create_time_utc}}",
    "kfp.dsl:PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER": "{{$.pipeline_job_schedule_time_utc}}",
    "kfp.dsl:PIPELINE_ROOT_PLACEHOLDER": "{{$.pipeline_root}}",
    "kale.common.kfputils:KFP_UI_METRICS_FILE_PATH": "/tmp/mlpipeline-metrics.json",
}


def find(name: str):
    module, _, attributes = name.partition(":")
    found = importlib.import_module(module)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_called_takes_what_it_is_given(name):
    found = find(name)
    assert callable(found)
    if SIGNATURES[name] is not None:
        assert ", ".join(inspect.signature(found).parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", VALUES)
def test_what_is_read_is_what_it_was(name):
    assert find(name) == VALUES[name]


@pytest.mark.parametrize(
    "name", ["run_code", "generate_mlpipeline_metrics", "load_mlpipeline_metrics"]
)
def test_what_stands_in_for_kale_is_called_as_kale_is(name):
    module = "jputils" if name == "run_code" else "kfputils"
    theirs = inspect.signature(find(f"kale.common.{module}:{name}")).parameters
    ours = inspect.signature(getattr(kale_runtime, name)).parameters
    assert [(one.name, one.default) for one in ours.values()] == [
        (one.name, one.default) for one in theirs.values()
    ]


def test_a_version_that_was_not_tested_is_one_message(monkeypatch):
    monkeypatch.setattr(versions.metadata, "version", lambda package: "2.99.0")
    with pytest.raises(FastkfError) as caught:
        versions.check_version("kfp")
    assert caught.value.problem.startswith("kfp 2.99.0 is installed, and fastkf works with kfp<")
    assert caught.value.remedy.startswith("python -m pip install 'kfp<")


def test_a_version_that_was_tested_is_fine():
    for package in ("kfp", "kubeflow-kale"):
        versions.check_version(package)
        assert str(versions.tested_versions(package))


def test_a_package_of_an_extra_has_its_range_too():
    assert versions.tested_versions("optuna").contains("5.0.0")
    assert not versions.tested_versions("optuna").contains("6.0.0")


def test_each_statement_of_kale_that_is_changed_is_in_its_templates(tmp_path):
    """Otherwise steps would share a folder in /tmp again, and nothing would say so."""
    from build import write_notebook

    from fastkf.notebook.compile import compile_notebook
    from fastkf.notebook.model import read
    from fastkf.package.model import Package

    path = write_notebook(
        tmp_path / "two.ipynb",
        [
            ("step:load", "number = 1.0"),
            (["step:add", "prev:load"], "total = number + 1"),
            ("pipeline-metrics", "print(total)"),
        ],
    )
    package = Package.read(compile_notebook(read(path), tmp_path / "two.yaml"))
    sources = package.python_sources.values()
    isolated = [isolation.isolate(source, "/own") for source in sources]
    assert sum(source.count(isolation.MARSHAL) for source in sources) == 6
    assert sum(source.count("/own/marshal") for source in isolated) == 6
    assert not any(isolation.MARSHAL in source.replace("/own/marshal", "") for source in isolated)
    together = "\n".join(isolated)
    for ours in isolation.IMPORTS.values():
        assert ours in together
    assert isolation.OWN_METRICS_IMPORT in together
    for theirs in ("kale.common.jputils", "kale.common.kfputils", isolation.METRICS_IMPORT):
        assert theirs not in together
