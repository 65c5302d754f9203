"""Study A reproduced: what is found before the run, and the tables that are written after it."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.studies.study_a import reproduce as reproduction
from pipelines.studies.study_a.published import ACCURACIES, PAIRS, Published
from pipelines.studies.study_a.reproduce import write_all
from pipelines.studies.ucf101.choice import Asked, Choice
from pipelines.studies.ucf101.cuts import Cuts
from pipelines.studies.ucf101.find import find_clips, find_lists
from pipelines.studies.ucf101.results import read_results
from pipelines.studies.ucf101.weights import check_weights
from reelflow.errors import BundleError, DataError, ParamsError, StorageError, WeightsError
from reelflow.params import load_params
from reelflow.settings import Settings
from tests.fake_study import CLIPS, command, official, rows_of, touch, ucf101, write_run
from tests.slowly import slow

STUDY = load_params(Path("params.study-a.yaml"))
RIGHT = {
    ("inception_v3", "gru"): 36,
    ("inception_v3", "lstm"): 34,
    ("inception_v3", "single_frame"): 30,
    ("mobilenet_v2_quant", "gru"): 34,
    ("mobilenet_v2_quant", "lstm"): 26,
    ("mobilenet_v2_quant", "single_frame"): 22,
}


def made_up_cuts(folder: Path, right: dict[tuple[str, str], int], **data: object) -> Cuts:
    """The official lists as asked for; on the random cut four more clips are named correctly."""
    higher = {pair: min(CLIPS, count + 4) for pair, count in right.items()}
    write_run(folder / "official" / "work", right, **data)
    write_run(folder / "random" / "work", higher, straddling=True, **data)
    found = [
        read_results(folder / cut / "work", list(right), STUDY.evaluation) for cut in ("official", "random")
    ]
    return Cuts(*found)


def write_tables(
    folder: Path, right: dict[tuple[str, str], int] = RIGHT, published=None, **data: object
) -> str:
    """Write a made-up run and its tables; returns the page."""
    cuts = made_up_cuts(folder, right, **data)
    write_all(cuts, Asked(STUDY, 1), published or Published(), folder / "study-a")
    return (folder / "study-a" / "study-a.md").read_text()


def row_of(path: Path, **key: str) -> dict[str, str]:
    (row,) = [row for row in rows_of(path) if key.items() <= row.items()]
    return row


def test_the_params_are_the_study_s_own():
    training, frames = STUDY.training, STUDY.frames
    assert set(STUDY.features.backbones) == {backbone for backbone, _ in PAIRS}
    assert set(training.heads) == {head for _, head in PAIRS}
    assert (training.learning_rate, training.decay, training.weight_decay) == (1e-5, 1e-6, 0)
    assert (training.units, training.dense_units, training.dropout, training.input_dropout) == (
        *(None, 512),
        *(0.5, 0.5),
    )
    assert (training.leaky_slope, frames.count, frames.oversample, STUDY.evaluation.top_k) == (0.3, 25, 1, 5)
    assert (training.motion, training.label_smoothing, training.teacher) == (False, 0, ())
    assert (STUDY.features.views, STUDY.features.finetune.blocks) == (("plain",), 0)
    assert (STUDY.dataset.validation, STUDY.dataset.test, STUDY.evaluation.protocol) == (0.1, 0.28, "holdout")


def test_the_published_figures_are_those_of_the_tables(shared_data):
    published = Published.read(shared_data.parent / "reference")
    assert published.accuracies == ACCURACIES
    assert published.averages["inception_v3", "gru"]["f1"] == Decimal("0.76")
    assert set(published.per_class) == {("inception_v3", "gru"), ("mobilenet_v2_quant", "gru")}


@pytest.mark.parametrize("inside", ["", "UCF-101", "videos"])
def test_clips_are_found_where_people_have_them(tmp_path, inside):
    assert (
        find_clips(ucf101(tmp_path / inside).parents[0] if inside else ucf101(tmp_path)) == tmp_path / inside
    )


def test_clips_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(ParamsError, match="there is no folder"):
        find_clips(tmp_path / "missing")
    with pytest.raises(DataError, match=r"holds no clips as UCF-101/<Class>"):
        find_clips(tmp_path)
    ucf101(tmp_path / "one")
    ucf101(tmp_path / "two")
    with pytest.raises(DataError, match="holds several folders with clips"):
        find_clips(tmp_path)


@pytest.mark.parametrize(
    "place",
    [
        *("data", "data/UCF-101", ".", "ucfTrainTestlist", "data/ucfTrainTestlist", "ucf101_splits"),
        "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist",
    ],
)
def test_lists_are_found_in_beside_or_around_the_clips(tmp_path, place):
    ucf101(tmp_path / "data" / "UCF-101")
    folder = official(tmp_path / place, 2).resolve()
    for data in (tmp_path / "data", tmp_path / "data" / "UCF-101"):
        if data.name == "data" or place.startswith("data"):
            train, test = find_lists(data, None, 2)
            assert (train.resolve(), test.resolve()) == (
                folder / "trainlist02.txt",
                folder / "testlist02.txt",
            )


def test_named_lists_win_and_missing_ones_are_an_error(tmp_path):
    data = ucf101(official(tmp_path / "data"))
    named = official(tmp_path / "mine" / "ucfTrainTestlist")
    assert find_lists(data, tmp_path / "mine", 1)[0].parent == named
    with pytest.raises(ParamsError, match=r"no trainlist03\.txt and testlist03\.txt in .*--lists"):
        find_lists(data, None, 3)
    with pytest.raises(ParamsError, match=r"in .*elsewhere"):
        find_lists(data, tmp_path / "elsewhere", 1)


def test_the_command_line_changes_what_it_names_and_no_more(tmp_path):
    data = ucf101(official(tmp_path))
    plain = Choice(data).within(STUDY)
    assert plain.dataset.source == str(tmp_path)
    assert plain.dataset.split_lists.incomplete == "split"
    assert (plain.features, plain.training) == (STUDY.features, STUDY.training)
    chosen = Choice(
        data,
        validation="random",
        weights=tmp_path / "w",
        backbones=("inception_v3",),
        heads=("gru",),
        epochs=7,
    ).within(STUDY)
    assert (chosen.dataset.split, chosen.features.weights) == ("random", str(tmp_path / "w"))
    assert (chosen.features.backbones, chosen.training.heads, chosen.training.epochs) == (
        *(("inception_v3",), ("gru",)),
        7,
    )
    assert Choice(data, weights=tmp_path).within(STUDY).features.backbones == STUDY.features.backbones


def test_missing_weights_are_said_before_anything_runs(tmp_path, shared_data):
    with pytest.raises(WeightsError) as refused:
        check_weights(STUDY.features.backbones, str(shared_data / "weights"), Settings())
    said = str(refused.value)
    assert "inception_v3: the folder" in said
    assert "inception_v3_weights_tf_dim_ordering_tf_kernels.h5" in said
    assert said.endswith("To go on without: --backbones mobilenet_v2_quant")
    check_weights(["mobilenet_v2_quant", "thumbnail", "pixels_64"], str(shared_data / "weights"), Settings())
    with pytest.raises(WeightsError) as refused:
        check_weights(STUDY.features.backbones, str(tmp_path), Settings())
    assert "To go on without" not in str(refused.value)


def test_the_tables_hold_the_study_s_figures_beside_ours(tmp_path):
    write_tables(tmp_path)
    folder = tmp_path / "study-a"
    row = row_of(folder / "summary.csv", backbone="mobilenet_v2_quant", head="gru")
    assert row == {
        "backbone": "mobilenet_v2_quant",
        "head": "gru",
        "accuracy_published": "0.7594",
        "accuracy_here": "0.8500",
        "accuracy_here_low": "0.7500",
        "accuracy_here_high": "0.9500",
        "accuracy_random": "0.9500",
        "accuracy_random_low": "0.8500",
        "accuracy_random_high": "1.0000",
        "top5_published": "0.9297",
        "top5_here": "1.0000",
        "top5_here_low": "0.9000",
        "top5_here_high": "1.0000",
        "top5_random": "1.0000",
        "top5_random_low": "0.9000",
        "top5_random_high": "1.0000",
        "test_clips": "40",
    }
    assert len(rows_of(folder / "summary.csv")) == 6
    averages = row_of(folder / "averages.csv", backbone="inception_v3", head="lstm")
    assert (averages["recall_published"], averages["recall_weighted"]) == ("", "0.8000")
    assert (folder / "clips_per_class.png").read_bytes() == b"chart"
    assert row_of(folder / "dataset.csv", property="clips") == {
        "property": "clips",
        "published": "13320",
        "here": "75",
    }
    assert (folder / "per_class_inception_v3_gru.csv").read_text().splitlines()[:2] == [
        "label,precision,recall,f1,support",
        "Punch,0.9000,0.9000,0.9000,20",
    ]


def test_the_gaps_and_gains_are_those_of_the_clips(tmp_path):
    page = write_tables(tmp_path)
    gap = row_of(tmp_path / "study-a" / "gaps.csv", head="gru")
    # published: 0.7961 - 0.7594 = 0.0367, against 0.6969 - 0.6425 = 0.0544 with a single frame
    assert (gap["gap_published"], gap["change_published"]) == ("0.0367", "-0.0177")
    assert (gap["gap_here"], gap["change_here"]) == ("0.0500", "-0.1500")  # 2 of 40 clips against 8
    assert float(gap["change_here_low"]) < -0.15 < float(gap["change_here_high"])
    single = row_of(tmp_path / "study-a" / "gaps.csv", head="single_frame")
    assert (single["gap_published"], single["gap_here"], single["change_here"]) == ("0.0544", "0.2000", "")
    assert "- gru: published -0.0177, it holds; here -0.1500 (95 % interval" in page
    assert "- lstm: published -0.0099, it holds; here +0.0000 " in page
    assert "+0.2500), no difference." in page
    gains = row_of(tmp_path / "study-a" / "recurrent_gains.csv", backbone="inception_v3", head="gru")
    assert (gains["gain_published"], gains["gain_here"]) == ("0.0992", "0.1500")
    assert "inception_v3 with gru: published +0.0992, it holds; here +0.1500" in page


def test_the_backbones_are_compared_class_by_class(tmp_path):
    page = write_tables(tmp_path)
    found = json.loads((tmp_path / "study-a" / "backbone_comparison_gru_here.json").read_text())
    assert found["metrics"]["higher_in_a"] == 6
    assert (
        "Of 6 metrics 6 are higher in inception_v3, 0 are higher in mobilenet_v2_quant, 0 are equal." in page
    )
    rows = rows_of(tmp_path / "study-a" / "backbone_comparison.csv")
    assert [row["head"] for row in rows] == ["gru, here", "lstm, here", "single_frame, here"]


def test_with_the_study_s_tables_all_of_them_stand_beside_ours(tmp_path, shared_data):
    published = Published.read(shared_data.parent / "reference")
    page = write_tables(tmp_path, published=published)
    row = row_of(tmp_path / "study-a" / "backbone_comparison.csv", head="gru, published")
    assert (row["metrics_inception_v3"], row["metrics_mobilenet_v2_quant"], row["metrics_equal"]) == (
        *("157", "109"),
        "37",
    )
    assert [
        row[f"classes_{kind}_mobilenet_v2_quant"] for kind in ("some_higher", "none_lower", "all_higher")
    ] == [
        *("54", "23"),
        "15",
    ]
    assert (
        "The published report of inception_v3 contradicts itself: its support-weighted recall is 0.7698"
        in page
    )
    beside = rows_of(tmp_path / "study-a" / "per_class_inception_v3_gru_beside_published.csv")
    assert len(beside) == 101
    yoyo = next(row for row in beside if row["label"] == "YoYo")
    assert (yoyo["support_published"], yoyo["support"], yoyo["recall"]) == ("36", "20", "0.9000")
    assert "--reference" not in page


def test_what_was_not_run_is_said_and_left_empty(tmp_path):
    right = {pair: count for pair, count in RIGHT.items() if pair[0] == "mobilenet_v2_quant"}
    page = write_tables(tmp_path, right | {("thumbnail", "gru"): 20})
    row = row_of(tmp_path / "study-a" / "summary.csv", backbone="inception_v3", head="gru")
    assert row["accuracy_published"] == "0.7961"
    empty = (
        "accuracy_here",
        "accuracy_here_low",
        "accuracy_random",
        "top5_here",
        "top5_random",
        "test_clips",
    )
    assert {row[name] for name in empty} == {""}
    assert "Not run, on request: inception_v3 with gru, inception_v3 with lstm" in page
    assert "Not in the study: thumbnail with gru." in page
    assert "gru: published -0.0177, it holds; here not measured" in page
    assert "Needs inception_v3 and mobilenet_v2_quant with the same head" in page
    assert "| inception_v3 | gru | 0.7961 | - | - |" in page


def test_what_sets_the_figures_apart_is_said(tmp_path):
    page = write_tables(
        tmp_path,
        notes=("punch: 25 clips, all in the test list",),
        dropped_classes=("Basketball",),
        quarantined=({"path": "a.avi", "reason": "the file is empty"},),
    )
    for sentence in (
        "**This is a part of UCF101: 75 of 13320 clips, 2 of 101 classes.",
        "- Punch: 25 clips, all in the test list.",
        "Classes dropped as too small to be cut: Basketball.",
        "1 clips left out; the first: a.avi: the file is empty.",
        "With 2 classes top-5 is top-2.",
        "inception_v3 with lstm ran into the limit of 3 epochs",
        "The test clips are of 10 groups",
        "taken from the train list by whole groups",
        "(--reference)",
    ):
        assert sentence in page, sentence
    assert str(tmp_path) not in page
    assert "inception_v3 with gru ran into" not in page


def test_the_same_run_gives_the_same_bytes_and_old_tables_go(tmp_path):
    write_tables(tmp_path)
    folder = tmp_path / "study-a"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "per_class_old_gru.csv").touch()
    work = [tmp_path / cut / "work" for cut in ("official", "random")]
    cuts = Cuts(*(read_results(one, PAIRS, STUDY.evaluation) for one in work))
    write_all(cuts, Asked(STUDY, 1), Published(), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_is_not_whole_is_an_error(tmp_path):
    write_run(tmp_path / "work", {("inception_v3", "gru"): 3})
    with pytest.raises(BundleError, match="has no folder of evaluation inception_v3-lstm"):
        read_results(tmp_path / "work", PAIRS, STUDY.evaluation)
    (tmp_path / "work" / "evaluation-0" / "scores.npy").write_bytes(b"altered")
    results = read_results(tmp_path / "work", [("inception_v3", "gru")], STUDY.evaluation)
    with pytest.raises(BundleError, match="is not the file that its report names"):
        results.difference(("inception_v3", "gru"), ("inception_v3", "gru"))
    shutil.rmtree(tmp_path / "work" / "evaluation-0")
    with pytest.raises(BundleError, match="missing"):
        read_results(tmp_path / "work", [("inception_v3", "gru")], STUDY.evaluation)


def test_a_folder_that_is_not_ours_stays(tmp_path):
    touch(tmp_path / "study-a" / "mine.txt")
    with pytest.raises(StorageError, match="is not an output of this command"):
        reproduction.reproduce(Asked(STUDY, 1), Published(), tmp_path, Console(), Settings())
    assert (tmp_path / "study-a" / "mine.txt").exists()


def test_a_reference_without_tables_is_an_error(tmp_path):
    with pytest.raises(ParamsError, match=r"holds none of pipelines_table\.csv"):
        Published.read(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["study-c", "--data", "."], 2, "study-a"),
        slow(["study-a", "--data", "nowhere"], 2, "there is no folder nowhere"),
        (["study-a", "--data", "{clips}", "--split", "2"], 2, "no trainlist02.txt and testlist02.txt"),
        slow(["study-a", "--data", "{clips}", "--weights", "{clips}"], 4, "weights are missing"),
        slow(["study-a", "--data", "{clips}", "--heads", "big"], 2, "unknown head big"),
    ],
)
def test_bad_input_ends_in_one_message_and_a_code(tmp_path, arguments, code, said):
    data = ucf101(official(tmp_path / "clips"))
    ended = command(*(text.format(clips=data) for text in arguments), "--out", tmp_path / "out")
    assert (ended.returncode, said in ended.stderr, "Traceback" in ended.stderr) == (code, True, False), (
        ended.stderr
    )
    assert not (tmp_path / "out").exists()


def test_both_cuts_stand_side_by_side_with_the_gap_as_the_finding(tmp_path):
    page = write_tables(tmp_path)
    row = row_of(tmp_path / "study-a" / "cuts.csv", backbone="mobilenet_v2_quant", head="gru")
    assert (row["published"], row["official"], row["random"], row["gap"]) == (
        "0.7594",
        "0.8500",
        "0.9500",
        "0.1000",
    )
    # sqrt(0.10 ** 2 + 0.10 ** 2) below, sqrt(0.05 ** 2 + 0.10 ** 2) above, by the intervals of both
    assert (row["gap_low"], row["gap_high"]) == ("-0.0414", "0.2118")
    groups = rows_of(tmp_path / "study-a" / "groups_on_both_sides.csv")
    assert [
        (row["cut"], row["groups_in_test_and_rest"], row["clips_in_test_and_rest"]) for row in groups
    ] == [
        ("official lists", "0", "0"),
        ("random cut", "8", "32"),
    ]
    assert (
        "give a higher accuracy in 6 of 6 classifiers, in 0 beyond noise; the mean gap is +0.1000.**" in page
    )
    assert (
        "0.8500 on the official lists, 0.9500 on the random cut: a gap of +0.1000 (95 % interval -0.0414"
        in page
    )
    assert (
        "Random cut: 32 of 40 test clips have others of their group in train or validation, such as" in page
    )
    assert (tmp_path / "study-a" / "cuts.png").read_bytes().startswith(b"\x89PNG")
    assert "nearer to ours" not in page  # a part of UCF101


def test_the_random_cut_can_be_left_out(tmp_path):
    cuts = Cuts(made_up_cuts(tmp_path, RIGHT).official)
    write_all(cuts, Asked(STUDY, 1, random=False), Published(), tmp_path / "study-a")
    page = (tmp_path / "study-a" / "study-a.md").read_text()
    assert page.count("not run, on request (--no-random-cut)") == 2
    assert not (tmp_path / "study-a" / "cuts.png").exists()
    row = row_of(tmp_path / "study-a" / "summary.csv", backbone="inception_v3", head="gru")
    assert (row["accuracy_here"], row["accuracy_random"]) == ("0.9000", "")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_yoyo_and_punch_by_the_official_lists(shared_data, tmp_path):
    ended = command(
        *("study-a", "--data", shared_data / "clips" / "ucf101", "--lists", shared_data / "ucf101_splits"),
        *("--weights", shared_data / "weights", "--backbones", "mobilenet_v2_quant", "--epochs", "3"),
        *("--reference", shared_data.parent / "reference", "--out", tmp_path / "out"),
        tracking=f"sqlite:///{tmp_path / 'mlflow.db'}",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    page = (tmp_path / "out" / "study-a" / "study-a.md").read_text()
    assert "87 of 13320 clips, 2 of 101 classes" in page
    assert "Punch: 25 clips, all in the test list" in page
    rows = rows_of(tmp_path / "out" / "study-a" / "summary.csv")
    assert {row["head"] for row in rows if row["accuracy_here"]} == {"gru", "lstm", "single_frame"}
    assert {row["head"] for row in rows if row["accuracy_random"]} == {"gru", "lstm", "single_frame"}
