"""The drift of every device, and of all together."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.drift.measure import DriftBounds, DriftFinding, measure_drift
from pipelines.drift.reference import together
from reelflow.edge.health.counts import DayCounts

FLEET = "fleet"


def against_test(
    counts: Mapping[str, Sequence[DayCounts]], reference: DayCounts, days: int, bounds: DriftBounds
) -> list[DriftFinding]:
    """Compare the last days of each device, and of all, with answers on test clips.

    Args:
        counts: by device, the oldest day first; those of other bundles are left out.
        reference: on test clips.
        days: how many of a device's last days count.
        bounds: from when on answers have drifted.
    """
    last = {device: _last(_of(found, reference.bundle), days) for device, found in counts.items()}
    return list(_measured({device: (reference, found) for device, found in last.items() if found}, bounds))


def against_first_days(
    counts: Mapping[str, Sequence[DayCounts]], bundle: str, days: int, bounds: DriftBounds
) -> list[DriftFinding]:
    """Compare the last days of each device, and of all, with its own first days.

    Args:
        counts: by device, the oldest day first; those of other bundles are left out.
        bundle: id of the bundle that answered.
        days: how many first and how many last days count; a device with fewer than both is left out.
        bounds: from when on answers have drifted.
    """
    pairs = {}
    for device, found in counts.items():
        own = _of(found, bundle)
        dates = sorted({one.day for one in own})
        if len(dates) >= 2 * days:
            first = [one for one in own if one.day in dates[:days]]
            pairs[device] = (together(first), _last(own, days))
    return list(_measured(pairs, bounds))


def _measured(
    pairs: Mapping[str, tuple[DayCounts, Sequence[DayCounts]]], bounds: DriftBounds
) -> Iterator[DriftFinding]:
    for device, (reference, found) in pairs.items():
        yield measure_drift(device, reference, together(found), bounds)
    if pairs:
        references = together([reference for reference, _ in pairs.values()])
        yield measure_drift(
            FLEET, references, together([one for _, found in pairs.values() for one in found]), bounds
        )


def _of(counts: Sequence[DayCounts], bundle: str) -> list[DayCounts]:
    return [one for one in counts if one.bundle == bundle]


def _last(counts: Sequence[DayCounts], days: int) -> list[DayCounts]:
    dates = sorted({one.day for one in counts})[-days:]
    return [one for one in counts if one.day in dates]
