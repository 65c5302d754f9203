import json
import shutil
import subprocess
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipelines.local.replay import REPLAY, replay
from pipelines.sweep import driver, trainings
from pipelines.sweep.driver import run_sweep
from pipelines.sweep.folds import write_nests
from pipelines.sweep.trainings import Trainer
from pipelines.trials.candidate import SweepCandidate, suggest
from pipelines.trials.report import SweepReport
from pipelines.trials.search import Attempt, FoldScore, Search, best, open_study
from pipelines.trials.space import Space, load_space
from reelflow.artifacts.clips import read_clips
from reelflow.errors import DataError, ParamsError, StorageError, TrackingError
from reelflow.files import locked
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.splitting.protocols import Protocol, make_folds
from reelflow.tracking.spool.owed import TrackingSpool
from reelflow.tracking.tracker import PARENT_TAG, Tracker
from tests import fake_features
from tests.fake_search import LABELS, PROTOCOL, SPACE, base_params, made_up, write_space
from tests.workplace import ROOT, Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # MLflow's

FINETUNE = {"blocks": 1, "epochs": 1, "learning_rate": 1, "batch_size": 1}


def sweep(folder: Path, console: Console | None = None, **changes: object) -> SweepReport:
    params = base_params(folder)
    space = load_space(write_space(folder, **changes), params)
    return run_sweep(
        params, space, folder.with_name(f"{folder.name}-out"), console or Console(quiet=True), Settings()
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, empty_database):
    """A real sweep; its report, its folder, and the clips of every training: path, train, test."""
    folder, seen = tmp_path_factory.mktemp("sweep") / "clips", []
    folder.mkdir()
    shutil.copy(empty_database, folder.parent / "mlflow.db")

    def spy(params, **arguments):
        clips = read_clips(arguments["dataset"])
        seen.append((Path(arguments["dataset"]), clips))
        return trained(params, **arguments)

    trained = trainings.run_training
    spy.__annotations__ = trained.__annotations__
    spy.__module__ = trained.__module__
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder.parent / 'mlflow.db'}")
        patch.setattr(driver, "prepare", made_up)
        patch.setattr(trainings, "run_training", spy)
        report = sweep(folder)
        count = len(seen)
        again = sweep(folder)
        assert len(seen) == count, "a finished search trains nothing again"
        assert again == report
    return report, folder.parent / "clips-out", seen


def test_no_trial_reads_a_clip_that_judges_it(finished):
    report, out, seen = finished
    clips = read_clips(out / "work" / "made-up" / "dataset")
    outer = make_folds(clips, Protocol.parse(PROTOCOL))
    judged: list[str] = []
    for place, fold in enumerate(outer, start=1):
        held_out = {clip.clip_id for clip in fold.test}
        folders = [(path, found) for path, found in seen if path.parent.name == str(place)]
        inner = [found for path, found in folders if path.name.startswith("inner-")]
        assert len(inner) >= 2
        for found in inner:
            assert not held_out & {clip.clip_id for clip in found}
        (last,) = [found for path, found in folders if path.name == "outer"]
        assert {clip.clip_id for clip in last if clip.split == "test"} == held_out
        judged += held_out
    assert Counter(judged) == Counter(clip.clip_id for clip in clips)
    assert report.test_clips == len(clips)


def test_the_honest_accuracy_is_that_of_the_outer_folds(finished):
    report, *_ = finished
    outer = [study for study in report.studies if study.accuracy is not None]
    assert report.accuracy == pytest.approx(np.average([study.accuracy for study in outer]))
    assert [study.name for study in report.studies] == ["fold 1", "fold 2", "all clips"]
    assert report.interval.low <= report.accuracy <= report.interval.high
    assert report.tuned_accuracy == report.studies[-1].tuned_accuracy
    assert report.optimism == pytest.approx(report.tuned_accuracy - report.accuracy)


def test_the_order_of_frames_is_found_by_the_head_that_sees_it(finished):
    report, *_ = finished
    assert report.chosen.head == "segment_linear"
    assert {study.chosen.head for study in report.studies} == {"segment_linear"}
    assert report.accuracy > 0.9


