"""Temperature and throttling, as Linux and a Raspberry Pi tell them."""

import os

import pytest

from reelflow.edge.watch import thermal


def test_the_hottest_sensor_counts_and_broken_ones_do_not(tmp_path):
    for number, text in enumerate(["41000\n", "55500\n", "none"]):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert thermal.temperature_c(tmp_path) == 55.5
    assert thermal.temperature_c(tmp_path / "no") is None


@pytest.mark.parametrize(
    ("told", "throttled"),
    [
        ("throttled=0x0", False),
        ("throttled=0x50000", False),
        ("throttled=0x50005", True),
        ("VCHI failed", None),
    ],
)
def test_a_raspberry_pi_tells_whether_it_is_throttled(tmp_path, monkeypatch, told, throttled):
    command = tmp_path / "vcgencmd"
    command.write_text(f"#!/bin/sh\necho '{told}'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert thermal.throttled() is throttled


def test_where_nothing_tells_it_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert thermal.throttled() is None


def test_a_command_that_hangs_tells_nothing(tmp_path, monkeypatch):
    command = tmp_path / "vcgencmd"
    command.write_text("#!/bin/sh\nexec sleep 60\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(thermal, "COMMAND_TIMEOUT_S", 0.1)
    assert thermal.throttled() is None
