"""The ring of packets: bounded, from a keyframe on, and with all that was asked for."""

from fractions import Fraction
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reelflow.edge.recording.ring import KeptPacket, PacketRing, StreamPart

MOST_BYTES = 1500
KEEP_S = 3.0
SIZES = st.integers(16, 400)
PACKETS = st.lists(st.tuples(st.booleans(), SIZES, st.integers(1, 900), st.booleans()), max_size=40)
"""Keyframe or not, bytes, milliseconds since the one before, whether a part begins."""


def part() -> StreamPart:
    nothing: Any = None
    return StreamPart(nothing, Fraction(1, 1000), 0.0, 0, 0)


def packets(drawn) -> list[KeptPacket]:
    found, current = [], part()
    moments = accumulate(step for _, _, step, _ in drawn)
    for (is_keyframe, size, _, begins), moment in zip(drawn, moments, strict=True):
        current = part() if begins else current
        packet: Any = SimpleNamespace(is_keyframe=is_keyframe, size=size)
        found.append(KeptPacket(packet, moment, moment, current))
    return found


def decodable(kept: list[KeptPacket]) -> list[KeptPacket]:
    """Those that follow a keyframe of their part."""
    begun, found = None, []
    for one in kept:
        begun = one.part if one.is_keyframe else begun
        found += [one] if begun is one.part else []
    return found


@given(PACKETS)
def test_the_ring_is_bounded_and_begins_with_a_keyframe(drawn):
    ring = PacketRing(KEEP_S, MOST_BYTES)
    for one in packets(drawn):
        ring.add(one)
        held = ring.since(-1.0)
        assert ring.size_bytes == sum(kept.packet.size for kept in held) <= MOST_BYTES
        assert not held or held[0].is_keyframe
        later = [kept for kept in held[1:] if kept.is_keyframe]
        assert not later or later[0].shown_s > one.shown_s - KEEP_S, "nothing is held for longer than needed"


@given(PACKETS, st.floats(0, KEEP_S))
def test_what_is_asked_for_is_there_and_begins_no_earlier_than_it_must(drawn, back_s):
    ring, seen = PacketRing(KEEP_S, 10**9), packets(drawn)
    for number, one in enumerate(seen):
        ring.add(one)
        from_s = one.shown_s - back_s
        told, wanted = ring.since(from_s), decodable(seen[: number + 1])
        assert told == wanted[len(wanted) - len(told) :], "in order, without a gap"
        assert not told or told[0].is_keyframe
        assert set(map(id, told)) >= {id(kept) for kept in wanted if kept.shown_s >= from_s}
        assert not any(kept.is_keyframe and kept.shown_s <= from_s for kept in told[1:])
    assert not ring.short


@given(PACKETS)
def test_it_is_told_when_the_ring_could_not_hold_what_it_should(drawn):
    small, large = PacketRing(KEEP_S, MOST_BYTES), PacketRing(KEEP_S, 10**9)
    for one in packets(drawn):
        small.add(one)
        large.add(one)
        assert small.short or small.since(-1.0) == large.since(-1.0)
        assert not small.short or small.size_bytes <= MOST_BYTES
