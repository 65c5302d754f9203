"""The table of clips comes back as it was written, or not at all."""

import pytest

from reelflow.artifacts.clips import CLIPS, SCHEMA, read_clips, write_clips
from reelflow.contracts import Clip
from reelflow.errors import BundleError
from tests.videos import write_dataset, write_video


@pytest.fixture
def dataset(tmp_path):
    paths = [
        write_video(tmp_path / "clips" / name, frames)
        for name, frames in (("a b/ä\n.mp4", 3), ("c/クリップ.mp4", 5))
    ]
    clips = write_dataset(tmp_path / "dataset", paths, tmp_path / "clips")
    return tmp_path / "dataset", clips


def test_clips_come_back_in_order(dataset):
    folder, clips = dataset
    assert read_clips(folder) == clips
    assert [clip.frame_count for clip in clips] == [3, 5]


def test_the_same_clips_give_the_same_bytes(dataset, tmp_path):
    folder, clips = dataset
    write_clips(clips, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == (folder / CLIPS).read_bytes()


def test_every_field_has_a_column():
    assert set(SCHEMA.names) == set(Clip.model_fields)


def test_another_table_is_refused(dataset):
    folder, clips = dataset
    write_clips(clips[:1], folder / CLIPS)
    with pytest.raises(BundleError, match="is not the table"):
        read_clips(folder)


def test_a_missing_table_is_named(dataset):
    folder, _ = dataset
    (folder / CLIPS).unlink()
    with pytest.raises(BundleError, match=r"clips\.parquet is missing"):
        read_clips(folder)


def test_a_folder_without_report_is_not_whole(dataset):
    folder, _ = dataset
    (folder / "dataset.json").unlink()
    with pytest.raises(BundleError, match="has not finished"):
        read_clips(folder)
