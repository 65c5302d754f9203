from pathlib import Path

import pytest
import yaml

from pipelines.cluster.package import compile_to
from pipelines.training import task_names
from reelflow.errors import ParamsError
from reelflow.nets.candidates import MOST
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


def chain(tasks: dict, key: str) -> list[str]:
    """The longest chain of tasks that ends in one."""
    before = (chain(tasks, name) for name in tasks[key].get("dependentTasks", []))
    return [*max(before, key=len, default=[]), key]


@pytest.mark.parametrize("heads", [["gru"], ["gru", "lstm", "conv_lstm", "single_frame", "tcn"]])
def test_the_longest_chain_does_not_grow_with_the_number_of_classifiers(tmp_path, heads):
    backbones = ["thumbnail", "mobilenet_v2", "inception_v3"]
    params = PARAMS.with_values(features={"backbones": backbones}, training={"heads": heads})
    tasks = compiled(tmp_path, params)["root"]["dag"]["tasks"]
    steps = [key.rstrip("-0123456789") for key in chain(tasks, "release")]
    assert steps == ["dataset", "frames", "features", "training", "evaluation", "conversion", "release"]


def test_conversion_and_release_take_every_evaluation(tmp_path):
    most = PARAMS.with_values(
        features={"backbones": [f"b{n}" for n in range(MOST)]}, training={"heads": ["gru"]}
    )
    tasks = compiled(tmp_path, most)["root"]["dag"]["tasks"]
    evaluations = {key for key in tasks if key.startswith("evaluation")}
    assert len(evaluations) == MOST
    for name in ("conversion", "release"):
        assert evaluations < set(tasks[name]["dependentTasks"])


def test_more_classifiers_than_a_run_can_compare_are_refused(tmp_path):
    more = PARAMS.with_values(
        features={"backbones": [f"b{n}" for n in range(MOST + 1)]}, training={"heads": ["gru"]}
    )
    with pytest.raises(ParamsError, match="17 backbones and 1 heads make 17 classifiers"):
        compiled(tmp_path, more)


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
