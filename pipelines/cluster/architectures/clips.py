"""KFP component that lays out the clips of a proof."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("frames"), install_kfp_package=False)
def clips(
    most: int,
    dataset: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Artifact],
    clips: dsl.Output[dsl.Dataset],
) -> None:
    """The videos of the first test clips, in one folder: other machines classify them."""
    from pathlib import Path

    from reelflow.artifacts.laid_out import lay_out_videos
    from reelflow.contracts import EvaluationReport
    from reelflow.settings import Settings

    tested = EvaluationReport.open(Path(evaluation.path)).clip_ids
    lay_out_videos(Path(dataset.path), tested, most, Path(clips.path), Settings())
