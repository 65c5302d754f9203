"""`python -m infra.edge.image ARCHITECTURE`: builds the image of the device's command from dist/.

Packages are wheels for that architecture, so that a build runs nothing of it. The image is called
`reelflow-edge:ARCHITECTURE`, and by its version and content too. It is pushed or loaded into a cluster if
asked, and build/images.json lists it as `edge-ARCHITECTURE`, for the task that proves a bundle.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.images import engine
from infra.images.commands import run
from infra.images.content import key
from infra.images.context import BUILD, ROOT
from infra.images.delivery import ClusterKind, Delivery
from pipelines.images import BUILT, EDGE
from reelflow import __version__
from reelflow.commandline import run_command
from reelflow.errors import ParamsError
from reelflow.files import sha256_file
from reelflow.params import Architecture

HERE = Path(__file__).parent
CONTAINERFILE = HERE / "Containerfile"
DIST = ROOT / "dist"
LOCK = DIST / "edge.txt"
DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}
ONLY_WHEELS = ("--only-binary=:all:", "--python-version=3.11", "--compile-bytecode")


def main(
    architecture: Annotated[Architecture, typer.Argument(help="Of the device.")],
    base: Annotated[
        str,
        typer.Option(
            help="Image of that architecture with Python 3.11, by digest; else Debian is bootstrapped."
        ),
    ] = "",
    push: Annotated[str, typer.Option(help="Registry and prefix to push to.")] = "",
    load_into: Annotated[
        ClusterKind | None, typer.Option("--load", help="A cluster without a registry to load into.")
    ] = None,
    index: Annotated[Path, typer.Option(help="JSON file of the references.")] = BUILT,
) -> None:
    """Build the image of the device's command; push or load it if asked."""
    if base and "@sha256:" not in base:
        raise ParamsError(f"BASE={base} may change under its name: name it by digest, IMAGE@sha256:...")
    reference = build(architecture, base or offline_base(architecture))
    Delivery(index, push, load_into).deliver(f"{EDGE}{architecture}", reference)
    typer.echo(reference)


def offline_base(architecture: str) -> str:
    """Debian as on a device, from Debian's own packages; built once.

    Raises:
        ReelflowError: it cannot be built.
    """
    debian = DEBIAN[architecture]
    run([HERE / "device-root.sh", debian], f"Debian for {architecture}")
    return f"reelflow-device:bookworm-{debian}"


def build(architecture: str, base: str) -> str:
    """Build the image on a base; returns its name.

    Raises:
        ReelflowError: a package has no wheel for the architecture, or the engine refuses.
    """
    (wheel,) = DIST.glob("reelflow-*.whl")
    content = key(engine.image_id(base) or base, *map(sha256_file, (wheel, LOCK, CONTAINERFILE)))
    reference = f"reelflow-edge:{__version__}-{content}-{architecture}"
    if not engine.exists(reference):
        context = _packages(architecture, wheel)
        engine.build(context, CONTAINERFILE, base, reference)
    engine.tag(reference, f"reelflow-edge:{architecture}")
    return reference


def _packages(architecture: str, wheel: Path) -> Path:
    """The context: a folder `packages` with wheels of the architecture."""
    context = BUILD / "edge" / architecture
    shutil.rmtree(context, ignore_errors=True)
    prefix = context / "packages"
    uv = Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--quiet", *ONLY_WHEELS, f"--prefix={prefix}"]
    install += [f"--python-platform={architecture}-manylinux_2_28"]
    run([*install, "--require-hashes", f"--requirement={LOCK}"], f"packages for {architecture}")
    run([*install, "--no-index", "--no-deps", wheel], f"{wheel.name}")
    for script in prefix.glob("bin/*"):
        text = script.read_text(encoding="utf-8")
        script.write_text(re.sub(r"\A#!.*python.*", "#!/usr/bin/env python3", text), encoding="utf-8")
    return context


if __name__ == "__main__":
    run_command(main)
