"""Names that fonts, formulas and HTML trip over; SVG that lives inside a page; the same bytes every time."""

import re
import struct
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from reelflow.charts.canvas import MAX_LABEL, in_style, inline, new_figure, save, shorten

HOSTILE = (
    "<script>alert(1)</script>",
    "$a_b$ $",
    r"back\slash$",
    "走る人",
    "Ünïcode 🎬",
    "_a & b",
    "\x07\ud800",
)


@in_style
def chart(labels=("a", "b")):
    figure = new_figure(300, 200)
    axes = figure.subplots()
    axes.barh(range(len(labels)), range(len(labels)))
    axes.set_yticks(range(len(labels)), list(map(shorten, labels)))
    axes.scatter([0.5], [0.5])
    return figure


def texts(svg):
    return [part.text for part in ET.fromstring(svg).iter("text")]


def test_a_png_has_two_pixels_a_point(tmp_path):
    save(chart(), tmp_path / "chart.png")
    content = (tmp_path / "chart.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (600, 400)


def test_the_same_chart_gives_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        save(chart(HOSTILE), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert inline(chart(HOSTILE), "a chart") == inline(chart(HOSTILE), "a chart")


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_is_drawn_literally(label, tmp_path):
    svg = inline(chart(["plain", label]), "a chart")
    assert shorten(label) in texts(svg)
    assert "<script" not in svg
    save(chart(["plain", label]), tmp_path / "chart.png")


def test_svg_is_an_element_of_html():
    svg = inline(chart(), 'of "x" & <y>')
    root = ET.fromstring(svg)
    assert (root.tag, root.attrib["role"], root.attrib["aria-label"]) == ("svg", "img", 'of "x" & <y>')
    assert (root.attrib["viewBox"], root.attrib["width"]) == ("0 0 300 200", "300")
    assert not re.search(r"xmlns|https?:|<style|<metadata|<!|<\?", svg)


def test_svgs_of_one_page_share_no_id():
    ids = [re.findall(r'\bid="([^"]+)"', inline(chart(), name)) for name in ("one", "two")]
    assert ids[0]
    assert set(ids[0]).isdisjoint(ids[1])


def test_every_reference_of_an_svg_leads_into_it():
    svg = inline(chart(), "a chart")
    references = re.findall(r'href="([^"]+)"|url\(([^)]+)\)', svg)
    assert references
    assert {a or b for a, b in references} == {f"#{name}" for name in re.findall(r'\bid="([^"]+)"', svg)}


def test_the_page_decides_about_colours():
    svg = inline(chart(), "a chart")
    assert "fill: var(--soft)" in svg
    assert "#5b6472" not in svg


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("x" * MAX_LABEL, "x" * MAX_LABEL),
        ("x" * (MAX_LABEL + 1), "x" * (MAX_LABEL - 1) + "…"),
        ("走" * 300, "\u00a0" * 9 + "走" * 9 + "…"),
        ("a\nb", r"a\nb"),
        ("", ""),
    ],
)
def test_labels_fit_beside_a_chart(label, expected):
    assert shorten(label) == expected


def test_drawing_changes_no_setting_of_the_process(tmp_path):
    before = dict(mpl.rcParams)
    save(chart(), tmp_path / "chart.png")
    inline(chart(), "a chart")
    assert dict(mpl.rcParams) == before
