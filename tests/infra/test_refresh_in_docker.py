"""The CronJob's own command, in its image, against an S3 server: devices get a new timestamp."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.channel.desk import Desk
from tests.engine import docker
from tests.s3_server import BUCKET
from tests.workplace import ROOT

pytestmark = pytest.mark.docker

CRONJOB = ROOT / "infra/kubernetes/components/channel-refresh/cronjob.yaml"
LOCKED_DOWN = ("--rm", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
LARGEST_MB = 200
OF_GROUP = 0o440  # as the secret is mounted


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_the_cronjob_signs_the_timestamp_again(
    images: dict[str, str],
    tmp_path: Path,
    s3_servers: Callable[[str], str],
    s3_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = s3_servers("rclone")
    monkeypatch.setenv("REELFLOW_S3_ENDPOINT", endpoint)
    desk = Desk(tmp_path, monkeypatch)
    address = f"s3://{BUCKET}/{tmp_path.name}"
    monkeypatch.setenv("REELFLOW_CHANNEL", address)
    desk.done("init", "--new-keys", desk.keys)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name in ("timestamp.pem", "snapshot.pem"):
        (mounted / name).write_bytes((desk.keys / name).read_bytes())
    (mounted / "channel-root.json").write_bytes(desk.root.read_bytes())
    for path in mounted.iterdir():
        path.chmod(OF_GROUP)
    (container,) = yaml.safe_load(CRONJOB.read_text())["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    before = timestamp(desk)
    variables = {
        "REELFLOW_CHANNEL": address,
        "REELFLOW_S3_ENDPOINT": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "HOME": "/tmp",
    }
    done = docker(
        "run",
        *LOCKED_DOWN,
        "--network=host",
        "--user=10001:0",
        f"--volume={mounted}:/keys:ro",
        *(f"--env={name}={value}" for name, value in variables.items()),
        "--env=AWS_ACCESS_KEY_ID",
        "--env=AWS_SECRET_ACCESS_KEY",
        images["channel"],
        *container["command"],
        *container["args"],
    )
    assert done.returncode == 0, done.stdout
    assert f"timestamp {before + 1} expires" in done.stdout
    assert timestamp(desk) == before + 1
    (found,) = json.loads(docker("image", "inspect", images["channel"]).stdout)
    assert found["Size"] <= LARGEST_MB * 1e6


def timestamp(desk: Desk) -> int:
    """The version of the channel's timestamp."""
    (found,) = [role for role in desk.status()["roles"] if role["role"] == "timestamp"]
    return int(found["version"])
