"""`reelflow serve` as a process, and a camera that plays a clip until it freezes."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import av

from tests.reelflow.edge.camera.http_camera import HttpCamera, Sending

RUN = "from reelflow.cli import main; main()"
AT = re.compile(r"the page of .* is at (http://\S+)")
FPS = 25


def command(*arguments: object, before: str = "") -> list[str]:
    return [sys.executable, "-c", before + RUN, "serve", *map(str, arguments)]


class Service:
    """A service.

    Attributes:
        url: of its page.
        told: what it has said on stderr.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr
        self.process, self.told = process, ""
        for line in process.stderr:
            self.told += line
            if found := AT.search(line):
                self.url = found[1]
                break
        else:
            raise AssertionError(self.told)
        self._reading = Thread(target=self._read)
        self._reading.start()

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(60)
        self._reading.join(60)
        return code

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.told += line


@contextmanager
def served(*arguments: object, **variables: str) -> Iterator[Service]:
    """A service on a free port."""
    with subprocess.Popen(
        command(*arguments, "--port", 0),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


def jpegs_of(clip: Path) -> list[bytes]:
    """Every frame of a clip."""
    found = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            buffer = io.BytesIO()
            frame.to_image().save(buffer, "JPEG", quality=90)
            found.append(buffer.getvalue())
    return found


def playing(pictures: list[bytes], frozen: Event, back: Event | None = None) -> Sending:
    """Plays over and over, once it is back; once frozen it holds the connection."""

    def send(camera: HttpCamera, write: Callable[[bytes], object]) -> None:
        while back and not back.is_set():
            if camera.stop.wait(1 / FPS):
                return
        while True:
            for picture in pictures:
                if frozen.is_set():
                    camera.stop.wait(600)
                if camera.stop.wait(1 / FPS):
                    return
                write(picture)

    return send
