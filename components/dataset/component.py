"""KFP component of the dataset step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def dataset(
    params: str,
    key: str,
    source: str,
    data_version: str,
    dataset: dsl.Output[dsl.Dataset],
) -> None:
    """Probe, quarantine and split the clips."""
    from components.dataset.lists.inputs import list_inputs
    from components.dataset.step import run
    from reelflow.params import DatasetParams
    from reelflow.sources.fetch import fetched
    from reelflow.steps import paths, perform

    section = DatasetParams.model_validate_json(params)
    perform(
        run,
        section,
        inputs=list_inputs(section.split_lists),
        passing=lambda settings: fetched(source, settings, data_version),
        output=paths(dataset=dataset),
    )
