"""`python -m pipelines channel`, from the first key to a device."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from pipelines.channel import metadata
from pipelines.channel.keys import new_key
from reelflow.settings import Settings
from reelflow.tracking.registry import MlflowRegistry
from tests.bundles import renamed_bundle
from tests.channel.desk import ROLES, Desk
from tests.channel.fleet import Device


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def begun(desk) -> Desk:
    desk.done("init", "--new-keys", desk.keys)
    return desk


def test_from_init_to_a_device(begun, first, second, tmp_path):
    online = begun.options("targets", "snapshot", "timestamp")
    assert "7 of 7 files uploaded" in begun.done("publish", "--bundle", first, *online)
    told = begun.done("publish", "--bundle", second, "--percent", "10", "--group", "lab", *online)
    assert "rollout 2 is running" in told
    assert "for 10 % of the devices, groups lab" in told
    device = Device(tmp_path / "device", begun.root, str(begun.channel), group="lab")
    device.now = datetime.now(UTC)
    assert device.update().report.name == "thumbnail-second"
    assert "is paused: lunch" in begun.done("rollout", "pause", "--reason", "lunch", *online)
    begun.done("rollout", "resume", *online)
    begun.done("rollout", "--percent", "60", *online)
    begun.done("rollout", "abort", "--reason", "it fails", *online)
    assert device.update().report.name == "thumbnail-gru"
    shown = begun.done("status")
    assert "rollout 2 is aborted: it fails" in shown
    status = begun.status()
    assert [role["role"] for role in status["roles"]] == list(ROLES)
    assert status["rollout"]["number"] == 2
    assert [bundle["model_name"] for bundle in status["bundles"]] == ["thumbnail-second", "thumbnail-gru"]


def test_the_timestamp_s_key_suffices_for_a_daily_refresh(begun):
    assert "timestamp 2 expires" in begun.done("refresh", *begun.options("timestamp"))


def test_a_missing_key_is_told_and_nothing_changes(begun, first):
    before = begun.status()
    failed = begun.error("publish", "--bundle", first, *begun.options("snapshot", "timestamp"))
    assert failed.exit_code == 11
    assert "targets is signed by 0 of its keys, and needs 1: name them (--key targets=URI)" in str(failed)
    assert begun.status() == before


def test_a_key_is_rotated_and_the_old_one_is_refused_afterwards(begun):
    begun.done("rotate-key", "timestamp", "--new", f"file:{begun.keys / 'new.pem'}", *begun.options())
    assert begun.error("refresh", *begun.options("timestamp")).exit_code == 11
    begun.done("refresh", f"--key=timestamp=file:{begun.keys / 'new.pem'}")


def test_private_keys_are_readable_by_their_owner_alone_and_nowhere_else(begun, first, caplog):
    begun.done("publish", "--bundle", first, *begun.options())
    for path in begun.keys.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = path.read_text().splitlines()[1]
        for other in (*begun.channel.rglob("*"), begun.root):
            assert not other.is_file() or secret.encode() not in other.read_bytes()
        assert secret not in caplog.text


def test_an_encrypted_key_needs_its_passphrase(desk, monkeypatch):
    monkeypatch.setenv("REELFLOW_KEY_PASSPHRASE", "correct horse")
    desk.done("init", "--new-keys", desk.keys)
    assert all(b"ENCRYPTED" in path.read_bytes() for path in desk.keys.iterdir())
    desk.done("refresh", *desk.options("timestamp"))
    monkeypatch.setenv("REELFLOW_KEY_PASSPHRASE", "wrong horse")
    failed = str(desk.error("refresh", *desk.options("timestamp")))
    assert "(REELFLOW_KEY_PASSPHRASE) is wrong" in failed
    assert "horse" not in failed
    monkeypatch.delenv("REELFLOW_KEY_PASSPHRASE")
    assert "set REELFLOW_KEY_PASSPHRASE" in str(desk.error("refresh", *desk.options("timestamp")))


def test_a_key_from_the_environment(begun, monkeypatch):
    monkeypatch.setenv("OUR_KEY", (begun.keys / "timestamp.pem").read_text())
    monkeypatch.setenv("REELFLOW_CHANNEL_KEYS", "timestamp=envvar:OUR_KEY")
    assert "timestamp 2 expires" in begun.done("refresh")
    monkeypatch.setenv("OUR_KEY", "nonsense-SECRET")
    failed = str(begun.error("refresh"))
    assert "it is not PEM with PKCS#8" in failed
    assert "SECRET" not in failed
    monkeypatch.delenv("OUR_KEY")
    assert "the variable OUR_KEY is not set" in str(begun.error("refresh"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "expected ROLE=URI"),
        ("boss=file:x", "expected ROLE=URI"),
        ("timestamp=plain", "expected ROLE=URI"),
        ("timestamp=file:/none/such.pem", "cannot be read: No such file"),
        ("timestamp=hsm:2", "needs its public key"),
    ],
)
def test_a_key_that_cannot_be_opened(text, told, begun):
    assert told in str(begun.error("refresh", f"--key={text}"))


def test_a_key_of_a_security_token_without_its_library(begun, tmp_path):
    public = tmp_path / "public.pem"
    write_public(begun.keys / "timestamp.pem", public)
    failed = begun.error("refresh", f"--key=timestamp=hsm:2?label=token#{public}")
    assert failed.exit_code == 11
    assert "cannot be used" in str(failed)


def write_public(private: Path, public: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    key = load_pem_private_key(private.read_bytes(), None).public_key()
    public.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_keys_are_not_made_in_a_repository(desk, tmp_path):
    (tmp_path / ".git").mkdir()
    failed = desk.error("init", "--new-keys", tmp_path / "deep" / "keys")
    assert "private keys belong outside of it" in str(failed)
    assert not (tmp_path / "deep").exists()


def test_init_again_changes_nothing(begun):
    before = begun.status()
    begun.done("init", *begun.options())
    assert begun.status() == before


def test_thresholds_and_periods_are_kept_in_the_root(desk):
    people = ("root", "second", "third")
    spare = [f"--key=root=file:{desk.keys / name}.pem" for name in people]
    for name in people:
        new_key(f"file:{desk.keys / name}.pem")
    desk.done("init", "--new-keys", desk.keys, *spare, "--threshold", "root=2", "--expire", "timestamp=1")
    root, _, _, timestamp = desk.status()["roles"]
    assert (root["threshold"], len(root["keys"])) == (2, 3)
    assert 0 < (datetime.fromisoformat(timestamp["expires"]) - datetime.now(UTC)).total_seconds() <= 86400
    new = ("rotate-key", "targets", "--new", f"file:{desk.keys / 'new.pem'}")
    assert "root is signed by 1 of its keys, and needs 2" in str(desk.error(*new, *desk.options()))
    desk.done(*new, *desk.options(), spare[1])


def test_new_keys_are_made_for_roles_that_have_none(desk, tmp_path):
    """A file whose key could sign in place of a token's would make the token useless."""
    new_key(f"file:{tmp_path / 'token.pem'}")
    desk.done("init", "--new-keys", desk.keys, f"--key=targets=file:{tmp_path / 'token.pem'}")
    assert sorted(path.stem for path in desk.keys.iterdir()) == ["root", "snapshot", "timestamp"]
    assert [len(role["keys"]) for role in desk.status()["roles"]] == [1, 1, 1, 1]


