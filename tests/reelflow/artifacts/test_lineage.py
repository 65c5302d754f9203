"""The clips in a lineage: packed, as older versions wrote them, damaged."""

import json
import zlib
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.artifacts import lineage
from reelflow.artifacts.lineage import Lineage
from reelflow.backbones.thumbnail import SPEC
from reelflow.contracts import SPLITS, DatasetReport
from tests.fake_features import clip

SHA256 = "0" * 64
ROWS = st.tuples(st.just(SHA256), st.text(), st.text(), st.text(), st.sampled_from(SPLITS))


def a_lineage(rows) -> Lineage:
    dataset = DatasetReport(
        source="clips",
        generated=False,
        labels=("down", "up"),
        split_counts={},
        groups=1,
        dropped_classes=(),
        quarantined=(),
        data_hash=SHA256,
        clips_sha256=SHA256,
    )
    return Lineage(
        bundle_sha256=SHA256, dataset=dataset, clips=rows, frames={}, backbone=SPEC, features={}, steps=()
    )


@given(st.lists(ROWS, max_size=5).map(tuple))
def test_clips_come_back_as_they_were(rows):
    written = a_lineage(rows)
    assert Lineage.model_validate_json(written.to_json()) == written
    older = json.loads(written.to_json()) | {"clips": rows}
    assert Lineage.model_validate_json(json.dumps(older)) == written


def test_a_clip_takes_few_bytes():
    clips = [clip("up", "train", number) for number in range(1000)]
    rows = tuple((one.sha256, one.path, one.label, one.group, one.split) for one in clips)
    assert len(a_lineage(rows).to_json()) < 1000 * 64 + 2000


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda packed: packed[:-8], "cut off"),
        (lambda packed: "?" + packed, "cannot be unpacked"),
        (lambda _: b64encode(b"no zlib").decode(), "cannot be unpacked"),
        (lambda _: b64encode(zlib.compress(b"[")).decode(), "clips"),
        (
            lambda packed: b64encode(
                zlib.compress(b" " * 10_000 + zlib.decompress(b64decode(packed)))
            ).decode(),
            "cut",
        ),
    ],
)
def test_damaged_clips_are_no_lineage(damage, told, monkeypatch):
    monkeypatch.setattr(lineage, "MAX_CLIPS_BYTES", 5000)
    document = json.loads(a_lineage(((SHA256, "a/b.mp4", "a", "g", "train"),)).to_json())
    document["clips"] = damage(document["clips"])
    with pytest.raises(ValueError, match=told):
        Lineage.model_validate_json(json.dumps(document))
