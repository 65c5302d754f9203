"""Keys change while a device is away, and after one was lost or stolen."""

import pytest
from securesystemslib.signer import CryptoSigner

from pipelines.channel.keys import KeyRing
from pipelines.channel.rotation import rotate_key
from reelflow.errors import ChannelError, ParamsError
from tests.channel.fleet import Thief, days

ROLES = ("root", "targets", "snapshot", "timestamp")


@pytest.mark.slow
def test_a_device_that_was_offline_for_a_year(publisher, device, second, server):
    """Every key is new, most of them twelve times; the pinned root has expired: it leads on, root by root."""
    for month in range(12):
        publisher.now += days(30)
        for role in ROLES[month % 2 :]:
            publisher.rotate(role)
        publisher.refresh()
    publisher.now += days(10)
    publisher.refresh()
    publisher.publish(second)
    device.now = publisher.now
    assert device.update().report.name == "thumbnail-second"
    roots = [path for path, _ in server.requests if path.endswith("root.json")]
    assert len(roots) == 6 * 4 + 6 * 3 + 1


def test_a_second_update_does_not_fetch_the_roots_again(publisher, device, second, server):
    for _ in range(3):
        publisher.rotate("root")
    device.update()
    server.requests.clear()
    device.update()
    assert [path for path, _ in server.requests if path.endswith("root.json")] == ["/metadata/5.root.json"]


@pytest.mark.parametrize("role", ROLES)
def test_devices_find_a_valid_channel_in_every_moment_of_a_rotation(role, publisher, device, monkeypatch):
    """With the old keys at hand, each single change of the store leaves a channel that is trusted."""
    changes = 0

    def asked(change):
        def then(*arguments):
            nonlocal changes
            change(*arguments)
            changes += 1
            device.client.refresh()

        return then

    monkeypatch.setattr(publisher.store, "put_new", asked(publisher.store.put_new))
    monkeypatch.setattr(publisher.store, "replace", asked(publisher.store.replace))
    publisher.rotate(role)
    assert changes == {"root": 1, "timestamp": 3, "snapshot": 4, "targets": 5}[role]
    device.client.refresh()


@pytest.mark.parametrize("role", ROLES[1:])
def test_a_lost_key_is_replaced_without_it(role, publisher, device, second):
    """The root's keys decide; nothing needs the signature of the lost one."""
    new = CryptoSigner.generate_ed25519()
    others = KeyRing({name: publisher.keys.of(name) for name in ROLES if name != role})
    rotate_key(publisher.repository, others, role, new)
    publisher.keys = KeyRing({**others.signers, role: (new,)})
    publisher.publish(second)
    assert device.update().report.name == "thumbnail-second"


@pytest.mark.parametrize("role", ROLES[1:])
def test_a_call_that_was_cut_behind_the_new_root_is_finished_by_the_same_call(
    role, publisher, device, monkeypatch
):
    new = CryptoSigner.generate_ed25519()
    others = KeyRing({name: publisher.keys.of(name) for name in ROLES if name != role})
    repository = publisher.repository
    with monkeypatch.context() as patch:
        patch.setattr(repository, "commit", cut)
        with pytest.raises(KeyboardInterrupt):
            rotate_key(repository, others, role, new)
    with pytest.raises(ChannelError, match=f"{role} was signed by 0/1 keys"):
        device.client.refresh()
    root = rotate_key(repository, others, role, new)
    assert root.signed.version == 2
    device.client.refresh()


def cut(*_, **__):
    raise KeyboardInterrupt


def test_the_root_is_not_changed_without_its_key(publisher, device):
    without = KeyRing({role: publisher.keys.of(role) for role in ROLES[1:]})
    with pytest.raises(ChannelError, match="root is signed by 0 of its keys, and needs 1"):
        rotate_key(publisher.repository, without, "targets", CryptoSigner.generate_ed25519())
    assert publisher.repository.root().signed.version == 1


def test_a_key_of_two_roles_is_refused(publisher):
    with pytest.raises(ChannelError, match="two roles have the same key"):
        rotate_key(publisher.repository, publisher.keys, "targets", publisher.keys.of("snapshot")[0])


def test_which_of_two_keys_is_replaced_must_be_said(publisher):
    new = CryptoSigner.generate_ed25519()
    with pytest.raises(ParamsError, match="say which one is replaced"):
        rotate_key(publisher.repository, publisher.keys, "targets", new, replaced="nothing")


def test_a_publisher_does_not_sign_what_a_stranger_has_put_into_the_store(publisher, device, second):
    """Else whoever may write to the store would have our key sign his targets."""
    thief = Thief(publisher)
    thief.sign_all()
    with pytest.raises(ChannelError, match="timestamp is signed by 0 of its keys"):
        publisher.publish(second)


def test_a_publisher_does_not_follow_a_stranger_s_root(publisher, device, second):
    Thief(publisher).sign("root")
    with pytest.raises(ChannelError, match="root is signed by 0 of its keys"):
        publisher.publish(second)
