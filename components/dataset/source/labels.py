"""Labels as people write them: spaces at the ends, other forms of a letter or a number, near-twins."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from reelflow.contracts import UNSURE
from reelflow.errors import DataError, some_of

SHOWN = 5
DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff" + DIRECTION_MARKS
SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)}  # of a glyph's variant
APOSTROPHES = "\u2018\u2019\u02bc`"
MINUS = "\u2212"
LOOKALIKES = str.maketrans(  # Cyrillic and Greek letters that look like Latin ones, in lower or upper case
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455"
    "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "abekmhopctyxijsabeikvoptyx",
)
SEPARATORS = r"[\s_.-]+"
CONTROLS = frozenset({"Cc", "Zl", "Zp"})  # Unicode's kinds of line breaks and terminal commands
LEADING_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")  # as a spreadsheet or pandas writes 1 where others lack
BESIDE_A_LETTER = re.compile(rf"(?<=[^\W\d_]){SEPARATORS}|{SEPARATORS}(?=[^\W\d_])")


def clean(text: str) -> str:
    """A name in Unicode's composed form (NFC), without white space or invisible characters at its ends."""
    text = unicodedata.normalize("NFC", text)
    before = None
    while text != before:
        before, text = text, text.strip().strip(INVISIBLE)
    return text


def has_control(text: str) -> bool:
    """Whether a line break, a tab or a command to a terminal is in a text."""
    return any(unicodedata.category(sign) in CONTROLS for sign in text)


def check_names(labels: Mapping[str, str]) -> None:
    """Check that labels can be the names of classes, in a line of text and among the answers of a device.

    Args:
        labels: by label, a clip that has it.

    Raises:
        DataError: one holds a line break or the like, or has the name of a state.
    """
    for label, path in sorted(labels.items()):
        if has_control(label):
            raise DataError(
                f"the label {label!r} of {path!r} holds a line break or another control character: "
                "rename its folder, or correct it in groups.csv"
            )
    if UNSURE in labels:
        raise DataError(
            f"a class is called {UNSURE!r} ({labels[UNSURE]}), as a device calls clips without an answer: "
            "give the class another name"
        )


def check_twins(labels: Mapping[str, str]) -> None:
    """Check that no two labels differ only in case, separators, zeros, or letters that look alike.

    Args:
        labels: by label, a clip that has it.

    Raises:
        DataError: near-twins, both named.
    """
    if found := _twins(labels):
        lines = ["  " + " and ".join(f"{label!r} ({labels[label]})" for label in same) for same in found]
        raise DataError(
            f"{len(found)} label(s) are written in several ways, which would be classes of their own:\n"
            + "\n".join(lines)
            + "\nWrite them alike if they mean one class; else give them names that differ more"
        )


def twins_of_groups(groups: Iterable[str]) -> tuple[str, ...]:
    """A note on groups that differ as the labels of `check_twins` do; empty if none do."""
    found = _twins(groups)
    if not found:
        return ()
    shown = some_of([" and ".join(map(repr, same)) for same in found], SHOWN)
    return (f"{len(found)} group(s) are written in several ways, each a group of its own: {shown}",)


def changed(names: Iterable[str]) -> tuple[str, ...]:
    """What was cleaned, for the report; empty if nothing was."""
    found = sorted({name for name in names if clean(name) != name})
    if not found:
        return ()
    shown = some_of([*map(ascii, found)], SHOWN)
    return (f"labels without spaces at their ends, in Unicode's composed form, instead of {shown}",)


def _twins(names: Iterable[str]) -> list[list[str]]:
    twins: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        twins[_folded(name)].append(name)
    return sorted(same for same in twins.values() if len(same) > 1)


def _folded(label: str) -> str:
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", label)))
    whole = WHOLE_NUMBER.fullmatch(plain.strip())
    return LEADING_ZEROS.sub(
        "", whole[1] if whole else BESIDE_A_LETTER.sub("", plain.casefold()).translate(LOOKALIKES)
    )


def _plain(sign: str) -> str:
    """A character as a keyboard has it; nothing for an invisible one."""
    kind = unicodedata.category(sign)
    if kind == "Cf" or sign in SELECTORS:
        return ""
    if kind == "Pd" or sign == MINUS:
        return "-"
    return "'" if sign in APOSTROPHES else sign
