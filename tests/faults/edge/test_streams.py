"""Standard streams that are closed, or lead to a full disk: told where it can be, with the right code."""

import pytest

from tests.bundles import write_clip
from tests.faults.edge.commands import shell

FULL = "error: the output cannot be written (No space left on device): the disk is full"


@pytest.mark.parametrize("command", ["info", pytest.param("verify", marks=pytest.mark.slow), "classify"])
def test_output_that_does_not_fit_on_the_disk_is_an_error(edge_bundle, tmp_path, command):
    clips = [write_clip(tmp_path / "clip.mp4")] if command == "classify" else []
    done = shell('"$@" > /dev/full', command, edge_bundle, *clips)
    assert (done.returncode, done.stderr[: len(FULL)]) == (6, FULL)


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["2> /dev/full", "2>&-"])
@pytest.mark.parametrize(("place", "code"), [("bundle", 5), ("clip", 3)])
def test_an_error_that_nobody_can_be_told_has_its_exit_code(edge_bundle, tmp_path, stream, place, code):
    clip = write_clip(tmp_path / "clip.mp4")
    wrong = (edge_bundle, tmp_path / "nothing.mp4") if place == "clip" else (tmp_path / "nothing", clip)
    done = shell(f'"$@" {stream}', "classify", *wrong)
    assert (done.returncode, done.stdout) == (code, "")


def test_the_watching_goes_on_though_nobody_can_be_told_of_it(edge_bundle, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames=100)
    options = ("--on", "0.01", "--least", "0", "--sink", "file:/dev/full")
    done = shell('"$@" 2> /dev/full', "watch", edge_bundle, clip, *options)
    assert done.returncode == 0
    assert '"state":"ended"' in done.stdout.splitlines()[-1]


def test_a_watcher_without_standard_output_is_told(edge_bundle, tmp_path):
    done = shell('"$@" >&-', "watch", edge_bundle, write_clip(tmp_path / "clip.mp4"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: lines cannot be written to this stream (closed)")
