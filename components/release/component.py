"""KFP component of the release step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("release"), install_kfp_package=False)
def release(
    params: str,
    dataset: dsl.Input[dsl.Dataset],
    frames: dsl.Input[dsl.Dataset],
    evaluations: dsl.Input[dsl.Artifact],
    bundle: dsl.Input[dsl.Model],
    release: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Register the bundle and promote it if it passes the gates."""
    from components.artifacts import show_metrics, show_page
    from components.release.step import run
    from reelflow.params import ReleaseParams
    from reelflow.steps import paths, perform

    released = perform(
        run,
        ReleaseParams.model_validate_json(params),
        inputs=paths(dataset=dataset, frames=frames, evaluations=evaluations, bundle=bundle),
        output=paths(release=release),
        reuse=False,
    )
    show_metrics(metrics, released)
    show_page(report, paths(release=release)["release"] / "report.html")
