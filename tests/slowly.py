"""Cases of a test: a few in the ordinary tests, all of them in the slow ones."""

from collections.abc import Iterable

import pytest


def slow(*case: object) -> object:
    """A case that the slow tests run."""
    return pytest.param(*case, marks=pytest.mark.slow)


def slow_but(cases: Iterable[object], *quick: object) -> list[object]:
    """All cases, of which the ordinary tests run these."""
    found = list(cases)
    assert all(one in found for one in quick), "a quick case is one of them"
    return [one if one in quick else slow(*(one if isinstance(one, tuple) else (one,))) for one in found]
