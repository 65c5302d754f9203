"""KFP component of a run's exit handler."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def outcome(status: dsl.PipelineTaskFinalStatus, failure: dsl.Output[dsl.Markdown]) -> None:
    """Report a failed run to MLflow and the webhook."""
    from pathlib import Path

    from reelflow.settings import Settings
    from reelflow.tracking.lifecycle import end

    text = end(Settings(), status.state, status.error_message or "")
    Path(failure.path).write_text(text or "The run ended well.", encoding="utf-8")
