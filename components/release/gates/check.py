"""The gates between `challenger` and `champion`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from components.release.gates.architectures import architecture_gates
from components.release.gates.chance import above_chance
from components.release.gates.speed import speed_gates
from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import BundleReport, Gate, Interval
from reelflow.params import Architecture, ReleaseParams

ARCHITECTURES = get_args(Architecture)
BETTER, CLASS_FALL = "better_than_champion", "max_class_fall"
MEANINGS = {
    "min_accuracy": "accuracy on clips that were held out",
    "min_agreement": "agreement with Keras",
    "min_class_recall": "lowest share of a class that is recognised",
    "min_class_clips": "lowest number of test clips of a class",
    "max_accuracy_drop": "accuracy lost in conversion",
    "max_size_mb": "size of the bundle",
    "max_calibration_error": "expected calibration error",
    "min_video_parity": "share of the parity check's clips that were decoded from their videos",
    "max_frame_ms": "time of a frame on the machine that releases",
    "max_memory_mb": "memory on the machine that releases",
    BETTER: "lead over the champion beyond noise (equal and smaller is enough)",
    CLASS_FALL: "largest loss of recall of a class against the champion",
    "require_above_baselines": "lowest lead over a shortcut baseline beyond noise",
    "require_above_chance": "lead over always answering the most frequent class beyond noise",
} | {name: f"share of answers that are the same on {name}" for name in ARCHITECTURES}


def check_gates(
    params: ReleaseParams,
    bundle: BundleReport,
    folder: Path,
    chosen: Candidate,
    videos: Sequence[Path],
    proofs: Mapping[str, Path],
) -> tuple[Gate, ...]:
    """Every gate, with the name of its limit in params.yaml, or of the architecture.

    Args:
        params: the limits.
        bundle: what is to be promoted.
        folder: of the bundle.
        chosen: its evaluation.
        videos: of test clips.
        proofs: attempts on other machines, by architecture.

    Raises:
        BundleError: the scores of the classifier are damaged.
    """
    parity, classes = bundle.parity, chosen.report.per_class
    found = {
        "min_accuracy": _accuracy(bundle, chosen),
        "min_class_recall": min((row.recall for row in classes if row.support), default=0.0),
        "min_class_clips": float(min(row.support for row in classes)),
        "min_agreement": parity.agreement,
        "max_accuracy_drop": parity.keras_accuracy - parity.litert_accuracy,
        "max_size_mb": bundle.size_bytes / 1e6,
        "max_calibration_error": chosen.report.calibration.error,
        "min_video_parity": parity.videos / parity.clips if parity.clips else 0.0,
    }
    gates = [_gate(name, round(value, 9), getattr(params, name)) for name, value in found.items()]
    elsewhere = architecture_gates(params.architectures, folder, videos, proofs)
    return (*gates, *_leads(params, chosen), *speed_gates(params, folder), *elsewhere)


def _accuracy(bundle: BundleReport, chosen: Candidate) -> float:
    """Of the bundle on held-out clips; on a sample of them only the loss to Keras is measured."""
    parity = bundle.parity
    if parity.seen:
        return bundle.accuracy
    if parity.clips < len(chosen.report.truth):
        return bundle.accuracy - (parity.keras_accuracy - parity.litert_accuracy)
    return parity.litert_accuracy


def amount(gate: Gate, value: float | None) -> str:
    """The value of a gate with its unit."""
    if value is None:
        return f"not measured: {gate.why}"
    units = {
        "max_size_mb": f"{value:.3g} MB",
        "max_frame_ms": f"{value:.3g} ms",
        "max_memory_mb": f"{value:.4g} MB",
        "min_class_clips": f"{value:.0f} test clips",
    }
    return units.get(gate.name, f"{100 * value:.4g} %")


def bound(gate: Gate) -> str:
    """The limit as text, such as `at least 50 %`."""
    if gate.name in ARCHITECTURES:
        return amount(gate, gate.limit)
    comparison = {"min": "at least", "max": "at most"}.get(gate.name[:3], "more than")
    return f"{comparison} {amount(gate, gate.limit)}"


def reason(gate: Gate) -> str:
    """Why a gate failed."""
    found = amount(gate, gate.found)
    if gate.name == BETTER:
        return f"{MEANINGS[gate.name]} is {found}, and a promotion asks for {bound(gate)}"
    name = "architectures" if gate.name in ARCHITECTURES else gate.name
    return f"{MEANINGS[gate.name]} is {found}, and release.{name} asks for {bound(gate)}"


def _gate(name: str, found: float, limit: float) -> Gate:
    passed = found >= limit if name.startswith("min") else found <= limit
    return Gate(name=name, found=found, limit=limit, passed=passed)


def _leads(params: ReleaseParams, chosen: Candidate) -> Iterator[Gate]:
    """The gates on other classifiers that the chosen one must beat."""
    if params.require_above_chance:
        paired = above_chance(chosen)
        yield _lead("require_above_chance", [paired.interval], passed=paired.is_clearly_better)
    if params.require_above_baselines:
        baselines = chosen.report.baselines
        passed = bool(baselines) and all(baseline.clearly_above for baseline in baselines)
        differences = [baseline.difference_interval for baseline in baselines]
        yield _lead("require_above_baselines", differences, passed=passed)


def _lead(name: str, differences: Sequence[Interval], *, passed: bool) -> Gate:
    """A gate on leads; without a clear one over each its value is at most 0."""
    lowest = min((difference.low for difference in differences), default=0.0)
    return Gate(name=name, found=round(lowest if passed else min(0.0, lowest), 9), limit=0.0, passed=passed)
