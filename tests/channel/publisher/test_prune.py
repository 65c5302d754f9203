"""Old bundles leave the store, and no device and no publisher ever misses a file."""

import pytest

from pipelines.channel.metadata import PRUNING
from pipelines.channel.prune import plan_prune, prune
from reelflow.errors import ChannelError
from reelflow.objectstore.directory import DirectoryStore
from tests.bundles import renamed_bundle
from tests.channel.desk import Desk
from tests.channel.fleet import Device, Publisher
from tests.channel.stores import Mortal, mirror

OWN_FILES = 2  # of each bundle beside those that all share: bundle.json and SHA256SUMS


@pytest.fixture
def bundles(first, tmp_path):
    """Five bundles that share all files but two."""
    return [renamed_bundle(first, tmp_path / f"b{number}", f"thumbnail-{number}") for number in range(5)]


def stored(publisher: Publisher, folder: str) -> set[str]:
    return {one.name for one in publisher.store.list(f"targets/{folder}/")}


def pruned(publisher: Publisher, keep: int = 1) -> int:
    return prune(publisher.repository, publisher.keys, plan_prune(publisher.repository, keep))


def mark(publisher: Publisher) -> object:
    return publisher.repository.newest_timestamp().signed.unrecognized_fields.get(PRUNING)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_the_files_of_old_bundles_go_in_a_folder_and_in_s3(anywhere, tmp_path, monkeypatch, bundles):
    publisher = Publisher(tmp_path, monkeypatch, store=anywhere)
    for bundle in bundles:
        publisher.publish(bundle)
    roots = {one.name for one in anywhere.list("metadata/") if "root" in one.name}
    before = len(stored(publisher, "files"))
    assert pruned(publisher, keep=3) == 2 * (OWN_FILES + 1)  # of two bundles: their files and their listing
    assert len(stored(publisher, "bundles")) == 3
    assert len(stored(publisher, "files")) == before - 2 * OWN_FILES
    assert pruned(publisher, keep=3) == 0
    assert {one.name for one in anywhere.list("metadata/") if "root" in one.name} == roots
    mirror(anywhere, tmp_path / "mirror")
    device = Device(tmp_path / "device", publisher.root, str(tmp_path / "mirror"))
    assert device.update().report.name == "thumbnail-4"


def test_a_rollout_goes_back_after_everything_else_has_been_removed(publisher, bundles, tmp_path):
    for bundle in bundles:
        publisher.publish(bundle)
    pruned(publisher, keep=1)
    assert len(stored(publisher, "bundles")) == 2
    publisher.rollout("abort")
    device = Device(tmp_path / "device", publisher.root, str(publisher.folder))
    assert device.update().report.name == "thumbnail-3"
    assert publisher.publish(bundles[0]).uploaded == OWN_FILES


def test_a_device_that_was_away_for_years_follows_all_roots(publisher, device, bundles):
    """It trusts the first root alone; each of the next ones is signed by the one before."""
    for bundle in bundles:
        publisher.publish(bundle)
        publisher.rotate("root")
        pruned(publisher)
    assert device.update().report.name == "thumbnail-4"


def test_a_device_in_the_middle_of_a_download_is_refused_and_asks_again(publisher, device, bundles, second):
    """It has read what the channel said before; it gets no half bundle."""
    publisher.publish(second)
    client = device.client
    listing = client.listing(client.refresh().bundle)
    for bundle in bundles[:3]:
        publisher.publish(bundle)
    pruned(publisher)
    with pytest.raises(ChannelError, match=r"holds .* no more") as raised:
        client.download(listing, device.versions / ".partial")
    assert raised.value.may_pass
    assert device.update().report.name == "thumbnail-2"


@pytest.fixture
def mortal(tmp_path, monkeypatch, bundles):
    publisher = Publisher(tmp_path, monkeypatch, store=Mortal(tmp_path / "channel"))
    for bundle in bundles[:4]:
        publisher.publish(bundle)
    return publisher


