"""Many clips in several processes: the same answers in the same order, whatever befalls one."""

import os
import signal
from pathlib import Path

import pytest

from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.commands import processes
from reelflow.edge.commands.many import classify_all
from reelflow.edge.commands.outcome import Outcome, outcome_of
from reelflow.edge.commands.processes import CRASHED
from reelflow.errors import BundleError, ClipError
from tests.bundles import write_clip


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [write_clip(tmp_path / f"{seed}.mp4", seed=seed) for seed in range(6)]


def answers(bundle: Path, clips: list[Path], cpus: int) -> list[object]:
    found = classify_all(open_bundle(bundle), clips, cpus=cpus, threads=1)
    return [str(one) if isinstance(one, ClipError) else (one.clip, one.scores) for one in found]


def test_two_processes_answer_as_one(small_bundle, clips):
    (clips[2]).write_text("no video")
    one, two = answers(small_bundle, clips, 1), answers(small_bundle, clips, 2)
    assert one == two
    assert [isinstance(answer, str) for answer in two] == [False, False, True, False, False, False]


def test_a_crash_costs_its_own_clip_alone(small_bundle, clips, monkeypatch):
    monkeypatch.setattr(processes, "_work", crash_at_three)
    found = answers(small_bundle, clips, 2)
    assert found[3] == CRASHED
    assert [found[place] for place in (0, 1, 2, 4, 5)] == [
        answer for place, answer in enumerate(answers_of_all(small_bundle, clips)) if place != 3
    ]


def crash_at_three(clip: Path) -> Outcome:
    if clip.name == "3.mp4":
        os.kill(os.getpid(), signal.SIGSEGV)
    assert processes._classifier
    return outcome_of(processes._classifier, clip)


def answers_of_all(bundle: Path, clips: list[Path]) -> list[object]:
    return answers(bundle, clips, 1)


def test_a_bundle_that_cannot_be_loaded_is_told(small_bundle, clips):
    bundle = open_bundle(small_bundle)
    broken = bundle.report.model_copy(update={"labels": ("a",)})
    with pytest.raises(BundleError, match="head"):
        list(classify_all(Bundle(bundle.folder, broken), clips, cpus=2, threads=1))
