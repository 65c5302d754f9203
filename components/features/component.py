"""KFP component of the features step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("features"), install_kfp_package=False)
def features(params: str, backbone: str, frames: dsl.Input[dsl.Dataset], features: dsl.Output[dsl.Dataset]):  # type: ignore[no-untyped-def]
    """Embed every frame with one frozen backbone."""
    from components.features.step import run
    from reelflow.params import FeaturesParams
    from reelflow.steps import paths, perform

    perform(
        run,
        FeaturesParams.model_validate_json(params),
        options={"backbone": backbone},
        inputs=paths(frames=frames),
        output=paths(features=features),
    )
