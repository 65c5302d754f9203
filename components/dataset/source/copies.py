"""Copies and edits of a clip beside it: `a_flip`, `a (1)`, `a-720p`, `IMG_E1234`, a camera's proxies.

Whoever augments, cuts or converts clips keeps the name and appends a word. A copy shows what the clip shows,
so that it belongs to the same group.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from unicodedata import normalize

WORDS = (
    r"aug(?:mented)?|blur(?:red)?|bright(?:er)?|compressed|conv(?:erted)?|copy|crop(?:ped)?|cut|dark(?:er)?"
    r"|edit(?:ed)?|enhanced|fast(?:er)?|fixed|flip(?:ped)?|gr[ae]y(?:scale)?|[hv]flip|hq|jitter(?:ed)?|low(?:res)?|lq"
    r"|mirror(?:ed)?|nois[ey]|normali[sz]ed|orig(?:inal)?|proxy|re(?:sized?|encoded?)|revers(?:ed?)"
    r"|rot(?:ate[d]?)?|scaled?|shift(?:ed)?|slow(?:er)?|slowmo|small|sped|speed|stab(?:ili[sz]ed)?|trim(?:med)?"
    r"|zoom(?:ed)?|[hx]\.?26[45]|hevc|\d{3,4}p|\d{2,3}fps|[24]k"
)
EDITED = re.compile(rf"(?P<name>.*?[^ _.~-])[ _.~-]++(?:{WORDS})(?:[ _.-]?\d{{1,3}})?", re.IGNORECASE)
NUMBERED = re.compile(r"(?P<name>.+?)(?: ?\(\d{1,3}\)|~\d{1,2})", re.IGNORECASE)
OF_CAMERAS = (
    (re.compile(r"IMG_E(?P<number>\d{4})", re.IGNORECASE), "IMG_{number}"),  # what an iPhone has edited
    (re.compile(r"(?P<number>C\d{4})S\d\d", re.IGNORECASE), "{number}"),  # Sony's proxies
    (re.compile(r"LRV_(?P<number>\d{8}_\d{6}_)\d\d(?P<part>_\d{3})", re.IGNORECASE), "VID_{number}00{part}"),
)  # Insta360's proxies come last
Place = tuple[str, str]


def originals(paths: Iterable[str]) -> dict[str, str]:
    """The clips that are copies, each with the path of its original.

    Args:
        paths: of all clips; an original is sought in the folder of its copy.
    """
    places = {path: _place(path) for path in sorted(paths, reverse=True)}
    there = {place: path for path, place in places.items()}
    found = {path: there[_original(place, there)] for path, place in places.items()}
    return {path: original for path, original in found.items() if places[original] != places[path]}


def _place(path: str) -> Place:
    clip = PurePosixPath(path)
    return clip.parent.as_posix(), normalize("NFC", clip.stem).casefold()


def _original(place: Place, there: Collection[Place]) -> Place:
    """Where the original of a clip lies; its own place if it is none's copy."""
    folder, stem = original = place
    while stem := _without_suffix(stem):
        original = (folder, stem) if (folder, stem) in there else original
    return original


def _without_suffix(stem: str) -> str:
    """A name without the last thing that an edit appends; empty if it has none."""
    for names, form in OF_CAMERAS:
        if name := names.fullmatch(stem):
            return form.format(**name.groupdict()).casefold()
    name = EDITED.fullmatch(stem) or NUMBERED.fullmatch(stem)
    return name["name"] if name else ""
