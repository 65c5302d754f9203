"""A publisher is killed between any two changes of the store, or two publish at once."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from pipelines.channel.rotation import refresh as sign_again
from reelflow.errors import ChannelError, ParamsError, StorageError
from tests.channel.fleet import Device, Publisher, days, new_ring
from tests.channel.stores import Mortal, mirror

MOST_CHANGES = 40


@pytest.fixture
def mortal(tmp_path, monkeypatch, first):
    publisher = Publisher(tmp_path, monkeypatch, store=Mortal(tmp_path / "channel"))
    publisher.publish(first)
    return publisher


def names_after_kills(mortal: Publisher, device: Device, work: Callable[[], object]) -> list[str]:
    """Kill the work before its first change, its second, ...: what a device gets after each."""
    found = []
    for changes in range(MOST_CHANGES):
        mortal.store.left = changes
        try:
            work()
        except KeyboardInterrupt:
            found.append(device.update().report.name)
        else:
            mortal.store.left = 10**9
            return [*found, device.update().report.name]
    raise AssertionError("it never ends")


def test_a_publication_that_is_killed_leaves_the_old_or_the_new_state(mortal, second, tmp_path):
    """Each call after a kill goes on from what the one before left behind."""
    device = Device(tmp_path / "device", mortal.root, str(mortal.folder))
    names = names_after_kills(mortal, device, lambda: mortal.publish(second))
    assert names == sorted(names)  # gru, then second
    assert names[0] == "thumbnail-gru"
    assert names[-1] == "thumbnail-second"
    assert len(names) >= 4


@pytest.mark.parametrize("changes", range(6))
def test_a_channel_whose_beginning_is_killed_is_begun_by_the_same_call(changes, tmp_path, monkeypatch, first):
    keys, store = new_ring(), Mortal(tmp_path / "channel")
    store.left = changes
    with suppress(KeyboardInterrupt):
        Publisher(tmp_path, monkeypatch, keys=keys, store=store)
    store.left = 10**9
    publisher = Publisher(tmp_path, monkeypatch, keys=keys, store=store)
    publisher.publish(first)
    assert Device(tmp_path / "device", publisher.root, str(publisher.folder)).update() is not None


def test_a_channel_of_other_keys_is_not_begun_again(tmp_path, publisher, monkeypatch):
    with pytest.raises(ParamsError, match="is the root of another channel"):
        Publisher(tmp_path, monkeypatch)
    publisher.root.unlink()
    with pytest.raises(ChannelError, match="another call has changed the channel"):
        Publisher(tmp_path, monkeypatch)


def test_a_timestamp_that_is_not_shown_yet_is_shown_by_the_next_call(mortal, second, tmp_path):
    device = Device(tmp_path / "device", mortal.root, str(mortal.folder))
    kept = (mortal.folder / "metadata" / "timestamp.json").read_bytes()
    mortal.publish(second)
    (mortal.folder / "metadata" / "timestamp.json").write_bytes(kept)
    assert device.update().report.name == "thumbnail-gru"
    assert not mortal.publish(second).changed
    assert device.update().report.name == "thumbnail-second"


def test_of_two_that_publish_at_once_one_is_told(mortal, first, second):
    """The loser has changed nothing, and may try again."""
    state = mortal.repository.read()
    mortal.refresh()
    mortal.now += days(1)
    with pytest.raises(ChannelError, match="another call has changed the channel") as raised:
        mortal.repository.commit(state, mortal.keys)
    assert raised.value.may_pass


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_channel_in_a_folder_and_in_s3(anywhere, tmp_path, monkeypatch, first, second):
    publisher = Publisher(tmp_path, monkeypatch, store=anywhere)
    publisher.publish(first)
    publisher.publish(second, percent=5)
    publisher.rollout("pause")
    publisher.rotate("timestamp")
    publisher.refresh()
    mirror(anywhere, tmp_path / "mirror")
    device = Device(tmp_path / "device", publisher.root, str(tmp_path / "mirror"))
    assert device.client.refresh().state == "paused"
    publisher.rollout("finish")
    mirror(anywhere, tmp_path / "mirror")
    assert device.update().report.name == "thumbnail-second"


def test_many_refresh_at_once_and_each_is_counted_or_told(mortal):
    """Every version that was claimed is one call's."""
    before = mortal.repository.read().timestamp.signed.version
    told: list[bool] = []
    repositories = [mortal.repository for _ in range(6)]
    start = threading.Barrier(len(repositories))

    def refresh(repository) -> None:
        start.wait()
        try:
            sign_again(repository, mortal.keys)
            told.append(True)
        except ChannelError as error:
            told.append(not error.may_pass)

    threads = [threading.Thread(target=refresh, args=(one,)) for one in repositories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = mortal.repository.read(finish=False).timestamp.signed.version
    assert len(told) == len(repositories)
    assert 1 <= after - before <= sum(told)
    assert sum(told) >= 1


def test_a_store_that_refuses_is_told(publisher, first, monkeypatch):
    def refuse(*_):
        raise StorageError("the bucket is full")

    monkeypatch.setattr(publisher.store, "put_new", refuse)
    with pytest.raises(StorageError, match="the bucket is full"):
        publisher.publish(first)
