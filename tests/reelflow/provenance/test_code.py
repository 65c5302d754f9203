"""A result's key depends on the code that the result depends on, and on no other."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grimp
import pytest

from components.dataset import facts
from components.features import shards as feature_shards
from components.frames import shards as frame_shards
from reelflow.backbones.registry import BACKBONES
from reelflow.nets.heads import HEADS
from reelflow.params import STEPS
from reelflow.provenance import code
from reelflow.provenance.code import code_hash, content_code, imported_files
from tests.workplace import ROOT

ALL = " ".join(STEPS)

STEPS_BY_FILE = {
    "components/__init__.py": ALL,
    "components/baselines/models.py": "baselines",
    "components/conversion/head.py": "conversion",
    "components/dataset/source/naming.py": "dataset",
    "components/dataset/generated/synthetic.py": "dataset",
    "components/dataset/lists/parts.py": "dataset",
    "components/dataset/component.py": "",
    "components/evaluation/measures.py": "evaluation",
    "components/features/tail.py": "features",
    "components/features/__main__.py": "",
    "components/frames/extract.py": "frames",
    "components/release/gates/architectures.py": "release",
    "components/release/report.css": "release",
    "components/release/report.html.j2": "release",
    "components/training/folds.py": "training",
    "components/training/learners/epochs.py": "training",
    "components/training/trainjob/pod.py": "training",
    "components/training/workers/worker.py": "training",
    "reelflow/cli.py": "",
    "reelflow/steps.py": "",
    "reelflow/contracts.py": ALL,
    "reelflow/artifacts/predictions.py": "baselines training evaluation conversion",
    "reelflow/backbones/inception_v3.py": "features conversion",
    "reelflow/backbones/thumbnail.py": "features baselines conversion",
    "reelflow/backbones/tflite/windows.py": "features conversion",
    "reelflow/charts/canvas.py": "dataset evaluation release",
    "reelflow/charts/curves.py": "evaluation release",
    "reelflow/durable/replace.py": "",
    "reelflow/edge/drawing.py": "",
    "reelflow/edge/timeline.py": "",
    "reelflow/edge/classifier.py": "conversion release",
    "reelflow/edge/camera/reading.py": "",
    "reelflow/edge/commands/many.py": "",
    "reelflow/edge/events/tracker.py": "",
    "reelflow/edge/health/writer.py": "",
    "reelflow/edge/update/agent/state.py": "",
    "reelflow/edge/proof/document.py": "release",
    "reelflow/edge/proof/measure.py": "",
    "reelflow/edge/serve/board.py": "",
    "reelflow/edge/recording/recorder.py": "",
    "reelflow/edge/sinks/spool.py": "",
    "reelflow/edge/update/__init__.py": "",
    "reelflow/edge/update/channel/client.py": "",
    "reelflow/edge/watch/watcher.py": "",
    "reelflow/measures/calibration.py": "evaluation",
    "reelflow/nets/runtime.py": "features training conversion",
    "reelflow/nets/heads/gru.py": "training",
    "reelflow/nets/video/inflate.py": "training",
    "reelflow/objectstore/shards.py": "dataset frames features",
    "reelflow/provenance/step.py": "evaluation conversion release",
    "reelflow/sources/dvc.py": "frames",
    "reelflow/splitting/protocols.py": ALL,  # params.py checks values by it
    "reelflow/tracking/registry.py": "release",
    "reelflow/tracking/answers/told.py": "release",
    "reelflow/tracking/facts/origin.py": "release",
    "reelflow/tracking/model/saving.py": "release",
    "reelflow/tracking/journal/chain.py": "release",
    "reelflow/tracking/journal/run.py": "release",
    "reelflow/tracking/promotion/moves.py": "release",
    "reelflow/tracking/runs/experiment.py": "release",
    "reelflow/tracking/spool/owed.py": "",
    "reelflow/tracking/teachers.py": "",
    "reelflow/video/decode.py": "dataset frames features baselines conversion release",
    "reelflow/video/stream.py": "",
    "reelflow/workers/processes.py": "dataset frames",
    "reelflow/workers/usage/gpus.py": "",
    "pipelines/training.py": "",
    "params.yaml": "",
}
"""Which steps run again after a change."""

SHARDS_BY_FILE = {
    "components/dataset/facts.py": "",
    "components/features/codes.py": "mobilenet_v2 thumbnail pixels_64",
    "components/features/finetune.py": "",
    "components/features/shards.py": "",
    "components/frames/extract.py": "frames",
    "components/frames/write.py": "frames",
    "components/frames/shards.py": "",
    "reelflow/__init__.py": "",
    "reelflow/contracts.py": "",
    "reelflow/artifacts/frames.py": "frames mobilenet_v2 thumbnail pixels_64",
    "reelflow/backbones/mobilenet_v2.py": "mobilenet_v2",
    "reelflow/backbones/keras_application.py": "mobilenet_v2",
    "reelflow/backbones/inception_v3.py": "",
    "reelflow/backbones/pixels.py": "pixels_64",
    "reelflow/backbones/registry.py": "",
    "reelflow/backbones/thumbnail.py": "thumbnail",
    "reelflow/objectstore/shards.py": "",
    "reelflow/video/decode.py": "facts frames mobilenet_v2 thumbnail pixels_64",
    "reelflow/video/preprocess.py": "mobilenet_v2 thumbnail pixels_64",
    "reelflow/video/views.py": "mobilenet_v2 thumbnail pixels_64",
}
"""Which shared shards are made again after a change."""


def step_keys() -> dict[str, str]:
    return {step: code_hash(step) for step in STEPS}


def shard_keys() -> dict[str, str]:
    backbones = {name: feature_shards.made_by(name) for name in ("mobilenet_v2", "thumbnail", "pixels_64")}
    return {"facts": facts.made_by(), "frames": frame_shards.made_by(), **backbones}


def forget_hashes() -> None:
    code_hash.cache_clear()
    content_code.cache_clear()


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Takes the project's sources from another folder."""

    def take(root: Path) -> None:
        monkeypatch.setattr(code, "ROOT", root)
        code._sources.cache_clear()
        forget_hashes()

    yield take
    take(ROOT)


