"""What a step's outcome depends on: parameters, inputs, code and libraries. Its hash is the step's key."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelflow.documents import Document, Report
from reelflow.errors import BundleError
from reelflow.files import fingerprint, sha256_file, sha256_text
from reelflow.params import Section
from reelflow.provenance.code import code_hash
from reelflow.provenance.libraries import library_versions

PROVENANCE = "provenance.json"


class Provenance(Document):
    """All that a step's outcome depends on."""

    step: str
    options: dict[str, str]
    params: dict[str, Any]
    inputs: dict[str, str]
    code: str
    libraries: dict[str, str]
    python: str

    @property
    def key(self) -> str:
        """Short name of this outcome."""
        return sha256_text(self.to_json())[:16]


def describe_step(
    step: str, params: Section, inputs: Mapping[str, Path], options: Mapping[str, str]
) -> Provenance:
    """All that the outcome of a step depends on.

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
    """What stands for an input: the hash of its report, or of its listing where it has none.

    Raises:
        BundleError: there is nothing at `path`.
    """
    if not path.exists():
        raise BundleError(f"{path} does not exist: run the step that writes it, or correct the path")
    reports = {kind.file_name for kind in Report.__subclasses__()}
    files = path.rglob("*.json") if path.is_dir() else ()
    found = sorted(file for file in files if file.name in reports and file.is_file())
    if not found:
        return fingerprint(path)
    return sha256_text("".join(sha256_file(file) for file in found))
