"""A worker without TensorFlow: does what the head's name says, `0:fine,1:killed`, by its rank."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from components.training.workers.worker import end_with_parent
from reelflow.progress import EventFile, emit, watched_by

FOREVER_S = 300


def main() -> int:
    job, events, _ = sys.argv[1:]
    end_with_parent()
    rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    document = json.loads(Path(job).read_text())
    parts = dict(part.split(":") for part in document["head"].split(","))
    Path(document["model"], f"pid-{rank}").write_text(str(os.getpid()))
    Path(document["model"], f"variables-{rank}.json").write_text(json.dumps(dict(os.environ)))
    with watched_by(EventFile(Path(events))):
        emit("epoch", epoch=rank + 1)
        match parts[str(rank)]:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crashed":
                return 1
            case "refused":
                emit("ended", error="DataError", message="no clips")
                return 3
            case "waiting":
                time.sleep(FOREVER_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
