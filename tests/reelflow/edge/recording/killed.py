"""A clip whose writer is killed."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys
from pathlib import Path
from tests.reelflow.edge.recording.recordings import order
from reelflow.edge.camera.address import parse_source
from reelflow.edge.camera.reading import looks, reached
from reelflow.edge.recording.orders import RingOrder
from reelflow.edge.recording.recorder import Recorder
source, folder = sys.argv[1:]
recorder = Recorder(RingOrder(keep_s=60.0, max_bytes=10**8), print, live=False)
with reached(parse_source(source)) as (container, video):
    for number, _ in enumerate(looks(container, video, 0.2, recorder, live=False)):
        if number == 3:
            recorder.obey(order(Path(folder), 0.0))
    os.kill(os.getpid(), 9)
"""


def killed_while_recording(source: Path, folder: Path) -> bytes:
    """What a recorder leaves that is killed at the end of a file, in the folder too."""
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", PROGRAM, source, folder], check=False)
    assert done.returncode == -9
    (left,) = folder.iterdir()
    return left.read_bytes()
