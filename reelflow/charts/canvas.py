"""Shared by all charts: colours, labels, and the conversion of a figure to a PNG file or inline SVG.

Lengths are in points of 1/72 inch; in a page one point is one CSS pixel. The same inputs give the
same bytes.
"""

import io
import re
import warnings
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width
from xml.etree import ElementTree as ET

from matplotlib import rc_context
from matplotlib.figure import Figure

from reelflow.commandline import printable
from reelflow.files import atomic

INK, SOFT, RULE = "#16191f", "#5b6472", "#e3e6eb"
BLUE, ORANGE, GREEN, GREY = "#2f62d9", "#c76a12", "#177245", "#8a93a3"
VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    RULE: "var(--rule)",
    BLUE: "var(--accent)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
    GREY: "var(--grey)",
}
COLOR = re.compile("#[0-9a-f]{6}")
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.titlesize": "medium",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "grid.color": RULE,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.color": RULE,
    "ytick.labelcolor": SOFT,
}
MAX_LABEL = 20  # columns
PIXELS_PER_POINT = 2  # of a PNG file
TIGHT = {"savefig.bbox": "tight", "savefig.pad_inches": 4 / 72}

in_style = rc_context(STYLE)
"""Decorator of a drawing function. Ticks are made when a figure is saved, so saving needs it too."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure whose layout keeps everything inside."""
    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def shorten(label: str) -> str:
    """A label that fits beside a chart.

    East Asian and emoji characters are wider in a browser than matplotlib measures: a no-break space per
    character adds the missing width.
    """
    label = printable(label)
    columns = list(accumulate(1 + _is_wide(letter) for letter in label))
    if label and columns[-1] > MAX_LABEL:
        label = label[: bisect(columns, MAX_LABEL - 1)] + "…"
    return "\u00a0" * sum(map(_is_wide, label)) + label


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic(path) as partial, _saving(figure):
        figure.savefig(partial, format="png", dpi=72 * PIXELS_PER_POINT, metadata={"Software": None})


def inline(figure: Figure, name: str) -> str:
    """A figure as an `<svg>` element of an HTML page.

    It is self-contained. Its colours are CSS variables (`VARIABLES`), so that the page sets light and
    dark colours.

    Args:
        figure: what to draw.
        name: what it shows, for screen readers; unique on a page, because the ids of the element
            depend on it.
    """
    content = io.BytesIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with _saving(figure), rc_context({"svg.hashsalt": name}):
        figure.savefig(content, format="svg", transparent=True, metadata=metadata)
    root = ET.fromstring(content.getvalue())  # noqa: S314 matplotlib wrote it
    root.remove(root[0])  # a style sheet, which would apply to the whole page
    _to_html(root)
    box = root.attrib["viewBox"]
    width, height = box.split()[2:]
    root.attrib = {"viewBox": box, "width": width, "height": height, "role": "img", "aria-label": name}
    return ET.tostring(root, encoding="unicode")


def _to_html(root: ET.Element) -> None:
    """Drop XML namespaces and unused ids; colours become variables."""
    values = [value for part in root.iter() for value in part.attrib.values()]
    referred = set(re.findall(r"#(\w+)", " ".join(values)))
    for part in root.iter():
        part.tag = _local(part.tag)
        part.attrib = {
            _local(key): COLOR.sub(lambda found: VARIABLES.get(found[0], found[0]), value)
            for key, value in part.attrib.items()
            if key != "id" or value in referred
        }


@contextmanager
def _saving(figure: Figure) -> Iterator[None]:
    """Apply the style, hide warnings; a figure without a layout gets the size of its content."""
    style = STYLE if figure.get_layout_engine() else {**STYLE, **TIGHT}
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box is drawn
        yield


def _is_wide(letter: str) -> bool:
    return east_asian_width(letter) in "WF"


def _local(name: str) -> str:
    """A name without its XML namespace, as in HTML."""
    return name.rpartition("}")[2]
