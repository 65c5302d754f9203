"""The rooms agree: component folders = params.yaml sections = DVC stages = pipeline tasks.

What the imports of the rooms must be like, import-linter checks (pyproject.toml).
"""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

from pipelines.training import task_names
from reelflow.params import load_params

PARAMS = load_params(Path("params.yaml"))
SOURCES = tuple(
    path
    for top in ("reelflow", "components", "pipelines", "infra", "benchmarks")
    for path in sorted(Path(top).rglob("*.py"))
)
MAX_FILES = 12

READ_SETTINGS = {
    "pipelines/track/commands.py",
    "reelflow/steps.py",  # for command lines and KFP components, which all call `perform`
    "components/artifacts.py",  # for KFP components
    "components/dataset/version.py",
    "components/training/trainjob/pod.py",
    "components/training/workers/worker.py",
    "pipelines/__main__.py",
    "pipelines/channel/commands.py",
    "pipelines/compare/commands.py",
    "pipelines/cluster/architectures/clips.py",
    "pipelines/cluster/check.py",
    "pipelines/cluster/connection.py",
    "pipelines/cluster/outcome.py",
    "pipelines/data/commands.py",
    "pipelines/drift/commands.py",
    "pipelines/fleet/commands.py",
    "pipelines/inbox/commands.py",
    "pipelines/promotion/commands.py",
    "pipelines/studies/commands.py",
}
"""The edges of programs."""

USE_ENVIRONMENT = {
    "pipelines/channel/keys.py",  # private keys and their passphrase
    "components/training/trainjob/pod.py",  # TF_CONFIG; Kubernetes's number of the pod
    "components/training/workers/local.py",  # TF_CONFIG, and the threads and the GPU of a worker
    "pipelines/inbox/dvc.py",  # turns DVC's analytics off
    "pipelines/local/docker.py",  # passes on what libraries read
    "pipelines/local/runners.py",  # adds to PYTHONPATH
    "pipelines/local/tasks/process.py",  # the environment of a task
    "pipelines/local/tasks/schedule.py",  # likewise
    "pipelines/local/temporary.py",  # TMPDIR, for libraries and processes
    "reelflow/edge/watch/service.py",  # addresses with passwords, systemd's state folder
    "reelflow/edge/watch/systemd.py",  # the socket and the watchdog of the service manager
    "reelflow/nets/runtime.py",  # Keras
    "reelflow/sources/dvc.py",  # git and DVC
    "reelflow/commandline.py",  # HOME and TMPDIR of libraries
    "reelflow/tracking/answers/told.py",  # tokens and passwords, which no message shows
    "reelflow/tracking/client.py",  # MLflow
    "reelflow/workers/cpus.py",  # threads of native libraries that are loaded later
}
"""What configures a library, or passes on its configuration, that nothing but the environment can carry."""


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def modules_in(folder: Path) -> list[str]:
    return [path.stem for path in SOURCES if path.parent == folder and not path.stem.startswith("__")]


def folders() -> set[Path]:
    return {path.parent for path in SOURCES}


def component_folders() -> set[str]:
    return {path.parent.name for path in Path("components").glob("*/step.py")}


def test_folders_sections_stages_and_tasks_are_the_same():
    params = set(yaml.safe_load(Path("params.yaml").read_text()))
    stages = set(yaml.safe_load(Path("dvc.yaml").read_text())["stages"])
    tasks = {name.split()[0] for name in task_names(PARAMS)}
    assert component_folders() == params == stages - {"check", "code"} == tasks


def test_every_stage_depends_on_its_step_s_code():
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    for step in component_folders():
        assert f"artifacts/code/{step}" in stages[step]["deps"]


def test_every_component_folder_is_complete():
    for name in component_folders():
        for file in ("__init__.py", "__main__.py", "component.py", "step.py", "README.md"):
            assert Path("components", name, file).is_file(), f"components/{name}/{file}"


def test_dvc_watches_every_value_of_a_section():
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    for name, section in PARAMS:
        watched = stages[name]["params"]
        values = {f"{name}.{value}" for value in section.of_one_task()}
        assert name in watched or values <= set(watched), name


@pytest.mark.parametrize("stage", ["conversion", "release"])
def test_what_reads_all_evaluations_runs_again_when_other_heads_are_asked_for(stage):
    watched = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]["params"]
    assert {"features", "training.heads"} <= set(watched)


def test_one_class_name_means_one_thing():
    classes = [node.name for path in SOURCES for node in nodes_of(path) if isinstance(node, ast.ClassDef)]
    assert not {name for name, count in Counter(classes).items() if count > 1}


def test_a_folder_of_more_than_a_dozen_files_is_two():
    large = {folder.as_posix() for folder in folders() if len(modules_in(folder)) > MAX_FILES}
    assert not large


def test_a_prefix_of_three_files_is_a_folder():
    counts = {
        f"{folder}/{prefix}": count
        for folder in folders()
        for prefix, count in Counter(name.split("_")[0] for name in modules_in(folder)).items()
    }
    assert not {prefix for prefix, count in counts.items() if count > 2}


def test_settings_are_read_at_the_edges_of_programs_alone():
    calls = {
        path.as_posix()
        for path in SOURCES
        if path.parts[0] in ("reelflow", "components", "pipelines")
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Settings"
    }
    assert calls == READ_SETTINGS


def test_no_other_code_touches_the_environment():
    users = {
        path.as_posix()
        for path in SOURCES
        if path.parts[0] in ("reelflow", "components", "pipelines")
        for node in nodes_of(path)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    }
    assert users == USE_ENVIRONMENT
