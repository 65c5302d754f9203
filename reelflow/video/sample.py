"""Which frames of a clip are sampled."""


def uniform_indices(total: int, count: int) -> tuple[int, ...]:
    """Centres of `count` equal segments of a clip of `total` frames.

    A clip with fewer frames than `count` repeats some; order never turns back.

    Returns:
        `count` indices, each in `0 .. total - 1`.

    Raises:
        ValueError: `total` or `count` is below 1.
    """
    if total < 1 or count < 1:
        raise ValueError(f"cannot choose {count} of {total} frames: both must be at least 1")
    return tuple((2 * i + 1) * total // (2 * count) for i in range(count))
