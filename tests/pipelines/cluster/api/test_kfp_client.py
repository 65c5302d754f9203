"""What `kfp.Client` lacks: the reason for each piece of our own.

See docs/adr/0008-kubeflow-api-by-kfp-client.md. When an upgrade of kfp mends one, its test fails.
"""

import inspect
import json

import kfp
import kfp_server_api
import pytest

from pipelines.cluster.submit import ensure_experiment
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import config_for, quick_client


@pytest.fixture
def fake():
    with FakeKfp() as server:
        yield server


@pytest.fixture(autouse=True)
def context(tmp_path, monkeypatch):
    """The file that kfp keeps in the user's home."""
    path = tmp_path / "home" / "context.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"namespace": "", "client_authentication_cookie": "of-another-host"}))
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(path))
    return path


def stock_client(fake):
    with pytest.warns(FutureWarning, match="only works with"):
        return kfp.Client(host=fake.host)


def test_it_asks_for_the_health_while_it_is_made_and_sends_a_cookie_of_the_home(fake):
    stock_client(fake)
    assert [(r.path, r.headers["cookie"]) for r in fake.requests] == [("/healthz", "of-another-host")]


def test_a_refusal_stops_it_for_half_a_minute(fake, monkeypatch, caplog):
    pauses_s = []
    monkeypatch.setattr("time.sleep", pauses_s.append)
    fake.fail(401, times=9)
    with pytest.raises(TimeoutError):
        stock_client(fake)
    assert (sum(pauses_s), caplog.text.count("Traceback")) == (25, 5)


def test_ours_asks_nothing_while_it_is_made_and_leaves_the_home_alone(fake, tmp_path, context):
    before = context.read_bytes()
    client = quick_client(config_for(tmp_path, fake))
    assert fake.requests == []
    ensure_experiment(client, "trials")
    assert all("cookie" not in request.headers for request in fake.requests)
    assert ([*context.parent.iterdir()], context.read_bytes()) == ([context], before)


def test_it_has_no_time_limits_and_no_retries(fake):
    methods = (kfp.Client, kfp.Client.list_runs, kfp.Client.get_run, kfp.Client.run_pipeline)
    names = {name for one in methods for name in inspect.signature(one).parameters}
    assert not [name for name in names if "timeout" in name or "retr" in name]


def test_it_takes_a_login_page_for_an_empty_list(fake):
    client = stock_client(fake)
    fake.fail("html")
    assert client.list_experiments().experiments is None


def test_it_prints_links(fake, capsys):
    stock_client(fake).create_experiment("trials")
    assert capsys.readouterr().out.startswith("Experiment details: http")


def test_it_gives_runs_no_description():
    assert "description" not in inspect.signature(kfp.Client.run_pipeline).parameters


def test_it_finds_pipelines_in_no_namespace():
    assert "namespace" not in inspect.signature(kfp.Client.get_pipeline_id).parameters


def test_its_token_file_may_hold_anything(tmp_path):
    file = tmp_path / "token"
    file.write_text("two words")
    configuration = kfp_server_api.Configuration()
    kfp.client.ServiceAccountTokenVolumeCredentials(str(file)).refresh_api_key_hook(configuration)
    assert configuration.api_key["authorization"] == "two words"


def test_it_refuses_a_recurring_run_without_a_version(fake):
    client = stock_client(fake)
    with pytest.raises(ValueError, match="both `pipeline_id` and `version_id` are required"):
        client.create_recurring_run("id", "weekly", cron_expression="0 0 3 * * 1", pipeline_id="id")
