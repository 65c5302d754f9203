"""KFP component of the baselines step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("baselines"), install_kfp_package=False)
def baselines(
    params: str,
    key: str,
    protocol: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    baselines: dsl.Output[dsl.Artifact],
) -> None:
    """Measure classifiers that see only metadata or thumbnails of a clip."""
    from components.baselines.step import run
    from reelflow.params import BaselinesParams
    from reelflow.steps import paths, perform

    perform(
        run,
        BaselinesParams.model_validate_json(params),
        options={"protocol": protocol},
        inputs=paths(dataset=dataset, frames=frames),
        output=paths(baselines=baselines),
    )
