"""Ceph's S3 gateway for tests: a monitor, a store in memory and radosgw, of Debian's packages."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.s3_server import ACCESS_KEY, SECRET_KEY, free_port, wait

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}]
mon initial members = a
public network = 127.0.0.0/8
keyring = {folder}/keyring
run dir = {folder}
admin socket =
pid file =
log file = {folder}/$name.log
mon data = {folder}/mon
mon data avail crit = 0
mon data avail warn = 0
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
[client]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw multipart min part size = 1024
"""
RIGHTS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw")


@contextmanager
def radosgw(folder: Path, *buckets: str) -> Iterator[str]:
    """The endpoint of a gateway with these buckets; `folder` holds its state and logs."""
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip("no radosgw (make test-s3 installs it)")
    folder.mkdir(parents=True)
    monitor, gateway, fsid = free_port(), free_port(), str(uuid.uuid4())
    _configure(folder, fsid, monitor, gateway)
    with ExitStack() as servers:
        _start_monitor(folder, fsid, monitor, servers)
        _start_disk(folder, servers)
        process = servers.enter_context(_serve(folder, "radosgw", "-n", "client.admin"))
        wait(gateway, process, folder / "client.admin.log")
        user = (
            "--uid=tester",
            "--display-name=tester",
            f"--access-key={ACCESS_KEY}",
            f"--secret={SECRET_KEY}",
        )
        _run(folder, "radosgw-admin", "user", "create", *user)
        endpoint = f"http://127.0.0.1:{gateway}"
        _make_buckets(endpoint, buckets)
        yield endpoint


def _configure(folder: Path, fsid: str, monitor: int, gateway: int) -> None:
    values = {"folder": folder, "fsid": fsid, "monitor": monitor, "gateway": gateway}
    (folder / "ceph.conf").write_text(CONFIGURATION.format(**values))
    (folder / "keyring").touch()
    for name, rights in RIGHTS.items():
        caps = [word for service, right in rights.items() for word in ("--cap", service, right)]
        _run(folder, "ceph-authtool", str(folder / "keyring"), "--gen-key", "-n", name, *caps)


def _start_monitor(folder: Path, fsid: str, port: int, servers: ExitStack) -> None:
    (folder / "mon").mkdir()
    address = ("a", f"[v2:127.0.0.1:{port}]")
    _run(folder, "monmaptool", "--create", "--fsid", fsid, "--addv", *address, str(folder / "monmap"))
    made_of = ("--monmap", str(folder / "monmap"), "--keyring", str(folder / "keyring"))
    _run(folder, "ceph-mon", "--mkfs", "-i", "a", *made_of)
    servers.enter_context(_serve(folder, "ceph-mon", "-i", "a"))


def _start_disk(folder: Path, servers: ExitStack) -> None:
    (folder / "osd").mkdir()
    identity = str(uuid.uuid4())
    _run(folder, "ceph", "--connect-timeout", "60", "osd", "new", identity, "0")
    _run(folder, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
    servers.enter_context(_serve(folder, "ceph-osd", "-i", "0"))


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, env=_environment(folder), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"


@contextmanager
def _serve(folder: Path, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A server in the foreground; nothing of it is worth an orderly end."""
    log = folder / f"{command[0]}.out"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "-f"], env=_environment(folder), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "CEPH_CONF": str(folder / "ceph.conf")}


def _make_buckets(endpoint: str, buckets: tuple[str, ...]) -> None:
    import boto3

    login = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **login)
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
