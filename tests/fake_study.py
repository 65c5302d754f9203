"""Made-up runs of studies on UCF101, and the command that reproduces one."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from reelflow.artifacts.clips import CLIPS as CLIP_TABLE
from reelflow.artifacts.clips import write_clips
from reelflow.contracts import ClassScores, Clip, Split
from reelflow.files import sha256_file
from tests.fake_features import clip
from tests.fake_reports import dataset_report, evaluation_report, training_report
from tests.workplace import ROOT

LABELS = ("Punch", "YoYo")
CLIPS = 40
COUNTS: dict[Split, int] = {"train": 30, "validation": 5, "test": CLIPS}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def ucf101(root: Path) -> Path:
    touch(root / "YoYo" / "v_YoYo_g01_c01.avi")
    return root


def official(folder: Path, split: int = 1) -> Path:
    for name in ("trainlist", "testlist"):
        touch(folder / f"{name}0{split}.txt")
    return folder


def write_run(
    work: Path, right: dict[tuple[str, str], int], *, straddling: bool = False, **data: object
) -> None:
    """The folders of a finished run: in each classifier the first clips are named correctly.

    With `straddling` every group has clips on both sides of the cut.
    """
    folder = work / "dataset-1"
    folder.mkdir(parents=True)
    write_clips(clips_of_groups(straddling=straddling), folder / CLIP_TABLE)
    dataset_report(
        labels=LABELS,
        split_counts=COUNTS,
        groups=len({clip.group for clip in clips_of_groups(straddling=straddling)}),
        clips_sha256=sha256_file(folder / CLIP_TABLE),
        **data,
    ).save(folder)
    (folder / "table.csv").write_text("property,value\nclasses,2\nclips,75\naudio,0 clips\n")
    (folder / "clips_per_class.png").write_bytes(b"chart")
    events = [{"kind": "started", "task": "dataset"}, finished("dataset", folder)]
    for number, (pair, count) in enumerate(right.items()):
        name = "-".join(pair)
        write_evaluation(work / f"evaluation-{number}", name, pair[1], count)
        events.append(finished(f"evaluation {name}", Path(f"/moved/evaluation-{number}")))
    lines = [json.dumps(event) for event in events]
    (work / "events.jsonl").write_text("\n".join([*lines, '{"kind": "fini', ""]))


def clips_of_groups(*, straddling: bool) -> list[Clip]:
    """Clips in groups of four; training and validation clips are of the test groups or of other ones."""
    found = []
    for split, count in COUNTS.items():
        for place in range(count):
            one = clip(LABELS[place % 2], split, place)
            group = f"g{place // 4}" if straddling or split == "test" else f"{split} g{place // 4}"
            found.append(one.model_copy(update={"group": group}))
    return found


def finished(task: str, folder: Path) -> dict[str, str]:
    return {"kind": "finished", "task": task, "folder": str(folder)}


def write_evaluation(folder: Path, name: str, head: str, right: int) -> None:
    truth = np.arange(CLIPS) % 2
    answers = np.where(np.arange(CLIPS) < right, truth, 1 - truth)
    folder.mkdir()
    np.save(folder / "scores.npy", np.eye(2, dtype=np.float32)[answers])
    recalls = [float((answers[truth == label] == label).mean()) for label in (0, 1)]
    row = ClassScores(label="", precision=right / CLIPS, recall=0, f1=right / CLIPS, support=CLIPS // 2)
    evaluation_report(
        head,
        accuracy=right / CLIPS,
        name=name,
        labels=LABELS,
        training=training_report(head, labels=LABELS, stopped_early=head != "lstm"),
        clip_ids=tuple(f"{CLIPS - place:016x}" for place in range(CLIPS)),
        truth=tuple(truth.tolist()),
        groups=tuple(f"g{place // 4}" for place in range(CLIPS)),
        per_class=tuple(
            row.model_copy(update={"label": label, "recall": recall})
            for label, recall in zip(LABELS, recalls, strict=True)
        ),
        scores_sha256=sha256_file(folder / "scores.npy"),
    ).save(folder)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def command(*arguments: str | Path, tracking: str = "", store: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python -m pipelines reproduce`; by default with the usual MLflow and store of shards."""
    named = {"MLFLOW_TRACKING_URI": tracking, "REELFLOW_STORE": store}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "reproduce", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {name: value for name, value in named.items() if value},
    )
