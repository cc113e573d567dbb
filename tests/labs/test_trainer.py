"""The job of the lab on Trainer is what the Kubeflow SDK makes of the lab's functions."""

import importlib.util

import pytest
import yaml

from fastkf.base.manifests import find_misfits
from fastkf.course import places
from fastkf.notebook.model import read
from fastkf.train.manifest import read_documents
from fastkf.train.trainjob import BUILT_IN, read_trainjob

pytestmark = pytest.mark.slow

FOLDER = places.PROJECT / "labs" / "trainer"
ARGUMENTS = {
    "epochs": 3,
    "batch_size": 1000,
    "learning_rate": 0.2,
    "width": 512,
    "seed": 42,
    "data": "/flights/flights.npz",
    "checkpoint": "/flights/checkpoint.npz",
}


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def created(tmp_path_factory):
    """The TrainJob and the Experiment that the SDK would send to a cluster."""
    from kubeflow.optimizer import OptimizerClient, Search, TrainJobTemplate
    from kubeflow.trainer import CustomTrainer, KubernetesBackendConfig, TrainerClient
    from kubeflow.trainer.options import Name

    folder = tmp_path_factory.mktemp("trainer")
    cells = read(places.NOTEBOOKS / "11_trainer.ipynb").code_cells
    parts = [cell.source for cell in cells if {"imports", "functions"} & set(cell.tags)]
    (folder / "lab.py").write_text("\n\n".join(parts))
    load(folder / "lab.py").write_function(folder / "train_flights.py")
    function = load(folder / "train_flights.py").train_flights
    with load(FOLDER / "pretend_cluster.py").PretendCluster(
        FOLDER / "training-runtime.yaml", FOLDER / "jax-distributed.yaml"
    ) as cluster:
        config = cluster.write_kubeconfig(str(folder / "kubeconfig"))
        backend = KubernetesBackendConfig(namespace="me", config_file=config)
        trainer = CustomTrainer(
            func=function,
            func_args=ARGUMENTS,
            num_nodes=2,
            resources_per_node={"cpu": "1", "memory": "2Gi"},
        )
        client = TrainerClient(backend_config=backend)
        client.train(runtime="jax-on-processors", trainer=trainer, options=[Name("flights")])
        OptimizerClient(backend_config=backend).optimize(
            TrainJobTemplate(runtime="jax-on-processors", trainer=trainer),
            search_space={"learning_rate": Search.loguniform(0.01, 1)},
        )
    return cluster.created


def test_the_committed_job_is_the_sdks(created):
    assert yaml.safe_load((FOLDER / "trainjob.yaml").read_text()) == created[0]


def test_the_job_and_the_search_fit_the_models(created):
    import kubeflow_katib_api.models as katib
    import kubeflow_trainer_api.models as trainer

    job, experiment = created
    assert find_misfits(job, trainer.TrainerV1alpha1TrainJob) == []
    assert find_misfits(experiment, katib.V1beta1Experiment) == []
    trial = {"metadata": {"name": "trial"}, **experiment["spec"]["trialTemplate"]["trialSpec"]}
    assert find_misfits(trial, trainer.TrainerV1alpha1TrainJob) == []


def test_the_shell_finds_nothing_to_do_in_the_function(created):
    script = created[0]["spec"]["trainer"]["command"][2]
    function = script.partition("<< EOM")[2].rpartition("\nEOM")[0]
    assert not set(function) & set("$`\\")


def test_fastkf_train_knows_the_job_and_its_runtime():
    path = FOLDER / "trainjob.yaml"
    documents = read_documents(path)
    job = read_trainjob(path, documents[0], documents)
    assert [(one.type, one.count, one.restart_policy) for one in job.specs] == [
        ("node", 2, "OnFailure")
    ]


def test_trainers_own_runtime_is_one_and_the_same():
    spec = yaml.safe_load((FOLDER / "jax-distributed.yaml").read_text())["spec"]
    known = BUILT_IN["jax-distributed"]
    assert spec["mlPolicy"] == known["mlPolicy"]
    assert spec["template"]["spec"]["replicatedJobs"] == known["replicatedJobs"]
