"""A person labels clips on the page, by keys and mouse, and saves; `take` reads what was saved."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.inbox.sheet import read_labels
from tests.browser import BrowserPage, browser_page
from tests.pipelines.inbox.labelling import Labelling
from tests.reelflow.edge.camera.http_camera import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: str, tmp_path: Path) -> Iterator[BrowserPage]:
    with browser_page(chromium, tmp_path / "profile") as found:
        found.look(1000, 900)
        yield found


def opened(page: BrowserPage, work: Labelling) -> None:
    page.open((work.folder / "index.html").as_uri())
    wait_for(lambda: "clips have a label" in page.text("#progress"))


def reopened(page: BrowserPage, work: Labelling, progress: str) -> None:
    """Open it again until it shows this: Chromium tells the next page of a pick a moment after it."""

    def shows() -> bool:
        time.sleep(1)
        opened(page, work)
        return page.text("#progress") == progress

    wait_for(shows)


def current(page: BrowserPage) -> str:
    return page.text("[aria-current=true] h2")


def test_clips_are_labelled_by_keys_and_saved(work: Labelling, page: BrowserPage, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    work.fill()
    work.keep("yard_1.mp4", 0.2, frames=9, camera=evil)
    work.make()
    names = [clip.name for clip in work.sheet.clips]
    opened(page, work)
    assert page.text("#progress") == "0 of 4 clips have a label"
    assert page.value("[...document.images].every((image) => image.naturalWidth > 200)")
    assert page.value("document.querySelectorAll('main img').length") == 4
    assert evil in page.text("main"), "a name is text"
    assert current(page) == names[0]
    page.press("1", "2", "u")
    assert page.text("#progress") == "3 of 4 clips have a label"
    assert current(page) == names[3]
    page.press("ArrowUp", "0")
    assert page.text("#progress") == "2 of 4 clips have a label"
    page.value("document.querySelectorAll('article')[3].querySelector('button[value=walk]').click()")
    page.press("9", "x")
    assert page.text("#progress") == "3 of 4 clips have a label"
    reopened(page, work, "3 of 4 clips have a label")
    page.save_downloads_to(tmp_path / "downloads")
    page.value("document.getElementById('save').click()")
    saved = tmp_path / "downloads" / "labels.csv"
    wait_for(saved.is_file)
    picked = {names[0]: "fall", names[1]: "walk", names[3]: "walk"}
    assert read_labels(saved, work.sheet) == picked
    assert page.complaints == []
    assert "3 clips are new" in work.done("take", work.folder, work.clips, "--labels", saved)


def test_labels_of_the_table_win_over_older_picks(work: Labelling, page: BrowserPage) -> None:
    work.fill()
    work.make()
    opened(page, work)
    page.press("1", "1", "1")
    work.label(gate="walk")
    work.make()
    reopened(page, work, "3 of 3 clips have a label")
    pressed = page.value("[...document.querySelectorAll('[aria-pressed=true]')].map((one) => one.value)")
    assert sorted(pressed) == ["fall", "fall", "walk"]


def test_picks_that_are_no_label_any_more_are_forgotten(work: Labelling, page: BrowserPage) -> None:
    work.fill()
    work.make("--labels", "run")
    opened(page, work)
    page.press("3", "1", "1")
    assert page.text("#progress") == "3 of 3 clips have a label"
    work.make()
    reopened(page, work, "2 of 3 clips have a label")


def test_a_hundred_labels_leave_room_for_clips(work: Labelling, page: BrowserPage) -> None:
    work.fill()
    work.make("--labels", ",".join(f"label {number} of many" for number in range(100)))
    opened(page, work)
    assert page.value("document.querySelector('header').offsetHeight") < 400
    page.value("document.querySelectorAll('article')[1].querySelectorAll('button')[60].click()")
    assert page.text("#progress") == "1 of 3 clips have a label"


def test_the_space_key_presses_the_button_that_has_the_focus(work: Labelling, page: BrowserPage) -> None:
    work.fill()
    work.make()
    opened(page, work)
    page.value("document.querySelectorAll('article')[1].querySelector('button[value=walk]').focus()")
    page.press(" ")
    assert page.text("#progress") == "1 of 3 clips have a label"
