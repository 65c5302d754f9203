"""Labels as people write them: spaces at the ends, other forms of a letter, near-twins."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from reelflow.errors import DataError, some_of

SHOWN = 5
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
SEPARATORS = r"[\s_.-]+"
BESIDE_A_LETTER = re.compile(rf"(?<=[^\W\d_]){SEPARATORS}|{SEPARATORS}(?=[^\W\d_])")


def clean(text: str) -> str:
    """A name in Unicode's composed form (NFC), without white space or invisible characters at its ends."""
    text = unicodedata.normalize("NFC", text)
    before = None
    while text != before:
        before, text = text, text.strip().strip(INVISIBLE)
    return text


def check_twins(labels: Mapping[str, str]) -> None:
    """Check that no two labels differ only in case, separators, or how their characters are coded.

    Args:
        labels: by label, a clip that has it.

    Raises:
        DataError: near-twins, both named.
    """
    twins: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        twins[_folded(label)].append(label)
    found = [same for same in twins.values() if len(same) > 1]
    if found:
        lines = [
            "  " + " and ".join(f"{label!r} ({labels[label]})" for label in same) for same in sorted(found)
        ]
        raise DataError(
            f"{len(found)} label(s) are written in several ways, which would be classes of their own:\n"
            + "\n".join(lines)
            + "\nWrite them alike if they mean one class; else give them names that differ more"
        )


def changed(names: Iterable[str]) -> tuple[str, ...]:
    """What was cleaned, for the report; empty if nothing was."""
    found = sorted({name for name in names if clean(name) != name})
    if not found:
        return ()
    shown = some_of([*map(ascii, found)], SHOWN)
    return (f"labels without spaces at their ends, in Unicode's composed form, instead of {shown}",)


def _folded(label: str) -> str:
    visible = "".join(
        sign for sign in unicodedata.normalize("NFKC", label) if unicodedata.category(sign) != "Cf"
    )
    return BESIDE_A_LETTER.sub("", visible.casefold())