def test_a_threshold_that_no_keys_can_reach(desk):
    failed = desk.error("init", "--new-keys", desk.keys, "--threshold", "targets=2")
    assert "targets has 1 keys and needs 2 signatures" in str(failed)
    assert not desk.root.exists()


@pytest.mark.parametrize("text", ["timestamp", "timestamp=0", "timestamp=x", "boss=3", "timestamp=99999"])
def test_a_period_that_is_none(text, desk):
    assert "expected ROLE=N" in str(desk.error("init", "--new-keys", desk.keys, "--expire", text))


def test_an_expired_channel_is_told_by_the_exit_code(desk, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "utc_seconds", lambda: datetime(2020, 1, 1, tzinfo=UTC))
        desk.done("init", "--new-keys", desk.keys)
    shown = desk.run("status")
    assert shown.exit_code == 11
    assert shown.output.count("expired: devices refuse it") == 4


@pytest.mark.parametrize("address", ["http://host/x", "s3://", "ftp://x"])
def test_an_address_that_can_hold_no_channel(address, begun):
    assert "cannot hold a channel" in str(begun.error("status", "--channel", address))


def test_a_publisher_without_a_root_is_told(begun):
    begun.root.unlink()
    assert "name the file of channel init (--root)" in str(begun.error("status"))


def test_a_change_of_nothing_is_refused(begun):
    assert "nothing to change" in str(begun.error("rollout"))


def test_every_command_has_help_and_the_exit_codes():
    for command in ("init", "publish", "rollout", "judge", "rotate-key", "refresh", "prune", "status"):
        shown = CliRunner().invoke(app, ["channel", command, "--help"], env={"COLUMNS": "300"}).output
        assert "Exit codes: 0 success" in shown, command


@pytest.mark.slow
def test_a_registered_version_is_published_by_its_alias(begun, first, tmp_path, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    registry = MlflowRegistry(Settings())
    third = renamed_bundle(first, tmp_path / "third", "thumbnail-third")
    versions = [registry.register(one, model_name="gestures", tags={}) for one in (first, third)]
    registry.set_alias("gestures", "champion", versions[1])
    online = begun.options("targets", "snapshot", "timestamp")
    begun.done("publish", *online)
    (bundle,) = begun.status()["bundles"]
    assert (bundle["model_name"], bundle["version"]) == ("gestures", versions[1])
    begun.done("publish", str(versions[0]), "--percent", "5", *online)
    assert begun.status()["bundles"][0]["version"] == versions[0]
    assert begun.error("publish", "nobody", *online).exit_code == 7
    assert begun.error("publish", "--model", "other", *online).exit_code == 7


def test_the_folder_of_keys_is_closed(begun):
    assert stat.S_IMODE(begun.keys.stat().st_mode) == 0o700
