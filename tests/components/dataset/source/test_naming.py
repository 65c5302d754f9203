"""Groups by the names that people's clips have."""

import pytest

from components.dataset.source.naming import groups_by_name


def groups_of(*stems, label="a", suffix=".mp4"):
    paths = [f"{label}/{stem}{suffix}" for stem in stems]
    found = groups_by_name(dict.fromkeys(paths, label)).groups
    return [found.get(path, path) for path in paths]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("v_YoYo_g07_c01", "v_YoYo_g07_c02", "v_YoYo_g08_c01"),
        ("abcdefghijk_000010_000020", "abcdefghijk_000020_000030", "bbcdefghijk_000010_000020"),
        ("-_cdef_hijk_10_20", "-_cdef_hijk_30_40", "x_cdef_hijk_10_20"),
        ("vid00abcdefg_000010_000020", "vid00abcdefg_000110_000120", "vid01abcdefg_000010_000020"),
        ("v_abc_1.5_20.25", "v_abc_31.0_40.5", "v_abd_1.5_20.25"),
        ("GX010012", "GX020012", "GX010013"),
        ("GX010012", "GL010012", "GL010013"),
        ("GOPR0012", "GP010012", "GOPR0013"),
        ("GH010012", "gh010012_trim", "GH010021"),
        ("GX010012", "GX010012 (1)", "GX010014"),
        ("VID_20240105_100000", "VID_20240105_100530", "VID_20240106_100000"),
        ("PXL_20240105_100000123", "PXL_20240105_101500456.TS", "PXL_20240105_140000123"),
        ("cam1_2024-01-05_10-00-00", "cam1_2024-01-05_10-29-59", "cam2_2024-01-05_10-00-00"),
        ("2024-01-05 10.00.00", "2024-01-05 10.00.30", "2024-01-05 11.00.00"),
        (
            "WhatsApp Video 2024-01-05 at 10.00.00",
            "WhatsApp Video 2024-01-05 at 10.01.00",
            "2024-01-05 12.00",
        ),
        ("202401051000", "202401051010", "202401061010"),
        ("v_YoYo_g07_c01", "v_YoYo_g07_c02_flip", "v_YoYo_g08_c01 (1)"),
        ("abcdefghijk_000010_000020", "abcdefghijk_000030_000040 (1)", "bbcdefghijk_000010_000020_flip"),
        ("2017_0628_134500_001", "2017_0628_134800_002", "2017_0629_134500_003"),
        ("2024 01 05 10 00 00", "2024 01 05 10 00 30", "2024 01 05 11 00 00"),
        (
            "Rec 2024-01-05 at 1.00.00\u202fPM",
            "Rec 2024-01-05 at 12.50.00 PM",
            "Rec 2024-01-05 at 1.10.00 AM",
        ),
        ("Rec 2024-01-05 10.00.00 AM", "Rec 2024-01-05 10.10.00 AM", "Rec 2024-01-05 10.05.00 PM"),
    ],
)
def test_clips_of_one_recording_are_one_group(one, same, other):
    first, second, third = groups_of(one, same, other)
    assert first == second != third


def test_parts_of_several_recordings_are_groups():
    stems = ["rec7_1", "rec7_2", "rec7-part3", "rec7", "rec8 (1)", "rec8 (2)", "rec9_1", "rec9_2"]
    assert groups_of(*stems) == ["rec7"] * 4 + ["rec8"] * 2 + ["rec9"] * 2


@pytest.mark.parametrize("digits", [1, 5, 6])
def test_parts_of_any_class_are_of_the_recording(digits):
    numbers = [f"{number:0{digits}}" for number in range(1, 4)]
    names = {f"a/{name}_{number}.mp4": "a" for name in ("rec7", "rec8", "rec9") for number in numbers}
    groups = groups_by_name(names | {"b/rec7_9.mp4": "b", "b/other_9.mp4": "b"}).groups
    assert {path for path, group in groups.items() if group == "rec7"} == {
        "b/rec7_9.mp4",
        *(f"a/rec7_{number}.mp4" for number in numbers),
    }
    assert "b/other_9.mp4" not in groups


def test_one_name_in_two_unicode_forms_is_one_recording():
    first, second, *_ = groups_of("\u00e97_1", "e\u03017_2", "rec8_1", "rec9_2")
    assert first == second == "\u00e97"


@pytest.mark.parametrize(
    "stems",
    [
        [f"walk_{i:02}" for i in range(50)],
        ["clip 1", "clip 2", "take_1", "take_2"],
        [f"{camera}_{i:04}" for camera in ("IMG", "DSC", "MVI", "DJI") for i in range(1, 4)],
        [f"{word}{i}" for word in ("clip ", "Video_", "rec-", "movie_") for i in range(1, 4)],
    ],
)
def test_a_numbering_is_no_recording(stems):
    assert len(set(groups_of(*stems))) == len(stems)


@pytest.mark.parametrize(
    "stem", ["000", "fi001", "20241305_100000", "1920_1080", "a_000020_000010", "v1.2", "GX1", "no_42_1337x"]
)
def test_other_names_say_nothing(stem):
    assert groups_of(stem) == [f"a/{stem}.mp4"]


def test_a_proxy_beside_its_clip_is_of_its_group():
    paths = dict.fromkeys(["a/DJI_7.MP4", "a/DJI_7.lrv", "b/DJI_7.mp4"], "a")
    found = groups_by_name(paths).groups
    assert found["a/DJI_7.MP4"] == found["a/DJI_7.lrv"]
    assert "b/DJI_7.mp4" not in found


def test_a_recording_may_span_classes():
    found = groups_by_name({"a/GX010012.MP4": "a", "b/GX020012.MP4": "b"})
    assert set(found.groups.values()) == {"GoPro 0012"}
    assert found.notes == ("groups by the clips' names: GoPro (2 clips in 1 groups)",)
