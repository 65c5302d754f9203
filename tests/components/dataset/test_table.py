"""The table says what the clips are."""

import csv

from components.dataset.table import table_rows, write_table
from reelflow.contracts import Clip
from reelflow.files import sha256_text


def a_clip(number, label="a", **changes):
    values = {
        "clip_id": sha256_text(f"{label}{number}")[:16],
        "path": f"{label}/{number}.mp4",
        "label": label,
        "group": f"g{number % 3}",
        "split": "train",
        "frame_count": 50,
        "duration_s": 2.0,
        "fps": 25.0,
        "width": 320,
        "height": 240,
        "rotation": 0,
        "codec": "h264",
        "has_audio": False,
        "size_bytes": 1000,
        "sha256": sha256_text(f"{label}{number}"),
    }
    return Clip(**{**values, **changes})


def test_equal_clips_give_single_values():
    rows = dict(table_rows([a_clip(n) for n in range(6)]))
    assert rows["classes"] == "1"
    assert (rows["clips"], rows["groups"], rows["train clips"], rows["test clips"]) == ("6", "3", "6", "0")
    assert (rows["mean duration"], rows["total duration"]) == ("2.00 s", "12 s")
    assert (rows["frame rate"], rows["resolution"]) == ("25 fps", "320x240")
    assert rows["audio"] == "0 clips in 0 classes"


def test_different_clips_give_ranges():
    clips = [a_clip(0), a_clip(1, "b", duration_s=9.5, fps=29.97, width=640, height=480, has_audio=True)]
    rows = dict(table_rows(clips))
    assert (rows["min duration"], rows["max duration"]) == ("2.00 s", "9.50 s")
    assert rows["frame rate"] == "25 to 29.97 fps"
    assert rows["resolution"] == "2 sizes, 320x240 to 640x480"
    assert rows["audio"] == "1 clips in 1 classes"


def test_the_table_is_csv(tmp_path):
    clips = [a_clip(0), a_clip(1, width=160, height=120)]
    write_table(clips, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = [tuple(row) for row in csv.reader(file)]
    assert rows == [("property", "value"), *table_rows(clips)]
