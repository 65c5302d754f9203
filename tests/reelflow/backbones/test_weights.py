"""Which file a `weights` parameter means."""

import hashlib
from pathlib import Path

import pytest

from reelflow.backbones.weight_file import WeightFile
from reelflow.backbones.weights import find_weights
from reelflow.errors import WeightsError
from reelflow.settings import Settings

CONTENT = b"published weights"
PUBLISHED = WeightFile(
    name="net.bin",
    url="https://example.org/net.bin",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)


def test_takes_the_published_file_from_a_folder_or_by_path(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT)
    assert find_weights(str(tmp_path), PUBLISHED, Settings()) == tmp_path / "net.bin"
    assert find_weights(str(tmp_path / "net.bin"), PUBLISHED, Settings()) == tmp_path / "net.bin"


def test_takes_a_user_s_own_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.bin").write_bytes(b"other weights")
    assert find_weights(str(tmp_path / "mine.bin"), PUBLISHED, Settings()) == tmp_path / "mine.bin"


def test_looks_for_further_names_after_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "second.bin").write_bytes(b"other weights")
    assert find_weights(str(tmp_path), PUBLISHED, Settings(), ["second.bin"]).name == "second.bin"
    (tmp_path / "net.bin").write_bytes(CONTENT)
    assert find_weights(str(tmp_path), PUBLISHED, Settings(), ["second.bin"]).name == "net.bin"


def test_an_altered_file_tells_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT[:5])
    with pytest.raises(WeightsError) as caught:
        find_weights(str(tmp_path), PUBLISHED, Settings())
    assert hashlib.sha256(CONTENT[:5]).hexdigest() in str(caught.value)
    assert PUBLISHED.sha256 in str(caught.value)


def test_a_folder_without_it_names_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no net\.bin or second\.bin"):
        find_weights(str(tmp_path), PUBLISHED, Settings(), ["second.bin"])


def test_a_path_that_is_not_there_names_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere; expected net\.bin"):
        find_weights(str(tmp_path / "nowhere"), PUBLISHED, Settings())


def test_random_weights_are_never_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no random weights"):
        find_weights("random", PUBLISHED, Settings())
