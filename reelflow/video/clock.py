"""The clock of a video: when each decoded frame is shown.

Containers tell times in many wrong ways. AVI has no presentation times, and some tools make up wrong ones
for B-frames. MPEG-PS has one for several frames, raw streams have none. Recordings that were joined begin
again, and those of MPEG-TS wrap after 26.5 hours.

A frame's own stamp is FFmpeg's best effort, which `ffprobe` shows too: its presentation time, or its
decoding time if presentation times did not rise more often. From stamps to times:

- Time never turns back. A frame whose stamp does not rise has the time of the frame before it.
- A frame without a stamp, and each one after `MAX_REORDERED` whose stamps did not rise, comes one nominal
  step later.
- Stamps that begin again, as the order of decoding shows, go on one nominal step after the last frame.
- Any rise counts: a picture may stay for hours.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from statistics import median_low

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MAX_REORDERED = 16  # frames that H.264 and HEVC hold back, at most
MAX_DECODE_JITTER = 4  # nominal steps that decoding times fall without beginning again
DEFAULT_FPS = 25  # if neither timestamps nor the header have it
MAX_FPS = 240  # more is the unit of time, which some headers give as the rate


class Clock:
    """Times of a stream's frames, told one after the other, in constant memory.

    Attributes:
        time_s: of the last frame, from the first one on.
        count: frames so far.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Nothing has been shown yet."""
        self.time_s, self.count = Fraction(0), 0
        self._time_base = stream.time_base or Fraction(0)
        self._nominal_s = nominal_s(stream)
        self._stamps = _Stamps()
        self._zero_s: Fraction | None = None  # time of stamp 0
        self._last_s = Fraction(0)  # the last stamp, in seconds
        self._stalled = 0  # frames since time rose by a stamp
        self._fell_at = -MAX_REORDERED - 1  # frame at which decoding times last began again

    def tell(self, frame: VideoFrame) -> Fraction:
        """The time of the next frame, seconds."""
        stamp = self._stamps.tell(frame)
        if self._stamps.fall * self._time_base > MAX_DECODE_JITTER * self._nominal_s:
            self._fell_at = self.count
        if self.count:
            self.time_s = self._next(None if stamp is None else stamp * self._time_base)
        elif stamp is not None:
            self._zero_s, self._last_s = -stamp * self._time_base, stamp * self._time_base
        self.count += 1
        return self.time_s

    @property
    def end_s(self) -> Fraction:
        """The end of the last frame, which is shown as long as the mean one."""
        if not self.time_s:
            return self.count * self._nominal_s
        return self.time_s * self.count / (self.count - 1)

    def _next(self, stamp_s: Fraction | None) -> Fraction:
        next_s = self.time_s + self._nominal_s
        if stamp_s is None:
            self._stalled = MAX_REORDERED
            return next_s
        if self._zero_s is None or self._begins_again(stamp_s):
            self._zero_s, self._fell_at = next_s - stamp_s, -MAX_REORDERED - 1
        self._last_s = stamp_s
        if self._zero_s + stamp_s > self.time_s:
            self._stalled = 0
            return self._zero_s + stamp_s
        self._stalled += 1
        return next_s if self._stalled > MAX_REORDERED else self.time_s

    def _begins_again(self, stamp_s: Fraction) -> bool:
        """Decoding times fell a moment ago and now the stamp does, or it falls farther than reordering."""
        fall_s = self._last_s - stamp_s
        lately = self.count - self._fell_at <= MAX_REORDERED
        return fall_s > (0 if lately else MAX_REORDERED * self._nominal_s)


def nominal_s(stream: VideoStream) -> Fraction:
    """Seconds from frame to frame: the header has up to three rates, of which one may be nonsense."""
    rates = (stream.average_rate, stream.guessed_rate, stream.codec_context.framerate)
    likely = [Fraction(rate) for rate in rates if rate and 0 < rate <= MAX_FPS]
    return 1 / median_low(likely or [Fraction(DEFAULT_FPS)])


class _Stamps:
    """Best-effort timestamps after FFmpeg's `guess_correct_pts`, whose result PyAV does not give.

    Attributes:
        fall: how far the last decoding time is below the one before it; 0 if it is not.
    """

    def __init__(self) -> None:
        self.fall = 0
        self._pts: int | None = None
        self._dts: int | None = None
        self._pts_faults = self._dts_faults = 0

    def tell(self, frame: VideoFrame) -> int | None:
        """The stamp of the next frame, in units of the stream's time base."""
        pts, dts = frame.pts, frame.dts
        self.fall = max(0, self._dts - dts) if self._dts is not None and dts is not None else 0
        self._dts_faults += _not_after(dts, self._dts)
        self._pts_faults += _not_after(pts, self._pts)
        self._dts = dts if dts is not None else pts if pts is not None else self._dts
        self._pts = pts if pts is not None else dts if dts is not None else self._pts
        if pts is not None and (dts is None or self._pts_faults <= self._dts_faults):
            return pts
        return dts


def _not_after(now: int | None, before: int | None) -> bool:
    return now is not None and before is not None and now <= before


def timed(frames: Iterable[VideoFrame], clock: Clock) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Every frame, with its end in seconds from the first one's start."""
    held = None
    for frame in frames:
        time_s = clock.tell(frame)
        if held is not None:
            yield held, time_s
        held = frame
    if held is not None:
        yield held, clock.end_s
