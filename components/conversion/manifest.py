"""`bundle.json`: a draft, completed when all other files are written."""

from pathlib import Path

from components.conversion.golden import write_golden
from reelflow.contracts import BundleFile, BundleReport
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.selftest import self_test
from reelflow.files import sha256_file
from reelflow.scoring import FrameReader


def finish_bundle(
    draft: BundleReport, folder: Path, golden_clips: int, clip_ids: tuple[str, ...], frames: FrameReader
) -> BundleReport:
    """Add golden vectors and `bundle.json` to a bundle, then run the self-test of the device.

    Args:
        draft: the manifest without files and metrics.
        folder: the bundle, with its networks.
        golden_clips: number of golden clips: the first ones by id.
        clip_ids: clips to choose from.
        frames: of the clips.

    Raises:
        BundleError: the bundle fails its self-test.
    """
    classifier = Classifier(Bundle(folder, draft))
    write_golden(folder, classifier, sorted(clip_ids)[:golden_clips], frames)
    report = _with_files(draft, folder)
    report.save(folder)
    self_test(open_bundle(folder))
    return report


def _with_files(draft: BundleReport, folder: Path) -> BundleReport:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): BundleFile(
            sha256=sha256_file(path), size_bytes=path.stat().st_size
        )
        for path in paths
    }
    size_bytes = sum(file.size_bytes for file in files.values())
    parity = draft.parity.model_dump(exclude={"schema_version", "clips", "seen", "videos"})
    metrics = {name: float(value) for name, value in parity.items()} | {"size_bytes": float(size_bytes)}
    return draft.model_copy(update={"files": files, "size_bytes": size_bytes, "metrics": metrics})
