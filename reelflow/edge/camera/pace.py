"""When the frames of a live source were taken, as far as stamps and arrival tell.

Stamps say how far apart frames are, arrival when they were taken at the latest. The least delay
that was seen is taken as the way from the camera. A frame that comes later than that was held back, by the
network or by a server, and is as old as its delay. Where stamps run ahead of time, or stay behind it for
long, they have jumped: the source begins again. Where they fall behind more and more, the network is too
slow: only a new connection shows what the camera sees now.
"""

from typing import NamedTuple

from reelflow.errors import ClipError

AHEAD_S = 1.0  # stamps before their time: more is a jump
BEHIND_S = 2.0  # delay of a frame: more is a frame that was held back
HELD_BACK_S = 10.0  # as long as this, and it is a jump
GROWTH_S = 1.0  # of the delay in this time: more, and it is no jump


class Taken(NamedTuple):
    """When a frame was taken.

    Attributes:
        at_s: on the clock of arrival.
        begins: stamps have jumped: nothing before this frame goes together with it.
    """

    at_s: float
    begins: bool


class Pace:
    """Relates the times of frames to a clock that never jumps."""

    def __init__(self) -> None:
        self._delay_s: float | None = None  # least arrival less stamp
        self._behind_since_s: float | None = None
        self._behind_s = 0.0  # delay since then

    def tell(self, time_s: float, arrival_s: float) -> Taken:
        """When the next frame was taken.

        Args:
            time_s: of the frame, by its stamps; never falls.
            arrival_s: when it was decoded, on a clock that never jumps.

        Raises:
            ClipError: frames come later and later.
        """
        delay_s = arrival_s - time_s
        if self._delay_s is None or self._has_jumped(delay_s, arrival_s):
            begins, self._delay_s, self._behind_since_s = self._delay_s is not None, delay_s, None
            return Taken(arrival_s, begins)
        self._delay_s = min(self._delay_s, delay_s)
        return Taken(time_s + self._delay_s, begins=False)

    def _has_jumped(self, delay_s: float, arrival_s: float) -> bool:
        assert self._delay_s is not None
        if delay_s < self._delay_s - AHEAD_S:
            return True
        if delay_s < self._delay_s + BEHIND_S:
            self._behind_since_s = None
            return False
        if self._behind_since_s is None:
            self._behind_since_s, self._behind_s = arrival_s, delay_s
        if arrival_s - self._behind_since_s <= HELD_BACK_S:
            return False
        if delay_s > self._behind_s + GROWTH_S:
            raise ClipError(
                f"the delay of frames keeps growing, the last one is {delay_s - self._delay_s:.0f} s "
                "late: the "
                "network or this device is too slow for the camera: lower its bit rate or resolution"
            )
        return True
