"""The component that signs a channel's timestamp again keeps to every policy; its command exists."""

from pathlib import Path

import kubernetes_validate
import pytest
from typer.main import get_command

import reelflow
from pipelines.channel.commands import commands
from tests.infra.kubernetes.manifests import OVERLAYS, Object, one, pods, with_component
from tests.infra.kubernetes.policies import EVERYWHERE, Policy, missing_references
from tests.infra.kubernetes.test_overlays import VERSIONS
from tests.slowly import slow_but
from tests.workplace import ROOT


@pytest.fixture(scope="module", params=OVERLAYS)
def refreshed(request: pytest.FixtureRequest, copied: Path) -> list[Object]:
    """The objects of an overlay with the component."""
    return with_component(copied / "overlays" / request.param, "channel-refresh")


@pytest.mark.parametrize("policy", EVERYWHERE, ids=lambda policy: policy.__name__)
def test_objects_keep_to(policy: Policy, refreshed: list[Object]) -> None:
    assert list(policy(refreshed)) == []


@pytest.mark.parametrize("version", slow_but(VERSIONS, VERSIONS[-1]))
def test_objects_are_valid(version: str, refreshed: list[Object]) -> None:
    for item in refreshed:
        kubernetes_validate.validate(item, version, strict=True)


def test_the_command_exists_and_takes_these_options(refreshed: list[Object]) -> None:
    (pod,) = pods([one(refreshed, "CronJob/channel-refresh")])
    (container,) = pod.spec["containers"]
    assert container["command"] == ["python", "-m", "pipelines.channel", "refresh"]
    channel = get_command(commands)
    context = channel.commands["refresh"].make_context("refresh", ["--channel=x", *container["args"]])
    assert context.params["root"] == Path("/keys/channel-root.json")
    assert [key.partition("=")[0] for key in context.params["key"]] == ["timestamp", "snapshot"]
    assert container["image"].endswith(f":{reelflow.__version__}")


def test_neither_overlay_has_it_by_default(overlays: dict[str, list[Object]]) -> None:
    assert not [item for objects in overlays.values() for item in objects if item["kind"] == "CronJob"]


def test_the_docs_name_the_secret_and_its_keys(refreshed: list[Object]) -> None:
    assert "Secret/reelflow-channel" in missing_references(refreshed)
    text = (ROOT / "docs" / "channel.md").read_text(encoding="utf-8")
    for key in ("timestamp.pem", "snapshot.pem", "channel-root.json", "access-key-id", "secret-access-key"):
        assert f"--from-file={key}" in text
