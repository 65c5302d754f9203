"""Many writers and readers at once, writers killed: readers get whole shards, and one good copy stays."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.store.crowd import SHARDS
from tests.s3_server import BUCKET, SERVERS


@pytest.fixture(params=["directory", *SERVERS])
def address(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3_servers: Callable[[str], str],
    s3_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    if request.param == "directory":
        return str(tmp_path / "crowded")
    monkeypatch.setenv("REELFLOW_S3_ENDPOINT", s3_servers(request.param))
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_a_crowd_with_killed_writers_leaves_one_good_copy_of_each_shard(address, rounds):
    command = [sys.executable, "-m", "tests.faults.store.crowd", address, str(rounds), "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert (counted["broken"], counted["torn"], counted["missing"]) == (0, 0, 0)
    assert counted["listed"] == rounds * SHARDS * 2
    assert counted["readers"] == rounds * 2
    assert counted["whole"] >= rounds * SHARDS
    assert counted["killed"] + counted.get("finished", 0) == rounds * 2
    assert counted["killed"] >= rounds // 6  # moments are random