def test_what_was_chosen_is_a_params_file(finished):
    report, out, _ = finished
    chosen = load_params(out / "best.yaml")
    assert chosen.training.heads == (report.chosen.head,)
    assert chosen.training.segments == report.chosen.training["segments"]
    assert chosen.features.views == report.chosen.views
    assert chosen.evaluation.protocol == PROTOCOL
    page = (out / "sweep.md").read_text()
    assert f"Honest accuracy {report.accuracy:.3f}" in page
    assert "not to be reported" in page
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert SweepReport.read(out / "sweep.json") == report


def test_every_trial_is_a_child_run(finished):
    _, out, _ = finished
    tracker = Tracker(Settings(MLFLOW_TRACKING_URI=f"sqlite:///{out.parent / 'mlflow.db'}"))
    runs = tracker._runs.search({})
    (parent,) = [run for run in runs if PARENT_TAG not in run.data.tags]
    children = [run for run in runs if run.data.tags.get(PARENT_TAG) == parent.info.run_id]
    assert Counter(run.data.tags["reelflow.fold"] for run in children) == {
        "fold 1": 3,
        "fold 2": 3,
        "all clips": 3,
    }
    assert {run.data.tags["reelflow.state"] for run in children} <= {"COMPLETE", "PRUNED"}
    assert all({"head", "features.views", "backbone"} <= run.data.params.keys() for run in children)
    assert all(0 <= run.data.metrics["accuracy"] <= 1 for run in children)
    history = tracker._client.get_metric_history(children[0].info.run_id, "fold_accuracy")
    assert [point.step for point in history] == [1, 2]
    assert parent.info.status == "FINISHED"
    assert "tuned_accuracy" in parent.data.metrics


def worth(candidate: SweepCandidate) -> float:
    """A made-up accuracy that depends on the values."""
    base = 0.9 if candidate.head == "segment_linear" else 0.3
    return base + candidate.training.get("segments", 0) / 50 + candidate.training.get("learning_rate", 0)


class Judge:
    """Says what `worth` says, and notes what was asked; stops once as if killed."""

    def __init__(self, dies_at: int = 0) -> None:
        self.asked: list[tuple[SweepCandidate, int]] = []
        self._dies_at = dies_at

    def __call__(self, candidate: SweepCandidate, place: int) -> FoldScore:
        if self._dies_at and len(self.asked) == self._dies_at:
            raise KeyboardInterrupt
        self.asked.append((candidate, place))
        return FoldScore(round(1000 * worth(candidate)), 1000, 500.0)


def space(tmp_path: Path, **changes: object) -> Space:
    return load_space(write_space(tmp_path, **changes), base_params(tmp_path))


def search(tmp_path: Path, judge, name: str = "fold 1", **changes: object) -> tuple[Attempt, ...]:
    found = space(tmp_path, **({"trials": 5} | changes))
    plan = Search(name, 3, found, ("thumbnail",), judge)
    with open_study(tmp_path / "sweep.db", name, found.startup) as study:
        return plan.run(study, lambda attempt: None)


