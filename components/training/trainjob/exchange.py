"""What a task and its workers hand to each other, through the object store; shards are there already.

`workers/<team>/inputs.tar` and `output.tar` hold folders of documents; `ended-<rank>.json` says why a worker
gave up.
"""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from components.training.job import TrainingJob
from components.training.workers.events import error_of
from reelflow.errors import BundleError, ReelflowError
from reelflow.files import content_file, write_text
from reelflow.objectstore.interface import ObjectStore

INPUTS = ("dataset", "features", "teachers", "inflate")


class Exchange:
    """The objects of one team in a store."""

    def __init__(self, store: ObjectStore, team: str) -> None:
        self._store, self._prefix = store, f"workers/{team}"

    def put_inputs(self, job: TrainingJob) -> None:
        """Store what to train, and the folders that it names."""
        given = {name: path for name in INPUTS if (path := getattr(job, name))}
        with TemporaryDirectory() as folder:
            document = Path(folder, "job.json")
            write_text(document, job.to_json())
            self._put("inputs.tar", {"job.json": document, **given})

    def get_inputs(self, folder: Path) -> TrainingJob:
        """What to train, with the paths of this machine; the output goes into a new folder."""
        self._get("inputs.tar", folder)
        found = TrainingJob.read(folder / "job.json")
        paths = {name: folder / name for name in INPUTS if (folder / name).exists()}
        model = folder / "model"
        model.mkdir()
        params = found.params
        if "inflate" in paths:
            video = params.video.model_copy(update={"inflate": str(paths["inflate"])})
            params = params.model_copy(update={"video": video})
        return found.model_copy(update={**paths, "model": model, "params": params})

    def put_output(self, job: TrainingJob) -> None:
        """Store the trained model."""
        files = {path.name: path for path in sorted(job.model.iterdir()) if path != job.work}
        self._put("output.tar", files)

    def get_output(self, job: TrainingJob) -> None:
        """Bring the trained model.

        Raises:
            BundleError: the chief has stored none.
        """
        self._get("output.tar", job.model)

    def put_error(self, rank: int, error: ReelflowError) -> None:
        """Store why a worker gives up."""
        told = json.dumps({"error": type(error).__name__, "message": str(error)})
        with content_file(told.encode()) as path:
            self._store.put_new(f"{self._prefix}/ended-{rank}.json", path)

    def errors(self) -> list[ReelflowError]:
        """Why workers gave up, the chief's reason first."""
        found = []
        with TemporaryDirectory() as folder:
            for stored in self._store.list(f"{self._prefix}/ended-"):
                path = Path(folder, "ended.json")
                if self._store.get(stored.name, path):
                    found.append(error_of(**_told(path)))
        return found

    def remove(self) -> None:
        """Remove all of it."""
        for stored in list(self._store.list(f"{self._prefix}/")):
            self._store.delete(stored.name)

    def _put(self, name: str, paths: Mapping[str, Path]) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder, name)
            with tarfile.open(path, "w", dereference=True) as tar:
                for inner, source in paths.items():
                    tar.add(source, inner)
            self._store.put_new(f"{self._prefix}/{name}", path)

    def _get(self, name: str, folder: Path) -> None:
        with TemporaryDirectory() as temporary:
            path = Path(temporary, name)
            if not self._store.get(f"{self._prefix}/{name}", path):
                raise BundleError(f"the store holds no {self._prefix}/{name}: run the training again")
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")


def _told(path: Path) -> dict[str, str]:
    told = json.loads(path.read_text())
    return {"name": told["error"], "message": told["message"]}
