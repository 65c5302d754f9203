"""KFP component of the dataset step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def dataset(
    params: str,
    source: str,
    data_version: str,  # noqa: ARG001 - part of KFP's cache key
    dataset: dsl.Output[dsl.Dataset],
) -> None:
    """Probe, quarantine and split the clips."""
    from pathlib import Path

    from components.dataset.step import run
    from reelflow.params import DatasetParams
    from reelflow.steps import paths, perform

    perform(
        run,
        DatasetParams.model_validate_json(params),
        inputs={"source": Path(source)},
        output=paths(dataset=dataset),
    )
