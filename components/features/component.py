"""KFP component of the features step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("features"), install_kfp_package=False)
def features(
    params: str,
    key: str,
    backbone: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Dataset],
) -> None:
    """Embed every frame with one backbone, fine-tuned before if the params say so."""
    from components.features.step import run
    from reelflow.params import FeaturesParams
    from reelflow.steps import paths, perform, where_it_exists

    section = FeaturesParams.model_validate_json(params)
    perform(
        run,
        section,
        options={"backbone": backbone},
        inputs=paths(dataset=dataset, frames=frames) | where_it_exists(weights=section.weights),
        output=paths(features=features),
    )
