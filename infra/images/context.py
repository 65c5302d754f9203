"""The build context of an image: its packages and its source, so that a build needs no network.

Packages are in layers. `common` is in the image of every step, and `tensorflow` in each that needs it: they
are built once, as parents of the others, and a node pulls them once. `own` has the rest of an image's lock.
"""

import hashlib
import os
import re
import shutil
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from infra.images.commands import run

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build"
LOCKS = ROOT / "requirements" / "images"
RUNTIME_LOCK = LOCKS / "kfp.txt"
SERVER, CHANNEL = "mlflow", "channel"
NO_STEPS = (SERVER, CHANNEL)
"""Images that run no step, and need nothing of KFP."""
ON_REQUEST = ("training-gpu",)
NAMES = tuple(sorted(path.stem for path in LOCKS.glob("*.txt") if path != RUNTIME_LOCK))
OPTIONS = ("--no-deps", "--require-hashes", "--only-binary=:all:")
PLATFORM = ("--python-version=3.11", "--python-platform=x86_64-manylinux_2_28")
NOT_SHIPPED = ("__pycache__", "*.md", "*.in")
CONTAINERFILE = HERE / "Containerfile"
HARDENED = HERE / "hardened.Containerfile"
CHANNEL_FILE = HERE / "channel.Containerfile"
NOT_USED = HERE / "prune.txt"
NOT_RUN = (".pyi", ".pxd", ".h", ".a")
AWS_SERVICES = re.compile(r"s3|sts|sso.*")  # the object store and authentication

Requirements = frozenset[str]
"""Packages, each with its version and hashes, as a lock names them."""


def locks(name: str) -> tuple[Path, ...]:
    """The hashed requirement files of an image."""
    lock = LOCKS / f"{name}.txt"
    return (lock,) if name in NO_STEPS else (lock, RUNTIME_LOCK)


@cache
def requirements(name: str) -> Requirements:
    """The packages in the locks of an image."""
    lines = "\n".join(lock.read_text(encoding="utf-8") for lock in locks(name)).splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return frozenset(entry.strip() for entry in re.split(r"\n(?=\S)", text) if entry.strip())


def layers(name: str) -> dict[str, Requirements]:
    """The requirements of an image by layer: those that it shares, in their order, and its own."""
    steps = [requirements(step) for step in NAMES if step not in (*NO_STEPS, *ON_REQUEST)]
    common = frozenset.intersection(*steps)
    tensorflow = frozenset.intersection(*(step for step in steps if has(step, "tensorflow-cpu"))) - common
    rest = requirements(name)
    shared = {
        layer: packages
        for layer, packages in (("common", common), ("tensorflow", tensorflow))
        if packages <= rest
    }
    return shared | {"own": rest.difference(*shared.values())}


def step_of(name: str) -> str:
    """The step that an image runs: `features-float` is one of features."""
    return name.partition("-")[0]


def has(packages: Requirements, name: str) -> bool:
    """Whether a package is among these."""
    return any(package.startswith(f"{name}==") for package in packages)


def gather_packages(name: str, packages: Requirements) -> Path:
    """Write the context of a layer.

    Args:
        name: of the folder.
        packages: that are installed in it.

    Raises:
        ReelflowError: a package is not available.
    """
    context = BUILD / "contexts" / name
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(_install(packages), context / "packages", copy_function=os.link)
    return context


def gather(name: str) -> Path:
    """Write the context of an image: its own packages and the source.

    Raises:
        ReelflowError: a package is not available.
    """
    context = gather_packages(name, layers(name)["own"])
    for package in ("reelflow", "pipelines" if name == CHANNEL else "components"):
        shutil.copytree(ROOT / package, context / package, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    return context


def is_shipped(path: Path) -> bool:
    """Whether a file of a source folder, relative to it, is in images."""
    return not any(fnmatch(part, pattern) for part in path.parts for pattern in NOT_SHIPPED)


def _install(packages: Requirements) -> Path:
    """A folder like a virtual environment with these packages, for the interpreter of the image."""
    text = "\n".join(sorted(packages)) + "\n"
    content = text.encode() + NOT_USED.read_bytes() + Path(__file__).read_bytes()
    folder = BUILD / "packages" / hashlib.sha256(content).hexdigest()[:16]
    if not folder.exists():
        partial, lock = folder.with_suffix(".partial"), folder.with_suffix(".txt")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        lock.write_text(text, encoding="utf-8")
        uv = str(Path(sys.executable).with_name("uv"))
        command = [*_with_cache(uv), "pip", "install", "--quiet", *OPTIONS, *PLATFORM]
        run([*command, f"--prefix={partial}", f"--requirement={lock}"], f"the packages of {lock}")
        _prune(partial)
        partial.rename(folder)
    return folder


def _with_cache(uv: str) -> list[str]:
    """The command with uv's own cache, or with one here: images that share a wheel fetch it once."""
    if os.environ.get("UV_NO_CACHE", "0").lower() in ("", "0", "false"):
        return [uv]
    return ["env", "--unset=UV_NO_CACHE", uv, f"--cache-dir={BUILD / 'wheels'}"]


def _prune(prefix: Path) -> None:
    """Remove what no step uses; scripts start the image's interpreter."""
    lines = NOT_USED.read_text(encoding="utf-8").splitlines()
    patterns = [pattern for line in lines if not line.startswith("#") for pattern in line.split()]
    (prefix / ".lock").unlink(missing_ok=True)  # uv's
    for packages in prefix.glob("lib/python*/site-packages"):
        unused = [path for pattern in patterns for path in packages.glob(pattern)]
        unused += [path for path in packages.rglob("*") if path.suffix in NOT_RUN and path.is_file()]
        services = packages.glob("botocore/data/*/")
        unused += [path for path in services if not AWS_SERVICES.fullmatch(path.name)]
        for path in unused:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for script in prefix.glob("bin/*"):
        text = script.read_text(encoding="utf-8")
        script.write_text(re.sub(r"\A#!.*python.*", "#!/opt/venv/bin/python", text), encoding="utf-8")
