"""Reading features back: any order, and nothing but whole shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.artifacts.features import FeatureStore
from reelflow.backbones.thumbnail import SPEC
from reelflow.contracts import FeatureShard, FeaturesReport
from reelflow.errors import BundleError
from reelflow.files import sha256_file
from tests.fake_frames import clip_ids

IDS = clip_ids(9)


VIEWS = ("plain", "flip", "crop")
PARTS = (IDS[:4], IDS[4:5], IDS[5:])


def codes_of(clip_id: str, view: int = 0) -> np.ndarray:
    return np.random.default_rng([int(clip_id, 16), view]).integers(0, 256, (4, 6), np.uint8)


def write(folder: Path, dtype: str = "uint8", views: tuple[str, ...] = ("plain",)) -> Path:
    folder.mkdir(exist_ok=True)
    shards = []
    for place, view in enumerate(views):
        for number, ids in enumerate(PARTS):
            path = folder / f"shard-{number}{f'.{view}' if place else ''}.npy"
            np.save(path, np.stack([codes_of(clip_id, place) for clip_id in ids]).astype(dtype))
            shards.append(
                FeatureShard(file=path.name, view=view, sha256=sha256_file(path), clip_ids=tuple(ids))
            )
    spec = SPEC.model_copy(update={"dim": 6, "dtype": dtype, "scale": 0.5})
    report = FeaturesReport(data_hash="0" * 64, backbone=spec, frames=4, views=views, shards=tuple(shards))
    report.save(folder)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return FeatureStore(write(tmp_path_factory.mktemp("features"), views=VIEWS))


@given(st.lists(st.sampled_from(IDS), max_size=20))
def test_gathers_in_the_order_asked_for(store: FeatureStore, wanted: list[str]) -> None:
    found = store.gather(wanted)
    assert found.shape == (len(wanted), 4, 6)
    assert found.dtype == np.uint8
    for clip_id, codes in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(codes, codes_of(clip_id))


@given(st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2)), max_size=20))
def test_gathers_the_view_of_each_clip_that_is_asked_for(
    store: FeatureStore, wanted: list[tuple[str, int]]
) -> None:
    found = store.gather([clip_id for clip_id, _ in wanted], [view for _, view in wanted])
    assert found.shape == (len(wanted), 4, 6)
    for pair, codes in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(codes, codes_of(*pair))


@pytest.mark.parametrize("views", [[0], [0, 3], [0, -1], np.array([3, 3])])
def test_a_view_that_is_not_here_is_refused(store: FeatureStore, views: list[int]) -> None:
    with pytest.raises(ValueError, match="views must hold"):
        store.gather(IDS[:2], views)


@pytest.mark.parametrize("left_out", [3, 4, 5, slice(3, 6)])
def test_a_report_that_lacks_a_shard_of_a_view_is_refused(tmp_path: Path, left_out: int | slice) -> None:
    report = FeaturesReport.open(write(tmp_path, views=VIEWS))
    shards = list(report.shards)
    del shards[left_out]
    report.model_copy(update={"shards": tuple(shards)}).save(tmp_path)
    with pytest.raises(BundleError, match=r"features\.json must name one shard"):
        FeatureStore(tmp_path)


def test_a_view_of_other_clips_is_refused(tmp_path: Path) -> None:
    report = FeaturesReport.open(write(tmp_path, views=VIEWS))
    mixed = report.shards[3].model_copy(update={"clip_ids": report.shards[3].clip_ids[::-1]})
    report.model_copy(update={"shards": (*report.shards[:3], mixed, *report.shards[4:])}).save(tmp_path)
    with pytest.raises(BundleError, match=r"must name one shard"):
        FeatureStore(tmp_path)


def test_knows_its_clips_views_and_scale(store: FeatureStore) -> None:
    assert (store.clip_ids, store.views) == (tuple(IDS), VIEWS)
    assert store.scale == 0.5


def test_keeps_float16(tmp_path: Path) -> None:
    assert FeatureStore(write(tmp_path, "float16")).gather(IDS[:2]).dtype == np.float16


def test_a_clip_that_is_not_here_is_named(store: FeatureStore) -> None:
    with pytest.raises(BundleError, match="ffffffffffffffff"):
        store.gather([IDS[0], "f" * 16])


def test_a_missing_shard_is_an_error(tmp_path: Path) -> None:
    (write(tmp_path) / "shard-1.npy").unlink()
    with pytest.raises(BundleError, match=r"shard-1\.npy"):
        FeatureStore(tmp_path)


@pytest.mark.parametrize("left_bytes", [0, 5, 100, 150])
def test_a_truncated_shard_is_an_error(tmp_path: Path, left_bytes: int) -> None:
    path = write(tmp_path) / "shard-0.npy"
    path.write_bytes(path.read_bytes()[:left_bytes])
    with pytest.raises(BundleError, match=r"shard-0\.npy"):
        FeatureStore(tmp_path)


@pytest.mark.parametrize("other", [np.zeros((4, 4, 7), np.uint8), np.zeros((4, 4, 6), np.float32)])
def test_another_form_than_reported_is_an_error(tmp_path: Path, other: np.ndarray) -> None:
    np.save(write(tmp_path) / "shard-0.npy", other)
    with pytest.raises(BundleError, match="expected uint8"):
        FeatureStore(tmp_path)


def test_altered_codes_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path) / "shard-0.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"shard-0\.npy has been altered"):
        FeatureStore(tmp_path)


def test_pickled_objects_are_not_unpacked(tmp_path: Path) -> None:
    np.save(write(tmp_path) / "shard-0.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BundleError, match=r"not a complete \.npy"):
        FeatureStore(tmp_path)


def test_a_shard_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "inside")
    report = FeaturesReport.open(folder)
    shard = report.shards[0].model_copy(update={"file": "../shard-0.npy"})
    (folder / "shard-0.npy").rename(tmp_path / "shard-0.npy")
    report.model_copy(update={"shards": (shard, *report.shards[1:])}).save(folder)
    with pytest.raises(BundleError, match="outside"):
        FeatureStore(folder)