@pytest.fixture
def changed_keys(checkout: Path, sources: Callable[[Path], None]):
    """Which of some keys change with each of these files."""
    sources(checkout)

    def ask(keys: Callable[[], dict[str, str]], files: Iterable[str]) -> dict[str, str]:
        before, found = keys(), {}
        for file in files:
            content = (checkout / file).read_text()
            (checkout / file).write_text(f"{content}\n")
            forget_hashes()
            found[file] = " ".join(name for name, key in keys().items() if before[name] != key)
            (checkout / file).write_text(content)
        return found

    return ask


def test_the_steps_that_import_a_file_run_again_and_no_others(changed_keys):
    assert changed_keys(step_keys, STEPS_BY_FILE) == STEPS_BY_FILE


def test_shared_shards_depend_on_the_code_that_makes_their_bytes(changed_keys):
    assert changed_keys(shard_keys, SHARDS_BY_FILE) == SHARDS_BY_FILE


def test_the_table_has_a_file_of_every_room():
    rooms = {path.parent for top in ("components", "reelflow") for path in Path(top).rglob("*.py")}
    assert rooms <= {Path(file).parent for file in STEPS_BY_FILE}


def test_the_run_as_a_whole_depends_on_what_any_step_imports(changed_keys):
    def whole() -> dict[str, str]:
        return {"run": code_hash(*STEPS)}

    expected = {
        "reelflow/nets/heads/gru.py": "run",
        "reelflow/durable/replace.py": "",
        "reelflow/edge/drawing.py": "",
        "pipelines/training.py": "",
    }
    assert changed_keys(whole, expected) == expected


@pytest.mark.parametrize("step", STEPS)
def test_an_image_of_one_step_finds_the_hash_of_the_checkout(
    step: str, tmp_path: Path, sources: Callable[[Path], None]
):
    expected = code_hash(step)
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("reelflow", f"components/{step}"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for file in (ROOT / "components").glob("*.py"):
        shutil.copy(file, tmp_path / "components")
    sources(tmp_path)
    assert code_hash(step) == expected


def test_nothing_that_a_step_imports_is_missed():
    graph = grimp.build_graph("reelflow", "components", exclude_type_checking_imports=True, cache_dir=None)
    for step in STEPS:
        module = f"components.{step}.step"
        files = {file.relative_to(ROOT).with_suffix("") for file in imported_files(module)}
        found = {".".join(file.parts).removesuffix(".__init__") for file in files}
        assert found >= {module, *graph.find_upstream_modules(module)}
    assert {f"components.{step}.step" for step in STEPS} == graph.find_matching_modules("components.*.step")


def test_registries_name_what_they_load():
    names = {
        step: {file.relative_to(ROOT) for file in imported_files(f"components.{step}.step")} for step in STEPS
    }
    for registry, step in ((BACKBONES, "features"), (BACKBONES, "conversion"), (HEADS, "training")):
        assert {Path(*module.split(".")).with_suffix(".py") for module in registry.values()} <= names[step]


def write(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / "reelflow" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.py").write_text(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("import reelflow.room.one", {"one"}),
        ("import reelflow.room.one as first, os", {"one"}),
        ("from reelflow.room import one, two", {"one", "two"}),
        ("from reelflow.room.one import NAME", {"one"}),
        ("def late():\n    from reelflow.room.one import NAME", {"one"}),
        ("try:\n    import reelflow.room.one\nexcept ImportError:\n    pass", {"one"}),
        ("NAMES = {'first': 'reelflow.room.one'}", {"one"}),
        ("TEXT = 'see reelflow.room.one'", set()),
        ("from reelflow.room.deep import NAME", {"deep", "one"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import reelflow.room.one", set()),
        ("import json.decoder, reelflow.absent", set()),
    ],
)
def test_every_way_to_import_counts(
    tmp_path: Path, sources: Callable[[Path], None], content: str, expected: set[str]
):
    write(tmp_path, room__one="NAME = 1", room__two="", room__deep="from reelflow.room import one\nNAME = 2")
    write(tmp_path, start=content)
    sources(tmp_path)
    assert {file.stem for file in imported_files("reelflow.start")} == {"start", *expected}
