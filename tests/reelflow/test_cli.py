"""The device's command: its lines, its JSON, its exit codes."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from reelflow import __version__
from reelflow.cli import app
from reelflow.contracts import Sampling
from reelflow.edge.bundle import open_bundle
from reelflow.edge.seal import seal
from tests.bundles import LABELS, write_clip
from tests.slowly import slow_but

RUN = "from reelflow.cli import main; main()"


def reelflow(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


def test_a_line_a_clip(small_bundle: Path, tmp_path: Path):
    clips = [write_clip(tmp_path / f"{name}.mp4", seed=seed) for seed, name in enumerate("abc")]
    done = reelflow("classify", small_bundle, *clips)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line, path in zip(lines, clips, strict=True):
        name, _, rest = line.partition(": ")
        label, score, seconds, unit = rest.split()
        assert name == str(path)
        assert label in LABELS
        assert 1 / 3 < float(score) <= 1
        assert float(seconds.removeprefix("(")) > 0
        assert unit == "s)"


LEFT_OUT = ("concurrent.futures.process", "configparser", "multiprocessing", "rich")


def test_one_clip_loads_nothing_that_it_does_not_need(small_bundle: Path, clip: Path):
    code = (
        "import sys\nfrom reelflow.cli import main\ntry: main()\n"
        f"except SystemExit: print([name for name in {LEFT_OUT} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "classify", small_bundle, clip]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["[]"]


def test_json_lines(small_bundle: Path, clip: Path):
    done = reelflow("classify", small_bundle, clip, clip, "--json", "--threads", 2)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert set(row) == {"clip", "label", "rejected", "scores", "seconds"}
        assert row["rejected"] is False
        assert row["clip"] == str(clip)
        assert list(row["scores"]) == list(LABELS)
        assert row["label"] == max(row["scores"], key=row["scores"].get)
        assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-5)
        assert isinstance(row["seconds"], float)


def test_a_clip_that_cannot_be_decoded_stops_no_other(small_bundle: Path, clip: Path, tmp_path: Path):
    text, empty, missing = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "missing.mp4"
    text.write_text("this is not a video\n" * 99)
    empty.touch()
    done = reelflow("classify", small_bundle, text, clip, empty, missing, tmp_path, clip, "--json")
    assert done.returncode == 3
    assert [json.loads(line)["clip"] for line in done.stdout.splitlines()] == [str(clip)] * 2
    problems = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in problems] == [str(p) for p in (text, empty, missing, tmp_path)]
    assert all(line.startswith("error: ") for line in problems)


ODD_NAMES = ("Zeitlüpe 慢动作 🎥.mp4", "with  spaces.mp4", "-dash.mp4", "line\nend.mp4", "odd\udcff.mp4")


def test_odd_names(small_bundle: Path, clip: Path, tmp_path: Path):
    odd = [Path(shutil.copy(clip, tmp_path / name)) for name in ODD_NAMES]
    done = reelflow("classify", small_bundle, "--json", "--", *odd)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["clip"] for line in done.stdout.splitlines()] == list(map(str, odd))
    plain = reelflow("classify", small_bundle, "--", *odd, *(tmp_path / f"no {name}" for name in ODD_NAMES))
    assert plain.returncode == 3
    assert len(plain.stdout.splitlines()) == len(plain.stderr.splitlines()) == len(odd)


@pytest.mark.parametrize("name", slow_but(ODD_NAMES, "odd\udcff.mp4"))
def test_a_timeline_of_an_odd_name_is_drawn(small_bundle: Path, clip: Path, tmp_path: Path, name: str):
    odd = Path(shutil.copy(clip, tmp_path / name))
    drawn = reelflow("timeline", small_bundle, "--out", tmp_path / "t.svg", "--json", "--", odd)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    ET.parse(tmp_path / "t.svg")


def test_a_rejected_clip_is_unsure_and_no_error(small_bundle: Path, clip: Path, tmp_path: Path):
    bundle = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    open_bundle(bundle).report.model_copy(update={"reject_below": 1.0}).save(bundle)
    seal(bundle)
    told = reelflow("classify", bundle, clip)
    assert (told.returncode, told.stderr) == (0, "")
    assert re.search(r": unsure \(best guess (grow|shrink|spin) 0\.\d{3}\) \(", told.stdout)
    row = json.loads(reelflow("classify", bundle, clip, "--json").stdout)
    assert row["rejected"] is True
    assert row["label"] in LABELS
    spoken = reelflow("timeline", bundle, clip)
    assert (spoken.returncode, spoken.stderr) == (0, "")
    assert "unsure (best guess" in spoken.stdout


def test_timeline_has_a_line_a_segment_and_leaves_files(small_bundle: Path, clip: Path, tmp_path: Path):
    picture, document = tmp_path / "new" / "timeline.svg", tmp_path / "timeline.json"
    done = reelflow("timeline", small_bundle, clip, "--out", picture, "--out", document)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r" +0\.00 s +0\.48 s  (grow|shrink|spin) [01]\.\d{3}\n", done.stdout)
    assert ET.parse(picture).getroot().tag.endswith("svg")
    printed = reelflow("timeline", small_bundle, clip, "--json").stdout
    assert printed == document.read_text()
    assert json.loads(printed)["video"] == str(clip)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--out", "x.png"), "expected .svg or .json"), (("--window", "0"), "--window")],
)
def test_timeline_refuses(small_bundle: Path, clip: Path, arguments: Any, message: str):
    done = reelflow("timeline", small_bundle, clip, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_timeline_is_told_before_it_cannot_be_written(small_bundle: Path, clip: Path):
    folder = clip.parent / "folder.svg"
    folder.mkdir()
    done = reelflow("timeline", small_bundle, clip, "--out", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a folder" in done.stderr
    done = reelflow("timeline", small_bundle, clip, "--out", clip / "below.svg")
    assert (done.returncode, len(done.stdout.splitlines())) == (6, 1)
    assert done.stderr.startswith("error: cannot write")


def test_timeline_of_no_video_or_without_a_window(small_bundle: Path, clip: Path, tmp_path: Path):
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 99)
    done = reelflow("timeline", small_bundle, tmp_path / "text.mp4")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'text.mp4'}: it is not a")

    bundle = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    report = open_bundle(bundle).report
    report.model_copy(update={"sampling": Sampling(frames=report.sampling.frames)}).save(bundle)
    seal(bundle)
    done = reelflow("timeline", bundle, clip)
    assert done.returncode == 2
    assert "--window SECONDS" in done.stderr
    assert reelflow("timeline", bundle, clip, "--window", "2").returncode == 0


def test_verify(small_bundle: Path):
    done = reelflow("verify", small_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert "thumbnail-gru, 3 classes" in done.stdout
    assert "golden vectors: as expected" in done.stdout
    assert "golden video: decoded as expected" in done.stdout
    assert f"{small_bundle}: sound\n" in done.stdout


UNSEALED = {
    "verify": (),
    "info": (),
    "classify": ("CLIP",),
    "timeline": ("CLIP",),
    "watch": ("CLIP",),
    "benchmark": ("--minutes", "0.01"),
}


@pytest.mark.parametrize("command", UNSEALED)
def test_every_command_says_what_nothing_covers(edge_bundle: Path, clip: Path, tmp_path: Path, command: str):
    """Without sums, a change in the records passes: the files are named, and an answer is given."""
    bundle = Path(shutil.copytree(edge_bundle, tmp_path / "bundle"))
    (bundle / "SHA256SUMS").unlink()
    for name in ("lineage.json", "provenance.json"):
        (bundle / name).write_text('{"flipped": true}')
    done = reelflow(command, bundle, *(clip if one == "CLIP" else one for one in UNSEALED[command]))
    assert done.returncode == 0, done.stderr
    told = "no SHA256SUMS: changes in bundle.json, lineage.json, provenance.json are not detected"
    assert told in (done.stdout if command == "verify" else done.stderr)
    if command == "verify":
        assert "sound, but not covered whole" in done.stdout


@pytest.mark.parametrize("command", [("verify",), ("classify", "clip.mp4"), ("timeline", "clip.mp4")])
def test_a_damaged_bundle_is_refused(small_bundle: Path, tmp_path: Path, command: tuple[str, ...]):
    bundle = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    (bundle / "head.tflite").write_bytes(b"TFL3")
    done = reelflow(command[0], bundle, *command[1:])
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: ")
    assert "head.tflite" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "value"), [("temperature", 1e-320), ("accuracy", float("nan"))])
def test_numbers_that_mean_nothing_are_refused(small_bundle: Path, tmp_path: Path, name: str, value: float):
    bundle = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    report = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(report | {name: value}))
    seal(bundle)
    done = reelflow("timeline", bundle, "clip.mp4")
    assert (done.returncode, done.stdout) == (5, "")
    assert name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("classify",),
        ("classify", "x"),
        ("timeline", "x"),
        ("nonsense",),
        ("verify", "x", "--threads", "0"),
    ],
)
def test_a_wrong_command_line(arguments: tuple[str, ...]):
    assert CliRunner().invoke(app, list(arguments)).exit_code == 2


def test_version_and_help():
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).stdout == f"reelflow {__version__}\n"
    for command in ([], ["classify"], ["timeline"], ["verify"]):
        assert "Exit codes: 0" in runner.invoke(app, [*command, "--help"]).stdout


def test_start_is_quick():
    """The command line itself imports neither numpy nor LiteRT nor PyAV."""
    heavy = {"av", "numpy", "ai_edge_litert", "pydantic"}
    code = f"import sys, reelflow.cli; print(sorted({heavy} & set(sys.modules)))"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.perf_counter() - started < 10
