"""`reelflow info` and `reelflow benchmark`: what a bundle is, and how fast it is here."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelflow.cli import app
from reelflow.edge.bundle import open_bundle
from reelflow.edge.commands.measure import peak_mb
from reelflow.edge.seal import seal
from tests.bundles import LABELS


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_info_says_what_a_bundle_is(small_bundle):
    shown = run("info", small_bundle)
    assert shown.exit_code == 0, shown.output
    facts = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines())
    report = open_bundle(small_bundle).report
    assert facts["classes"] == ", ".join(LABELS)
    assert facts["data"] == report.data_hash[:12]
    assert facts["size"].startswith(f"{report.size_bytes / 1e6:.2f} MB")
    assert json.loads(run("info", small_bundle, "--json").stdout)["name"] == report.name


def test_info_of_no_bundle_is_an_error(tmp_path):
    assert run("info", tmp_path).exit_code != 0


def test_benchmark_measures_every_stage(small_bundle):
    done = run("benchmark", small_bundle, "--minutes", 0.01, "--json", "--threads", 1)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found["stages"]) == ["backbone", "decode", "head", "resize"]
    for stage in found["stages"].values():
        assert 0 < stage["p50_ms"] <= stage["p95_ms"] <= stage["p99_ms"]
    assert found["frames_per_s"] > 0
    assert found["load_s"] > 0
    assert found["peak_mb"] > 20


def test_benchmark_knows_no_rate_of_clips_that_last_no_time(small_bundle, tmp_path):
    folder = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    told = json.loads((folder / "bundle.json").read_text())
    told["sampling"]["clip_s"] = 5e-324
    (folder / "bundle.json").write_text(json.dumps(told))
    seal(folder)
    done = run("benchmark", folder, "--minutes", 0.01, "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["sampled_per_s"] == 0


def test_benchmark_for_people(small_bundle):
    shown = run("benchmark", small_bundle, "--minutes", 0.01)
    assert shown.exit_code == 0, shown.output
    assert "frames/s" in shown.stdout
    assert "throttled" in shown.stdout


@pytest.mark.parametrize("status", [None, "Name:\tpython\nVmRSS:\t  10 kB\n"], ids=["no /proc", "no VmHWM"])
def test_memory_that_the_system_does_not_tell(tmp_path, status):
    if status is not None:
        (tmp_path / "status").write_text(status)
    assert peak_mb(tmp_path / "status") is None
