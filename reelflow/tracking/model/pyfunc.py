"""The bundle as an MLflow model, which classifies clips by their paths or their bytes.

    mlflow.pyfunc.load_model("models:/reelflow@champion").predict([{"path": "clip.mp4"}])

MLflow copies this file into the registered model and runs it where the model is loaded.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

PATH, VIDEO = "path", "video"
sys.path[:0] = [str(code) for code in Path(__file__).parent.glob("code/*.zip")]  # where a model is loaded


class ClipClassifier(PythonModel):  # type: ignore[misc]
    """Classifies clips."""

    def load_context(self, context: Any) -> None:
        """Check and load the bundle that was registered."""
        from reelflow.edge.bundle import open_bundle
        from reelflow.edge.classifier import Classifier

        self.classifier = Classifier(open_bundle(Path(context.artifacts["bundle"])))

    def predict(self, context: Any, model_input: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Answers, one a row: `clip`, `label`, `score`, `rejected`, `scores` by label.

        Args:
            context: of MLflow.
            model_input: a row for each clip, with its `path` on this machine, or its bytes in `video`.

        Raises:
            ClipError: a clip cannot be decoded.
            ValueError: a row has neither a path nor bytes.
        """
        if not {PATH, VIDEO} & set(model_input.columns):
            raise ValueError(WANTED)
        return pd.DataFrame([self._answer(row) for row in model_input.to_dict(orient="records")])

    def _answer(self, row: dict[Any, Any]) -> dict[str, Any]:
        path, video = row.get(PATH), row.get(VIDEO)
        if isinstance(video, bytes):
            with tempfile.NamedTemporaryFile(suffix=".video") as file:
                file.write(video)
                file.flush()
                return self._classify(Path(file.name), "")
        if isinstance(path, str):
            return self._classify(Path(path), path)
        raise ValueError(WANTED)

    def _classify(self, clip: Path, name: str) -> dict[str, Any]:
        """If `rejected`, the label is only the best guess."""
        found = self.classifier.classify(clip)
        return {
            "clip": name,
            "label": found.label,
            "score": found.score,
            "rejected": found.rejected,
            "scores": found.scores,
        }


WANTED = (
    'each clip needs a path or its bytes: predict([{"path": "clip.mp4"}]) or predict([{"video": b"..."}])'
)

mlflow.models.set_model(ClipClassifier())
