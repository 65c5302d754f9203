"""KFP component of the release step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("release"), install_kfp_package=False)
def release(
    params: str,
    key: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    bundle: dsl.Input[dsl.Model],
    release: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    figures: dsl.Output[dsl.Markdown],
    report: dsl.Output[dsl.HTML],
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
    clips: dsl.Input[dsl.Dataset] = None,
    proof_aarch64: dsl.Input[dsl.Artifact] = None,
) -> None:
    """Register the bundle and promote it if it passes the gates; `clips` were given to other machines."""
    given = [value for name, value in locals().items() if name.startswith("evaluation_")]

    from components.artifacts import gather_evaluations, show_figures, show_page
    from components.release.step import run
    from reelflow.params import ReleaseParams
    from reelflow.steps import paths, perform

    evaluations = gather_evaluations(given, beside=release)
    released = perform(
        run,
        ReleaseParams.model_validate_json(params),
        inputs=paths(dataset=dataset, frames=frames, bundle=bundle, clips=clips, proof_aarch64=proof_aarch64)
        | {"evaluations": evaluations},
        output=paths(release=release),
        reuse=False,
    )
    show_figures(figures, metrics, released)
    show_page(report, paths(release=release)["release"] / "report.html")
