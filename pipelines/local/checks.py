"""What a local run refuses before its first step."""

from importlib import import_module
from pathlib import Path

from components.dataset.source.clips import Reading, find_clips
from pipelines.local.run_folder import LOCK
from reelflow.backbones.keras_application import find_application_weights
from reelflow.backbones.registry import BACKBONES, NEEDS_TENSORFLOW, check_backbones, load_backbone
from reelflow.backbones.weights import KEYWORDS
from reelflow.contracts import BundleReport
from reelflow.errors import ParamsError, StorageError, WeightsError
from reelflow.files import exists
from reelflow.nets.candidates import candidates
from reelflow.nets.heads import check_heads
from reelflow.nets.video.design import check_inflation
from reelflow.params import FeaturesParams, Params
from reelflow.settings import Settings
from reelflow.sources.address import is_remote
from reelflow.sources.dvc import may_be_tracked
from reelflow.splitting.protocols import check_groups, read_protocol
from reelflow.tracking.teachers import check_teachers
from reelflow.video.views import check_views

WRITTEN = ("bundle", "report.html", "run.json", "summary.json", "work")


def check_params(params: Params, settings: Settings) -> None:
    """Check early what a late step would refuse.

    Raises:
        ParamsError: an unknown backbone, head, view or teacher, or candidates without a pair.
        WeightsError: weights are missing, altered, or of another network.
    """
    features = params.features
    check_backbones(features.backbones, features.networks)
    check_heads(params.training.heads)
    candidates(params)
    check_views(features.views, params.frames.oversample)
    check_teachers(params.training.teacher)
    check_weights_exist(features.weights)
    for backbone in features.backbones if features.weights != "imagenet" else ():
        _check_weights(backbone, features, settings)
    for head in params.training.heads:
        check_inflation(head, params.training.video)


def check_weights_exist(weights: str) -> None:
    """Check that the folder of weights exists.

    Raises:
        WeightsError: it does not exist.
    """
    if weights not in KEYWORDS and not exists(Path(weights)):
        raise WeightsError(f"there is no {weights}: name a folder of weight files (--weights)")


def _check_weights(backbone: str, params: FeaturesParams, settings: Settings) -> None:
    """See that weights are there; those that only TensorFlow can read are not read."""
    if backbone not in NEEDS_TENSORFLOW:
        load_backbone(backbone, params.weights, seed=0, settings=settings, networks=params.networks)
    elif params.weights != "random":
        application = import_module(BACKBONES[backbone]).APPLICATION
        find_application_weights(application, params.weights, settings)


def check_folders(params: Params, out: Path) -> None:
    """Refuse missing clips, too few groups, and an output folder with files of the user.

    Raises:
        DataError: the clips of a folder cannot be used, or have too few groups for the protocol.
        ParamsError: the source does not exist or contains `out`, or KFP would replace part of a path.
        StorageError: the output folder has files that no run wrote.
    """
    _check_names(
        out,
        Path.cwd(),
        params.dataset.source,
        params.features.weights,
        *params.training.teacher,
        params.training.video.inflate or "",
    )
    check_source(params.dataset.source, out)
    _check_protocol(params)
    bundle = out / "bundle"
    if exists(bundle) and not exists(bundle / BundleReport.file_name):
        raise StorageError(
            f"{bundle} is not a bundle and is left unchanged: choose another output folder (--out)"
        )
    foreign = [name for name in WRITTEN if exists(out / name)]
    if foreign and not exists(out / LOCK):
        raise StorageError(
            f"{out} has {', '.join(foreign)}, which no run wrote (there is no {LOCK} in it); they are left "
            "unchanged: choose another output folder (--out)"
        )


def _check_names(*paths: Path | str) -> None:
    """Refuse what KFP would replace."""
    for path in paths:
        if "{{" in str(path):
            raise ParamsError(f"{path} holds {{{{, which KFP replaces: choose a path without it")


def _check_protocol(params: Params) -> None:
    """Check by names that a folder has groups to hold out; a remote source is not listed for this."""
    source, protocol = Path(params.dataset.source), read_protocol(params.evaluation.protocol)
    if protocol.kind == "holdout" or is_remote(params.dataset.source) or not source.is_dir():
        return
    found = find_clips(source, Reading(params.dataset.label_folder, params.dataset.group_by_name))
    if found.clips:
        check_groups((clip.group for clip in found.clips), protocol)


def check_source(source: str, out: Path) -> None:
    """Check that the source exists and that the output folder is outside of it.

    Raises:
        ParamsError: the source does not exist, or contains the output folder.
    """
    check_source_exists(source)
    if is_remote(source):
        return
    path = Path(source)
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise ParamsError(
            f"{out} is inside the folder of the clips, {path}: choose another output folder (--out)"
        )


def check_source_exists(source: str) -> None:
    """Check that a source on this machine exists, or that DVC may know it; remote ones are not asked.

    Raises:
        ParamsError: the source does not exist.
    """
    path = Path(source)
    if not is_remote(source) and not exists(path) and not may_be_tracked(path):
        raise ParamsError(f"there is no {path}: name a folder of clips (--data)")
