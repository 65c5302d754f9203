"""Cron with six fields, seconds first, as Kubeflow's scheduler reads it.

That scheduler also takes five fields, and reads them as seconds to months: `0 3 * * 1`, three o'clock on
Mondays elsewhere, would run every hour of January. So five are refused here.
"""

import re

ITEM = re.compile(r"(?:\*|\?|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?")
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
FIELDS: list[tuple[str, range, dict[str, int]]] = [
    ("second", range(60), {}),
    ("minute", range(60), {}),
    ("hour", range(24), {}),
    ("day of the month", range(1, 32), {}),
    ("month", range(1, 13), {name: number for number, name in enumerate(MONTHS, 1)}),
    ("day of the week", range(7), {name: number for number, name in enumerate(WEEKDAYS)}),
]


def checked_cron(text: str) -> str:
    """The cron expression, with one space between its fields.

    Raises:
        ValueError: it is not a cron expression of six fields.
    """
    words = text.split()
    if len(words) != len(FIELDS):
        names = ", ".join(name for name, *_ in FIELDS)
        raise ValueError(
            f"{text!r} has {len(words)} field(s), expected six: {names}; "
            "weekly, Mondays at three, is '0 0 3 * * MON'"
        )
    for word, field in zip(words, FIELDS, strict=True):
        _check(word, *field)
    return " ".join(words)


def _check(word: str, field: str, allowed: range, names: dict[str, int]) -> None:
    for item in word.split(","):
        found = ITEM.fullmatch(item)
        numbers = [names.get(end.upper(), end) for end in found.groups()[:2] if end] if found else []
        if not found or any(not str(n).isdecimal() or int(n) not in allowed for n in numbers):
            raise ValueError(
                f"the {field} is {word!r}, expected *, or numbers from {allowed[0]} to {allowed[-1]} "
                f"with , - and /{' or names as ' + next(iter(names)) if names else ''}"
            )
        if len(numbers) == 2 and int(numbers[0]) > int(numbers[1]):
            raise ValueError(f"the {field} is {word!r}: {item} ends before it begins")
