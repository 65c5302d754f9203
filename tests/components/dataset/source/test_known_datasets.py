"""Clips of published data sets: groups are the videos or persons that their own protocols keep apart."""

import pytest

from components.dataset.source.naming import groups_by_name


def groups_of(*paths):
    found = groups_by_name({path: path.split("/")[0] for path in paths}).groups
    return [found.get(path, path) for path in paths]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
            "brush_hair/April_09_brush_hair_f_cm_np1_fr_med_13.avi",
            "brush_hair/Silky_Straight_Hair_Original_brush_hair_h_nm_np1_fr_goo_0.avi",
        ),
        (
            "kick/50_FIRST_DATES_kick_f_cm_np1_ba_med_19.avi",
            "brush hair/50_FIRST_DATES_brush_hair_u_cm_np2_le_bad_1.avi",
            "kick/THE_PROTECTOR_kick_f_nm_np1_ri_bad_60.avi",
        ),
        (
            "boxing/person01_boxing_d1_uncomp.avi",
            "running/person01_running_d4_uncomp.avi",
            "boxing/person11_boxing_d1_uncomp.avi",
        ),
        (
            "A008/S001C001P003R001A008_rgb.avi",
            "A043/S001C003P003R002A043_rgb.avi",
            "A008/S001C001P004R001A008_rgb.avi",
        ),
        ("a1/a1_s1_t1_color.avi", "a2/a2_s1_t4_color.avi", "a1/a1_s11_t1_color.avi"),
        (
            "cook/Cook.Cleandishes_p02_r00_v02_c03.mp4",
            "walk/Walk_p02_r01_v10_c05.mp4",
            "walk/Walk_p03_r01_v10_c05.mp4",
        ),
        (
            "vault/0LtLS9wROrk_E_002407_002435_A_0003_0005.mp4",
            "beam/0LtLS9wROrk_E_003407_003435_A_0001_0005.mp4",
            "vault/1LtLS9wROrk_E_002407_002435_A_0003_0005.mp4",
        ),
    ],
)
def test_clips_of_one_video_or_person_are_one_group(one, same, other):
    first, second, third = groups_of(one, same, other)
    assert first == second != third


def test_the_kind_of_names_is_said():
    paths = [f"boxing/person01_boxing_d{number}_uncomp.avi" for number in range(1, 5)]
    notes = groups_by_name(dict.fromkeys(paths, "boxing")).notes
    assert notes == ("groups by the clips' names: persons (4 clips in 1 groups)",)
