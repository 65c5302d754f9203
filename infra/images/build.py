"""`python -m infra.images.build [NAME ...]`: builds, tests and scans the images, and pushes them if asked.

An image is tested and scanned while the next one is built. build/images.json lists what was built: name ->
reference, by digest where it was pushed.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from components.images import image as reference_of
from infra.images.commands import ask, run
from infra.images.context import (
    BUILD,
    HERE,
    NAMES,
    NOT_USED,
    ON_REQUEST,
    ROOT,
    SERVER,
    Requirements,
    gather,
    gather_packages,
    has,
    layers,
)
from infra.images.scan import scan
from reelflow import __version__
from reelflow.commandline import run_command
from reelflow.errors import ParamsError, ReelflowError
from reelflow.files import write_text

CONTAINERFILE = HERE / "Containerfile"
HARDENED = HERE / "hardened.Containerfile"
INDEX = BUILD / "images.json"
OFFLINE_BASE = "reelflow-base:bookworm"


@dataclass(frozen=True)
class Source:
    """The sources of an image, for its labels."""

    base: str
    revision: str
    created: str

    def labels(self, name: str) -> dict[str, str]:
        """OCI's labels of an image."""
        of = "org.opencontainers.image"
        return {
            f"{of}.title": f"reelflow-{name}",
            f"{of}.description": f"reelflow: the image of {name}",
            f"{of}.version": __version__,
            f"{of}.revision": self.revision,
            f"{of}.created": self.created,
            f"{of}.licenses": "Apache-2.0",
            f"{of}.base.name": self.base.partition("@")[0],
            f"{of}.base.digest": _digest(self.base),
        }


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Images; all but training-gpu if none.")] = None,
    base: Annotated[str, typer.Option(help="Image with Python 3.11, by digest.")] = OFFLINE_BASE,
    push: Annotated[str, typer.Option(help="Registry and prefix to push to.")] = "",
    index: Annotated[Path, typer.Option(help="JSON file of the references.")] = INDEX,
) -> None:
    """Build, test and scan images; push them if asked."""
    chosen = tuple(names or (name for name in NAMES if name not in ON_REQUEST))
    if unknown := sorted(set(chosen) - set(NAMES)):
        raise ParamsError(f"no image is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if base == OFFLINE_BASE:
        run([HERE / "offline-base.sh"], "the offline base")
    elif "@sha256:" not in base:
        raise ParamsError(f"BASE={base} may change under its name: name it by digest, IMAGE@sha256:...")
    references = build_all(chosen, _source(base))
    if push:
        references = {name: _push(reference, push) for name, reference in references.items()}
    known = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    write_text(index, json.dumps(known | references, indent=2, sort_keys=True) + "\n")
    _print_table(references)


def build_all(names: Sequence[str], source: Source) -> dict[str, str]:
    """Build, test and scan images; returns their references by name.

    Raises:
        ReelflowError: an image cannot be built, or must not be used.
    """
    with ThreadPoolExecutor(max_workers=1) as checker:
        checks = []
        for name in names:
            print(f"{name}: build", flush=True)  # noqa: T201
            checks.append(checker.submit(_check, name, _build(name, source)))
    return {name: check.result() for name, check in zip(names, checks, strict=True)}


def step_of(name: str) -> str:
    """The step that an image runs: `features-float` is one of features."""
    return name.partition("-")[0]


def _build(name: str, source: Source) -> str:
    parent = _harden(source.base)
    *shared, (_, own) = layers(name).items()
    for layer, packages in shared:
        parent = _share(layer, packages, parent)
    reference = reference_of(name)
    target = "server" if name == SERVER else "runtime"
    labels = [f"--label={key}={value}" for key, value in source.labels(name).items()]
    arguments = [f"--build-arg=STEP={step_of(name)}", *labels, *_bytecode(own)]
    _docker_build(gather(name), CONTAINERFILE, parent, reference, *arguments, f"--target={target}")
    return reference


def _harden(base: str) -> str:
    """The base without what is forbidden in images; built once."""
    reference = f"reelflow-hardened:{_key(_digest(base), HARDENED.read_text())}"
    if not _exists(reference):
        _docker_build(HERE, HARDENED, base, reference)
    return reference


def _share(layer: str, packages: Requirements, parent: str) -> str:
    """A layer that images share; built once."""
    files = (CONTAINERFILE, NOT_USED, HERE / "context.py")
    key = _key(parent, *sorted(packages), *(path.read_text(encoding="utf-8") for path in files))
    reference = f"reelflow-{layer}:{key}"
    if not _exists(reference):
        context = gather_packages(layer, packages)
        _docker_build(context, CONTAINERFILE, parent, reference, *_bytecode(packages), "--target=packages")
    return reference


def _key(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def _exists(reference: str) -> bool:
    return bool(ask("docker", "image", "inspect", "--format={{.Id}}", reference))


def _bytecode(packages: Requirements) -> list[str]:
    wanted = has(packages, "tensorflow-cpu") or has(packages, "tensorflow") or has(packages, SERVER)
    return ["--build-arg=BYTECODE=1"] if wanted else []


def _docker_build(context: Path, file: Path, parent: str, reference: str, *arguments: str) -> None:
    command = ["docker", "build", "--quiet", "--network=none", f"--file={file}", f"--tag={reference}"]
    run([*command, f"--build-arg=PARENT={parent}", *arguments, context], reference)


def _check(name: str, reference: str) -> str:
    if name != SERVER:
        _test(name, reference)
    if problems := scan(name, reference, BUILD / "images"):
        listed = "\n\t".join(problems)
        raise ReelflowError(f"image {reference} must not be used:\n\t{listed}")
    return reference


def _test(name: str, reference: str) -> None:
    """Check that the step starts, and that KFP can run a component, as the user of the image."""
    step = step_of(name)
    command = ["docker", "run", "--rm", "--interactive", "--network=none", reference]
    run([*command, "python", "-m", f"components.{step}", "--help"], f"{name}'s command line")
    check = (HERE / "check.py").read_text(encoding="utf-8")
    run([*command, "python", "-", step], f"{name}'s test", check)


def _push(reference: str, prefix: str) -> str:
    """Push an image; returns its reference by digest."""
    target = f"{prefix.rstrip('/')}/{reference}"
    run(["docker", "tag", reference, target], target)
    run(["docker", "push", "--quiet", target], target)
    repository = target.rpartition(":")[0]
    digests: list[str] = json.loads(
        ask("docker", "image", "inspect", "--format={{json .RepoDigests}}", target)
    )
    return next(digest for digest in digests if digest.startswith(f"{repository}@"))


def _source(base: str) -> Source:
    revision = ask("git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or ask("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    created = datetime.fromtimestamp(int(seconds or 0), UTC).isoformat().replace("+00:00", "Z")
    return Source(base, revision or "unknown", created)


def _digest(base: str) -> str:
    _, at, digest = base.partition("@")
    return digest if at else ask("docker", "image", "inspect", "--format={{.Id}}", base)


def _print_table(references: dict[str, str]) -> None:
    for name, reference in references.items():
        size = int(ask("docker", "image", "inspect", "--format={{.Size}}", reference) or 0)
        print(f"{name:16} {size / 1e6:6.0f} MB  {reference}")  # noqa: T201


if __name__ == "__main__":
    run_command(main)
