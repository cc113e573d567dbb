"""A pipeline that says what each step needs of a cluster: processors, memory, a GPU, a node.

python pipeline.py writes pipeline.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from components import load_digits, tell_end, train
from kfp import compiler, dsl, kubernetes


@dsl.pipeline(name="train-on-a-gpu", description="A training on a GPU that may be taken away")
def train_on_a_gpu(epochs: int = 30, checkpoints: str = "", lost_after: int = 0):
    with dsl.ExitHandler(tell_end()):
        loaded = load_digits()
        loaded.set_cpu_request("250m").set_memory_request("512Mi").set_memory_limit("1Gi")

        trained = train(
            digits=loaded.outputs["digits"],
            epochs=epochs,
            checkpoints=checkpoints,
            lost_after=lost_after,
        )
        trained.set_cpu_request("2").set_memory_request("4Gi").set_memory_limit("4Gi")
        trained.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
        trained.set_retry(num_retries=2)
        kubernetes.add_node_selector(trained, "nvidia.com/gpu.product", "NVIDIA-L4")
        kubernetes.add_toleration(trained, key="nvidia.com/gpu", operator="Exists")
        kubernetes.add_pod_label(trained, "kueue.x-k8s.io/queue-name", "team-a")
        kubernetes.set_timeout(trained, seconds=3600)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "pipeline.yaml"
    compiler.Compiler().compile(train_on_a_gpu, target)
