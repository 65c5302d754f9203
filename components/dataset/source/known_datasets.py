"""Groups by the names that clips of published data sets have.

| data set | names | group |
|---|---|---|
| UCF101, UCF50 | `v_<Class>_g07_c02` | class and group |
| HMDB51 | `<video>_<class>_f_cm_np1_fr_med_0` | the video |
| Kinetics, ActivityNet | `<id>_000010_000020`, in seconds | the video |
| FineGym | `<id>_E_002407_002435_A_0003_0005` | the video |
| KTH | `person01_boxing_d1_uncomp` | the person |
| NTU RGB+D | `S001C002P003R002A013_rgb` | the person |
| UTD-MHAD, MSR Action3D | `a1_s1_t1_color`, `a01_s01_e01` | the person |
| Toyota Smarthome | `Cook.Cut_p02_r00_v02_c03` | the person |
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from unicodedata import normalize

COPY = r"(?: ?\(\d{1,3}\)|[ _-][^\W\d_]+)?"  # what people and tools append: ` (1)`, `_flip`
UCF101 = re.compile(rf"v_(?P<name>.+)_g(?P<group>\d+)_c\d+{COPY}")
HMDB51 = re.compile(rf"(?P<video>.+)_[fulh]_[cn]m_np\d_(?:fr|ba|le|ri)_(?:goo|good|med|bad)_\d+{COPY}")
SEGMENT = re.compile(rf"(?P<video>.+)_(?P<start>\d{{1,6}}(\.\d+)?)_(?P<end>\d{{1,6}}(\.\d+)?){COPY}")
FINEGYM = re.compile(rf"(?P<video>.{{11}})_E_\d{{6}}_\d{{6}}(?:_A_\d{{4}}_\d{{4}})?{COPY}")
PERSONS = {
    "KTH": re.compile(r"person(?P<person>\d\d)_[a-z]+_d\d(?:_.*)?"),
    "NTU RGB+D": re.compile(r"S\d{3}C\d{3}P(?P<person>\d{3})R\d{3}A\d{3}(?:_.*)?"),
    "UTD-MHAD": re.compile(r"a\d{1,2}_s(?P<person>\d{1,2})_[te]\d{1,2}(?:_.*)?"),
    "Toyota Smarthome": re.compile(r".+_p(?P<person>\d\d)_r\d\d_v\d\d_c\d\d(?:_.*)?"),
}
KINETICS_ID = 11  # characters of a video's id
KINETICS_DIGITS = 6
LONGEST_SEGMENT_S = 600


def stem_of(path: str) -> str:
    """The name of a clip without its suffix, in Unicode's composed form."""
    return normalize("NFC", PurePosixPath(path).stem)


def ucf101(labels: Mapping[str, str]) -> dict[str, str]:
    """By class and group."""
    return {
        path: f"{name['name']}_g{name['group']}"
        for path in labels
        if (name := UCF101.fullmatch(stem_of(path)))
    }


def hmdb51(labels: Mapping[str, str]) -> dict[str, str]:
    """By the film or video that clips were cut from, whatever they show."""
    found = {path: HMDB51.fullmatch(stem_of(path)) for path in labels}
    return {
        path: f"HMDB51 {_without_class(name['video'], labels[path])}" for path, name in found.items() if name
    }


def _without_class(video: str, label: str) -> str:
    suffix = "_" + re.sub(r"[\s-]+", "_", label).casefold()
    return video[: -len(suffix)] if video.casefold().endswith(suffix) else video


def kinetics(labels: Mapping[str, str]) -> dict[str, str]:
    """By the video that segments were cut from."""
    found = {path: SEGMENT.fullmatch(stem_of(path)) for path in labels}
    return {path: name["video"] for path, name in found.items() if name and _is_segment(name)}


def _is_segment(name: re.Match[str]) -> bool:
    """Whether two numbers are the start and the end of a segment, in seconds."""
    start, end = name["start"], name["end"]
    looks = "." in start + end or len(name["video"]) == KINETICS_ID
    looks |= len(start) == len(end) == KINETICS_DIGITS
    return looks and 0 < float(end) - float(start) <= LONGEST_SEGMENT_S


def finegym(labels: Mapping[str, str]) -> dict[str, str]:
    """By the video that events and elements were cut from."""
    return {path: name["video"] for path in labels if (name := FINEGYM.fullmatch(stem_of(path)))}


def persons(labels: Mapping[str, str]) -> dict[str, str]:
    """By the person, as the data sets' own protocols split."""
    return {
        path: f"{dataset} person {int(name['person'])}"
        for dataset, names in PERSONS.items()
        for path in labels
        if (name := names.fullmatch(stem_of(path)))
    }
