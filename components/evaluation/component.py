"""KFP component of the evaluation step."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("evaluation"), install_kfp_package=False)
def evaluation(
    params: str,
    key: str,
    dataset: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    baselines: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    figures: dsl.Output[dsl.Markdown],
    confusion: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Measure one classifier on the test clips."""
    from components.artifacts import show_confusion, show_figures
    from components.evaluation.step import run
    from reelflow.params import EvaluationParams
    from reelflow.steps import paths, perform

    report = perform(
        run,
        EvaluationParams.model_validate_json(params),
        inputs=paths(dataset=dataset, features=features, model=model, baselines=baselines),
        output=paths(evaluation=evaluation),
    )
    show_figures(figures, metrics, report)
    show_confusion(confusion, report)
