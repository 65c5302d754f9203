"""A person reads the page of compared runs, on a desk and on a phone, and follows a link into MLflow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from reelflow.settings import Settings
from reelflow.tracking.client import connect
from tests.browser import BrowserPage, browser_page
from tests.mlflow_server import mlflow_server
from tests.pipelines.compare.recorded import record, shown
from tests.reelflow.edge.camera.http_camera import wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
EVIL = "</title></table><img src=x onerror=alert(1)><script>alert(2)</script>\"'"
LONG = "run-" + "x" * 120
DESK, PHONE = (1280, 900), (360, 740)


@pytest.fixture
def page(chromium: str, tmp_path: Path) -> Iterator[BrowserPage]:
    with browser_page(chromium, tmp_path / "profile") as found:
        found.look(*DESK)
        yield found


@pytest.fixture
def address(tracked: Path) -> str:
    """Of the page of three runs."""
    record(tracked, EVIL, right=20)
    record(tracked, LONG, right=39, learning_rate=0.01, released={"frame_ms": 7.25})
    record(tracked, "wednesday", right=38)
    shown("--out", tracked / "page.html")
    return (tracked / "page.html").as_uri()


def opened(page: BrowserPage, address: str) -> None:
    page.open(address)
    wait_for(lambda: page.value("document.readyState === 'complete' && location.href") == address)


def cells(page: BrowserPage, table: str) -> list[list[str]]:
    """What a table shows, row by row, its head first."""
    rows = f"[...document.querySelectorAll('#{table} tr')]"
    return list(page.value(f"{rows}.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"))


def test_a_person_reads_figures_verdicts_and_differences(page: BrowserPage, address: str) -> None:
    opened(page, address)
    assert page.text("#told").splitlines()[0] == (
        f"No run is better beyond noise than wednesday or {LONG}. This does not show that these are equal."
    )
    head, *runs = cells(page, "runs")
    assert [row[0] for row in runs] == ["wednesday", LONG, EVIL]
    assert [row[head.index("ms a frame")] for row in runs] == ["", "7.25", ""]
    assert runs[1][head.index("accuracy")] == "0.975 [0.88, 1.00]"
    head, *pairs = cells(page, "pairs")
    assert [row[0] for row in pairs] == [f"wednesday, {LONG}", f"wednesday, {EVIL}", f"{LONG}, {EVIL}"]
    assert [row[head.index("verdict")] for row in pairs] == [
        "no difference beyond noise",
        *("the first is better beyond noise",) * 2,
    ]
    assert [row[head.index("McNemar")] for row in pairs] == ["p = 1", "p < 0.001", "p < 0.001"]
    assert cells(page, "differences") == [
        ["what", "wednesday", LONG, EVIL],
        ["training.learning_rate", "0.001", "0.01", "0.001"],
    ]


def test_a_bar_has_its_dot_at_the_accuracy_and_a_mark_at_a_baseline(page: BrowserPage, address: str) -> None:
    opened(page, address)
    shares = page.value(
        """[...document.querySelectorAll('#runs svg')].map((bar) => {
            const axis = bar.querySelector('.axis').getBoundingClientRect()
            const share = (x) => Math.round(1000 * (x - axis.left) / axis.width) / 1000
            const place = (part) => bar.querySelector(part).getBoundingClientRect()
            const middle = (box) => share(box.left + box.width / 2)
            const interval = place('.interval')
            const ends = [share(interval.left), share(interval.right)]
            return [middle(place('circle')), ...ends, middle(place('.baseline'))]
        })"""
    )
    assert shares == [
        pytest.approx([0.95, 0.85, 1, 0.5], abs=0.01),
        pytest.approx([0.975, 0.875, 1, 0.5], abs=0.01),
        pytest.approx([0.5, 0.4, 0.6, 0.5], abs=0.01),
    ]


def test_the_page_needs_nothing_else_and_names_are_text(page: BrowserPage, address: str) -> None:
    opened(page, address)
    assert page.value("performance.getEntriesByType('resource').length") == 0
    assert page.value("document.querySelectorAll('script, img, link, iframe, object, a').length") == 0
    assert page.value("document.title") == "Runs side by side"
    assert page.value("document.querySelectorAll('table').length") == 3
    assert page.complaints == []


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_only_tables_scroll_sideways(page: BrowserPage, address: str, size: tuple[int, int]) -> None:
    page.look(*size)
    opened(page, address)
    assert page.value("innerWidth") == size[0]
    page.value("scrollTo(9999, 0)")
    assert page.value("scrollX") == 0
    assert page.value("document.documentElement.scrollWidth <= innerWidth")
    for table in ("runs", "pairs", "differences"):
        page.value(f"document.querySelector('#{table}').parentElement.scrollTo(9999, 0)")
        last = f"document.querySelector('#{table} tr:last-child > :last-child').getBoundingClientRect()"
        assert page.value(f"{last}.right <= innerWidth && {last}.width > 20"), table


def test_the_page_is_dark_where_a_person_wants_it(page: BrowserPage, address: str, tmp_path: Path) -> None:
    brightness, text = {}, {}
    for dark in (False, True):
        page.look(*DESK, dark=dark)
        opened(page, address)
        page.picture(tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as picture:
            brightness[dark] = picture.convert("L").getpixel((2, 2))
        text[dark] = page.value("getComputedStyle(document.querySelector('.hint')).color")
    assert brightness[False] > 230
    assert brightness[True] < 40
    assert text == {False: "rgb(85, 85, 85)", True: "rgb(170, 170, 170)"}


def test_a_run_of_a_server_is_a_link_to_it(
    page: BrowserPage, tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tracked, "monday", right=20)
    record(tracked, "tuesday", right=39)
    folder = tmp_path / "server"
    folder.mkdir()
    with mlflow_server(folder, tracked / "mlflow.db") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
        shown("--out", tracked / "page.html")
        opened(page, (tracked / "page.html").as_uri())
        assert cells(page, "runs")[1][0] == "tuesday"
        page.value("document.querySelector('#runs tbody a').click()")
        wait_for(lambda: "About this run" in page.text("body"))
        client, experiment = connect(Settings())
        (run,) = client.search_runs([experiment], "run_name = 'tuesday'")
        path = f"#/experiments/{experiment}/runs/{run.info.run_id}"
        assert str(page.value("location.href")).startswith(f"{server.address}/{path}")
