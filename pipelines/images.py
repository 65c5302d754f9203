"""Which image a task needs."""

from reelflow.backbones.registry import NEEDS_TENSORFLOW
from reelflow.params import Params
from reelflow.sources.address import GitPath, parse_source


def image_name(task: str, params: Params, *, gpu: bool = False) -> str:
    """The name of a task's image, as `make images` calls it.

    Args:
        task: such as `features mobilenet_v2`.
        params: all values.
        gpu: on a node with a GPU.
    """
    step, item, *_ = (*task.split(), "")
    if step in ("check", "outcome"):
        return "dataset"
    if step == "features" and (item in NEEDS_TENSORFLOW or params.features.finetune.blocks):
        return "features-float"
    if step == "training" and gpu:
        return "training-gpu"
    if step == "frames" and isinstance(parse_source(params.dataset.source), GitPath):
        return "frames-dvc"
    return step
