"""`python -m infra.images.build [NAME ...]`: builds, tests and scans the images, and pushes them if asked.

A context holds all that a build needs, wheels included, so that the build itself needs no network. What
was built stands in build/images.json: name -> reference, by digest where it was pushed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from components.images import image as reference_of
from infra.images.scan import scan
from reelflow import __version__
from reelflow.commandline import run_command
from reelflow.errors import ParamsError, ReelflowError
from reelflow.files import write_text

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build"
INDEX = BUILD / "images.json"
OFFLINE_BASE = "reelflow-base:bookworm"
LOCKS = ROOT / "requirements" / "images"
RUNTIME_LOCK = LOCKS / "kfp.txt"
SERVER = "mlflow"
ON_REQUEST = ("training-gpu",)
NAMES = tuple(sorted(path.stem for path in LOCKS.glob("*.txt") if path != RUNTIME_LOCK))
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.md", "*.in")


@dataclass(frozen=True)
class Source:
    """What an image is made of, for its labels."""

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
        _run([HERE / "offline-base.sh"], "the offline base")
    elif "@sha256:" not in base:
        raise ParamsError(f"BASE={base} may change under its name: name it by digest, IMAGE@sha256:...")
    source = _source(base)
    references = {name: build(name, source) for name in chosen}
    if push:
        references = {name: _push(reference, push) for name, reference in references.items()}
    known = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    write_text(index, json.dumps(known | references, indent=2, sort_keys=True) + "\n")
    _print_table(references)


def build(name: str, source: Source) -> str:
    """Build an image, test it and scan it; returns its reference.

    Raises:
        ReelflowError: it cannot be built, or must not be used.
    """
    print(f"{name}: build", flush=True)  # noqa: T201
    reference = reference_of(name)
    context = _gather(name, _download(name))
    labels = [f"--label={key}={value}" for key, value in source.labels(name).items()]
    arguments = [f"--build-arg=BASE={source.base}", f"--build-arg=STEP={step_of(name)}"]
    target = "server" if name == SERVER else "runtime"
    _docker_build(context, [*arguments, *labels, f"--target={target}", f"--tag={reference}"], name)
    if name != SERVER:
        _docker_build(context, [*arguments, "--target=test"], f"{name}'s test")
    if problems := scan(name, reference, BUILD / "images"):
        listed = "\n\t".join(problems)
        raise ReelflowError(f"image {reference} must not be used:\n\t{listed}")
    return reference


def step_of(name: str) -> str:
    """The step that an image runs: `features-float` is one of features."""
    return name.partition("-")[0]


def locks(name: str) -> tuple[Path, ...]:
    """The hashed requirement files of an image."""
    lock = LOCKS / f"{name}.txt"
    return (lock,) if name == SERVER else (lock, RUNTIME_LOCK)


def _download(name: str) -> Path:
    """The wheels that the locks name, downloaded with pip's own settings of index and certificates."""
    content = b"".join(lock.read_bytes() for lock in locks(name))
    folder = BUILD / "wheels" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command.append("--ignore-requires-python")  # as uv does with upper bounds, which wheels outlive
        files = [f"--requirement={lock}" for lock in locks(name)]
        _run([*command, "--require-hashes", *files, f"--dest={partial}"], f"the wheels of {name}")
        partial.rename(folder)
    return folder


def _gather(name: str, wheels: Path) -> Path:
    """Put a build's context together."""
    context = BUILD / "contexts" / name
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(wheels, context / "wheels", copy_function=os.link)
    (context / "requirements").mkdir()
    for lock in locks(name):
        shutil.copy(lock, context / "requirements")
    for package in ("reelflow", "components"):
        shutil.copytree(ROOT / package, context / package, ignore=NOT_SHIPPED)
    for file in (HERE / "prune.txt", HERE / "check.py", Path(sys.executable).with_name("uv")):
        shutil.copy(file, context)
    return context


def _docker_build(context: Path, arguments: Iterable[str], what: str) -> None:
    command = ["docker", "build", "--quiet", "--network=none", f"--file={HERE / 'Containerfile'}"]
    _run([*command, *arguments, context], what)


def _push(reference: str, prefix: str) -> str:
    """Push an image; returns its reference by digest."""
    target = f"{prefix.rstrip('/')}/{reference}"
    _run(["docker", "tag", reference, target], target)
    _run(["docker", "push", "--quiet", target], target)
    repository = target.rpartition(":")[0]
    digests: list[str] = json.loads(
        _ask("docker", "image", "inspect", "--format={{json .RepoDigests}}", target)
    )
    return next(digest for digest in digests if digest.startswith(f"{repository}@"))


def _source(base: str) -> Source:
    revision = _ask("git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or _ask("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    created = datetime.fromtimestamp(int(seconds or 0), UTC).isoformat().replace("+00:00", "Z")
    return Source(base, revision or "unknown", created)


def _digest(base: str) -> str:
    _, at, digest = base.partition("@")
    return digest if at else _ask("docker", "image", "inspect", "--format={{.Id}}", base)


def _ask(*command: str) -> str:
    """What a command prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _run(command: Sequence[str | Path], what: str) -> None:
    """Run a command that tells nothing unless it fails."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ReelflowError(f"{what}: there is no program {error.filename}; install it") from error
    if done.returncode:
        told = "\n\t".join(done.stdout.strip().splitlines()[-20:])
        raise ReelflowError(f"{what}: {command[0]} ended with {done.returncode}:\n\t{told}")


def _print_table(references: dict[str, str]) -> None:
    for name, reference in references.items():
        size = int(_ask("docker", "image", "inspect", "--format={{.Size}}", reference) or 0)
        print(f"{name:16} {size / 1e6:6.0f} MB  {reference}")  # noqa: T201


if __name__ == "__main__":
    run_command(main)
