"""`python -m infra.images.build [NAME ...]`: builds, tests and scans images; pushes or loads them if asked.

An image is tested and scanned while the next one is built. It has its own name only after that: the version
and a digest of what it is built from. One that is there already is not built again. build/images.json lists
name -> reference, by digest where it was pushed, from the moment an image is finished.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from infra.images import engine
from infra.images.commands import run
from infra.images.content import content_tag, key
from infra.images.context import (
    BUILD,
    CHANNEL,
    CHANNEL_FILE,
    CONTAINERFILE,
    HARDENED,
    HERE,
    NAMES,
    NOT_USED,
    ON_REQUEST,
    SERVER,
    Requirements,
    gather,
    gather_packages,
    has,
    layers,
    step_of,
)
from infra.images.delivery import ClusterKind, Delivery
from infra.images.scan import scan
from infra.images.source import Source, source_of
from infra.images.view import ImagesView, open_view
from pipelines.console import wide_console
from pipelines.images import BUILT, needed_images
from reelflow.commandline import run_command
from reelflow.errors import ParamsError, ReelflowError
from reelflow.files import write_text
from reelflow.params import load_params

LISTS = BUILD / "images"
OFFLINE_BASE = "reelflow-base:bookworm"
ALL = "all"


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Images; those that the params need if none; all: every one but training-gpu."),
    ] = None,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    base: Annotated[str, typer.Option(help="Image with Python 3.11, by digest.")] = OFFLINE_BASE,
    push: Annotated[str, typer.Option(help="Registry and prefix to push to.")] = "",
    load_into: Annotated[
        ClusterKind | None, typer.Option("--load", help="A cluster without a registry to load into.")
    ] = None,
    index: Annotated[Path, typer.Option(help="JSON file of the references.")] = BUILT,
) -> None:
    """Build, test and scan images; push or load them if asked."""
    chosen = choose(names or (), params)
    if base == OFFLINE_BASE:
        run([HERE / "offline-base.sh"], "the offline base")
    elif "@sha256:" not in base:
        raise ParamsError(f"BASE={base} may change under its name: name it by digest, IMAGE@sha256:...")
    try:
        with open_view(chosen, wide_console()) as view:
            build_all(chosen, source_of(base), Delivery(index, push, load_into), view)
    finally:
        engine.remove_stages()


def choose(names: Sequence[str], params: Path) -> tuple[str, ...]:
    """The names of the images to build.

    Args:
        names: that are asked for; none: those that a run with the params needs, and MLflow's.
        params: the params file.

    Raises:
        ParamsError: there is no image of such a name, or the params cannot be read.
    """
    if unknown := sorted(set(names) - {*NAMES, ALL}):
        raise ParamsError(f"no image is called {', '.join(unknown)}; there are {', '.join(NAMES)}, and {ALL}")
    if not names:
        return tuple(sorted({SERVER, *needed_images(load_params(params))}))
    every = [name for name in NAMES if name not in ON_REQUEST] if ALL in names else []
    return tuple(dict.fromkeys([*every, *(name for name in names if name != ALL)]))


def build_all(names: Sequence[str], source: Source, delivery: Delivery, view: ImagesView) -> None:
    """Build, test, scan and deliver images, one after another.

    Raises:
        ReelflowError: an image cannot be built, or must not be used.
    """
    with ThreadPoolExecutor(max_workers=1) as checker:
        ends: list[Future[None]] = []
        for name in names:
            built = _build(name, source, view)
            ends.append(checker.submit(_finish, name, built, delivery, view))
            for end in filter(Future.done, ends):
                end.result()
    for end in ends:
        end.result()


def _build(name: str, source: Source, view: ImagesView) -> str:
    """The reference of an image that is there already, or of one that is not checked yet."""
    reference = f"reelflow-{name}:{content_tag(name, source.base_digest)}"
    if engine.exists(reference):
        return reference
    if not source.revision:
        reference += engine.NO_REVISION
    parent = _harden(source)
    *shared, (_, own) = layers(name).items()
    for layer, packages in shared:
        view.stage(name, f"layer {layer}")
        parent = _share(layer, packages, parent)
    view.stage(name, "packages")
    context = gather(name)
    view.stage(name, "build")
    unchecked = reference + engine.UNCHECKED
    labels = [f"--label={label}={value}" for label, value in source.labels(name).items()]
    if name == CHANNEL:
        engine.build(context, CHANNEL_FILE, parent, unchecked, *labels)
        return unchecked
    target = "server" if name == SERVER else "runtime"
    given = [f"--build-arg=STEP={step_of(name)}", f"--build-arg=REVISION={source.revision}"]
    arguments = [*given, *labels, *_bytecode(own), f"--target={target}"]
    engine.build(context, CONTAINERFILE, parent, unchecked, *arguments)
    return unchecked


def _harden(source: Source) -> str:
    """The base without what is forbidden in images; built once."""
    reference = f"reelflow-hardened:{key(source.base_digest, HARDENED.read_text())}"
    if not engine.exists(reference):
        engine.build(HERE, HARDENED, source.base, reference)
    return reference


def _share(layer: str, packages: Requirements, parent: str) -> str:
    """A layer that images share; built once."""
    files = (CONTAINERFILE, NOT_USED, HERE / "context.py")
    inputs = (parent, *sorted(packages), *(path.read_text(encoding="utf-8") for path in files))
    reference = f"reelflow-{layer}:{key(*inputs)}"
    if not engine.exists(reference):
        context = gather_packages(layer, packages)
        engine.build(context, CONTAINERFILE, parent, reference, *_bytecode(packages), "--target=packages")
    return reference


def _bytecode(packages: Requirements) -> list[str]:
    wanted = has(packages, "tensorflow-cpu") or has(packages, "tensorflow") or has(packages, SERVER)
    return ["--build-arg=BYTECODE=1"] if wanted else []


def _finish(name: str, reference: str, delivery: Delivery, view: ImagesView) -> None:
    """Check an image unless that was done here before, and deliver it."""
    checked = LISTS / f"{name}.checked"
    if not checked.exists() or checked.read_text(encoding="utf-8") != reference:
        _check(name, reference, view)
        reference = engine.accept(reference)
        write_text(checked, reference)
    view.stage(name, delivery.stage)
    delivery.deliver(name, reference)
    view.done(name, reference, engine.size_bytes(reference))


def _check(name: str, reference: str, view: ImagesView) -> None:
    if name != SERVER:
        view.stage(name, "test")
        _test(name, reference)
    view.stage(name, "scan")
    if problems := scan(name, reference, LISTS):
        listed = "\n\t".join(problems)
        raise ReelflowError(f"image {reference} must not be used:\n\t{listed}")


def _test(name: str, reference: str) -> None:
    """Check that the step or the command starts, and that KFP can run a component, as the image's user."""
    step = step_of(name)
    command = ["docker", "run", "--rm", "--interactive", "--network=none", reference]
    if name == CHANNEL:
        run([*command, "python", "-m", "pipelines.channel", "refresh", "--help"], f"{name}'s command line")
        return
    run([*command, "python", "-m", f"components.{step}", "--help"], f"{name}'s command line")
    check = (HERE / "check.py").read_text(encoding="utf-8")
    run([*command, "python", "-", step], f"{name}'s test", check)


if __name__ == "__main__":
    run_command(main)
