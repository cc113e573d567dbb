"""A pod, its container, and the image that the container starts from."""

from tools.figures.kit import Figure


def draw() -> Figure:
    figure = Figure(
        "pod_and_image",
        "A pod and its image",
        "A registry keeps the image decision_tree:1.0. A node of the cluster pulls it once. Two "
        "pods on this node run a container each. Both containers see the files of the one image, "
        "which nobody can change, and write into a thin layer of their own that is gone with the "
        "pod. Each pod has an address, limits and volumes of its own.",
        height=512,
    )
    figure.box((15, 15, 330, 86), "registry", kind="grey", style="strong", top=True)
    figure.box((80, 43, 200, 44), "image", "decision_tree:1.0", kind="violet", style="code")
    figure.arrow((180, 101), (180, 143))
    figure.text((190, 126), "pulled once per node")
    figure.box((15, 143, 330, 288), "node: a machine of the cluster", kind="open", top=True)
    for left, number in ((27, 1), (186, 2)):
        _draw_pod(figure, left, number)
    figure.box(
        (27, 364, 306, 54), "the image, once on this node", "read-only, shared", kind="violet"
    )
    figure.text((15, 455), "When a pod ends, its own layer is gone.", style="soft")
    figure.text((15, 473), "What should stay must go to a volume", style="soft")
    figure.text((15, 491), "or to an object store.", style="soft")
    return figure


def _draw_pod(figure: Figure, left: float, number: int) -> None:
    figure.box((left, 172, 147, 176), f"pod {number}", kind="plain", style="strong", top=True)
    figure.text((left + 12, 208), f"address 10.1.0.{number + 6}")
    figure.text((left + 12, 226), "limits, volumes")
    figure.box((left + 10, 238, 127, 98), "container", kind="good", style="strong", top=True)
    figure.text((left + 20, 276), "runs python3")
    figure.box((left + 18, 286, 111, 40), "own layer:", "what it writes", kind="warm")
    figure.arrow((left + 73.5, 364), (left + 73.5, 336))
