"""What a step's outcome depends on: parameters, inputs, code and libraries. Its hash is the step's key."""

import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reelflow.documents import Document, Report
from reelflow.errors import BundleError
from reelflow.files import fingerprint, sha256_file, sha256_text
from reelflow.params import Section

PROVENANCE = "provenance.json"
LIBRARIES = (
    *("ai-edge-litert", "av", "keras", "numpy", "pillow"),
    *("scikit-learn", "simplejpeg", "tensorflow"),
)
SOURCES = (".py", ".j2", ".css")
ROOT = Path(__file__).parent.parent


class Provenance(Document):
    """Everything that a step's output depends on."""

    step: str
    options: dict[str, str]
    params: dict[str, Any]
    inputs: dict[str, str]
    code: str
    libraries: dict[str, str]
    python: str

    @property
    def key(self) -> str:
        """Key of this output: the first 16 digits of the hash."""
        return sha256_text(self.to_json())[:16]


def describe_step(
    step: str, params: Section, inputs: Mapping[str, Path], options: Mapping[str, str]
) -> Provenance:
    """Everything that the output of a step depends on.

    Raises:
        BundleError: an input does not exist.
    """
    return Provenance(
        step=step,
        options=dict(options),
        params=params.of_one_task(),
        inputs={name: identity(path) for name, path in inputs.items()},
        code=code_hash(step),
        libraries=library_versions(),
        python=platform.python_version(),
    )


def identity(path: Path) -> str:
    """Identity of an input: the hash of its reports, or of its file listing if it has no report.

    Raises:
        BundleError: `path` does not exist.
    """
    if not path.exists():
        raise BundleError(f"{path} does not exist: run the step that writes it, or correct the path")
    reports = {kind.file_name for kind in Report.__subclasses__()}
    files = path.rglob("*.json") if path.is_dir() else ()
    found = sorted(file for file in files if file.name in reports and file.is_file())
    if not found:
        return fingerprint(path)
    return sha256_text("".join(sha256_file(file) for file in found))


@cache
def code_hash(step: str) -> str:
    """Hash of the library's and the step's own source; of all steps for an empty name."""
    return hash_sources("reelflow", f"components/{step}")


def hash_sources(*names: str) -> str:
    """Hash of these source files and of all source files below these folders."""
    paths = [ROOT / name for name in names]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    sources = sorted(file for file in files if file.suffix in SOURCES)
    return sha256_text("\n".join(f"{file.relative_to(ROOT)} {sha256_file(file)}" for file in sources))


def content_code(*names: str, libraries: Iterable[str]) -> str:
    """Hash of these sources and of the versions of these libraries, the same wherever both are the same."""
    versions = [f"{name} {_version(name)}" for name in libraries]
    return sha256_text("\n".join([hash_sources(*names), *versions]))


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that numbers come from, where installed."""
    return {name: found for name in LIBRARIES if (found := _version(name))}


def _version(name: str) -> str:
    for distribution in (name, f"{name}-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""
