"""A timeline as a picture: SVG without any library, a lane for each label."""

from collections import defaultdict
from collections.abc import Iterator
from html import escape

from reelflow.commandline import printable
from reelflow.edge.segments import Segment
from reelflow.edge.timeline import Timeline

WIDTH, GUTTER, MARGIN = 1000, 170, 16  # pixels; the gutter holds the labels
TOP, LANE, BAR = 62, 46, 12
MAX_LANES = 20
MAX_LETTERS = 22
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31")
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.small{font-size:11px;fill:#555}"
    ".rule{stroke:#ddd}.change{stroke:#222;stroke-dasharray:2 3}"
)


def draw(timeline: Timeline) -> str:
    """Draw a timeline.

    Each label that is some segment's best guess has a lane, those of the longest segments first if
    there are more than `MAX_LANES`. A lane holds the label's score over time as an area, and its
    segments as bars: full ones for answers, hollow ones where the score was too low. Dashed lines
    are change points.

    Returns:
        A standalone SVG document.
    """
    lanes = _lanes(timeline)
    height = TOP + LANE * len(lanes) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img">',
        f"<title>{_text(f'What {timeline.video} shows, by {timeline.bundle}')}</title>",
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        *_heading(timeline, len(lanes)),
        *_axis(timeline, TOP + LANE * len(lanes)),
    ]
    for number, label in enumerate(lanes):
        parts += _lane(timeline, label, TOP + LANE * number, COLORS[number % len(COLORS)])
    return "\n".join([*parts, "</svg>", ""])


def clock(seconds: float) -> str:
    """A time as `4.5 s`, `1:07` or `2:03:04`."""
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _lanes(timeline: Timeline) -> list[str]:
    """Labels in the order in which they come."""
    lengths: defaultdict[str, float] = defaultdict(float)
    for segment in timeline.segments:
        lengths[segment.best_guess] += segment.end_s - segment.start_s
    kept = sorted(lengths, key=lambda label: -lengths[label])[:MAX_LANES]
    return [label for label in lengths if label in kept]


def _heading(timeline: Timeline, lanes: int) -> Iterator[str]:
    labels = len({segment.best_guess for segment in timeline.segments})
    left_out = f"; {labels - lanes} more labels are not drawn" if labels > lanes else ""
    line = (
        f"{timeline.bundle} on {clock(timeline.duration_s)}: {len(timeline.segments)} segments, "
        f"{len(timeline.change_points_s)} change points, windows of {timeline.window_s:g} s{left_out}"
    )
    key = "bar: segment; hollow: unsure; area: score, 0 to 1; dashed: change point"
    yield f'<text x="{MARGIN}" y="24" font-weight="600">{_text(timeline.video, 110)}</text>'
    yield f'<text x="{MARGIN}" y="42" class="small">{_text(line)}</text>'
    yield f'<text x="{WIDTH - MARGIN}" y="42" class="small" text-anchor="end">{key}</text>'


def _axis(timeline: Timeline, bottom: int) -> Iterator[str]:
    """Ticks at round times, and the change points."""
    step_s = next((step for step in STEPS_S if timeline.duration_s / step <= 12), timeline.duration_s / 10)
    for time_s in (tick * step_s for tick in range(int(timeline.duration_s / step_s) + 1)):
        x = _x(timeline, time_s)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}" class="rule"/>'
        yield f'<text x="{x}" y="{bottom + 18}" class="small" text-anchor="middle">{clock(time_s)}</text>'
    for time_s in timeline.change_points_s:
        x = _x(timeline, time_s)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}" class="change"/>'


def _lane(timeline: Timeline, label: str, top: int, color: str) -> Iterator[str]:
    bottom = top + LANE - 6
    yield f'<text x="{GUTTER - 10}" y="{bottom - 12}" text-anchor="end">{_text(label, MAX_LETTERS)}</text>'
    yield f'<line x1="{GUTTER}" x2="{WIDTH - MARGIN}" y1="{bottom}" y2="{bottom}" class="rule"/>'
    yield _area(timeline, label, bottom, color)
    for segment in timeline.segments:
        if segment.best_guess == label:
            yield _bar(timeline, segment, bottom, color)


def _area(timeline: Timeline, label: str, bottom: int, color: str) -> str:
    """The label's score over time; a full score fills the lane above the baseline."""
    scores, height = timeline.scores[label], LANE - 10
    points = [
        f"{_x(timeline, time_s)},{bottom - height * score:.1f}"
        for time_s, score in zip(timeline.times_s, scores, strict=True)
    ]
    first, last = points[0].partition(",")[0], points[-1].partition(",")[0]
    around = " ".join([f"{first},{bottom}", *points, f"{last},{bottom}"])
    return f'<polygon points="{around}" fill="{color}" fill-opacity="0.22" stroke="{color}"/>'


def _bar(timeline: Timeline, segment: Segment, bottom: int, color: str) -> str:
    left, right = _x(timeline, segment.start_s), _x(timeline, segment.end_s)
    told = f"{segment.best_guess} {segment.score:.2f}"
    told = told if segment.label else f"unsure (best guess {told})"
    times = f"{clock(segment.start_s)} to {clock(segment.end_s)}"
    look = f'fill="{color}"' if segment.label else f'fill="#fff" stroke="{color}"'
    return (
        f'<rect x="{left}" y="{bottom - BAR}" width="{max(1.0, right - left - 1):.1f}" height="{BAR}" rx="2" '
        f"{look}><title>{_text(f'{told}, {times}')}</title></rect>"
    )


def _x(timeline: Timeline, time_s: float) -> float:
    """Horizontal position of a moment, in pixels."""
    return round(GUTTER + (WIDTH - MARGIN - GUTTER) * min(1.0, time_s / max(timeline.duration_s, 1e-3)), 1)


def _text(text: str, letters: int = 500) -> str:
    """Text for XML: control characters are escaped, long texts are cut."""
    shown = printable(text)
    return escape(shown if len(shown) <= letters else f"{shown[: letters - 1]}\N{HORIZONTAL ELLIPSIS}")
