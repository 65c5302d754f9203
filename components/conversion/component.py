"""KFP component of the conversion step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("conversion"), install_kfp_package=False)
def conversion(
    params: str,
    key: str,
    weights: str,
    seed: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    bundle: dsl.Output[dsl.Model],
    evaluation_1: dsl.Input[dsl.Artifact] = None,
    evaluation_2: dsl.Input[dsl.Artifact] = None,
    evaluation_3: dsl.Input[dsl.Artifact] = None,
    evaluation_4: dsl.Input[dsl.Artifact] = None,
    evaluation_5: dsl.Input[dsl.Artifact] = None,
    evaluation_6: dsl.Input[dsl.Artifact] = None,
    evaluation_7: dsl.Input[dsl.Artifact] = None,
    evaluation_8: dsl.Input[dsl.Artifact] = None,
    evaluation_9: dsl.Input[dsl.Artifact] = None,
    evaluation_10: dsl.Input[dsl.Artifact] = None,
    evaluation_11: dsl.Input[dsl.Artifact] = None,
    evaluation_12: dsl.Input[dsl.Artifact] = None,
    evaluation_13: dsl.Input[dsl.Artifact] = None,
    evaluation_14: dsl.Input[dsl.Artifact] = None,
    evaluation_15: dsl.Input[dsl.Artifact] = None,
    evaluation_16: dsl.Input[dsl.Artifact] = None,
) -> None:
    """Convert the best classifier to a TFLite bundle and measure its parity."""
    given = [value for name, value in locals().items() if name.startswith("evaluation_")]

    from components.artifacts import gather_evaluations
    from components.conversion.step import run
    from reelflow.edge.seal import seal
    from reelflow.params import ConversionParams
    from reelflow.steps import paths, perform

    evaluations = gather_evaluations(given, beside=bundle)
    perform(
        run,
        ConversionParams.model_validate_json(params),
        options={"weights": weights, "seed": seed},
        inputs=paths(dataset=dataset, frames=frames) | {"evaluations": evaluations},
        output=paths(bundle=bundle),
        seal=seal,
    )
