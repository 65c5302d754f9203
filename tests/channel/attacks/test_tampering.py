"""Somebody changes what the web server holds, or has some of the keys."""

import json
import shutil

import pytest
from tuf.api.metadata import MetaFile

from reelflow.edge.bundle import open_bundle
from reelflow.errors import ChannelError
from reelflow.files import sha256_file
from tests.channel.fleet import Device, Publisher, Thief, days, new_ring

ROLES = ("root", "targets", "snapshot", "timestamp")
GOLDEN = tuple(f"golden/{name}.npy" for name in ("frames", "codes", "features", "scores"))


def flip(path, place=-2):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["SHA256SUMS", "bundle.json", "head.tflite", *GOLDEN])
def test_a_flipped_bit_in_a_file_of_the_bundle(name, publisher, device, second, refused):
    """The hash of each file is in the signed targets; a device without the file fetches it."""
    publisher.publish(second)
    flip(publisher.target(sha256_file(second / name)))
    assert f"sends another {name} than it has signed" in refused()


@pytest.mark.parametrize("size", ["shorter", "longer", "empty"])
def test_a_file_of_another_size(size, publisher, device, second, refused):
    """The signed length bounds what is read, and what is not complete is not used."""
    publisher.publish(second)
    target = publisher.target(sha256_file(second / "bundle.json"))
    content = target.read_bytes()
    target.unlink()
    target.write_bytes({"shorter": content[:-1], "longer": content + b" ", "empty": b""}[size])
    told = refused()
    assert "sends another bundle.json" in told or "more than the" in told


@pytest.mark.parametrize("role", ROLES)
def test_a_flipped_bit_in_metadata(role, publisher, device, second, refused):
    """Each role's signature covers all of its metadata."""
    publisher.rotate("root")
    publisher.publish(second)
    path = publisher.file(role)
    content = path.read_bytes().replace(b'"spec_version":"1.0', b'"spec_version":"1.1')
    assert content != path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert "is not trusted" in refused()


@pytest.mark.parametrize("name", ["rollout.json", "listing"])
def test_another_rollout_or_listing(name, publisher, device, second, refused):
    """Both are targets: a share of 100 % cannot be made from one of 1 %."""
    listing = publisher.publish(second, percent=99.999).listing
    path = publisher.target("rollout.json" if name == "rollout.json" else f"{listing.id}.json")
    flip(path)
    assert "is not trusted" in refused()


def test_a_channel_that_others_have_signed(tmp_path, monkeypatch, publisher, device, second, refused):
    """Somebody's own channel, whole and newer, in ours' place: the pinned root knows none of its keys."""
    other = Publisher(tmp_path / "other", monkeypatch)
    for _ in range(5):
        other.publish(second)
        other.refresh()
    shutil.rmtree(publisher.folder)
    shutil.copytree(other.folder, publisher.folder)
    assert "timestamp was signed by 0/1 keys" in refused()


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_metadata_of_one_role_by_the_key_of_another(role, publisher, device, refused):
    """A key counts for its own role alone."""
    thief = Thief(publisher, *ROLES)
    thief.keys[role] = publisher.keys.of("root")
    thief.sign_all()
    assert f"{role} was signed by 0/1 keys" in refused()


def test_one_signature_where_two_are_needed(tmp_path, monkeypatch, first, second):
    """A stolen key of two does not suffice, not even with the snapshot's and the timestamp's."""
    refuse_with_threshold(tmp_path, monkeypatch, first, twice=False)


def test_the_same_signature_twice(tmp_path, monkeypatch, first, second):
    """Two signatures of one key are one."""
    refuse_with_threshold(tmp_path, monkeypatch, first, twice=True)


def refuse_with_threshold(tmp_path, monkeypatch, first, *, twice):
    publisher = Publisher(tmp_path, monkeypatch, keys=new_ring("targets"), thresholds={"targets": 2})
    publisher.publish(first)
    device = Device(tmp_path / "device", publisher.root, str(publisher.folder))
    bundle = device.update()
    thief = Thief(publisher, *ROLES)
    thief.keys["targets"] = thief.keys["targets"][:1]
    thief.sign_all()
    if twice:
        double(publisher, thief)
    with pytest.raises(ChannelError, match="Failed to deserialize" if twice else "was signed by 1/2 keys"):
        device.update()
    open_bundle(bundle.folder)


def double(publisher, thief):
    """Write the signature of targets a second time, and describe the result."""
    path = publisher.folder / "metadata" / f"{thief.loaded['targets'].signed.version}.targets.json"
    document = json.loads(path.read_bytes())
    document["signatures"] *= 2
    content = json.dumps(document).encode()
    path.write_bytes(content)
    version = thief.loaded["targets"].signed.version
    meta = MetaFile.from_data(version, content, ["sha256"])
    thief.sign("snapshot", lambda one: one.meta.update({"targets.json": meta}))
    thief.sign("timestamp", lambda one: setattr(one, "snapshot_meta", thief.describe("snapshot")))


def test_a_key_that_was_replaced(publisher, device, refused):
    """A stolen key is worth nothing once the root names another."""
    thief = Thief(publisher, "targets", "snapshot", "timestamp")
    publisher.rotate("targets")
    thief.loaded["snapshot"].signed.version += 5
    thief.loaded["timestamp"].signed.version += 5
    thief.loaded["targets"].signed.version += 5
    thief.sign_all()
    assert "targets was signed by 0/1 keys" in refused()


@pytest.mark.parametrize("signers", ["new", "old"])
def test_a_root_that_only_the_new_or_the_old_keys_have_signed(signers, publisher, device, refused):
    """A new root needs the keys of the root before it, and its own."""
    thief, other = Thief(publisher, *ROLES), new_ring()

    def take_over(root):
        for keyid in list(root.roles["root"].keyids):
            root.revoke_key(keyid, "root")
        root.add_key(other.of("root")[0].public_key, "root")

    thief.keys["root"] = other.of("root") if signers == "new" else publisher.keys.of("root")
    thief.sign("root", take_over)
    assert "root was signed by 0/1 keys" in refused()


def test_a_root_that_skips_a_version(publisher, device, refused):
    """Roots are followed one by one; a gap could hide a revoked key."""
    thief = Thief(publisher, "root")
    thief.sign("root", version=2)
    path = publisher.folder / "metadata" / "3.root.json"
    path.rename(path.with_name("2.root.json"))
    assert "Expected root version 2 instead got version 3" in refused()


def test_withheld_roots(publisher, device, second, refused):
    """Without the roots in between, what the new keys have signed is not trusted."""
    for role in ("timestamp", "snapshot", "targets"):
        publisher.now += days(1)
        publisher.rotate(role)
    publisher.publish(second)
    (publisher.folder / "metadata" / "2.root.json").unlink()
    device.now = publisher.now
    assert "timestamp was signed by 0/1 keys" in refused()
