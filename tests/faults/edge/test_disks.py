"""A disk that is full for every sink and all clips at once: told once each, counted, the watching goes on."""

import json

import pytest

from tests.faults.edge.commands import shell
from tests.faults.pipeline.disks import small_disk
from tests.videos import write_video

QUICK = ("--hop", "0.6", "--least", "0", "--on", "0.01", "--update", "0.5")


@pytest.mark.slow
def test_a_disk_that_is_full_for_all_sinks_and_clips(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.ts", frames=300, seed=1, container_format="mpegts")
    with small_disk(tmp_path / "disk") as disk:
        full = disk.folder
        away = ("--sink", "http://u:s3cret@127.0.0.1:1/x", "--sink", "mqtt://u:s3cret@127.0.0.1:1/x")
        clips = ("--record", full / "events", "--keep-unsure", full / "unsure")
        unsure = ("--unsure-below", "1", "--unsure-every", "0")
        sinks = ("--sink", f"file:{full}/events.jsonl", *away, "--spool", full / "spool")
        line = f'"$@" > {full}/lines'
        done = shell(line, "watch", edge_bundle, video, *QUICK, *sinks, *clips, *unsure)
        kept = (full / "lines").read_text().splitlines()
    assert done.returncode == 0
    told = done.stderr.splitlines()
    assert len([one for one in told if one.startswith("a clip is not kept whole: No space left")]) == 1
    counted = ("clips: 0 kept, ", "-: ", "file:", "http://127.0.0.1:1: ", "mqtt://127.0.0.1:1/")
    assert [one for one in counted if not any(line.startswith(one) for line in told)] == []
    assert len(told) == len(counted) + 1
    assert "s3cret" not in done.stderr
    assert json.loads(kept[0])["state"] == "connected", "what the disk took is whole"
