"""KFP component of the floors step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("floors"), install_kfp_package=False)
def floors(
    params: str,
    protocol: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    floors: dsl.Output[dsl.Artifact],
) -> None:
    """Measure what classifiers reach that see next to nothing of a clip."""
    from components.floors.step import run
    from reelflow.params import FloorsParams
    from reelflow.steps import paths, perform

    perform(
        run,
        FloorsParams.model_validate_json(params),
        options={"protocol": protocol},
        inputs=paths(dataset=dataset, frames=frames),
        output=paths(floors=floors),
    )
