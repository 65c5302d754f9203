"""Register the bundle, promote it if it passes the gates, and report on the whole run."""

from collections.abc import Sequence
from pathlib import Path

from components.release.gates import check_gates, explain
from components.release.report import Run, write_report
from components.release.tables import write_tables
from reelflow.contracts import BundleReport, DatasetReport, FramesReport, ReleaseReport
from reelflow.edge.bundle import open_bundle
from reelflow.errors import BundleError
from reelflow.params import ReleaseParams
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.stores.evaluations import Candidate, read_candidates
from reelflow.stores.registry import MlflowRegistry, Registry

CHALLENGER, CHAMPION = "challenger", "champion"
HEADLINES = ("accuracy", "top5_accuracy", "macro_f1")


def run(
    params: ReleaseParams,
    *,
    dataset: Path,
    frames: Path,
    evaluations: Path,
    bundle: Path,
    release: Path,
    registry: Registry | None = None,
) -> ReleaseReport:
    """Register a bundle as `challenger`, and as `champion` if it passes every gate.

    Args:
        params: the model's name and the gates.
        dataset: folder of the dataset step.
        frames: folder of the frames step.
        evaluations: folder of every candidate's evaluation.
        bundle: folder of the conversion step.
        release: the output: `report.html`, `summary.json`, tables for DVC, and `release.json` last.
        registry: where to register; MLflow by default.

    Raises:
        BundleError: an input is damaged, or they do not belong together.
        TrackingError: the registry refuses or is not reachable.
    """
    converted = open_bundle(bundle).report
    ranked = _ranked(read_candidates(evaluations), converted)
    _check_same_data(converted, ranked, dataset, frames)
    metrics = _metrics(ranked[0], converted)
    outcome = _promote(params, converted, metrics, bundle, registry or default_registry())
    emit("notice", message=outcome.explanation)
    write_tables(release, ranked[0], ranked, converted, outcome)
    write_report(Run(dataset, frames, evaluations, bundle, ranked, converted, outcome, params), release)
    outcome.save(release)
    return outcome


def default_registry() -> Registry:
    """MLflow's registry at the tracking URI: the one place where a step looks at the environment."""
    return MlflowRegistry(Settings())


def _ranked(candidates: Sequence[Candidate], bundle: BundleReport) -> list[Candidate]:
    """The converted candidate first, then the others by accuracy."""
    if bundle.name not in (candidate.name for candidate in candidates):
        raise BundleError(
            f"the bundle holds {bundle.name}, which is none of the evaluated "
            f"{', '.join(candidate.name for candidate in candidates)}: run conversion again"
        )
    return sorted(candidates, key=lambda one: (one.name != bundle.name, -one.report.metrics["accuracy"]))


def _check_same_data(
    bundle: BundleReport, candidates: Sequence[Candidate], dataset: Path, frames: Path
) -> None:
    found = {
        dataset: DatasetReport.open(dataset).data_hash,
        frames: FramesReport.open(frames).data_hash,
        candidates[0].folder: candidates[0].report.data_hash,
    }
    for folder, data_hash in found.items():
        if data_hash != bundle.data_hash:
            raise BundleError(
                f"{folder} is about other clips ({data_hash[:12]}) than the bundle "
                f"({bundle.data_hash[:12]}): run the steps again from the first that differs"
            )


def _metrics(chosen: Candidate, bundle: BundleReport) -> dict[str, float]:
    parity = bundle.parity
    return {
        **{name: chosen.report.metrics[name] for name in HEADLINES},
        "test_clips": float(len(chosen.report.truth)),
        "litert_accuracy": parity.litert_accuracy,
        "agreement": parity.agreement,
        "max_score_difference": parity.max_score_difference,
        "size_mb": bundle.size_bytes / 1e6,
    }


def _promote(
    params: ReleaseParams, bundle: BundleReport, metrics: dict[str, float], folder: Path, registry: Registry
) -> ReleaseReport:
    """Register the bundle and move the aliases."""
    name = params.model_name
    tags = {"classifier": bundle.name, "data_hash": bundle.data_hash}
    tags |= {metric: f"{value:.6g}" for metric, value in metrics.items()}
    version = registry.register(folder, model_name=name, tags=tags)
    registry.set_alias(name, CHALLENGER, version)
    gates = check_gates(params, bundle)
    promoted = all(gate.passed for gate in gates)
    if promoted:
        registry.set_alias(name, CHAMPION, version)
    champion = registry.alias(name, CHAMPION)
    return ReleaseReport(
        name=bundle.name,
        data_hash=bundle.data_hash,
        model_name=name,
        version=version,
        promoted=promoted,
        aliases=(CHALLENGER, CHAMPION) if champion == version else (CHALLENGER,),
        gates=gates,
        explanation=explain(bundle, name, version, gates, champion),
        metrics=metrics,
    )
