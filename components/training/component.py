"""KFP component of the training step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("training"), install_kfp_package=False)
def training(
    params: str,
    key: str,
    head: str,
    protocol: str,
    dataset: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
) -> None:
    """Train one head on one backbone's features."""
    from components.training.step import run
    from reelflow.nets.video.design import inflation_input
    from reelflow.params import TrainingParams
    from reelflow.steps import paths, perform
    from reelflow.tracking.teachers import gathered

    section = TrainingParams.model_validate_json(params)
    perform(
        run,
        section,
        options={"head": head, "protocol": protocol},
        inputs=paths(dataset=dataset, features=features) | inflation_input(head, section.video),
        passing=lambda settings: gathered(section.teacher, settings),
        output=paths(model=model),
    )
