"""KFP component of the conversion step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("conversion"), install_kfp_package=False)
def conversion(
    params: str,
    weights: str,
    seed: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    evaluations: dsl.Input[dsl.Artifact],
    bundle: dsl.Output[dsl.Model],
) -> None:
    """Convert the best classifier to a TFLite bundle and measure its parity."""
    from components.conversion.step import run
    from reelflow.edge.seal import seal
    from reelflow.params import ConversionParams
    from reelflow.steps import paths, perform

    perform(
        run,
        ConversionParams.model_validate_json(params),
        options={"weights": weights, "seed": seed},
        inputs=paths(dataset=dataset, frames=frames, evaluations=evaluations),
        output=paths(bundle=bundle),
        seal=seal,
    )
