import io
from pathlib import Path

from rich.console import Console

from pipelines.local.summary import print_summary
from reelflow.contracts import Interval, Summary, SummaryRow
from tests.fake_reports import HASH, LABELS, bundle_report


def summary(**changes: object) -> Summary:
    row = SummaryRow(
        backbone="thumbnail",
        head="gru",
        accuracy=23 / 30,
        accuracy_interval=Interval(low=0.6, high=0.9),
        top5_accuracy=1.0,
        macro_f1=0.75,
        test_clips=30,
    )
    values = {
        "rows": (row, row.model_copy(update={"head": "lstm", "accuracy": 0.5})),
        "chosen": "thumbnail-gru",
        "protocol": "group_kfold(5)",
        "baselines": {"metadata": 0.56, "thumbnails": 0.41},
        "labels": LABELS,
        "data_hash": HASH,
        "parity": bundle_report().parity,
        "promoted": True,
        "explanation": "It is [not] promoted.",
        "seconds": {"dataset": 3.0, "training thumbnail-gru": 5.0},
        "wall_seconds": 9.0,
    }
    return Summary.model_validate(values | changes)


def shown(found: Summary) -> str:
    file = io.StringIO()
    print_summary(found, Path("out"), Console(file=file, width=100))
    return file.getvalue()


def test_an_accuracy_bears_its_interval_and_the_baselines_stand_below():
    text = shown(summary())
    lines = " ".join(text.split())
    assert "│ ★ │ thumbnail │ gru  │ 0.767 [0.60, 0.90] │" in text
    assert "│   │ thumbnail │ lstm │ 0.500 [0.60, 0.90] │" in text
    assert "on 30 test clips, protocol group_kfold(5), 2 classes; [95 % interval by group]" in lines
    assert "shortcut baselines: metadata 0.56, thumbnails 0.41" in text
    assert "It is [not] promoted." in text
    assert "8 s of work in the steps, 9 s since the start" in text


def test_warnings_are_said():
    assert "Warning: a [class] is never recognised." in shown(
        summary(warnings=["Warning: a [class] is never recognised."])
    )


def test_a_run_without_baselines_says_so():
    assert "shortcut baselines: not measured" in shown(summary(baselines={}))
