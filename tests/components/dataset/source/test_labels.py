"""Labels as people write them."""

import pytest

from components.dataset.source.labels import check_twins, clean
from reelflow.errors import DataError


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (" grow", "grow"),
        ("grow\t\r\n", "grow"),
        ("\u00a0grow\u3000", "grow"),
        ("\ufeff grow\u200b", "grow"),
        ("cafe\u0301", "caf\u00e9"),
        ("high  jump", "high  jump"),
        (" \u200b ", ""),
        ("\u202agrow\u202c\u200e", "grow"),
    ],
)
def test_ends_are_stripped_and_characters_composed(written, label):
    assert clean(written) == label


@pytest.mark.parametrize(
    "twins",
    [
        ("Grow", "grow"),
        ("high jump", "high_jump"),
        ("high-jump", "HighJump"),
        ("grow", "grow_"),
        ("Straße", "STRASSE"),
        ("walk", "\uff57alk"),
        ("gr\u200bow", "grow"),
        ("class 1", "class1"),
        ("high-jump", "high\u2013jump"),
        ("high-jump", "high\u2212jump"),
        ("1-2", "1\u20112"),
        ("don't", "don\u2019t"),
        ("\u2764", "\u2764\ufe0f"),
    ],
)
def test_near_twins_are_named(twins):
    with pytest.raises(DataError) as refused:
        check_twins({twins[0]: "x/1.mp4", "other": "z/3.mp4", twins[1]: "y/2.mp4"})
    said = str(refused.value)
    assert said.startswith("1 label(s) are written in several ways")
    assert all(repr(name) in said for name in twins)
    assert "x/1.mp4" in said
    assert "y/2.mp4" in said


@pytest.mark.parametrize(
    "labels", [("1-2", "12"), ("-1", "1"), ("C", "C++"), ("fall", "falls"), ("1.5", "15")]
)
def test_other_names_are_other_classes(labels):
    check_twins(dict.fromkeys(labels, "clip"))
