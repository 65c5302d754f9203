"""Documents are strict, and their bytes depend on their content alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.documents import Document
from reelflow.errors import BundleError


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


@pytest.mark.parametrize("count", [3, 100_000])
def test_what_is_wrong_is_told_in_few_lines(tmp_path, count):
    path = tmp_path / "listing.json"
    path.write_text(json.dumps({"names": [0] * count, "rows": [], "by_name": {}}))
    with pytest.raises(BundleError, match="is not a valid Listing") as refused:
        Listing.read(path)
    assert len(str(refused.value)) < 10_000
    assert str(count) in str(refused.value)


def test_a_list_of_plain_values_takes_one_line():
    text = Listing(names=("a", "b"), rows=((1.0, 2.5), ()), by_name={"c": (1, 2)}).to_json()
    assert [line.strip() for line in text.splitlines() if "[" in line] == [
        '"c": [1,2]',
        '"names": ["a","b"],',
        '"rows": [',
        "[1.0,2.5],",
        "[]",
    ]
