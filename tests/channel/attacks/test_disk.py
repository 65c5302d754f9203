"""A device whose disk is full, or was cut from power in the middle."""

import shutil
from collections import namedtuple
from contextlib import suppress

import pytest

from reelflow.edge.update.channel import contents
from reelflow.errors import ChannelError, StorageError
from tests.channel.fleet import Device
from tests.faults.pipeline.disks import small_disk
from tests.slowly import slow


def test_an_update_that_does_not_fit_is_not_begun(publisher, device, second, server, monkeypatch):
    publisher.publish(second)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(contents, "disk_usage", lambda _: usage(1_000_000))
    with pytest.raises(StorageError, match=r"1\.0 MB are free on the disk"):
        device.update()
    assert not [path for path, _ in server.requests if "/files/" in path]


def test_a_disk_that_is_full_in_the_middle(publisher, first, server, tmp_path, monkeypatch):
    """The rest comes once there is space, and what came is not fetched again."""
    publisher.publish(first)
    with small_disk(tmp_path / "disk") as disk:
        disk.resize(512 * 1024)
        monkeypatch.setattr(contents, "SPARE_BYTES", -(10**9))
        device = Device(disk.folder / "device", publisher.root, server.address)
        filler = disk.folder / "filler"
        device.client.refresh()
        fill(filler, leave=20_000)
        with pytest.raises(StorageError, match="the disk is full"):
            device.update()
        filler.unlink()
        assert device.update() is not None


def test_a_disk_without_room_for_metadata(publisher, first, server, tmp_path):
    publisher.publish(first)
    with small_disk(tmp_path / "disk") as disk:
        device = Device(disk.folder / "device", publisher.root, server.address)
        fill(disk.folder / "filler", leave=0)
        with pytest.raises(StorageError, match="the disk is full"):
            device.update()
        (disk.folder / "filler").unlink()
        disk.resize(1024 * 1024)
        device.client.refresh()


def fill(path, *, leave):
    """Leave this many bytes on a disk."""
    free = shutil.disk_usage(path.parent).free
    with path.open("wb", buffering=0) as file, suppress(OSError):
        for _ in range(max(free - leave, 0) // 4096):
            file.write(b"x" * 4096)


@pytest.mark.parametrize("name", ["root.json", "timestamp.json", "snapshot.json", "targets.json"])
@pytest.mark.parametrize("content", [None, slow(b""), slow(b"\0\0\0")])
def test_trusted_metadata_that_a_loss_of_power_took(name, content, publisher, device, second):
    """The pinned root leads to all of it again."""
    path = device.state / "metadata" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    publisher.publish(second)
    assert device.update().report.name == "thumbnail-second"


def test_documents_that_a_loss_of_power_took(publisher, device):
    for path in (device.state / "documents").iterdir():
        path.write_bytes(b"\0")
    assert device.update() is not None


def test_a_device_without_a_pinned_root_trusts_nobody(device):
    (device.state / "root.json").unlink()
    with pytest.raises(ChannelError, match="put the channel's first root there"):
        device.update()


def test_files_come_from_bundles_that_are_here(publisher, device, second, server):
    """A damaged file of the running bundle is not taken over."""
    publisher.publish(second)
    (running,) = device.versions.iterdir()
    copy = shutil.copytree(running, device.state.parent / "copy")
    (copy / "head.tflite").write_bytes(b"\0" * (copy / "head.tflite").stat().st_size)
    assert device.update(copy).report.name == "thumbnail-second"
    assert len([path for path, _ in server.requests if "/files/" in path]) == 3
