"""Groups by the names that cameras, datasets and tools give to clips of one recording.

| kind | names | group |
|---|---|---|
| published data sets | [known_datasets.py](known_datasets.py) has them | the video, or the person |
| GoPro | `GX010012`, `GL020012` (proxy), `GOPR0012`, `GP010012` | the recording, by its number |
| date and time | `VID_20240105_100000`, `cam1 2024-01-05 10.00.30` | a camera's clips without a long pause |
| numbered parts | `rec7_1`, `rec7_2`, `rec7 (3)`, `rec7-part2` | the name without the number |
| one name | `a.mp4`, `a.lrv` in one folder | the name |
| copies | `a_flip`, `a (1)`, `IMG_E1234` beside `a`, `IMG_1234` | that of the original |
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from components.dataset.source.copies import originals
from components.dataset.source.known_datasets import finegym, hmdb51, kinetics, persons, stem_of, ucf101

GOPRO = re.compile(r"(?:G[HXLS](?:\d\d|[A-Z]{2})|GOPR|GP\d\d)(?P<number>\d{4})", re.IGNORECASE)
TIMED = re.compile(
    r"(?P<camera>.*?)(?<!\d)"
    r"(?P<year>(?:19|20)\d\d)[-_. ]?(?P<month>0[1-9]|1[0-2])[-_. ]?(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:[-_ T.]{0,3}(?:at )?)"
    r"(?P<hour>[01]\d|2[0-3]|[1-9](?=(?:[.:]\d\d){1,2}\W?[ap]m))"
    r"[-_.:h ]?(?P<minute>[0-5]\d)(?:[-_.:m ]?(?P<second>[0-5]\d))?"
    r"(?:\W?(?P<half>[ap])m(?:\W.*)?|\D.*|\d{3}(?:\D.*)?|)",
    re.IGNORECASE,
)
PART = re.compile(
    r"(?P<name>.*[^\W_])"
    r"(?:[ _.-]+(?:part|pt|clip|seg|segment|cut|take|scene|trim|copy|chunk|split)?[ _.-]?\d{1,6}"
    r"| ?\(\d{1,3}\))",
    re.IGNORECASE,
)
NOON = 12
PAUSE = timedelta(minutes=30)
COUNTERS = frozenset(  # what cameras and programs put before the number of a recording
    {"cimg", "clip", "dji", "dsc", "dscf", "dscn", "file", "gopr", "img", "mah", "mov", "movie", "mvi"}
    | {"output", "pict", "pxl", "rec", "recording", "sam", "vid", "video"}
)
LEAST_RECORDINGS = 3  # of a class, before `name_1`, `name_2` are parts rather than a numbering


@dataclass(frozen=True)
class NamedGroups:
    """Groups by names.

    Attributes:
        groups: by path; clips without one are left out.
        notes: how many clips each kind of names grouped.
    """

    groups: Mapping[str, str]
    notes: tuple[str, ...]


def groups_by_name(labels: Mapping[str, str]) -> NamedGroups:
    """Groups of clips whose names tell their recording.

    Args:
        labels: the label of every clip, by path.
    """
    groups: dict[str, str] = {}
    counts: list[str] = []
    copies = originals(labels)
    for kind, find in KINDS.items():
        done = groups.keys() | copies.keys()
        found = find({path: label for path, label in labels.items() if path not in done})
        groups |= found
        counts += _counted(kind, found)
    of_copies = {copy: groups.get(original, original) for copy, original in copies.items()}
    of_originals = {original: groups.get(original, original) for original in copies.values()}
    counts += _counted("copies", of_copies | of_originals)
    notes = (f"groups by the clips' names: {', '.join(counts)}",) if counts else ()
    return NamedGroups(groups | of_copies | of_originals, notes)


def _counted(kind: str, found: Mapping[str, str]) -> list[str]:
    groups = len(set(found.values()))
    return [f"{kind} ({len(found)} clips in {groups} groups)"] if groups < len(found) else []


def _gopro(labels: Mapping[str, str]) -> dict[str, str]:
    """By the number of the recording; a trimmed or copied chapter has more behind it."""
    found = {path: GOPRO.match(stem_of(path)) for path in labels}
    return {
        path: f"GoPro {name['number']}"
        for path, name in found.items()
        if name and not stem_of(path)[name.end() :][:1].isalnum()
    }


def _timed(labels: Mapping[str, str]) -> dict[str, str]:
    """Clips of one camera, without a pause of `PAUSE` between the starts of two."""
    cameras: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for path in labels:
        if (name := TIMED.fullmatch(stem_of(path))) and (moment := _moment(name)):
            cameras[name["camera"].strip(" _.-")].append((moment, path))
    groups: dict[str, str] = {}
    for camera, clips in cameras.items():
        before = datetime.min
        for moment, path in sorted(clips):
            if moment - before >= PAUSE:
                session = f"{camera} {moment:%Y-%m-%d %H:%M:%S}".strip()
            groups[path], before = session, moment
    return groups


def _moment(name: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute = (int(name[part]) for part in ("year", "month", "day", "hour", "minute"))
    if name["half"] and hour <= NOON:
        hour = hour % NOON + (NOON if name["half"] in "pP" else 0)
    try:
        return datetime(year, month, day, hour, minute, int(name["second"] or 0))
    except ValueError:
        return None


def _parts(labels: Mapping[str, str]) -> dict[str, str]:
    """`rec7_1` and `rec7_2`; in a class of `walk_1` to `walk_50` the number only tells clips apart."""
    found = {path: name["name"] for path in labels if (name := PART.fullmatch(stem_of(path)))}
    recordings: defaultdict[str, set[str]] = defaultdict(set)
    for path, recording in found.items():
        recordings[labels[path]].add(recording)
    told = (name for path, name in found.items() if len(recordings[labels[path]]) >= LEAST_RECORDINGS)
    several = {name for name, count in Counter(told).items() if count > 1 and name.casefold() not in COUNTERS}
    whole = {path: stem_of(path) for path in labels if stem_of(path) in several}
    return {path: name for path, name in found.items() if name in several} | whole


def _same_name(labels: Mapping[str, str]) -> dict[str, str]:
    """Copies of a clip in other formats, beside each other."""
    stems = {path: PurePosixPath(path).with_suffix("").as_posix() for path in labels}
    counts = Counter(stem.casefold() for stem in stems.values())
    return {path: stem.casefold() for path, stem in stems.items() if counts[stem.casefold()] > 1}


KINDS = {
    "UCF101": ucf101,
    "HMDB51": hmdb51,
    "FineGym": finegym,
    "Kinetics": kinetics,
    "persons": persons,
    "GoPro": _gopro,
    "date and time": _timed,
    "numbered parts": _parts,
    "one name": _same_name,
}
