"""Which image a task needs, and what `make images` has built."""

import json
from collections.abc import Mapping
from pathlib import Path

from pipelines.training import task_names
from reelflow.backbones.registry import NEEDS_TENSORFLOW
from reelflow.errors import ParamsError
from reelflow.params import Params
from reelflow.sources.address import GitPath, parse_source

BUILT = Path(__file__).parents[1] / "build" / "images.json"
"""Where `make images` writes the references of what it has built, by name."""
ARCHITECTURE = "x86_64"
"""Of every image but that of a device: infra/images/context.py."""
PROOF, EDGE = "proof", "edge-"
"""The step whose tasks run on the image of a device, and how those images are called: `edge-aarch64`."""


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
    if step == PROOF:
        return f"{EDGE}{item}"
    if step == "features" and (item in NEEDS_TENSORFLOW or params.features.finetune.blocks):
        return "features-float"
    if step == "training" and gpu:
        return "training-gpu"
    if step == "frames" and isinstance(parse_source(params.dataset.source), GitPath):
        return "frames-dvc"
    return step


def needed_images(params: Params) -> set[str]:
    """The names of the images that the tasks of a run need, those of a cluster too."""
    return {image_name(task, params) for task in ("check", "outcome", *task_names(params))}


def read_images(path: Path = BUILT) -> Mapping[str, str]:
    """The references of built images by name.

    Raises:
        ParamsError: the file is missing, or is not what `make images` writes.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParamsError(f"{path} cannot be read ({error}): run make images") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ParamsError(f"{path} is not a list of images by name: run make images")
    return found


def reference_of(image: str, images: Mapping[str, str], task: str) -> str:
    """The reference of a task's image.

    Raises:
        ParamsError: it has not been built.
    """
    if image not in images:
        architecture = image.removeprefix(EDGE)
        make = f"images IMAGES={image}" if architecture == image else f"edge-image ARCH={architecture}"
        raise ParamsError(f"no image {image} has been built, which the task {task} needs: run make {make}")
    return images[image]
