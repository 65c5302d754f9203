"""The smallest head within a clip of the best is recommended; the whole benchmark runs on a tiny set."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.heads.__main__ import main
from benchmarks.heads.tables import (
    ALL,
    Converted,
    Trained,
    form_table,
    newcomer_table,
    recommended,
    size_table,
)
from reelflow.contracts import Interval
from reelflow.errors import ParamsError
from tests.bundles import write_clip


def head(units: int, *right: int, name: str = "a") -> Trained:
    return Trained(name, units, 100, right, Interval(low=0.1, high=0.9), units * 1000, units / 100)


def test_the_smallest_head_within_a_clip_of_the_best_is_recommended():
    assert recommended([head(128, 88), head(256, 89), head(512, 90)]) == {"a": 256}
    assert recommended([head(128, 80), head(1280, 90)]) == {"a": 1280}
    assert recommended([]) == {}


def test_a_head_counts_by_its_mean_over_seeds():
    assert recommended([head(128, 85, 93), head(256, 90, 90)]) == {"a": 128}
    assert recommended([head(128, 85, 90), head(256, 90, 90)]) == {"a": 256}


def test_over_all_sets_the_sum_decides_among_sizes_that_every_set_has():
    heads = [head(128, 90), head(256, 90), head(128, 50, name="b"), head(256, 60, name="b")]
    assert recommended(heads) == {"a": 128, "b": 256, ALL: 256}
    assert recommended([*heads, head(64, 90)])[ALL] == 256


def test_the_tables_show_what_was_measured():
    assert "| a | 128 | 100 | 88, 90 | 0.890 | 0.10 to 0.90 | 0.13 MB | 1.28 |" in size_table(
        [head(128, 88, 90)]
    )
    found = [
        Converted("a", 8, "step-int8", "", 100, 80, 97, 0.25, 2_000_000, 1.5),
        Converted("a", 8, "loop-int8", "signal 6: no"),
    ]
    assert list(form_table(found))[1:] == [
        "| a | 8 | step-int8 | 0.970 | 0.2500 | 80 of 100 | 2.00 MB | 1.50 |",
        "| a | 8 | loop-int8 | fails: signal 6: no | | | | |",
    ]
    both = {"ours": {"clip_s": 0.002}, "unrolled": {"clip_s": 0.1}}
    assert list(newcomer_table(both))[1:] == ["| clip_s | 0.002 | 0.1 | 50.0x |"]


@pytest.mark.parametrize(
    ("values", "message"), [({"parts": "x"}, "no part x"), ({"sets": "x"}, "is no folder")]
)
def test_what_cannot_be_measured_is_refused(values, message, tmp_path):
    with pytest.raises(ParamsError, match=message):
        main(data=tmp_path, out=tmp_path, **values)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_benchmark_on_a_tiny_set(tmp_path):
    for number in range(18):
        folder = tmp_path / "clips" / "tiny" / ("a", "b")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write_clip(folder / f"v_{folder.name}_g{number:02}_c01.mp4", seed=number)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks.heads", "--data", tmp_path, "--out", out, "--sets", "tiny"]
    command += ["--units", "4,8", "--form-units", "4", "--newcomer-units", "8", "--backbone", "thumbnail"]
    command += ["--forms", "loop-dynamic,unrolled-float32,step-float32"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    sizes, forms, newcomer = (
        json.loads((out / f"heads-{part}.json").read_text()) for part in ("sizes", "forms", "newcomer")
    )
    assert [(one["units"], one["clips"]) for one in sizes] == [(4, 18), (8, 18)]
    assert sizes[0]["size_bytes"] < sizes[1]["size_bytes"]
    found = {one["form"]: one for one in forms}
    for form in ("loop-dynamic", "unrolled-float32", "step-float32"):
        assert found[form]["agreeing"] == 18, form
    assert found["step-float32"]["difference"] < 1e-4
    assert newcomer["unrolled"]["size_mb"] > newcomer["ours"]["size_mb"]
    assert np.isfinite([value for one in newcomer.values() for value in one.values()]).all()