def test_a_call_that_is_killed_anywhere_leaves_a_whole_channel(mortal, bundles, tmp_path):
    refused = 0
    for changes in range(40):
        mortal.store.left = changes
        try:
            pruned(mortal)
        except KeyboardInterrupt:
            mortal.store.left = 10**9
        else:
            break
        device = Device(tmp_path / f"device-{changes}", mortal.root, str(mortal.folder))
        assert device.update().report.name == "thumbnail-3"
        if mark(mortal):
            refused += 1
            with pytest.raises(ChannelError, match="files of this channel are being removed, since"):
                mortal.publish(bundles[0])
            mortal.refresh()  # devices need it every day
    mortal.store.left = 10**9
    assert refused >= 3
    assert mark(mortal) is None
    assert len(stored(mortal, "bundles")) == 2
    mortal.publish(bundles[0])
    assert device.update().report.name == "thumbnail-0"


def test_a_bad_rollout_is_stopped_whatever_a_killed_call_has_left(mortal, tmp_path):
    mortal.store.left = 3
    with pytest.raises(KeyboardInterrupt):
        pruned(mortal)
    mortal.store.left = 10**9
    assert mark(mortal)
    mortal.rollout("abort")
    pruned(mortal)
    device = Device(tmp_path / "device", mortal.root, str(mortal.folder))
    assert device.update().report.name == "thumbnail-2"


def test_a_publication_that_had_found_a_file_loses_against_the_removal(publisher, bundles, monkeypatch):
    """It would sign what names a file that is gone."""
    for bundle in bundles:
        publisher.publish(bundle)
    repository, commit = publisher.repository, type(publisher.repository).commit

    def late(self, *arguments, **named):
        monkeypatch.setattr(type(repository), "commit", commit)
        pruned(publisher)
        return commit(self, *arguments, **named)

    monkeypatch.setattr(type(repository), "commit", late)
    with pytest.raises(ChannelError, match="another call has changed the channel") as raised:
        publisher.publish(bundles[0])
    assert raised.value.may_pass
    assert publisher.publish(bundles[0]).uploaded == OWN_FILES


class Interrupted(DirectoryStore):
    """A store in which something happens before the first removal.

    Attributes:
        removals: since then.
    """

    happens = None
    removals = 0

    def delete(self, name: str) -> None:
        happens, self.happens = self.happens, None
        if happens:
            happens()
            self.removals = 0
        self.removals += 1
        super().delete(name)


def test_a_refresh_meanwhile_keeps_the_mark_and_it_goes_at_the_end(tmp_path, monkeypatch, bundles):
    publisher = Publisher(tmp_path, monkeypatch, store=Interrupted(tmp_path / "channel"))
    for bundle in bundles:
        publisher.publish(bundle)
    publisher.store.happens = publisher.refresh
    assert pruned(publisher) > 0
    assert mark(publisher) is None


def test_a_second_call_takes_over_and_the_first_removes_nothing_more(tmp_path, monkeypatch, bundles):
    publisher = Publisher(tmp_path, monkeypatch, store=Interrupted(tmp_path / "channel"))
    for bundle in bundles:
        publisher.publish(bundle)
    publisher.store.happens = lambda: pruned(publisher)
    with pytest.raises(ChannelError, match="another call has changed the channel"):
        pruned(publisher)
    assert publisher.store.removals == 1, "the one that had begun"
    assert mark(publisher) is None
    assert len(stored(publisher, "bundles")) == 2


def test_the_command_shows_first_and_needs_the_timestamp_s_key(tmp_path, monkeypatch, bundles):
    desk = Desk(tmp_path, monkeypatch)
    desk.done("init", "--new-keys", desk.keys)
    for bundle in bundles:
        desk.publish(bundle)
    shown = desk.done("prune", "--keep", "2", "--dry-run")
    assert "to be removed: 9 files of other bundles" in shown
    assert "nothing was removed (--dry-run)" in shown
    assert "targets" not in str(desk.error("prune", "--yes", *desk.options("snapshot")))
    assert (
        "Remove 9 files from" in desk.run("prune", "--keep=2", *desk.options("timestamp")).output
    )  # no answer
    assert "removed 9 files" in desk.done("prune", "--keep=2", "--yes", *desk.options("timestamp"))
    assert "nothing to remove" in desk.done("prune", "--keep=2", "--yes")
    assert len(desk.status()["bundles"]) == 2
    assert desk.status()["pruning"] == ""
