"""KFP component of the frames step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("frames"), install_kfp_package=False)
def frames(
    params: str,
    key: str,
    part: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Output[dsl.Dataset],
) -> None:
    """Extract uniformly spread frames of every clip, or of a part of them."""
    from components.frames.step import run
    from reelflow.params import FramesParams
    from reelflow.steps import paths, perform

    perform(
        run,
        FramesParams.model_validate_json(params),
        options={"part": part},
        inputs=paths(dataset=dataset),
        output=paths(frames=frames),
    )
