"""KFP component of the training step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("training"), install_kfp_package=False)
def training(
    params: str,
    head: str,
    dataset: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
) -> None:
    """Train one head on one backbone's features."""
    from components.training.step import run
    from reelflow.params import TrainingParams
    from reelflow.steps import paths, perform

    perform(
        run,
        TrainingParams.model_validate_json(params),
        options={"head": head},
        inputs=paths(dataset=dataset, features=features),
        output=paths(model=model),
    )
