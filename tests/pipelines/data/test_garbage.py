"""Mark and sweep, on stores of any content, cut off anywhere."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipelines.data.catalog import read_catalog
from pipelines.data.garbage import DAY_S, plan_collection, sweep
from pipelines.data.roots import Root
from reelflow.errors import StorageError
from reelflow.files import sha256_text
from tests.shard_stores import MemoryStore, put_shard

NOW = 100.0 * DAY_S
OLD, YOUNG = 50.0 * DAY_S, 99.0 * DAY_S
CONTENTS = "abcde"


@dataclass(frozen=True)
class Scene:
    """Shards as (contents, modified), files without a listing, names lost, what roots need."""

    shards: list[tuple[str, float]]
    loose: list[tuple[str, float]]
    lost: set[str]
    needed: set[str]
    cut: int

    def store(self) -> MemoryStore:
        store = MemoryStore()
        for number, (contents, modified) in enumerate(self.shards):
            put_shard(store, str(number), {f"{one}.npy": one for one in contents}, modified=modified)
        for content, modified in self.loose:
            store.put(f"frames/files/{sha256_text(content)}", content, modified)
        for content in self.lost:
            store.objects.pop(f"frames/files/{sha256_text(content)}", None)
        return store

    @property
    def roots(self) -> list[Root]:
        return [Root(f"model {one}", frozenset([sha256_text(one)])) for one in sorted(self.needed)]


AGES = some.sampled_from([OLD, YOUNG])
SCENES = some.builds(
    Scene,
    shards=some.lists(some.tuples(some.text(CONTENTS, min_size=1, max_size=3), AGES), max_size=5),
    loose=some.lists(some.tuples(some.sampled_from(CONTENTS + "xy"), AGES), max_size=3),
    lost=some.sets(some.sampled_from(CONTENTS), max_size=1),
    needed=some.sets(some.sampled_from(CONTENTS), max_size=2),
    cut=some.integers(0, 12),
)


def files_of(store: MemoryStore) -> dict[str, bool]:
    """Every listing, and whether it is whole."""
    catalog = read_catalog(store)
    return {name: catalog.is_whole(shard) for name, shard in catalog.shards.items()}


def run_sweep(store: MemoryStore, scene: Scene) -> None:
    sweep(store, plan_collection(read_catalog(store), scene.roots, 14, NOW))


@pytest.mark.slow
@given(SCENES)
@settings(max_examples=150)
def test_whatever_is_needed_stays_whole_wherever_a_sweep_is_cut_off(scene: Scene):
    store = scene.store()
    before, catalog = files_of(store), read_catalog(store)
    objects = dict(store.objects)
    store.patience = scene.cut
    try:
        run_sweep(store, scene)
    except StorageError:
        store.patience = 10**9
    after = files_of(store)
    assert all(whole or not before[name] for name, whole in after.items()), "a listing lost its files"
    needed = {sha256_text(one) for one in scene.needed}
    for name, shard in catalog.shards.items():
        young = any(objects[one][1] == YOUNG for one in (name, *shard.objects) if one in objects)
        if before[name] and (young or needed & set(shard.files.values())):
            assert after.get(name), "a shard that is needed, or young, is gone"
    for name, (_, modified) in objects.items():
        assert modified == OLD or name in store.objects, "something young is gone"

    run_sweep(store, scene)  # the same command goes on
    left = read_catalog(store)
    assert not plan_collection(left, scene.roots, 14, NOW).names
    for name, shard in left.shards.items():
        young = any(store.objects[one][1] == YOUNG for one in (name, *shard.objects) if one in store.objects)
        assert young or (left.is_whole(shard) and needed & set(shard.files.values())), "nobody needs it"
    orphans = left.orphans()
    assert all(one.modified == YOUNG or one.name.rpartition("/")[2] in needed for one in orphans)


def test_a_file_of_two_shards_stays_with_the_one_that_stays():
    store = MemoryStore()
    kept = put_shard(store, "kept", {"own": "own", "both": "shared"}, modified=OLD)
    put_shard(store, "gone", {"other": "other", "both": "shared"}, modified=OLD)
    plan = plan_collection(read_catalog(store), [Root("model m/1", frozenset([sha256_text("own")]))], 14, NOW)
    assert sweep(store, plan) == 2  # a listing and its one file
    assert files_of(store) == {kept: True}
    assert plan.kept == {kept: "model m/1"}


def test_listings_go_before_any_file():
    store = MemoryStore()
    for key in "abc":
        put_shard(store, key, {"x": key}, modified=OLD)
    names = plan_collection(read_catalog(store), [], 14, NOW).names
    assert [name.endswith(".json") for name in names] == [True] * 3 + [False] * 3


def test_what_is_published_while_a_sweep_goes_on_keeps_its_files():
    store = MemoryStore()
    put_shard(store, "old", {"x": "same content"}, modified=OLD)
    plan = plan_collection(read_catalog(store), [], 14, NOW)
    put_shard(store, "new", {"x": "same content"}, modified=NOW)
    sweep(store, plan)
    assert list(files_of(store).values()) == [True]


def test_what_others_keep_in_the_store_is_left_alone():
    store = MemoryStore()
    for name in ("notes.txt", "frames/readme", "clips/files/" + "0" * 64):
        store.put(name, "mine", OLD)
    put_shard(store, "a", {"x": "a"}, modified=OLD)
    sweep(store, plan_collection(read_catalog(store), [], 14, NOW))
    assert len(store.objects) == 3


@pytest.mark.parametrize(("days", "stays"), [(14, False), (51, True)])
def test_the_limit_is_in_days(days: float, stays: bool):
    store = MemoryStore()
    put_shard(store, "a", {"x": "a"}, modified=OLD)
    plan = plan_collection(read_catalog(store), [], days, NOW)
    assert bool(plan.kept) == stays
