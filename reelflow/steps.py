"""How every step is run, whoever drives it: resumed where it was killed, reused where it is done.

A step's outcome depends on its parameters, its inputs, the code and the libraries; together they
are its provenance, and their hash is its key. Work goes on in a partial folder that carries the
key in its name, under a lock, and becomes the output by one rename. A second attempt with the same
key goes on in the partial folder; an output with the same provenance is reused as it is.
"""

import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reelflow.contracts import Document, Report
from reelflow.errors import BundleError, disk_errors
from reelflow.files import fingerprint, locked, replace_folder, sha256_file, sha256_text, write_text
from reelflow.params import Section
from reelflow.progress import emit

PROVENANCE = "provenance.json"
LIBRARIES = ("ai-edge-litert", "av", "keras", "numpy", "pillow", "scikit-learn", "tensorflow")
ROOT = Path(__file__).parent.parent


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


def perform(
    run: Callable[..., Report],
    params: Section,
    *,
    inputs: Mapping[str, Path],
    output: Mapping[str, Path],
    options: Mapping[str, str] | None = None,
    work: str | Path = "",
) -> tuple[Report, bool]:
    """Run a step, or take over what an earlier attempt left.

    Args:
        run: the step, `run(params, **options, **inputs, **output) -> Report`.
        params: the step's section of params.yaml.
        inputs: folders of earlier steps, or the clips' source, by argument name.
        output: the step's one output folder, by argument name.
        options: further strings, such as the head's name.
        work: a folder that outlives this run; the output becomes a link to the folder in it.

    Returns:
        The report, and whether it was reused.

    Raises:
        ReelflowError: whatever the step raises.
    """
    ((output_name, target),) = output.items()
    report_type: type[Report] = run.__annotations__["return"]
    options = dict(options or {})
    step = run.__module__.split(".")[1]
    provenance = Provenance(
        step=step,
        options=options,
        params=params.model_dump(mode="json"),
        inputs={name: identity(path) for name, path in inputs.items()},
        code=code_hash(step),
        libraries=library_versions(),
        python=platform.python_version(),
    )
    store = Path(work).resolve() if work else target.absolute().parent
    final = store / f"{step}-{provenance.key}" if work else target.absolute()
    partial = store / f".{step}-{provenance.key}.partial"

    emit("started", step=step, options=options)
    with locked(store / f".{step}-{provenance.key}.lock"):
        reused = _is_whole(final, provenance)
        started = time.perf_counter()
        if not reused:
            with disk_errors(partial):
                partial.mkdir(parents=True, exist_ok=True)
                run(params, **options, **inputs, **{output_name: partial})
                write_text(partial / PROVENANCE, provenance.to_json())
                replace_folder(partial, final)
        report = report_type.open(final)
    if work:
        _link(target, final)
    seconds = time.perf_counter() - started
    emit("finished", step=step, options=options, reused=reused, seconds=seconds, metrics=report.metrics)
    return report, reused


def identity(path: Path) -> str:
    """What stands for an input: the hash of its report, or of its listing where it has none.

    Raises:
        BundleError: there is nothing at `path`.
    """
    if not path.exists():
        raise BundleError(f"{path} does not exist: run the step that writes it, or correct the path")
    reports = {kind.file_name for kind in Report.__subclasses__()}
    found = sorted(file for file in path.rglob("*.json") if file.name in reports) if path.is_dir() else []
    if not found:
        return fingerprint(path)
    return sha256_text("".join(sha256_file(file) for file in found))


@cache
def code_hash(step: str) -> str:
    """Hash of the library's and the step's own source."""
    sources = [*(ROOT / "reelflow").rglob("*.py"), *(ROOT / "components" / step).rglob("*.py")]
    rows = (f"{file.relative_to(ROOT)} {sha256_file(file)}" for file in sorted(sources))
    return sha256_text("\n".join(rows))


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that numbers come from, where installed."""
    return {name: found for name in LIBRARIES if (found := _version(name))}


def _version(name: str) -> str:
    candidates = (name, f"{name}-cpu")
    for candidate in candidates:
        try:
            return version(candidate)
        except ModuleNotFoundError:
            continue
    return ""


def _is_whole(folder: Path, provenance: Provenance) -> bool:
    try:
        return Provenance.read(folder / PROVENANCE) == provenance
    except BundleError:
        return False


def _link(target: Path, final: Path) -> None:
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(os.path.relpath(final, target.parent.resolve()))
