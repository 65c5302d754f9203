"""Text of the report: the outcome of the release, the protocol, the baselines, the rejection threshold."""

from collections.abc import Sequence

from components.release.champion import Incomparable, replaces
from components.release.gates.check import BETTER, reason
from components.release.promotion import Decision
from reelflow.contracts import BaselineComparison, BundleReport, Calibration, Comparison, Interval
from reelflow.splitting.protocols import Protocol

BASELINE_NAMES = {"metadata": "clip metadata only", "thumbnails": "thumbnails only"}
BASELINE_MEANINGS = {
    "metadata": "sees no frame: width, height, length, frame rate, file size and codec",
    "thumbnails": "sees a few thumbnails of a clip",
}
SHORTCUTS = {
    "metadata": "It may have learned how the clips were made, not what they show.",
    "thumbnails": "It may rely on scenery and colours, not on motion.",
}
VERDICTS = {
    "better": "better beyond noise",
    "equal": "not worse, but not better beyond noise",
    "worse": "less accurate",
}


def explain(
    bundle: BundleReport,
    model_name: str,
    version: int,
    decision: Decision,
    champion: int | None,
) -> str:
    """The outcome of the release of a version, and why.

    Args:
        bundle: the registered bundle.
        model_name: of the registry.
        version: of the bundle.
        decision: gates, and the comparison with the previous champion, if there was one.
        champion: the version that is now champion.
    """
    against = decision.against
    reasons = [reason(gate) for gate in decision.gates if not gate.passed and gate.name != BETTER]
    if decision.refusal:
        reasons.append(decision.refusal)
    if not reasons and champion == version:
        lead = f"{bundle.name} is the champion of {model_name} (version {version}): it passes every gate"
        return f"{lead} and {_win(against, bundle)}." if isinstance(against, Comparison) else f"{lead}."
    if isinstance(against, Incomparable):
        reasons.append(_incomparable(against))
    elif against is not None and not replaces(against):
        reasons.append(_loss(against))
    return f"{bundle.name} (version {version} of {model_name}) is not promoted: {'; '.join(reasons)}. " + {
        None: "There is no champion yet.",
        version: "It stays champion from an earlier release.",
    }.get(champion, f"Version {champion} stays champion.")


def span(interval: Interval) -> str:
    """An interval in percent, such as `41.2 to 58.0`."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def points(difference: float) -> str:
    """A signed difference of accuracies, such as `+3.2 points`."""
    return f"{100 * difference:+.1f}".replace("-", "\u2212") + " points"


def signed_span(interval: Interval) -> str:
    """A signed interval of a difference, such as `-1.0 to +5.2`."""
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}".replace("-", "\u2212")


def describe_protocol(text: str, folds: int) -> str:
    """How the test clips were held out."""
    protocol = Protocol.parse(text)
    return {
        "holdout": "One split: the models were trained on the train clips, and tested on held-out clips.",
        "group_kfold": f"{folds}-fold cross-validation by group: every clip was tested once, by a model "
        "that had not seen its group.",
        "leave_one_group_out": f"Each of the {folds} groups was left out in turn: every clip was tested "
        "once, by a model that had not seen its group.",
        "cross_set": f"Across sets: the models were trained on groups whose names begin with "
        f"“{protocol.prefix}”, and tested on all others.",
    }[protocol.kind]


def describe_baseline(baseline: BaselineComparison) -> str:
    """Whether a classifier is above a shortcut baseline, in a sentence."""
    lead = f"a classifier with {BASELINE_NAMES[baseline.name]} reaches {100 * baseline.accuracy:.1f} %"
    gap = f"{points(baseline.difference)} (95 % interval {signed_span(baseline.difference_interval)})"
    if baseline.clearly_above:
        return f"Clearly above: {lead}, and the difference of {gap} is beyond noise."
    if baseline.difference > 0:
        return f"Not clearly above: {lead}, and the difference of {gap} may be noise."
    return f"Not above: {lead}, a difference of {gap}."


def below_baselines(baselines: Sequence[BaselineComparison]) -> str:
    """The warning about baselines; empty if the classifier is clearly above all of them."""
    missed = [baseline.name for baseline in baselines if not baseline.clearly_above]
    if not missed:
        return ""
    names = " and ".join(BASELINE_NAMES[name] for name in missed)
    may = " ".join(SHORTCUTS[name] for name in missed)
    return f"Warning: this classifier is not clearly better than one with {names}. {may}"


def describe_rejection(scale: Calibration) -> str:
    """The meaning of the threshold, and how it was chosen."""
    target = f"{100 * scale.target:.4g} %"
    if scale.reject_below > 0:
        return (
            f"An answer with a score below {100 * scale.reject_below:.1f} % is rejected. The "
            f"threshold was chosen on the validation clips, where {target} of the remaining answers are "
            f"right; on the test clips {100 * scale.accepted:.1f} % of the clips are answered, and "
            f"{100 * scale.accepted_accuracy:.1f} % of these answers are right."
        )
    if scale.target_met:
        return f"No answer is rejected: on the validation clips {target} were right without any threshold."
    return f"No answer is rejected: on the validation clips no threshold makes {target} of the answers right."


def _against(comparison: Comparison) -> str:
    return f"version {comparison.champion_version} ({comparison.champion})"


def _measured(comparison: Comparison) -> str:
    found = (
        f"{100 * comparison.accuracy:.1f} % against {100 * comparison.champion_accuracy:.1f} % of the same "
        f"{comparison.clips} test clips, a difference of {points(comparison.difference)} "
        f"(95 % interval {signed_span(comparison.difference_interval)}, p = {comparison.p_value:.2g})"
    )
    if comparison.left_out:
        found += f"; {comparison.left_out} that the champion was trained on are left out"
    known = ", though the champion may have been trained on some of them"
    return found + (known if comparison.champion_may_know else "")


def _win(comparison: Comparison, bundle: BundleReport) -> str:
    if comparison.verdict == "better":
        return f"is better than {_against(comparison)} beyond noise: {_measured(comparison)}"
    size_mb = bundle.size_bytes / 1e6
    return (
        f"is no worse than {_against(comparison)} and smaller, {size_mb:.3g} MB instead of "
        f"{size_mb / comparison.size_ratio:.3g} MB: {_measured(comparison)}"
    )


def _loss(comparison: Comparison) -> str:
    if comparison.verdict == "worse":
        return f"it is less accurate than {_against(comparison)}, the champion: {_measured(comparison)}"
    return (
        f"it is neither better beyond noise than {_against(comparison)}, the champion, nor smaller: "
        f"{_measured(comparison)}"
    )


def _incomparable(champion: Incomparable) -> str:
    return (
        f"version {champion.version}, the champion, {champion.reason}, so the two cannot be compared: name "
        "another release.model_name, or decide yourself: python -m pipelines promote challenger --force"
    )
