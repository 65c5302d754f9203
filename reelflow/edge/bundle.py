"""A bundle on disk: `bundle.json` covers every file, `SHA256SUMS` covers that; checked before use."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from reelflow.contracts import BundleFile, BundleReport
from reelflow.edge.checkout import is_in_cache
from reelflow.edge.seal import RECORDS, SUMS, check_seal, is_sealed
from reelflow.errors import BundleError
from reelflow.files import sha256_file

HEAD = "head.tflite"
BACKBONE = "backbone.tflite"
GOLDEN = ("golden/frames.npy", "golden/codes.npy", "golden/features.npy", "golden/scores.npy")

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_BUNDLE_BYTES = 1024 * 1024 * 1024
MAX_FILES = 64
SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, as returned by `open_bundle`.

    Attributes:
        folder: its folder.
        report: its `bundle.json`.
    """

    folder: Path
    report: BundleReport

    def path(self, name: str) -> Path:
        """Path of one of its files."""
        return self.folder / name

    @property
    def is_sealed(self) -> bool:
        """Whether `bundle.json`, `lineage.json` and `provenance.json` are covered by `SHA256SUMS`."""
        return is_sealed(self.folder)

    def array(self, name: str) -> NDArray[np.generic]:
        """One of its golden vectors, memory-mapped.

        Raises:
            BundleError: the file is not a plain `.npy` array, or is truncated.
        """
        try:
            found: NDArray[np.generic] = open_memmap(self.path(name), mode="r")
        except (OSError, EOFError, OverflowError, SyntaxError, TypeError, ValueError) as error:
            raise BundleError(f"{self.path(name)} is not a complete .npy array: {error}") from error
        return found


def open_bundle(folder: Path) -> Bundle:
    """Read `bundle.json` and check every file that it names, and the records beside it.

    Args:
        folder: the bundle.

    Raises:
        BundleError: a file is missing, altered, unlisted, or outside the folder.
    """
    with _readable(folder):
        _check_manifest(folder)
        check_seal(folder)
        report = BundleReport.open(folder)
        _check_listing(folder, report)
        for name, expected in report.files.items():
            _check_file(folder, name, expected)
        _refuse_unlisted_models(folder, report)
    return Bundle(folder, report)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise BundleError(f"{where} cannot be read ({error.strerror}): copy the bundle again") from error


def _check_manifest(folder: Path) -> None:
    """Check what `bundle.json` and the files beside it are, before one is read."""
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a bundle: expected a folder with {BundleReport.file_name} in it")
    size_bytes = _regular_size_bytes(folder, BundleReport.file_name)
    if size_bytes > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{folder / BundleReport.file_name} has {size_bytes} bytes, "
            f"expected at most {MAX_MANIFEST_BYTES}: not read"
        )
    for name in (SUMS, *RECORDS):
        if os.path.lexists(folder / name):
            _regular_size_bytes(folder, name)


def _check_listing(folder: Path, report: BundleReport) -> None:
    """Checks on the manifest alone, before any file is opened."""
    names = set(report.files)
    if len(names) > MAX_FILES:
        raise BundleError(f"{folder} lists {len(names)} files; a bundle has at most {MAX_FILES}")
    if unsafe := sorted(name for name in names if not SAFE_NAME.fullmatch(name)):
        raise BundleError(f"{folder} lists {unsafe[0]!r}: expected plain names inside the bundle")
    if missing := sorted(_required(report) - names):
        raise BundleError(f"{folder} does not list {', '.join(missing)}: the bundle is incomplete")
    if report.backbone_quantization == "none" and BACKBONE in names:
        raise BundleError(f"{folder} lists {BACKBONE}, but says that its backbone has no network")
    if len(set(report.labels)) != len(report.labels) or not report.labels:
        raise BundleError(f"{folder} has no labels, or duplicate ones: export it again")
    size_bytes = sum(file.size_bytes for file in report.files.values())
    if size_bytes > MAX_BUNDLE_BYTES or size_bytes != report.size_bytes:
        raise BundleError(
            f"{folder} lists {size_bytes} bytes of files and claims {report.size_bytes}: "
            f"expected the same number, at most {MAX_BUNDLE_BYTES}"
        )


def _required(report: BundleReport) -> set[str]:
    return {HEAD, *GOLDEN} | (set() if report.backbone_quantization == "none" else {BACKBONE})


def _check_file(folder: Path, name: str, expected: BundleFile) -> None:
    size_bytes = _regular_size_bytes(folder, name)
    if size_bytes != expected.size_bytes:
        raise BundleError(
            f"{folder / name} has {size_bytes} bytes, expected {expected.size_bytes}: copy the bundle again"
        )
    found = sha256_file(folder / name)
    if found != expected.sha256:
        raise BundleError(
            f"{folder / name} has been altered: sha256 {found}, expected {expected.sha256}: "
            "copy the bundle again"
        )


def _regular_size_bytes(folder: Path, name: str) -> int:
    """Size of a regular file inside the folder."""
    path = folder / name
    if not path.exists():
        raise BundleError(f"{path} is missing: the bundle is incomplete, copy it again")
    target = path.resolve()
    if not target.is_relative_to(folder.resolve()) and not is_in_cache(target, folder):
        raise BundleError(f"{path} is a link that leads out of the bundle: expected a plain file")
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise BundleError(f"{path} is not a regular file: copy the bundle again")
    return facts.st_size


def _refuse_unlisted_models(folder: Path, report: BundleReport) -> None:
    for path in folder.rglob("*.tflite"):
        name = path.relative_to(folder).as_posix()
        if name not in report.files:
            raise BundleError(f"{path} is not listed in {BundleReport.file_name}: remove it")
