"""Mender's update module, called in the orders of Mender's state machine.

The orders: Documentation/update-modules-v3-file-api.md, and the expectations of
tests/src/mender-update/daemon/state_test.cpp, in mendersoftware/mender at dc6ff6ec.
"""

import io
import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from reelflow.edge.update.agent.archive import ArchiveChannel
from reelflow.errors import BundleError
from tests.bundles import renamed_bundle
from tests.device_bundles import bundle_id, spoilt_bundle, write_health
from tests.infra.edge.mender.place import MenderDevice, archive_of, tar_with

FAILED = ("SupportsRollback", "ArtifactRollback", "ArtifactFailure", "Cleanup")


@pytest.fixture
def device(tmp_path: Path, edge_bundle: Path) -> MenderDevice:
    """A device that runs its first bundle."""
    found = MenderDevice(tmp_path, edge_bundle)
    found.run_first()
    return found


def fail(device: MenderDevice) -> None:
    """What Mender calls after a state has failed, or after a power cut in it."""
    told = {state: device.call(state) for state in FAILED}
    assert told["SupportsRollback"].stdout == "Yes\n"
    assert [done.returncode for done in told.values()] == [0] * len(FAILED), told


def test_an_artifact_is_installed_and_committed_once_a_watcher_answers(device: MenderDevice) -> None:
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    assert device.call("ProvidePayloadFileSizes").stdout == ""
    assert device.call("ArtifactInstall").returncode == 0
    assert device.in_use == bundle_id(two), "on trial"
    assert device.call("NeedsArtifactReboot").stdout == "No\n"
    device.answers(two)
    assert device.call("ArtifactCommit").returncode == 0
    assert device.call("Cleanup").returncode == 0
    agent = device.agent
    assert (agent.current, agent.previous, agent.trial) == (bundle_id(two), bundle_id(device.first), None)


@pytest.mark.slow
def test_a_bundle_that_fails_its_self_test_leaves_all_as_it_was(device: MenderDevice, tmp_path: Path) -> None:
    spoilt = spoilt_bundle(device.first, tmp_path)
    device.bring(tmp_path / spoilt)
    done = device.call("ArtifactInstall")
    assert done.returncode == 5
    assert "its self-test fails" in done.stderr
    fail(device)
    assert device.in_use == bundle_id(device.first)
    assert device.agent.current == bundle_id(device.first)


@pytest.mark.slow
def test_without_a_watcher_nothing_is_committed(device: MenderDevice) -> None:
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    assert device.call("ArtifactInstall").returncode == 0
    done = device.call("ArtifactCommit")
    assert done.returncode == 5
    assert "no watcher has run with it" in done.stderr
    fail(device)
    assert device.in_use == bundle_id(device.first)
    device.answers(two)
    assert device.call("ArtifactInstall").returncode == 0, "another deployment asks for it again"
    assert device.call("ArtifactCommit").returncode == 0


@pytest.mark.slow
def test_a_camera_that_is_away_holds_no_deployment_up(device: MenderDevice) -> None:
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    assert device.call("ArtifactInstall").returncode == 0
    write_health(device.health, bundle_id(two), answering_s=0)
    done = device.call("ArtifactCommit")
    assert done.returncode == 5
    assert "is still on trial" in done.stderr
    fail(device)
    assert device.in_use == bundle_id(device.first)


@pytest.mark.slow
def test_a_module_that_mender_ends_leaves_no_process(device: MenderDevice) -> None:
    """Mender terminates the process that it has started, after ModuleTimeoutSeconds."""
    device.settings.write_text(device.settings.read_text().replace("WITHIN=1s", "WITHIN=1h"))
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    assert device.call("ArtifactInstall").returncode == 0
    write_health(device.health, bundle_id(two), answering_s=0)
    with subprocess.Popen(
        device.command("ArtifactCommit"), env=device.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(3)
        process.terminate()
        _, told = process.communicate(timeout=20)  # ends once nobody holds the pipe
    assert process.returncode == 5
    assert "is still on trial" in told
    fail(device)
    assert device.in_use == bundle_id(device.first)


@pytest.mark.slow
def test_a_rollback_that_the_disk_refuses_is_made_good_by_the_failure_state(device: MenderDevice) -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mounts of its own are not allowed here: run this as root")
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    assert device.call("ArtifactInstall").returncode == 0
    read_only = f"mount --bind {device.state} {device.state} && mount -o remount,bind,ro {device.state}"
    command = ["unshare", "--mount", "sh", "-ec", f'{read_only}; exec "$@"', "sh"]
    refused = subprocess.run(
        [*command, *device.command("ArtifactRollback")],
        env=device.environment,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 6, refused.stderr
    assert "Traceback" not in refused.stderr
    assert device.in_use == bundle_id(two)
    assert device.call("ArtifactFailure").returncode == 0
    assert device.in_use == bundle_id(device.first)


@pytest.mark.slow
def test_after_a_power_cut_behind_the_commit_the_device_goes_back_as_mender_does(
    device: MenderDevice,
) -> None:
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    device.call("ArtifactInstall")
    device.answers(two)
    device.call("ArtifactCommit")
    fail(device)
    assert device.in_use == bundle_id(device.first)
    assert device.call("ArtifactRollback").returncode == 0
    assert device.in_use == bundle_id(device.first), "and no further"


@pytest.mark.slow
@pytest.mark.parametrize("state", ["ArtifactInstall", "ArtifactCommit", "ArtifactRollback"])
@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3])
def test_a_power_cut_in_any_state_ends_with_a_whole_bundle(
    device: MenderDevice, state: str, after_s: float
) -> None:
    two = renamed_bundle(device.first, device.tree.parent / "two", "two")
    device.bring(two)
    if state != "ArtifactInstall":
        assert device.call("ArtifactInstall").returncode == 0
    with subprocess.Popen(
        device.command(state), env=device.environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGKILL)
    fail(device)
    assert device.in_use == bundle_id(device.first)
    assert device.call("ArtifactInstall").returncode == 0
    device.answers(two)
    assert device.call("ArtifactCommit").returncode == 0
    assert device.in_use == bundle_id(two)


