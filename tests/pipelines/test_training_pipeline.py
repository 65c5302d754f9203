from pathlib import Path

import pytest
import yaml

from pipelines.cluster.package import compile_to
from pipelines.training import task_names
from reelflow.params import load_params

PARAMS = load_params(Path("params.yaml"))
GOLDEN = Path(__file__).parent / "training.golden.yaml"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def compiled(tmp_path: Path, params=PARAMS) -> dict:
    path = tmp_path / "pipeline.yaml"
    compile_to(params, str(path))
    return next(yaml.load_all(path.read_text(), yaml.CSafeLoader))


@pytest.fixture(scope="module")
def default(tmp_path_factory) -> dict:
    return compiled(tmp_path_factory.mktemp("default"))


def test_the_compiled_default_pipeline_is_the_golden_file(tmp_path):
    """After a wanted change: python -m pipelines compile --output tests/pipelines/training.golden.yaml."""
    compile_to(PARAMS, str(tmp_path / "pipeline.yaml"))
    assert (tmp_path / "pipeline.yaml").read_text() == GOLDEN.read_text()


def test_backbones_and_heads_are_unrolled_into_named_tasks(tmp_path):
    params = PARAMS.with_values(
        features={"backbones": ["thumbnail", "mobilenet_v2"]}, training={"heads": ["gru", "lstm"]}
    )
    tasks = compiled(tmp_path, params)["root"]["dag"]["tasks"]
    names = {task["taskInfo"]["name"] for task in tasks.values()}
    assert names == set(task_names(params))
    assert "training mobilenet_v2-lstm" in names


def test_evaluations_form_a_chain_that_ends_in_conversion(default):
    tasks = default["root"]["dag"]["tasks"]
    by_name = {task["taskInfo"]["name"]: (key, task) for key, task in tasks.items()}
    names = [name for name in task_names(PARAMS) if name.startswith("evaluation")]
    for before, after in zip(names, [*names[1:], "conversion"], strict=True):
        inputs = by_name[after][1]["inputs"]["artifacts"]
        source = inputs["previous" if after != "conversion" else "evaluations"]
        assert source["taskOutputArtifact"]["producerTask"] == by_name[before][0]


def test_adding_a_head_leaves_the_other_tasks_as_they_are(default, tmp_path):
    more = PARAMS.with_values(training={"heads": [*PARAMS.training.heads, "another"]})

    def inputs(pipeline: dict) -> dict[str, dict]:
        tasks = pipeline["root"]["dag"]["tasks"].values()
        return {task["taskInfo"]["name"]: task["inputs"]["parameters"] for task in tasks}

    before, after = inputs(default), inputs(compiled(tmp_path, more))
    assert {name: after[name] for name in before} == before


def test_release_is_never_cached(default):
    tasks = default["root"]["dag"]["tasks"]
    assert not tasks["release"]["cachingOptions"].get("enableCache", False)
    assert tasks["dataset"]["cachingOptions"]["enableCache"]
