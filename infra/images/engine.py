"""The Docker engine: what a build asks of it."""

import json
from pathlib import Path

from infra.images.commands import ask, run

UNCHECKED = "-unchecked"
"""Ends the tag of an image until it has been tested and scanned."""

NO_REVISION = "-no-revision"
"""Ends the tag of an image of a checkout without a commit."""

STAGE = "reelflow.stage"
"""Label of stages that no image is built on (Containerfile)."""


def exists(reference: str) -> bool:
    """Whether the engine has this image."""
    return bool(image_id(reference))


def image_id(reference: str) -> str:
    """The digest of an image's configuration; empty if the engine does not have it."""
    return ask("docker", "image", "inspect", "--format={{.Id}}", reference)


def size_bytes(reference: str) -> int:
    """The size of an image with its parents, as `docker images` shows it."""
    return int(ask("docker", "image", "inspect", "--format={{.Size}}", reference) or 0)


def build(context: Path, file: Path, parent: str, reference: str, *arguments: str) -> None:
    """Build an image on another, without a network.

    Raises:
        ReelflowError: it cannot be built.
    """
    command = ["docker", "build", "--quiet", "--network=none", f"--file={file}", f"--tag={reference}"]
    run([*command, f"--build-arg=PARENT={parent}", *arguments, context], reference)


def accept(checked: str) -> str:
    """Give a checked image its own name, if it does not have it yet; returns the name."""
    reference = checked.removesuffix(UNCHECKED)
    if reference != checked:
        tag(checked, reference)
        run(["docker", "image", "rm", checked], checked)
    return reference


def tag(reference: str, target: str) -> None:
    """Give an image another name."""
    run(["docker", "tag", reference, target], target)


def push(reference: str, prefix: str) -> str:
    """Push an image; returns its reference by digest.

    Args:
        reference: of the image here.
        prefix: the registry, and a path in it.
    """
    target = f"{prefix.rstrip('/')}/{reference}"
    tag(reference, target)
    run(["docker", "push", "--quiet", target], target)
    repository = target.rpartition(":")[0]
    digests: list[str] = json.loads(
        ask("docker", "image", "inspect", "--format={{json .RepoDigests}}", target)
    )
    return next(digest for digest in digests if digest.startswith(f"{repository}@"))


def remove_stages() -> None:
    """Remove what builds leave without a name: stages from which an image has copied."""
    run(["docker", "image", "prune", "--force", f"--filter=label={STAGE}"], "build stages")
