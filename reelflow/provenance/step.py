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
GIVEN = ("source", "weights", "inflate", "train_list", "test_list")
"""Inputs that users make: a report in one of them, such as a copy of an output, says nothing about it."""


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
        inputs={
            name: identity_of_given(path) if name in GIVEN else identity(path)
            for name, path in inputs.items()
        },
        code=code_hash(step),
        libraries=library_versions(),
        python=platform.python_version(),
    )


def identity_of_given(path: Path) -> str:
    """Identity of clips or weights: the hash of their file listing.

    Raises:
        BundleError: `path` does not exist.
    """
    _check_exists(path)
    return fingerprint(path)


def identity(path: Path) -> str:
    """Identity of an output of a step: the hash of its reports, or of its file listing if it has no report.

    Raises:
        BundleError: `path` does not exist.
    """
    _check_exists(path)
    reports = {kind.file_name for kind in Report.__subclasses__()}
    files = path.rglob("*.json") if path.is_dir() else ()
    found = sorted(file for file in files if file.name in reports and file.is_file())
    if not found:
        return fingerprint(path)
    return sha256_text("".join(sha256_file(file) for file in found))


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise BundleError(f"{path} does not exist: run the step that writes it, or correct the path")
