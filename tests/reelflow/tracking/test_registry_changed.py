"""A registry that people change by hand: files removed, ids overwritten; and names that MLflow dislikes."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipelines.overrides import model_name_of
from reelflow.errors import BundleError, ParamsError
from reelflow.params import LONGEST_MODEL
from reelflow.settings import Settings, sqlite_uri
from reelflow.tracking.client import connect
from reelflow.tracking.promotion.moves import Grounds, Promotions
from reelflow.tracking.registry import MlflowRegistry
from tests.fake_reports import PARAMS, bundle_report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def settings(empty_database: Path, tmp_path: Path) -> Settings:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return Settings(tracking_uri=sqlite_uri(tmp_path / "mlflow.db"), run_name="r")


def register(settings: Settings, folder: Path, model: str) -> MlflowRegistry:
    """A registry with one version of a model, which is champion."""
    bundle_report().save(folder)
    registry = MlflowRegistry(settings)
    assert registry.register(folder, model_name=model, tags={}) == 1
    promotions = Promotions(registry, model, "test")
    promotions.move(1, "promote", Grounds(), promotions.settled())
    return registry


@pytest.mark.parametrize("model", ["UCF.101", "clips.v2", "m" * LONGEST_MODEL])
def test_a_name_with_dots_can_be_registered_and_promoted(
    model: str, settings: Settings, tmp_path: Path
) -> None:
    """MLflow refuses a logged model's name with a dot: such a run failed at its end, and each replay."""
    (tmp_path / "bundle").mkdir()
    registry = register(settings, tmp_path / "bundle", model)
    assert registry.alias(model, "champion") == 1
    assert registry.register(tmp_path / "bundle", model_name=model, tags={}) == 1
    assert registry.bundle(model, 1, tmp_path / "got").is_dir()


@pytest.mark.parametrize("model", [".", "..", ".hidden", "m" * (LONGEST_MODEL + 1)])
def test_a_name_that_mlflow_refuses_is_told_before_the_work(model: str) -> None:
    with pytest.raises(ParamsError, match=r"release\.model_name"):
        PARAMS.with_values(release={"model_name": model})


@pytest.mark.parametrize("folder", ["." * 3, ".", "a" * 255, "日" * 80, "UCF.101"])
def test_each_folder_of_clips_gives_a_name(folder: str) -> None:
    PARAMS.with_values(release={"model_name": model_name_of(folder)})
    assert model_name_of("a" * 255) != model_name_of("a" * 254)


def test_a_version_whose_files_are_gone_is_a_damaged_one(settings: Settings, tmp_path: Path) -> None:
    """The comparison with such a champion ended each run with 7: a damaged one is told, and stays."""
    (tmp_path / "bundle").mkdir()
    registry = register(settings, tmp_path / "bundle", "m")
    client = connect(settings)[0]
    shutil.rmtree(urlsplit(client.get_model_version_download_uri("m", "1")).path)
    with pytest.raises(BundleError, match="version 1 of m has no artifacts any more"):
        registry.bundle("m", 1, tmp_path / "got")


def test_a_journal_whose_id_was_overwritten_is_a_lost_one(settings: Settings, tmp_path: Path) -> None:
    """MLflow's page lets anybody edit tags of a model; each run ended with 7."""
    (tmp_path / "bundle").mkdir()
    registry = register(settings, tmp_path / "bundle", "m")
    connect(settings)[0].set_registered_model_tag("m", "reelflow.journal", "it's mine")
    assert "is gone for good" in registry.journals.read("m").trouble
