"""What a bundle takes is measured when a limit is asked for, and not otherwise."""

from pathlib import Path

import pytest

from components.release.gates import speed
from components.release.gates.check import amount, bound, reason
from components.release.gates.speed import measured_speed, speed_gates
from reelflow.params import ReleaseParams, load_params
from tests.bundles import renamed_bundle
from tests.slowly import slow
from tests.workplace import ROOT


def limits(**values: float) -> ReleaseParams:
    return load_params(ROOT / "params.yaml").release.model_copy(update=values)


def test_nothing_is_measured_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(speed, "BENCHMARK", ("false",))
    assert list(speed_gates(limits(), Path("absent"))) == []


@pytest.mark.parametrize("time", [("--minutes", "0.01"), slow(())], ids=["short", "usual"])
def test_time_and_memory_are_judged(edge_bundle, monkeypatch, time):
    """However large the process is that asks."""
    monkeypatch.setattr(speed, "BENCHMARK", (*speed.BENCHMARK, *time))
    ballast = b"x" * 1_000_000_000
    quick, large = speed_gates(limits(max_frame_ms=0.0001, max_memory_mb=800), edge_bundle)
    del ballast
    assert (quick.name, quick.passed, large.name, large.passed) == (
        "max_frame_ms",
        False,
        "max_memory_mb",
        True,
    )
    assert 0 < quick.found < 1000
    assert 20 < large.found < 800
    assert measured_speed((quick, large)) == {"frame_ms": quick.found, "memory_mb": large.found}
    assert bound(large) == "at most 800 MB"
    assert amount(quick, quick.limit) == "0.0001 ms"
    assert reason(quick).endswith("and release.max_frame_ms asks for at most 0.0001 ms")


def test_memory_that_the_system_does_not_tell_does_not_pass(edge_bundle, monkeypatch):
    untold = "from reelflow.edge.commands import measure; measure.peak_mb = lambda: None; "
    python, flag, code, *words = speed.BENCHMARK
    monkeypatch.setattr(speed, "BENCHMARK", (python, flag, untold + code, *words, "--minutes", "0.01"))
    quick, large = speed_gates(limits(max_frame_ms=1000, max_memory_mb=4000), edge_bundle)
    assert (quick.passed, large.found, large.passed) == (True, None, False)
    assert "does not tell the memory" in large.why


def test_a_bundle_that_cannot_be_measured_does_not_pass(edge_bundle, tmp_path):
    bundle = renamed_bundle(edge_bundle, tmp_path / "bundle", "altered")
    (bundle / "head.tflite").write_bytes(b"altered")
    (gate,) = speed_gates(limits(max_memory_mb=4000), bundle)
    assert (gate.found, gate.passed) == (None, False)
    assert "head.tflite" in gate.why
    assert amount(gate, gate.found).startswith("not measured: ")
    assert measured_speed((gate,)) == {}
