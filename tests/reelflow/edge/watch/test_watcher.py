"""A source is watched: what is told of a file, of a camera, of one that falls silent and comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event as Moment
from threading import Thread

import numpy as np
import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.edge.camera.address import parse_source
from reelflow.edge.classifier import Classifier
from reelflow.edge.events.model import Event, Message, SourceState, WindowAnswer
from reelflow.edge.watch.fresh_bundle import FreshBundle
from reelflow.edge.watch.watcher import Watcher, WatchOptions
from reelflow.errors import ClipError
from reelflow.video.stream import FrameStream
from tests.bundles import FRAMES, WINDOW_S, renamed_bundle
from tests.reelflow.edge.camera.http_camera import HttpCamera, http_camera, silent, steady, until, wait_for
from tests.slowly import slow
from tests.videos import write_video

OPTIONS = WatchOptions(hop_s=0.6, timeout_s=30.0, least_s=0.0, on=0.01, update_s=0.5)


class Kept:
    """A sink that keeps what it is sent."""

    name, problem, failures, lost, closed = "kept", "", 0, 0, False

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def close(self, timeout_s: float) -> None:
        self.closed = True

    def answers(self) -> list[WindowAnswer]:
        return [one for one in self.messages if isinstance(one, WindowAnswer)]

    def events(self) -> list[Event]:
        return [one for one in self.messages if isinstance(one, Event)]

    def states(self) -> list[SourceState]:
        return [one for one in self.messages if isinstance(one, SourceState)]


@contextmanager
def watching(
    bundle: Path,
    source: str,
    options: WatchOptions = OPTIONS,
    say: Callable[[str], object] = lambda _: None,
) -> Iterator[Kept]:
    """A watcher at work in a thread."""
    kept = Kept()
    watcher = Watcher(FreshBundle(bundle, 1), parse_source(source), [kept], options, say)
    thread = Thread(target=watcher.run)
    thread.start()
    try:
        yield kept
    finally:
        watcher.stop()
        thread.join(60)
        assert not thread.is_alive()
        assert kept.closed


def watched(bundle: Path, source: Path, options: WatchOptions = OPTIONS) -> Kept:
    """A file, to its end."""
    kept = Kept()
    Watcher(FreshBundle(bundle, 1), parse_source(str(source)), [kept], options, lambda _: None).run()
    return kept


def test_each_answer_of_a_file_is_what_classify_says_of_the_same_frames(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=60, seed=1)
    kept = watched(edge_bundle, video)
    classifier = Classifier(open_bundle(edge_bundle))
    frames = list(FrameStream(video, WINDOW_S / FRAMES))
    assert len(kept.answers()) == len(range(FRAMES - 1, len(frames), 2)) > 5
    for answer in kept.answers():
        newest = next(n for n, (time_s, _) in enumerate(frames) if abs(time_s - answer.time_s) < 1e-3)
        window = [image for _, image in frames[newest - FRAMES + 1 : newest + 1]]
        scores = classifier.calibrated(classifier.scores_from_frames(np.stack(window)))
        assert answer.best_guess == classifier.answer(scores).label
        assert answer.score == pytest.approx(float(scores.max()), abs=1e-4)


def test_a_file_ends_with_its_event_and_its_state(edge_bundle, tmp_path):
    kept = watched(edge_bundle, write_video(tmp_path / "noise.mp4", frames=60, seed=1))
    assert [state.state for state in kept.states()] == ["connected", "ended"]
    assert kept.messages[-1] is kept.states()[-1], "no event is told after the end of its source"
    assert kept.states()[-1].frames == 20, "those that are looked at"
    last = kept.events()[-1]
    assert (last.phase, last.reason) == ("end", "source")
    assert 0 < last.duration_s < 6.0


def test_every_picture_is_shown_and_the_time_of_each_stage_is_counted(edge_bundle, tmp_path):
    source = parse_source(str(write_video(tmp_path / "noise.mp4", frames=60, seed=1)))
    kept, shown = Kept(), []
    watcher = Watcher(FreshBundle(edge_bundle, 1), source, [kept], OPTIONS, lambda _: None, shown.append)
    watcher.run()
    assert len(shown) == kept.states()[-1].frames
    assert watcher.stages.rounds == {
        "decode": len(shown),
        "embedding": len(shown),
        "head": len(kept.answers()),
    }
    assert min(watcher.stages.seconds.values()) > 0


def test_a_file_that_is_no_video_is_an_error(edge_bundle, tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    with pytest.raises(ClipError, match=r"page\.mp4 cannot be read"):
        watched(edge_bundle, tmp_path / "page.mp4")


def reconnected(kept: Kept, camera: HttpCamera) -> bool:
    return camera.connections >= 2 and [state.state for state in kept.states()].count("connected") >= 2


@pytest.mark.parametrize("kind", ["cut", slow("silent")])
def test_a_camera_that_is_lost_is_opened_anew(edge_bundle, kind):
    lost = Moment()
    first = until(lost) if kind == "cut" else silent(until(lost))
    with http_camera(first, steady()) as camera:
        options = WatchOptions(hop_s=0.6, timeout_s=5.0, least_s=0.0, on=0.01)
        with watching(edge_bundle, camera.address, options) as kept:
            wait_for(lambda: bool(kept.events()))
            lost.set()
            wait_for(lambda: reconnected(kept, camera) and kept.events()[-1].id != kept.events()[0].id)
        states = [state.state for state in kept.states()]
        assert states[:3] == ["connected", "lost", "connected"]
        assert kept.states()[1].reason
        ends = [event for event in kept.events() if event.phase == "end"]
        assert ends[0].reason == "source"
        assert len({event.id for event in kept.events()}) == 2
        assert "s3cret" not in "".join(one.model_dump_json() for one in kept.messages)


@pytest.mark.parametrize("fps", [slow(5), slow(60)])
def test_a_window_covers_the_same_time_at_any_rate(edge_bundle, fps):
    with http_camera(steady(fps=fps)) as camera, watching(edge_bundle, camera.address) as kept:
        wait_for(lambda: len(kept.answers()) > 5)
    times_s = np.array([answer.time_s for answer in kept.answers()])
    told = [datetime.fromisoformat(answer.told_at).timestamp() for answer in kept.answers()]
    assert np.median(np.diff(times_s)) == pytest.approx(0.6, abs=0.01)
    assert told[-1] - told[0] == pytest.approx(times_s[-1] - times_s[0], abs=3)


@pytest.mark.slow
def test_no_answer_stands_on_old_frames(edge_bundle):
    over = Moment()
    with http_camera(silent(until(over))) as camera, watching(edge_bundle, camera.address) as kept:
        wait_for(lambda: bool(kept.events()))
        over.set()
        wait_for(lambda: any(event.phase == "end" for event in kept.events()))
    assert all(answer.age_s <= WINDOW_S for answer in kept.answers())
    (end,) = [event for event in kept.events() if event.phase == "end"]
    assert end.reason == "source", "before the silence is long enough to open it anew"


def test_a_new_bundle_is_taken_without_losing_the_source(edge_bundle, tmp_path):
    other = renamed_bundle(edge_bundle, tmp_path / "other", "second")
    current = tmp_path / "current"
    current.symlink_to(edge_bundle)
    with http_camera(steady()) as camera, watching(current, camera.address) as kept:
        wait_for(lambda: bool(kept.events()))
        (tmp_path / "next").symlink_to(other)
        (tmp_path / "next").replace(current)
        wait_for(lambda: kept.events()[-1].bundle == "second")
        assert camera.connections == 1
    names = [event.bundle for event in kept.events()]
    assert names == sorted(names, key="second".__eq__)
    assert [event.reason for event in kept.events() if event.phase == "end"] == ["bundle", "stopped"]


@pytest.mark.slow
def test_a_damaged_new_bundle_is_left_and_the_old_one_goes_on(edge_bundle, tmp_path):
    damaged = renamed_bundle(edge_bundle, tmp_path / "damaged", "second")
    (damaged / "head.tflite").write_bytes(b"\0" * 100)
    current = tmp_path / "current"
    current.symlink_to(edge_bundle)
    said: list[str] = []
    with http_camera(steady()) as camera, watching(current, camera.address, say=said.append) as kept:
        wait_for(lambda: bool(kept.events()))
        (tmp_path / "next").symlink_to(damaged)
        (tmp_path / "next").replace(current)
        wait_for(lambda: bool(said))
        answered = len(kept.answers())
        wait_for(lambda: len(kept.answers()) > answered)
    assert len(said) == 1, "it is told once"
    assert "the old one stays in use" in said[0]
    assert "head.tflite" in said[0]
    assert {event.bundle for event in kept.events()} != {"second"}
