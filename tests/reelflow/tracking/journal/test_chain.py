"""A journal whose chain is broken says where, in plain words."""

import json

import pytest

from reelflow.tracking.journal.chain import DONE, ENTRY, key_of, read_chain
from reelflow.tracking.journal.entry import MAX_REASON_CHARS, JournalEntry, hash_of
from reelflow.tracking.journal.run import MAX_CHARS
from reelflow.tracking.journal.store import StoredJournal


def entries(count: int) -> dict[str, str]:
    texts: dict[str, str] = {}
    before = ""
    for number in range(1, count + 1):
        entry = JournalEntry(
            number=number,
            at="2025-06-01T12:00:00+00:00",
            who="ann",
            by="promote",
            action="promote",
            champion_before=number - 1 or None,
            champion=number,
            previous=number - 1 or None,
            before=before,
        )
        texts[key_of(ENTRY, number)] = entry.text
        before = hash_of(entry.text)
    return texts


def head(texts: dict[str, str], number: int) -> str:
    return f"{number} {hash_of(texts[key_of(ENTRY, number)])}"


def altered(text: str) -> str:
    return json.dumps(json.loads(text) | {"who": "eve"}, sort_keys=True, separators=(",", ":"))


def problems(texts: dict[str, str], newest: str = "") -> list[str]:
    return [found.what for found in read_chain(StoredJournal(texts, newest)).problems]


def test_a_whole_chain_has_no_problem():
    texts = entries(12)
    found = read_chain(StoredJournal(texts, head(texts, 12)))
    assert (found.problems, found.newest, found.last.champion) == ((), 12, 12)
    assert problems(texts, head(texts, 11)) == [], "the head may lag behind a process that was killed"
    assert problems({}) == []


@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_altered_entry_is_found(number):
    texts = entries(4)
    newest, key = head(texts, 4), key_of(ENTRY, number)
    texts[key] = altered(texts[key])
    assert problems(texts, newest) == [f"entry {number} was altered after it was written"]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_removed_entry_is_found(number):
    texts = entries(4)
    newest = head(texts, 4)
    del texts[key_of(ENTRY, number)]
    assert problems(texts, newest) == [f"entry {number} was removed"]


def test_the_newest_entry_leaves_its_mark_too():
    texts = entries(3) | {key_of(DONE, 3): "promote"}
    del texts[key_of(ENTRY, 3)]
    assert problems(texts) == ["entry 3 was removed"]


@pytest.mark.parametrize("text", ["", "{}", "no JSON", '{"number": 2}'])
def test_an_entry_that_cannot_be_read_is_found(text):
    texts = entries(3) | {key_of(ENTRY, 2): text}
    assert problems(texts) == ["entry 2 cannot be read as one: it was altered"]


def test_an_entry_in_the_place_of_another_is_found():
    texts = entries(3)
    texts[key_of(ENTRY, 2)] = texts[key_of(ENTRY, 1)]
    assert problems(texts) == ["entry 2 cannot be read as one: it was altered"]


def test_foreign_params_of_the_run_are_no_entries():
    assert problems(entries(2) | {"entry-": "x", "learning_rate": "0.1", "entry-one": "x"}) == []


def test_the_longest_entry_fits_what_mlflow_keeps():
    gates = tuple((f"a gate with a long name {place}", 0.123456789, 0.123456789, True) for place in range(24))
    entry = JournalEntry.model_validate_json(entries(1)[key_of(ENTRY, 1)]).model_copy(
        update={"reason": "\u00e9" * MAX_REASON_CHARS, "gates": gates, "code": "f" * 40, "data": "f" * 64}
    )
    assert len(entry.text) < MAX_CHARS
