"""The gates between `challenger` and `champion`."""

from collections.abc import Sequence

from reelflow.contracts import BaselineComparison, BundleReport, Gate
from reelflow.params import ReleaseParams

MEANINGS = {
    "min_accuracy": "accuracy on clips that were held out",
    "min_agreement": "agreement with Keras",
    "max_accuracy_drop": "accuracy lost in conversion",
    "max_size_mb": "size of the bundle",
    "require_above_baselines": "lowest lead over a shortcut baseline beyond noise",
}


def check_gates(
    params: ReleaseParams, bundle: BundleReport, baselines: Sequence[BaselineComparison]
) -> tuple[Gate, ...]:
    """Every gate, with the name of its limit in params.yaml."""
    parity = bundle.parity
    found = {
        "min_accuracy": bundle.accuracy if parity.seen else parity.litert_accuracy,
        "min_agreement": parity.agreement,
        "max_accuracy_drop": parity.keras_accuracy - parity.litert_accuracy,
        "max_size_mb": bundle.size_bytes / 1e6,
    }
    gates = [_gate(name, round(value, 9), getattr(params, name)) for name, value in found.items()]
    return (*gates, *([_baselines_gate(baselines)] if params.require_above_baselines else []))


def amount(gate: Gate, value: float) -> str:
    """The value of a gate with its unit."""
    return f"{value:.3g} MB" if gate.name.endswith("mb") else f"{100 * value:.4g} %"


def bound(gate: Gate) -> str:
    """The limit as text, such as `at least 50 %`."""
    comparison = {"min": "at least", "max": "at most"}.get(gate.name[:3], "more than")
    return f"{comparison} {amount(gate, gate.limit)}"


def reason(gate: Gate) -> str:
    """Why a gate failed."""
    found = amount(gate, gate.found)
    return f"{MEANINGS[gate.name]} is {found}, and release.{gate.name} asks for {bound(gate)}"


def _gate(name: str, found: float, limit: float) -> Gate:
    passed = found >= limit if name.startswith("min") else found <= limit
    return Gate(name=name, found=found, limit=limit, passed=passed)


def _baselines_gate(baselines: Sequence[BaselineComparison]) -> Gate:
    """The gate on baselines; without a clear lead over every baseline its value is at most 0."""
    leads = [baseline.difference_interval.low for baseline in baselines]
    passed = bool(baselines) and all(baseline.clearly_above for baseline in baselines)
    lowest = min(leads) if passed else min([0.0, *leads])
    return Gate(name="require_above_baselines", found=round(lowest, 9), limit=0.0, passed=passed)
