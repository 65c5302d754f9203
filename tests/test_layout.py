"""The rooms agree: component folders = params.yaml sections = DVC stages = pipeline tasks."""

from pathlib import Path

import yaml

from pipelines.training import task_names
from reelflow.params import load_params

PARAMS = load_params(Path("params.yaml"))


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
