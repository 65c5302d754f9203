"""Study B reproduced: its published table, what a run cost, and the page that is written after it."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.studies.comparison.caveats import changes
from pipelines.studies.study_b.cost import Costs
from pipelines.studies.study_b.published import NETWORKS, OURS
from pipelines.studies.study_b.reproduce import write_all
from pipelines.studies.study_b.speed import Speed, call_seconds, measured_speed
from pipelines.studies.ucf101.choice import Asked, Choice
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.results import ClassifierResult, read_results
from pipelines.studies.ucf101.times import TrainingTime
from reelflow.artifacts.evaluations import Candidate
from reelflow.params import load_params
from tests.fake_reports import HASH, evaluation_report
from tests.fake_study import command, official, rows_of, ucf101, write_run
from tests.slowly import slow

STUDY = load_params(Path("params.study-b.yaml"))
P3D, OTHER, SMALL = ("pixels", "p3d_199"), ("thumbnail", "gru"), ("pixels_32", "convlstm_c2d_63")
RIGHT = {P3D: (20, 36), OTHER: (30, 30)}
SPEED = Speed(model_sha256=HASH, machine="2 CPU core(s), made up", single_s=0.5, many_s=7)
TIMES = {
    "official": {P3D: TrainingTime(total_s=600.25, epoch_s=55.5), OTHER: TrainingTime(total_s=9)},
    "random": {P3D: TrainingTime(), OTHER: TrainingTime(total_s=8, epoch_s=2)},
}


def write_page(folder: Path, *, random: bool = True, changed: tuple[str, ...] = ()) -> str:
    """The page of a made-up run, with its tables beside it."""
    for place, cut in enumerate(("official", "random")):
        write_run(
            folder / cut, {pair: right[place] for pair, right in RIGHT.items()}, straddling=cut == "random"
        )
    results = [read_results(folder / cut, list(RIGHT), STUDY.evaluation) for cut in ("official", "random")]
    costs = Costs(TIMES, {P3D: SPEED, OTHER: "the speed was not measured: no memory"})
    write_all(Cuts(*results[: 1 + random]), costs, Asked(STUDY, 1, random, changed), folder / "study-b")
    return (folder / "study-b" / "study-b.md").read_text()


def row_of(folder: Path, table: str, pair: tuple[str, str]) -> dict[str, str]:
    rows = rows_of(folder / "study-b" / f"{table}.csv")
    return next(row for row in rows if (row["backbone"], row["head"]) == pair)


def test_the_params_are_the_study_s_own():
    training, frames = STUDY.training, STUDY.frames
    assert (STUDY.features.backbones, set(training.heads)) == (
        ("pixels",),
        {one.head for one in NETWORKS if one.head},
    )
    assert (frames.count, frames.oversample, training.batch_size) == (16, 1, 48)
    assert (training.learning_rate, training.decay, training.dropout) == (1e-4, 0, 0.5)
    assert (training.weight_decay, training.label_smoothing, training.teacher) == (0, 0, ())
    assert (STUDY.features.views, STUDY.evaluation.protocol) == (("plain",), "holdout")


def test_the_published_figures_are_those_of_the_table(shared_data):
    path = shared_data.parent / "reference" / "video_networks_table.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["classifier"]) for row in rows] == [(n.name, n.classifier) for n in NETWORKS]
    for row, one in zip(rows, NETWORKS, strict=True):
        theirs = (
            *(row["accuracy"], row["size_mb"], row["training_time_minutes"], row["epoch_minutes"]),
            *(row["clips_per_second_gtx1080ti"], row["clips_needed_per_video"]),
        )
        ours = (
            *(one.accuracy, one.size_mb, one.training_minutes, one.epoch_minutes),
            *(one.clips_per_s, one.clips_a_video),
        )
        assert [Decimal(text) if text else None for text in theirs] == list(ours)
    assert round(OURS[P3D].videos_per_s or 0, 2) == Decimal("9.26")


def test_both_cuts_stand_beside_the_published_accuracy(tmp_path):
    page = write_page(tmp_path)
    row = row_of(tmp_path, "cuts", P3D)
    assert (row["published"], row["official"], row["random"], row["gap"]) == (
        *("0.8879", "0.5000"),
        *("0.9000", "0.4000"),
    )
    assert "| pixels | convlstm_c2d_63 | 0.9557 | - | - |" in page
    assert (
        "give a higher accuracy in 1 of 2 classifiers, in 1 beyond noise; the mean gap is +0.2000.**" in page
    )
    assert (tmp_path / "study-b" / "cuts.png").is_file()
    assert "**This is a part of UCF101: 75 of 13320 clips, 2 of 101 classes." in page
    assert "Not run, on request: pixels with convlstm_c2d_63." in page
    assert str(tmp_path) not in page


def test_costs_stand_beside_the_published_ones_and_gaps_have_a_reason(tmp_path):
    write_page(tmp_path)
    assert row_of(tmp_path, "cost", P3D) == {
        "backbone": "pixels",
        "head": "p3d_199",
        "parameters": "1234",
        "size_mb_published": "261",
        "size_mb": "0.00",
        "epochs_official": "3",
        "epochs_random": "3",
        "epoch_s_published": "780",
        "epoch_s_official": "55.500",
        "epoch_s_random": "",
        "training_s_published": "55500",
        "training_s_official": "600.2",
        "training_s_random": "",
        "why_empty": "random: an earlier run had finished the training, so that its time is not known",
    }
    assert row_of(tmp_path, "cost", OTHER)["why_empty"].startswith(
        "official: no two epochs followed each other"
    )
    missing = row_of(tmp_path, "cost", ("pixels", "convlstm_c2d_63"))
    assert (missing["size_mb_published"], missing["size_mb"], missing["why_empty"]) == ("236", "", "not run")


def test_speed_is_by_one_clip_a_video_and_by_twenty_one(tmp_path):
    write_page(tmp_path)
    row = row_of(tmp_path, "inference", P3D)
    assert (row["clips_per_s_published"], row["videos_per_s_published_derived"]) == ("194.50", "9.26")
    assert (row["clips_per_s_one_a_call"], row["videos_per_s_single_clip"]) == ("2.00", "2.00")
    assert (row["clips_per_s_21_a_call"], row["videos_per_s_21_clips"]) == ("3.00", "0.14")
    other = row_of(tmp_path, "inference", OTHER)
    assert (other["clips_per_s_one_a_call"], other["why_empty"]) == (
        "",
        "the speed was not measured: no memory",
    )


def test_without_the_random_cut_its_columns_are_empty_and_it_is_said(tmp_path):
    page = write_page(tmp_path, random=False)
    assert row_of(tmp_path, "cost", P3D)["why_empty"] == "random: not run, on request"
    assert "The random cut was not run, on request (--no-random-cut): the gap is not known here." in page
    assert not (tmp_path / "study-b" / "cuts.png").exists()


def test_values_that_are_not_the_study_s_are_named(tmp_path):
    data = ucf101(official(tmp_path / "clips"))
    assert changes(Choice(data, heads=("gru",), backbones=("thumbnail",)).within(STUDY), STUDY) == ()
    chosen = Choice(data, epochs=7).within(STUDY.with_values(training={"batch_size": 4}))
    found = changes(chosen, STUDY)
    assert found == ("training.batch_size 4 (48)", "training.epochs 7 (100)")
    page = write_page(tmp_path / "run", changed=found)
    assert "- **Other values than the study's, which are in brackets: training.batch_size 4 (48), tr" in page
    assert "Other values" not in write_page(tmp_path / "own")


def test_the_same_run_gives_the_same_bytes(tmp_path):
    write_page(tmp_path / "one")
    write_page(tmp_path / "other")
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "study-b").iterdir()}
        for name in ("one", "other")
    )
    assert one == other


def test_a_speed_that_is_known_is_not_measured_again(tmp_path):
    report = evaluation_report(name="pixels-p3d_199")
    result = ClassifierResult(Candidate(tmp_path / "no model", report))
    (tmp_path / "pixels-p3d_199.json").write_text(SPEED.to_json())
    assert measured_speed(result, tmp_path) == SPEED


class Doubler:
    """Counts the calls of a network."""

    input_shape = (None, 3, 4)

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, clips, training):
        assert training is False
        self.seen.append(tuple(clips.shape))
        return clips


@pytest.mark.slow
def test_a_forward_pass_is_timed_in_calls_of_so_many_clips():
    network = Doubler()
    assert 0 < call_seconds(network, clips=5) < 1
    assert network.seen == [(None, 3, 4)]  # traced once


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_a_reason_not_an_end(tmp_path):
    report = evaluation_report(name="pixels-p3d_199")
    found = measured_speed(ClassifierResult(Candidate(tmp_path / "gone", report)), tmp_path)
    assert isinstance(found, str)
    assert "the speed was not measured" in found
    assert "is missing" in found
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        slow(["--data", "nowhere"], "there is no folder nowhere"),
        slow(["--data", "{clips}", "--split", "2"], "no trainlist02.txt and testlist02.txt"),
        slow(["--data", "{clips}", "--heads", "big"], "unknown head big"),
        slow(["--data", "{clips}", "--heads", "gru", "--backbones", "pixels_5"], "pixels_5"),
        (["--data", "{clips}", "--reference", "{clips}"], "leave --reference out"),
    ],
)
def test_bad_input_ends_in_one_message_and_a_code(tmp_path, arguments, said):
    data = ucf101(official(tmp_path / "clips"))
    ended = command("study-b", *(text.format(clips=data) for text in arguments), "--out", tmp_path / "out")
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    assert said in ended.stderr
    assert not (tmp_path / "out").exists()


def features_events(out: Path, cut: str) -> list[str]:
    return [
        line for line in (out / cut / "work" / "events.jsonl").read_text().splitlines() if "store" in line
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_yoyo_and_punch_on_both_cuts(shared_data, tmp_path):
    """Real clips, the official lists, then a resumed call that changes nothing."""
    out = tmp_path / "out"
    arguments = (
        *("study-b", "--data", shared_data / "clips" / "ucf101", "--lists", shared_data / "ucf101_splits"),
        *("--backbones", SMALL[0], "--heads", SMALL[1], "--epochs", "2", "--out", out),
    )
    ended = command(*arguments, tracking=f"sqlite:///{tmp_path / 'mlflow.db'}", store="none")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    page = (out / "study-b" / "study-b.md").read_text()
    assert "87 of 13320 clips, 2 of 101 classes" in page
    assert "Official lists: 0 of 43 test clips have others of their group in train or validation." in page
    assert "Random cut: 35 of 43 test clips" in page
    row = row_of(out, "cuts", SMALL)
    assert row["test_clips_official"] == row["test_clips_random"] == "43"
    assert float(row["gap"]) == pytest.approx(float(row["random"]) - float(row["official"]), abs=1e-4)
    cost, speed = row_of(out, "cost", SMALL), row_of(out, "inference", SMALL)
    assert float(cost["epoch_s_official"]) >= 0
    assert float(speed["clips_per_s_21_a_call"]) > 0
    assert cost["why_empty"] == speed["why_empty"] == ""
    found = "".join(features_events(out, "random"))
    for kind in ("frames", "features"):  # of the same clips: read, not computed again
        assert f'"read": {{"{kind}"' in found
        assert f'"written": {{"{kind}"' not in found
    report = (out / "random" / "report.html").read_text()
    assert "group(s) are both tested and trained or validated on: 35 of" in report
    assert "group(s) are both tested" not in (out / "official" / "report.html").read_text()
    before = {path.name: path.read_bytes() for path in (out / "study-b").iterdir()}
    again = command(*arguments, tracking=f"sqlite:///{tmp_path / 'mlflow.db'}", store="none")
    assert again.stdout.count("nothing has changed since this run") == 2
    assert {path.name: path.read_bytes() for path in (out / "study-b").iterdir()} == before
