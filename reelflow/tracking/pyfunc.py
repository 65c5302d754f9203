"""The bundle as an MLflow model: `mlflow.pyfunc.load_model("models:/reelflow@champion").predict([clip])`.

MLflow copies this file into the registered model and runs it where the model is loaded.
"""

from pathlib import Path
from typing import Any

import mlflow
import pydantic
from mlflow.pyfunc import PythonModel


class Prediction(pydantic.BaseModel):
    """Prediction of a clip; scores by label. If `rejected`, the label is only the best guess."""

    clip: str
    label: str
    score: float
    rejected: bool
    scores: dict[str, float]


class ClipClassifier(PythonModel):  # type: ignore[misc]
    """Classifies clips by their paths."""

    def load_context(self, context: Any) -> None:
        """Check and load the bundle that was registered."""
        from reelflow.edge.bundle import open_bundle
        from reelflow.edge.classifier import Classifier

        self.classifier = Classifier(open_bundle(Path(context.artifacts["bundle"])))

    def predict(self, context: Any, model_input: list[str]) -> list[Prediction]:  # noqa: ARG002
        """Predictions of clips.

        Raises:
            ClipError: a clip cannot be decoded.
        """
        found = [self.classifier.classify(Path(clip)) for clip in model_input]
        return [
            Prediction(
                clip=one.clip, label=one.label, score=one.score, rejected=one.rejected, scores=one.scores
            )
            for one in found
        ]


mlflow.models.set_model(ClipClassifier())
