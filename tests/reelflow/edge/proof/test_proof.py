"""Proofs of two machines are alike if every answer is."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.edge.proof.document import MAX_SCORE_DIFFERENCE, Proof, ProvenAnswer
from reelflow.edge.proof.measure import prove
from reelflow.errors import BundleError, ClipError
from tests.bundles import HASH
from tests.videos import write_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [write_video(folder / f"{seed}.mp4", seed=seed, frames=30) for seed in range(2)]


@pytest.fixture(scope="module")
def proof(edge_bundle: Path, clips: list[Path]) -> Proof:
    return prove(edge_bundle, clips)


def test_a_proof_holds_what_classify_and_watch_say(proof: Proof, edge_bundle: Path, clips: list[Path]):
    assert (proof.architecture, len(proof.classified)) == (platform.machine(), len(clips))
    assert len(proof.watched) >= 2
    printed = subprocess.run(
        [sys.executable, "-m", "reelflow.edge.proof", edge_bundle, *clips], capture_output=True, check=True
    )
    again = Proof.model_validate_json(printed.stdout)
    assert again == proof
    assert proof.alike(again) == 1.0


@pytest.mark.parametrize(
    ("label", "scores", "alike"),
    [
        ("grow", {"grow": 0.6, "spin": 0.4}, True),
        ("grow", {"grow": 0.6 - MAX_SCORE_DIFFERENCE / 2, "spin": 0.4 + MAX_SCORE_DIFFERENCE / 2}, True),
        ("grow", {"grow": 0.6 + 1.1 * MAX_SCORE_DIFFERENCE, "spin": 0.4}, False),
        ("spin", {"grow": 0.6, "spin": 0.4}, False),
        ("grow", {"grow": 0.6, "fall": 0.4}, False),
    ],
)
def test_another_label_or_score_is_another_answer(label: str, scores: dict[str, float], alike: bool):
    here = ProvenAnswer(sha256=HASH, label="grow", scores={"grow": 0.6, "spin": 0.4})
    assert here.is_like(ProvenAnswer(sha256=HASH, label=label, scores=scores)) is alike


def test_labels_that_are_as_good_as_tied_are_one_answer():
    here = ProvenAnswer(sha256=HASH, label="grow", scores={"grow": 0.51, "spin": 0.49})
    there = ProvenAnswer(sha256=HASH, label="spin", scores={"grow": 0.49, "spin": 0.51})
    assert here.is_like(there)


def test_the_share_of_answers_that_are_alike(proof: Proof):
    first, *rest = proof.classified
    scores = {label: score + 2 * MAX_SCORE_DIFFERENCE for label, score in first.scores.items()}
    theirs = proof.model_copy(update={"classified": (first.model_copy(update={"scores": scores}), *rest)})
    answers = len(proof.classified) + len(proof.watched)
    assert proof.alike(theirs) == (answers - 1) / answers


def test_another_bundle_or_other_clips_are_not_alike(proof: Proof):
    assert proof.alike(proof.model_copy(update={"bundle": "0" * 64})) == 0.0
    assert proof.alike(proof.model_copy(update={"watched": ()})) == 0.0
    assert proof.alike(proof.model_copy(update={"classified": ()})) < 1.0


def test_a_clip_too_short_to_be_watched_is_told(edge_bundle: Path, tmp_path: Path):
    clip = write_video(tmp_path / "short.mp4", frames=5)
    with pytest.raises(ClipError, match=r"is shorter than the 1 s that `watch` needs"):
        prove(edge_bundle, [clip])


def test_a_damaged_bundle_proves_nothing(edge_bundle: Path, clips: list[Path], tmp_path: Path):
    shutil.copytree(edge_bundle, tmp_path / "bundle")
    (tmp_path / "bundle/golden/scores.npy").write_bytes(b"none")
    with pytest.raises(BundleError):
        prove(tmp_path / "bundle", clips)