def test_the_same_seed_makes_the_same_choices(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    found = search(tmp_path / "a", Judge(), trials=3)
    assert search(tmp_path / "b", Judge(), trials=3) == found
    assert search(tmp_path / "c", Judge(), trials=3, seed=2) != found


@pytest.mark.slow
def test_a_killed_search_ends_as_an_untouched_one(tmp_path):
    untouched = Judge()
    (tmp_path / "whole").mkdir()
    expected = search(tmp_path / "whole", untouched)
    for dies_at in (2, 4):  # inside the first trial, and at the start of the third
        first, second, place = Judge(dies_at), Judge(), tmp_path / str(dies_at)
        place.mkdir()
        with pytest.raises(KeyboardInterrupt):
            search(place, first)
        assert search(place, second) == expected
        assert first.asked + second.asked == untouched.asked, "no fold is judged twice"


def test_more_trials_go_on_after_those_that_are_there(tmp_path):
    first, second = Judge(), Judge()
    few = search(tmp_path, first, trials=2)
    more = search(tmp_path, second, trials=4)
    assert more[:2] == few
    assert len(more) == 4
    again = Judge()
    assert search(tmp_path, again, trials=4) == more
    assert again.asked == []


def test_every_head_comes_first_and_a_trial_that_falls_behind_is_pruned(tmp_path):
    first, second = search(tmp_path, Judge(), trials=2)
    assert (first.candidate.head, first.state, len(first.scores)) == ("segment_linear", "COMPLETE", 3)
    assert (second.candidate.head, second.state, len(second.scores)) == ("single_frame", "PRUNED", 1)
    assert best((first, second)) is first


def test_a_failing_trial_is_noted_and_the_search_goes_on(tmp_path):
    def judge(candidate, place):
        if candidate.head == "single_frame":
            raise ParamsError("the loss is NaN or infinite")
        return FoldScore(9, 10, 5.0)

    found = search(tmp_path, judge)
    failed = [attempt for attempt in found if attempt.state == "FAIL"]
    assert failed
    assert len(found) == 5
    assert {attempt.error for attempt in failed} == {"the loss is NaN or infinite"}
    assert best(found).state == "COMPLETE"


def test_a_search_in_which_all_fails_says_why(tmp_path):
    def judge(candidate, place):
        raise ParamsError("the loss is NaN or infinite")

    with pytest.raises(ParamsError, match="fold 1: all 2 trials failed; the last one: the loss is NaN"):
        search(tmp_path, judge, trials=2)


def test_equal_accuracies_are_told_apart_by_the_log_loss():
    candidate = SweepCandidate(family="a", backbone="b", head="gru", views=("plain",), training={})
    tried = [
        Attempt(1, candidate, (FoldScore(5, 10, 9.0),), "COMPLETE"),
        Attempt(2, candidate, (FoldScore(5, 10, 8.0),), "COMPLETE"),
        Attempt(3, candidate, (FoldScore(9, 10, 1.0),), "PRUNED"),
        Attempt(4, candidate, (FoldScore(4, 10, 1.0),), "COMPLETE"),
    ]
    assert best(tried).number == 2


def test_a_hold_out_tests_its_test_clips_and_chooses_without_them(tmp_path):
    clips = fake_features.make_clips(LABELS, {"train": 12, "validation": 4, "test": 4})
    dataset = fake_features.write_dataset(tmp_path / "dataset", clips, LABELS)
    (nest,) = write_nests(dataset, "holdout", "group_kfold(3)", tmp_path / "folds")
    assert (nest.clips, nest.tested) == (32, 8)
    tested = {clip.clip_id for clip in clips if clip.split == "test"}
    inner = [read_clips(folder) for folder in nest.inner]
    assert len(inner) == 3
    for found in inner:
        assert not tested & {clip.clip_id for clip in found}
        sides = {clip.group: clip.split for clip in found}
        assert all(sides[clip.group] == clip.split for clip in found), "no group stands on two sides"
    held_out = [clip.clip_id for found in inner for clip in found if clip.split == "test"]
    assert sorted(held_out) == sorted({clip.clip_id for clip in clips} - tested)


def test_too_few_groups_for_the_inner_folds_are_named_before_anything_is_trained(tmp_path):
    clips = fake_features.make_clips(LABELS, {"train": 2, "validation": 1, "test": 1})
    dataset = fake_features.write_dataset(tmp_path / "dataset", clips, LABELS)
    with pytest.raises(DataError, match="inside fold 1"):
        write_nests(dataset, "group_kfold(2)", "group_kfold(3)", tmp_path / "folds")


def test_views_of_the_features_and_of_training_keep_their_names():
    candidate = SweepCandidate(
        family="a", backbone="b", head="gru", views=("plain", "flip"), training={"views": "average"}
    )
    assert candidate.values() | {"features.views": "plain flip", "views": "average"} == candidate.values()
    params = candidate.within(load_params(ROOT / "params.yaml"))
    assert params.features.views == ("plain", "flip")


def linear(**changes: object) -> dict[str, object]:
    return {"families": {"linear": SPACE["families"]["linear"] | changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (linear(heads=["gruu"]), "linear: unknown head gruu"),
        (linear(views=[["plain", "flop"]]), "linear: unknown view flop"),
        (linear(views=[["flip"]]), "expected plain first"),
        (linear(views=[["plain", "later"]]), "needs 3 frames kept"),
        (linear(training={"unit": [1]}), "unit cannot be searched; expected a field of the training section"),
        (linear(training={"seed": [1, 2]}), "seed cannot be searched"),
        (linear(training={"segments": []}), "at least 1 item"),
        (linear(training={"segments": [0]}), "greater than or equal to 1"),
        (linear(training={"dropout": {"low": 0.5, "high": 0.1}}), "low must be below high"),
        (linear(training={"dropout": {"low": 0.5, "high": 1.5}}), "dropout: .*less than 1"),
        (linear(training={"decay": {"low": 0, "high": 0.1, "log": True}}), "low must be above 0"),
        (linear(training={"centered": {"low": 0, "high": 1}}), "centered is not a number"),
        ({"trials": 0}, "trials"),
        ({"inner": "holdout"}, r"expected group_kfold\(K\)"),
        ({"inner": "five"}, "found 'five'"),
        ({"families": {}}, "families"),
        ({"famlies": {}}, "famlies"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(tmp_path, changes, message):
    with pytest.raises(ParamsError, match=message):
        load_space(write_space(tmp_path, **changes), base_params(tmp_path))


def test_the_space_of_the_checkout_fits_its_params():
    found = load_space(ROOT / "sweep.yaml", load_params(ROOT / "params.yaml"))
    assert found.trials >= 10
    assert len(found.view_lists()) > 1


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("training", {"teacher": ["out/teacher"]}, "teacher has seen clips"),
        ("features", {"finetune": FINETUNE}, "a fine-tuned backbone has seen clips"),
        ("dataset", {"source": "nowhere"}, "there is no nowhere"),
        ("features", {"backbones": ["vgg"]}, "unknown backbone vgg"),
        ("features", {"backbones": ["thumbnail", "pixels_16"]}, "does not go with pixels_16"),
    ],
)
def test_what_would_make_the_number_dishonest_is_refused(tmp_path, section, values, message):
    params = base_params(tmp_path).with_values(evaluation={"protocol": "holdout"}, **{section: values})
    with pytest.raises(ParamsError, match=message):
        run_sweep(params, space(tmp_path), tmp_path.with_name("out"), Console(quiet=True), Settings())


def quick_sweep(folder: Path, settings: Settings, console: Console, monkeypatch) -> SweepReport:
    """A search whose trainings are made up."""
    folder.mkdir(exist_ok=True)
    tested = trainings.Tested(np.array([True, False]), ("a", "b"))
    monkeypatch.setattr(driver, "prepare", made_up)
    monkeypatch.setattr(Trainer, "judge", lambda *_: FoldScore(9, 10, 5.0))
    monkeypatch.setattr(Trainer, "test", lambda *_: tested)
    return run_sweep(base_params(folder), space(folder.parent), folder.parent / "out", console, settings)


@pytest.mark.slow
def test_a_search_without_mlflow_goes_on_and_a_replay_records_it(tmp_path, database, monkeypatch):
    settings = Settings(tracking_uri="http://127.0.0.1:9", spool=tmp_path / "spool")
    spool, shown = TrackingSpool(settings.spool), StringIO()
    spool.remember(settings)
    with pytest.raises(TrackingError, match="no MLflow server answers") as caught:
        quick_sweep(tmp_path / "clips", settings, Console(file=shown, width=1000), monkeypatch)
    assert caught.value.exit_code == 7
    assert "it has answered before, so the run goes on" in shown.getvalue()
    assert f"results are in {tmp_path / 'out'}; when MLflow answers, run {REPLAY}" in shown.getvalue()
    report = SweepReport.read(tmp_path / "out/sweep.json")
    (owed,) = spool.all()
    assert owed.search.out == tmp_path / "out"
    spool.keep(owed.but(server=database))

    here = settings.model_copy(update={"tracking_uri": database})
    with locked(tmp_path / "out/.lock"):  # as the same command holds it
        assert replay(here, Console(file=shown, width=1000)).refused == (owed.run,)
    assert f"it is running in {tmp_path / 'out'}, and records itself" in shown.getvalue()
    assert any(spool.all())
    for _ in range(2):  # the second finds the runs of the first
        spool.keep(owed.but(server=database))
        assert replay(here, Console(quiet=True)).sent == (owed.run,)
        assert not any(spool.all())
        found = Tracker(here)._runs.search({})
        (parent,) = [run for run in found if PARENT_TAG not in run.data.tags]
        children = [run for run in found if run is not parent]
        assert len(children) == 3 * len(report.studies)
        assert {run.info.status for run in found} == {"FINISHED"}
        assert (parent.info.run_name, parent.info.end_time) == (owed.run, owed.search.ended_ms)
        assert parent.data.params == owed.search.params
        assert parent.data.metrics["accuracy"] == report.accuracy
        assert parent.info.start_time == min(run.info.start_time for run in children)


def test_a_search_at_an_address_that_never_answered_is_refused_at_once(tmp_path, monkeypatch):
    settings = Settings(tracking_uri="http://127.0.0.1:9", spool=tmp_path / "spool")
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        quick_sweep(tmp_path / "clips", settings, Console(quiet=True), monkeypatch)
    assert not (tmp_path / "out/work").exists()
    assert not any(TrackingSpool(settings.spool).all())


def test_a_bad_space_ends_the_command_before_anything_runs(tmp_path):
    place = Workplace(tmp_path)
    found = write_space(tmp_path, **linear(heads=["gruu"]))
    done = subprocess.run(
        place.command("sweep", "--space", found, "--out", tmp_path / "out", "--params", place.params),
        cwd=ROOT,
        env=place.environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "unknown head gruu" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["best.yaml", "work/trial/letter"])
def test_files_of_no_search_stay(tmp_path, name):
    own = tmp_path / "own" / name
    own.parent.mkdir(parents=True)
    own.write_text("dear")
    (tmp_path / "clips").mkdir()
    with pytest.raises(StorageError, match="is not of a search and is left unchanged"):
        run_sweep(
            base_params(tmp_path / "clips"),
            space(tmp_path),
            tmp_path / "own",
            Console(quiet=True),
            Settings(),
        )
    assert own.read_text() == "dear"


def test_what_is_no_database_is_explained(tmp_path):
    (tmp_path / "sweep.db").write_text("dear")
    with pytest.raises(StorageError, match="move the file away"), open_study(tmp_path / "sweep.db", "a", 1):
        pass
    assert (tmp_path / "sweep.db").read_text() == "dear"


def test_the_database_lies_in_folders_of_any_name(tmp_path):
    folder = tmp_path / "why?a=1#b%20 c"
    folder.mkdir()
    with open_study(folder / "sweep.db", "a", 1):
        pass
    assert [path.name for path in folder.iterdir()] == ["sweep.db"]
    assert list(tmp_path.iterdir()) == [folder]


def test_the_trials_table_holds_what_a_person_wrote(tmp_path):
    found = space(tmp_path, **linear(training={"penalties": [[0.1, 1], [1]], "segments": [2.0]}))
    assert found.families["linear"].training == {"penalties": ((0.1, 1.0), (1.0,)), "segments": (2,)}
    assert json.loads(found.model_dump_json())["trials"] == 3


def test_every_value_of_the_space_in_this_repository_is_tried():
    import optuna

    space = load_space(ROOT / "sweep.yaml", load_params(ROOT / "params.yaml"))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = [suggest(study.ask(), space, ("thumbnail", "mobilenet_v2_quant")) for _ in range(60)]
    for name, family in space.families.items():
        of_family = [one for one in found if one.family == name]
        assert {one.views for one in of_family} == set(family.views)
        assert {one.training["views"] for one in of_family} == {"sample", "average"}
