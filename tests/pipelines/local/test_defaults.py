"""Which params file and protocol own clips get, by how many there are and what the user names."""

import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.local.defaults import Counts, Default, choose, count_clips, default_for
from reelflow.contracts import Summary
from reelflow.errors import DataError, ParamsError
from reelflow.nets.heads import check_heads
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.video.views import check_views
from tests.videos import write_video
from tests.workplace import ROOT, Workplace

SMALL, LARGE, FULL = "params.small.yaml", "params.large.yaml", "params.yaml"


def make_clips(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def count(root: Path, **options: bool) -> Counts | None:
    return count_clips(str(root), Settings(), **options)


@pytest.mark.parametrize(
    ("counts", "heads", "protocol", "file", "chosen"),
    [
        (Counts(108, 18, 18), [], "", SMALL, "leave_one_group_out"),
        (Counts(20, 20, 3), [], "", SMALL, "leave_one_group_out"),
        (Counts(239, 63, 20), [], "", SMALL, "group_kfold(5)"),
        (Counts(1000, 1000, 5), [], "", SMALL, "group_kfold(5)"),
        (Counts(200, 21, 4), [], "", SMALL, "holdout"),
        (Counts(1001, 30, 30), [], "", LARGE, ""),
        (Counts(108, 18, 18), [], "holdout", SMALL, "holdout"),
        (Counts(108, 18, 18), [], "cross_set(set1)", SMALL, "cross_set(set1)"),
        (Counts(108, 18, 18), ["segment_linear"], "", SMALL, "leave_one_group_out"),
        (Counts(108, 18, 18), ["gru"], "", LARGE, ""),
        (Counts(108, 18, 18), ["segment_linear", "gru"], "group_kfold(5)", LARGE, "group_kfold(5)"),
        (Counts(5000, 900, 9), ["segment_linear"], "", LARGE, ""),
    ],
)
def test_the_choice(counts, heads, protocol, file, chosen):
    default = choose(counts, heads, protocol)
    assert (str(default.params), default.protocol) == (file, chosen)
    assert default.reason.startswith(f"{counts.clips} clips in {counts.groups} groups: {file}")


def test_the_line_says_why_and_how_to_choose_otherwise():
    assert choose(Counts(239, 63, 20)).reason == (
        "239 clips in 63 groups: params.small.yaml (linear heads, group_kfold(5)), because so few clips suit "
        "a linear model, and each is tested once, by a model that has not seen its group; "
        "PARAMS=params.large.yaml trains the study's recurrent heads"
    )
    assert "tested once" not in choose(Counts(200, 21, 4)).reason
    assert "PARAMS=params.small.yaml" in choose(Counts(1001, 30, 30)).reason
    assert "because gru learns by epochs" in choose(Counts(9, 9, 3), ["gru"]).reason


def test_clips_are_counted_by_name_and_groups_csv(tmp_path):
    clips = make_clips(tmp_path / "a", "x/1.mp4", "x/2.mp4", "y/3.mp4", "y/notes.txt", "y/.hidden", "top.mp4")
    assert count(clips) == Counts(3, 3, 1)
    (clips / "groups.csv").write_text("path,label,group\nx/1.mp4,x,g\nx/2.mp4,x,g\ny/3.mp4,y,g\n")
    assert count(clips) == Counts(3, 1, 1)
    named = make_clips(tmp_path / "b", "YoYo/v_YoYo_g01_c01.avi", "YoYo/v_YoYo_g01_c02.avi")
    assert count(named) == Counts(2, 1, 1)


def test_split_folders_are_tested_as_they_are(tmp_path):
    clips = make_clips(tmp_path, *(f"{split}/{name}/1.mp4" for split in ("train", "test") for name in "xy"))
    assert count(clips) == Counts(4, 4, 2, given=True)
    default = choose(Counts(239, 63, 20, given=True))
    assert default.protocol == "holdout"
    assert "folders give the split" in default.reason


def test_classes_that_are_dropped_do_not_count(tmp_path):
    clips = make_clips(tmp_path, *(f"x/{i}.mp4" for i in range(4)), "y/1.mp4", "y/2.mp4")
    assert count(clips) == Counts(6, 6, 2)
    assert count(clips, drop_small_classes=True) == Counts(4, 4, 4)


def test_without_own_clips_nothing_is_chosen(tmp_path):
    (tmp_path / "recipe.yaml").write_text("seed: 1\n")
    for source in ("", str(tmp_path / "recipe.yaml")):
        assert default_for(source, tmp_path / "out", Settings()) == Default(Path(FULL), "", "")


@pytest.mark.parametrize(
    ("source", "heads", "error", "message"),
    [
        ("missing", [], ParamsError, "there is no"),
        ("empty", [], DataError, "holds no clips"),
        ("empty", ["conv"], ParamsError, "unknown head conv"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(tmp_path, source, heads, error, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=message):
        default_for(str(tmp_path / source), tmp_path / "out", Settings(), heads)


@pytest.mark.parametrize("file", [SMALL, LARGE])
def test_a_params_file_differs_where_its_comments_say(file):
    document, full = (yaml.safe_load((ROOT / name).read_text()) for name in (file, FULL))
    differing = {
        f"{section}.{name}": value
        for section, values in full.items()
        for name, value in values.items()
        if document[section][name] != value
    }
    section, marked = "", {}
    for line in (ROOT / file).read_text().splitlines():
        name, _, rest = line.partition(":")
        section = section if line.startswith((" ", "#")) else name
        if f"# {FULL}: " in rest:
            value = rest.partition(f"# {FULL}: ")[2].partition(";")[0]
            marked[f"{section}.{name.strip()}"] = yaml.safe_load(value)
    assert marked == differing


@pytest.mark.parametrize("file", [SMALL, LARGE])
def test_a_params_file_is_what_the_steps_accept(file):
    params = load_params(ROOT / file)
    check_heads(params.training.heads)
    check_views(params.features.views, params.frames.oversample)
    assert params.with_values(evaluation={"protocol": "leave_one_group_out"})


@pytest.mark.slow
def test_a_run_on_few_clips_of_ones_own(tmp_path):
    """Two classes that even thumbnails tell apart, in four groups, without a params file."""
    clips = tmp_path / "clips"
    rows = ["path,label,group"]
    for seed in range(4):
        for label in ("ramp", "noise"):
            name = f"{label}/{seed}.mp4"
            write_video(clips / name, frames=10 + seed, seed=seed if label == "noise" else None)
            rows.append(f"{name},{label},scene {seed}")
    (clips / "groups.csv").write_text("\n".join(rows) + "\n")
    place, out = Workplace(tmp_path), tmp_path / "out"
    command = place.command("run", "--data", clips, "--out", out)
    done = subprocess.run(
        command, cwd=ROOT, env=place.environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(iter(done.stdout.splitlines()))
    assert line.startswith("8 clips in 4 groups: params.small.yaml (linear heads, leave_one_group_out)")
    summary = Summary.read(out / "summary.json")
    assert (summary.note, summary.protocol) == (line, "leave_one_group_out")
    assert summary.rows[0].test_clips == 8
    assert "8 clips in 4 groups: params.small.yaml" in (out / "report.html").read_text()
