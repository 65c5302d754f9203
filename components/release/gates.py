"""The gates between `challenger` and `champion`, and the outcome in words."""

from collections.abc import Sequence

from reelflow.contracts import BundleReport, Gate
from reelflow.params import ReleaseParams

MEANINGS = {
    "min_accuracy": "accuracy on LiteRT",
    "min_agreement": "agreement with Keras",
    "max_accuracy_drop": "accuracy lost in conversion",
    "max_size_mb": "size of the bundle",
}


def check_gates(params: ReleaseParams, bundle: BundleReport) -> tuple[Gate, ...]:
    """Every gate, named after its limit in params.yaml."""
    parity = bundle.parity
    found = {
        "min_accuracy": parity.litert_accuracy,
        "min_agreement": parity.agreement,
        "max_accuracy_drop": parity.keras_accuracy - parity.litert_accuracy,
        "max_size_mb": bundle.size_bytes / 1e6,
    }
    return tuple(_gate(name, round(value, 9), getattr(params, name)) for name, value in found.items())


def explain(
    bundle: BundleReport, model_name: str, version: int, gates: Sequence[Gate], champion: int | None
) -> str:
    """What became of a version, and why.

    Args:
        bundle: what was registered.
        model_name: of the registry.
        version: of the bundle.
        gates: all of them.
        champion: the version that is champion now.
    """
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        return f"{bundle.name} is the champion of {model_name} (version {version}): it passes every gate."
    reasons = "; ".join(_reason(gate) for gate in failed)
    return f"{bundle.name} (version {version} of {model_name}) is not promoted: {reasons}. " + {
        None: "There is no champion yet.",
        version: "It stays champion from an earlier release.",
    }.get(champion, f"Version {champion} stays champion.")


def amount(gate: Gate, value: float) -> str:
    """A gate's figure with its unit."""
    return f"{value:.3g} MB" if gate.name.endswith("mb") else f"{100 * value:.4g} %"


def bound(gate: Gate) -> str:
    """The limit in words, as `at least 50 %`."""
    return f"at {'least' if gate.name.startswith('min') else 'most'} {amount(gate, gate.limit)}"


def _gate(name: str, found: float, limit: float) -> Gate:
    passed = found >= limit if name.startswith("min") else found <= limit
    return Gate(name=name, found=found, limit=limit, passed=passed)


def _reason(gate: Gate) -> str:
    found = amount(gate, gate.found)
    return f"{MEANINGS[gate.name]} is {found}, and release.{gate.name} asks for {bound(gate)}"