def link(name: str, kind: bytes = tarfile.SYMTYPE, target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (tarfile.TarInfo("../escaped"), "not a plain name inside a bundle"),
        (tarfile.TarInfo("/etc/cron.d/evil"), "not a plain name inside a bundle"),
        (tarfile.TarInfo("./head.tflite"), "a path is listed twice"),
        (tarfile.TarInfo("long" * 60), "at most 200 characters"),
        (link("golden/link"), "not a plain file"),
        (link("hard", tarfile.LNKTYPE, "./bundle.json"), "not a plain file"),
        (link("null", tarfile.CHRTYPE, ""), "not a plain file"),
        (link("pipe", tarfile.FIFOTYPE, ""), "not a plain file"),
    ],
    ids=["parent", "absolute", "twice", "long", "symlink", "hardlink", "device", "pipe"],
)
def test_archives_that_lead_elsewhere_are_refused(
    edge_bundle: Path, tmp_path: Path, member: tarfile.TarInfo, told: str
) -> None:
    archive = archive_of(edge_bundle, tmp_path / "bundle.tar")
    tar_with(archive, evil=member)
    with pytest.raises(BundleError, match=told):
        ArchiveChannel(archive)


@pytest.mark.parametrize("content", [b"99999999999999999999 a=b\n", b"28 GNU.sparse.map=0,1,two\n"])
def test_headers_that_tarfile_does_not_check_are_refused(tmp_path: Path, content: bytes) -> None:
    header = tarfile.TarInfo("header")
    header.type, header.size = tarfile.XHDTYPE, len(content)
    with tarfile.open(tmp_path / "bundle.tar", "w") as tar:
        tar.addfile(header, io.BytesIO(content))
        tar.addfile(tarfile.TarInfo("bundle.json"))
    with pytest.raises(BundleError, match="is not a tar file"):
        ArchiveChannel(tmp_path / "bundle.tar")


def test_what_is_no_archive_of_a_bundle_is_told(edge_bundle: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.tar"
    text = tmp_path / "text.tar"
    text.write_text("no tar")
    packed = tmp_path / "packed.tar"
    subprocess.run(["tar", "-C", edge_bundle, "-czf", packed, "."], check=True)
    other = tmp_path / "other.tar"
    subprocess.run(["tar", "-C", tmp_path, "-cf", other, "text.tar"], check=True)
    cut = archive_of(edge_bundle, tmp_path / "cut.tar")
    os.truncate(cut, cut.stat().st_size // 2)
    for archive, told in (
        (absent, "No such file"),
        (text, "is not a tar file without compression"),
        (packed, "is not a tar file without compression"),
        (other, "holds no SHA256SUMS"),
        (cut, "is not a tar file|holds no SHA256SUMS|is not listed"),
    ):
        with pytest.raises(BundleError, match=told):
            ArchiveChannel(archive)


@pytest.mark.slow
def test_a_bundle_whose_bytes_were_altered_is_not_installed(device: MenderDevice, tmp_path: Path) -> None:
    altered = renamed_bundle(device.first, tmp_path / "altered", "altered")
    head = altered / "head.tflite"
    head.write_bytes(head.read_bytes()[:-1] + b"x")
    device.bring(altered)
    assert device.call("ArtifactInstall").returncode == 5
    fail(device)
    assert device.in_use == bundle_id(device.first)
