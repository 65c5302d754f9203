"""Register the bundle, promote it if it passes the gates, and report on the whole run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.release.champion import HeldOut, Incomparable, compare_with_champion
from components.release.gates.architectures import CLIPS
from components.release.gates.check import check_gates
from components.release.gates.speed import measured_speed
from components.release.promotion import Case, Decision, decide
from components.release.report import RunFolders, write_report
from components.release.report_text import explain
from components.release.tables import write_tables
from components.release.warnings import warnings
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import Candidate, read_candidates
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.artifacts.videos import find_videos
from reelflow.contracts import BundleReport, Comparison, DatasetReport, FramesReport, ReleaseReport
from reelflow.edge.bundle import open_bundle
from reelflow.edge.proof.attempt import videos_in
from reelflow.edge.seal import SUMS
from reelflow.errors import BundleError, ReelflowError, RegistryError, StorageError, TrackingError
from reelflow.params import ReleaseParams
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.tracking.facts.origin import commit
from reelflow.tracking.promotion.gates import CODE_TAG
from reelflow.tracking.promotion.moves import CHAMPION, Promotions
from reelflow.tracking.registry import Registry

CHALLENGER = "challenger"
HEADLINES = ("accuracy", "top5_accuracy", "macro_f1")


@dataclass(frozen=True)
class Challenger:
    """A bundle to release, its folder and evaluation, the data set, and frames and videos of its clips.

    Attributes:
        proofs: attempts to prove the bundle on other machines, by architecture.
    """

    bundle: BundleReport
    folder: Path
    evaluation: Candidate
    dataset: Path
    frames: FrameStore
    videos: Sequence[Path]
    proofs: Mapping[str, Path] = field(default_factory=dict)


def run(
    params: ReleaseParams,
    *,
    candidates: str = "",
    dataset: Path,
    frames: Path,
    evaluations: Path,
    bundle: Path,
    release: Path,
    settings: Settings,
    registry: Registry,
    access: ShardAccess | None = None,
    clips: Path | None = None,
    proof_aarch64: Path | None = None,
) -> ReleaseReport:
    """Register a bundle as `challenger`; as `champion` too if it passes the gates and beats the last one.

    It beats the last champion if it is better on the same test clips beyond noise, or equal and
    smaller. A champion that knows other classes, or cannot be compared, stays.

    Args:
        params: the model's name and the gates.
        candidates: names of those that the report shows, comma-separated; empty for all that were evaluated.
        dataset: folder of the dataset step.
        frames: folder of the frames step.
        evaluations: folder of every candidate's evaluation.
        bundle: folder of the conversion step.
        release: the output: `report.html`, `summary.json`, tables for DVC, and `release.json` last.
        settings: cache of clips, whose videos other architectures classify.
        registry: where to register.
        access: how frames in a store are reached.
        clips: folder of the videos that other machines were given, if some were.
        proof_aarch64: what was attempted with them on an arm64 node.

    Raises:
        BundleError: an input is damaged, or they do not belong together.
        RegistryError: the registry refuses or is not reachable; the output is whole.
    """
    opened = open_bundle(bundle)
    if not opened.is_sealed:
        raise BundleError(f"{bundle} has no {SUMS}, so that nothing covers its lineage: run conversion again")
    converted = opened.report
    ranked = _ranked(read_candidates(evaluations, candidates), converted)
    _check_same_data(converted, ranked, dataset, frames)
    store = FrameStore(frames, access)
    videos = videos_in([clips]) if clips else _videos(params, ranked[0], dataset, settings)
    proofs = {"aarch64": proof_aarch64} if proof_aarch64 else {}
    made = Challenger(converted, bundle, ranked[0], dataset, store, videos, proofs)
    draft = _draft(params, made)
    problem: ReelflowError | None = None
    try:
        outcome = _release(draft, made, params, registry, settings)
    except (TrackingError, StorageError) as error:
        explanation = f"{draft.name} is not registered: {error}"
        problem, outcome = error, draft.model_copy(update={"explanation": explanation})
    else:
        emit("notice", message=outcome.explanation)
    write_tables(release, ranked[0], ranked, converted, outcome)
    write_report(RunFolders(dataset, frames, store, bundle, ranked, converted, outcome, params), release)
    outcome.save(release)
    if problem:
        refused = RegistryError(f"{problem}; the report and the bundle are finished")
        refused.exit_code, refused.may_pass = problem.exit_code, problem.may_pass
        raise refused from problem
    return outcome


def _draft(params: ReleaseParams, made: Challenger) -> ReleaseReport:
    """What is known without the registry: not registered, version 0."""
    gates = check_gates(params, made.bundle, made.folder, made.evaluation, made.videos, made.proofs)
    return ReleaseReport(
        name=made.bundle.name,
        data_hash=made.bundle.data_hash,
        model_name=params.model_name,
        version=0,
        promoted=False,
        aliases=(),
        gates=gates,
        explanation="",
        warnings=warnings(params, made.evaluation, read_clips(made.dataset), made.frames.report),
        note=params.note,
        metrics=_metrics(made.evaluation, made.bundle) | measured_speed(gates),
    )


def _videos(params: ReleaseParams, chosen: Candidate, dataset: Path, settings: Settings) -> list[Path]:
    """Test clips for other architectures; none if none are asked for."""
    if not params.architectures:
        return []
    return list(find_videos(dataset, chosen.report.clip_ids, CLIPS, settings).values())


def _ranked(candidates: Sequence[Candidate], bundle: BundleReport) -> list[Candidate]:
    """The converted candidate first, then the others by accuracy."""
    if bundle.name not in (candidate.name for candidate in candidates):
        raise BundleError(
            f"the bundle holds {bundle.name}, which is not one of the evaluated "
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
                f"{folder} has other clips ({data_hash[:12]}) than the bundle "
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


def _release(
    draft: ReleaseReport, made: Challenger, params: ReleaseParams, registry: Registry, settings: Settings
) -> ReleaseReport:
    """Register the bundle, and make it champion if it passes the gates and beats the last one."""
    name, bundle = draft.model_name, made.bundle
    tags = {"classifier": bundle.name, "data_hash": bundle.data_hash, CODE_TAG: commit(settings.revision)}
    tags |= {metric: f"{value:.6g}" for metric, value in draft.metrics.items()}
    version = registry.register(made.folder, model_name=name, tags=tags, evaluation=made.evaluation.folder)
    registry.set_alias(name, CHALLENGER, version)
    contents = {clip.clip_id: clip.sha256 for clip in read_clips(made.dataset)}
    clips = HeldOut(made.frames, contents, params.min_compared_clips)

    def compare(champion: int) -> Comparison | Incomparable:
        return compare_with_champion(made.evaluation, bundle, registry, name, champion, clips)

    by = f"release step of run {settings.run_name}" if settings.run_name else "release step"
    decision = decide(Promotions(registry, name, by), Case(version, draft.gates, compare), params)
    return _outcome(draft, made, version, decision, registry.alias(name, CHAMPION))


def _outcome(
    draft: ReleaseReport, made: Challenger, version: int, decision: Decision, champion: int | None
) -> ReleaseReport:
    against = decision.against
    return draft.model_copy(
        update={
            "version": version,
            "promoted": decision.promoted,
            "gates": decision.gates,
            "aliases": (CHALLENGER, CHAMPION) if champion == version else (CHALLENGER,),
            "comparison": against if isinstance(against, Comparison) else None,
            "explanation": explain(made.bundle, draft.model_name, version, decision, champion),
        }
    )
