"""Specs of the recorded runs: the recordings hold KFP's names of the tasks, these hold ours."""


def spec(*tasks: tuple[str, str]) -> dict:
    """A pipeline with a check, tasks of key and name behind a condition, and an exit handler."""

    def task(key, name="", **more):
        return {"componentRef": {"name": f"comp-{key}"}, "taskInfo": {"name": name or key}, **more}

    leaves = {key: task(key, name) for key, name in tasks}
    condition = {"check": task("check"), "condition-2": task("condition-2", dependentTasks=["check"])}
    outcome = task(
        "outcome",
        dependentTasks=["exit-handler-1"],
        triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
    )
    return {
        "root": {"dag": {"tasks": {"exit-handler-1": task("exit-handler-1"), "outcome": outcome}}},
        "components": {
            **{f"comp-{key}": {"executorLabel": f"exec-{key}"} for key in (*leaves, "check", "outcome")},
            "comp-exit-handler-1": {"dag": {"tasks": condition}},
            "comp-condition-2": {"dag": {"tasks": leaves}},
        },
    }


WHOLE = spec(
    ("dataset", "dataset"),
    ("frames", "frames"),
    ("floors", "floors"),
    ("features", "features thumbnail"),
    ("training", "training thumbnail-gru"),
    ("training-2", "training thumbnail-lstm"),
    ("training-3", "training thumbnail-single_frame"),
    ("evaluation", "evaluation thumbnail-gru"),
    ("evaluation-2", "evaluation thumbnail-lstm"),
    ("evaluation-3", "evaluation thumbnail-single_frame"),
    ("conversion", "conversion"),
    ("release", "release"),
)
"""Of 02 to 05."""

FANNED = spec(
    ("dataset", "dataset"),
    ("frames", "frames 1/2"),
    ("frames-2", "frames 2/2"),
    ("frames-3", "frames"),
    ("floors", "floors"),
    ("features", "features thumbnail 1/2"),
    ("features-2", "features thumbnail 2/2"),
    ("features-3", "features thumbnail"),
    ("training", "training thumbnail-gru"),
    ("evaluation", "evaluation thumbnail-gru"),
    ("conversion", "conversion"),
    ("release", "release"),
)
"""Of 06."""
