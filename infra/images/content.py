"""What an image is built from, as its tag: an image of other content never has the same name.

KFP's cache key holds the name of a task's image, and a node pulls only a name that it does not have.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from infra.images.context import (
    CHANNEL,
    CHANNEL_FILE,
    CONTAINERFILE,
    HARDENED,
    HERE,
    NOT_USED,
    ROOT,
    SERVER,
    is_shipped,
    requirements,
    step_of,
)
from reelflow import __version__
from reelflow.files import sha256_file

RECIPE = (CONTAINERFILE, CHANNEL_FILE, HARDENED, NOT_USED, HERE / "context.py")
"""Files that decide how an image is made of packages and sources."""


def content_tag(name: str, base_digest: str) -> str:
    """The tag of an image: the version, and a digest of its base, packages, sources and recipe.

    Args:
        name: of the image, as `features-float`.
        base_digest: of the image that it is built on.
    """
    sources = [f"{path.relative_to(ROOT)} {sha256_file(path)}" for path in sorted(shipped(name))]
    recipe = [path.read_text(encoding="utf-8") for path in RECIPE]
    return f"{__version__}-{key(base_digest, *sorted(requirements(name)), *sources, *recipe)}"


def key(*texts: str) -> str:
    """A short digest of texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def shipped(name: str) -> Iterator[Path]:
    """The source files of the project that are in an image."""
    if name == SERVER:
        return
    if name == CHANNEL:
        yield from filter(Path.is_file, (*_below(ROOT / "reelflow"), *_below(ROOT / "pipelines")))
        return
    components = ROOT / "components"
    for path in (*components.glob("*.py"), *_below(ROOT / "reelflow"), *_below(components / step_of(name))):
        if path.is_file():
            yield path


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if is_shipped(path.relative_to(folder)))
