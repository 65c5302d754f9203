"""The process that classifies the clip of a request: `python -m reelflow.edge.serve.one_clip BUNDLE CLIP`.

It tells what `reelflow classify --json` tells. A clip that crashes its decoder, hangs it, or asks for too
much memory takes no other process with it, and the watching goes first.
"""

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import ReelflowError
from reelflow.workers.stderr import silenced_stderr

NAME = "clip"
NICENESS = 5
MOST_CPU_S = 60  # if nobody is left who would kill it
MOST_MEMORY_BYTES = 1 << 30


def main() -> None:
    """Classify the clip that the command line names."""
    stay_in_bounds()
    bundle, clip = map(Path, sys.argv[1:])
    try:
        with silenced_stderr():
            classifier = Classifier(open_bundle(bundle))
        sys.stdout.write(classifier.classify(clip).json_line(NAME))
    except ReelflowError as error:
        sys.stderr.write(str(error))
        sys.exit(error.exit_code)


def stay_in_bounds() -> None:
    """Let this process have less of everything than its parent."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    with suppress(OSError):  # where memory ends all the same, this process goes first: proc(5)
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
