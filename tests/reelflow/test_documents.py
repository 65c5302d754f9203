"""Documents are strict, and their bytes depend on their content alone."""

import json

from hypothesis import given
from hypothesis import strategies as st

from reelflow.documents import Document


class Listing(Document):
    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    by_name: dict[str, tuple[int, ...]]


TEXTS = st.text(st.sampled_from('ab[]{}",\\\n \u2028'), max_size=6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LISTINGS = st.builds(
    Listing,
    names=st.lists(TEXTS).map(tuple),
    rows=st.lists(st.lists(FLOATS).map(tuple)).map(tuple),
    by_name=st.dictionaries(TEXTS, st.lists(st.integers()).map(tuple)),
)


@given(LISTINGS)
def test_what_is_written_is_what_is_read(listing):
    text = listing.to_json()
    assert Listing.model_validate_json(text) == listing
    assert json.loads(text) == json.loads(listing.model_dump_json())


def test_a_list_of_plain_values_takes_one_line():
    text = Listing(names=("a", "b"), rows=((1.0, 2.5), ()), by_name={"c": (1, 2)}).to_json()
    assert [line.strip() for line in text.splitlines() if "[" in line] == [
        '"c": [1,2]',
        '"names": ["a","b"],',
        '"rows": [',
        "[1.0,2.5],",
        "[]",
    ]
