"""Bundles follow each other; groups and shares of devices get them."""

import json
import shutil

import pytest

from reelflow.errors import BundleError, ChannelError, ParamsError
from reelflow.files import sha256_file
from tests.bundles import renamed_bundle
from tests.channel.fleet import Device, days


@pytest.fixture
def lab(tmp_path, publisher, device):
    return Device(tmp_path / "lab", publisher.root, str(publisher.folder), identity="b", group="lab")


def test_a_group_gets_it_first_and_then_all(publisher, device, lab, second):
    publisher.publish(second, "lab", percent=0)
    assert lab.update().report.name == "thumbnail-second"
    assert device.update().report.name == "thumbnail-gru"
    publisher.rollout("finish")
    assert device.update().report.name == "thumbnail-second"


def test_a_rollout_is_paused_and_resumed(publisher, device, lab, second):
    publisher.publish(second, "lab", percent=0)
    publisher.rollout("pause", reason="two cameras are silent")
    assert lab.update() is None
    assert lab.client.refresh().reason == "two cameras are silent"
    publisher.rollout("resume")
    assert lab.update().report.name == "thumbnail-second"


def test_an_aborted_rollout_takes_devices_back(publisher, lab, second):
    publisher.publish(second, "lab", percent=0)
    lab.update()
    publisher.rollout("abort", reason="it fails")
    assert lab.update().report.name == "thumbnail-gru"


def test_a_share_is_widened_and_keeps_its_number(publisher, device, second):
    before = publisher.publish(second, percent=1).rollout
    after = publisher.rollout(percent=50.0, groups=("lab",))
    assert (after.number, after.percent, after.groups) == (before.number, 50, ("lab",))


def test_a_bundle_in_the_place_of_an_unfinished_one_goes_back_to_the_proven_one(
    publisher, device, lab, first, second, tmp_path
):
    third = renamed_bundle(first, tmp_path / "third", "thumbnail-third")
    proven = publisher.repository
    publisher.publish(second, "lab", percent=0)
    done = publisher.publish(third, percent=0)
    assert lab.update().report.name == "thumbnail-gru"
    assert done.rollout.number == 3
    assert proven.read().targets.signed.targets.keys() >= {f"bundles/{done.rollout.previous}.json"}


def test_only_the_bundles_of_the_rollout_stay_in_the_metadata(publisher, first, tmp_path):
    for number in range(4):
        publisher.publish(renamed_bundle(first, tmp_path / f"b{number}", f"thumbnail-{number}"))
    targets = publisher.repository.read().targets.signed.targets
    assert len([name for name in targets if name.startswith("bundles/")]) == 2
    assert len(targets) == 1 + 2 + 5 + 2 * 2


def test_the_same_bundle_again_changes_nothing(publisher, device, first):
    before = publisher.repository.read().timestamp.signed.version
    again = publisher.publish(first)
    assert (again.changed, again.uploaded) == (False, 0)
    assert publisher.repository.read().timestamp.signed.version == before


def test_a_damaged_file_of_the_store_is_mended_by_publishing_again(publisher, device, first, tmp_path):
    path = publisher.target(sha256_file(first / "head.tflite"))
    path.unlink()
    path.write_bytes(b"x")
    assert publisher.publish(first).uploaded == 1
    shutil.rmtree(device.versions)
    assert device.update() is not None


def test_a_file_is_stored_once_and_is_no_link_to_the_bundle(publisher, first, tmp_path):
    own = shutil.copytree(first, tmp_path / "own")
    publisher.publish(own)
    for path in own.rglob("*"):
        if path.is_file():
            path.write_bytes(b"edited in place")
    device = Device(tmp_path / "device", publisher.root, str(publisher.folder))
    assert device.update().report.name == "thumbnail-gru"


@pytest.mark.parametrize("verb", ["pause", "resume", "abort", "finish", None])
def test_a_rollout_that_has_ended_is_not_changed(verb, publisher, device, second):
    publisher.publish(second)
    publisher.rollout("abort")
    with pytest.raises(ParamsError, match="is aborted: publish a bundle"):
        publisher.rollout(verb, percent=3.0)


def test_the_first_bundle_has_nothing_to_go_back_to(publisher, first):
    with pytest.raises(ParamsError, match="nothing has been published"):
        publisher.rollout("pause")
    publisher.publish(first)
    with pytest.raises(ParamsError, match="without an earlier one to go back to"):
        publisher.rollout("abort")


def test_what_devices_cannot_be_told_is_an_error(publisher, first, tmp_path):
    with pytest.raises(BundleError, match="model_name: String should have at most 200"):
        publisher.publish(renamed_bundle(first, tmp_path / "long", "x" * 300))
    many = tuple(f"group {number}" for number in range(101))
    with pytest.raises(ParamsError, match="groups: Tuple should have at most 100"):
        publisher.publish(first, *many)
    publisher.publish(first)
    with pytest.raises(ParamsError, match="reason: String should have at most 1000"):
        publisher.rollout("pause", reason="x" * 1001)


def test_nothing_is_used_of_metadata_before_it_is_verified(publisher, first):
    publisher.publish(first)
    path = publisher.file("snapshot")
    written = json.loads(path.read_text())
    written["signed"]["meta"] = {}
    path.write_text(json.dumps(written))
    with pytest.raises(ChannelError, match="snapshot is signed by 0 of its keys"):
        publisher.repository.read()


def test_an_unsealed_bundle_is_not_published(publisher, first, tmp_path):
    copy = shutil.copytree(first, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(BundleError, match="has no SHA256SUMS"):
        publisher.publish(copy)


@pytest.mark.parametrize("name", ["head.tflite", "bundle.json", "SHA256SUMS"])
def test_a_damaged_bundle_is_not_published(name, publisher, first, tmp_path):
    copy = shutil.copytree(first, tmp_path / "copy")
    with (copy / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BundleError):
        publisher.publish(copy)
    assert not publisher.repository.read().targets.signed.targets


def test_unlisted_files_beside_a_bundle_stay_here(publisher, first, tmp_path):
    copy = shutil.copytree(first, tmp_path / "copy")
    (copy / "notes.txt").write_text("secret")
    assert {file.path for file in publisher.publish(copy).listing.files} == {
        "SHA256SUMS", "bundle.json", *json.loads((first / "bundle.json").read_text())["files"]
    }  # fmt: skip


def test_what_is_due_is_signed_again(publisher, device):
    before = publisher.repository.read()
    publisher.now += days(16)
    publisher.refresh()
    middle = publisher.repository.read()
    assert middle.snapshot.signed.version == before.snapshot.signed.version + 1
    assert middle.targets.signed.version == before.targets.signed.version
    publisher.now += days(170)
    publisher.refresh()
    after = publisher.repository.read()
    assert after.root.signed.version == before.root.signed.version + 1
    assert after.targets.signed.version == before.targets.signed.version + 1
    device.now = publisher.now
    assert device.update() is not None
