"""The fake server is proven by somebody else's client: kfp's own."""

import kfp
import kfp_server_api
import pytest
import urllib3

from tests.fake_kfp import FakeKfp
from tests.fake_kfp.checks import Invalid, check_document, read_package
from tests.fake_kfp.place import small_package


@pytest.fixture
def fake():
    with FakeKfp() as server:
        yield server


@pytest.fixture
def client(fake, monkeypatch, tmp_path):
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    with pytest.warns(FutureWarning, match="only works with"):
        return kfp.Client(host=fake.host)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(small_package())
    return str(path)


def pages_of(ask, items, **named):
    """Follow the tokens; returns all items, and how many pages there were."""
    found, token, pages = [], "", 0
    while True:
        page = ask(page_token=token, **named)
        found += getattr(page, items) or []
        token, pages = page.next_page_token, pages + 1
        if not token:
            return found, pages


def test_the_official_client_uploads_and_runs(client, package):
    experiment = client.create_experiment("trials")
    assert client.create_experiment("trials").experiment_id == experiment.experiment_id
    pipeline = client.upload_pipeline(package, "small")
    second = client.upload_pipeline_version(package, "second", pipeline_name="small")
    run = client.run_pipeline(
        experiment.experiment_id,
        "run 1",
        pipeline_id=pipeline.pipeline_id,
        version_id=second.pipeline_version_id,
        service_account="runner",
    )
    inline = client.run_pipeline(experiment.experiment_id, "run 2", package)
    again = client.get_run(run.run_id)
    assert (again.display_name, again.state, again.service_account) == ("run 1", "PENDING", "runner")
    assert {r.run_id for r in client.list_runs(experiment_id=experiment.experiment_id).runs} == {
        run.run_id,
        inline.run_id,
    }
    assert client.get_pipeline_id("small") == pipeline.pipeline_id
    assert (
        client.get_pipeline_version(pipeline.pipeline_id, second.pipeline_version_id).display_name == "second"
    )


def test_the_official_client_schedules(client, package):
    experiment = client.create_experiment("trials")
    made = client.create_recurring_run(
        experiment.experiment_id, "weekly", cron_expression="0 0 3 * * 1", pipeline_package_path=package
    )
    assert made.status == "ENABLED"
    client.disable_recurring_run(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
    client.enable_recurring_run(made.recurring_run_id)
    client.delete_recurring_run(made.recurring_run_id)
    assert client.list_recurring_runs().recurring_runs is None


def test_the_official_client_follows_pages(client, package):
    experiment = client.create_experiment("trials")
    for number in range(7):
        client.create_recurring_run(
            experiment.experiment_id,
            f"job {number}",
            cron_expression="0 0 3 * * 1",
            pipeline_package_path=package,
        )
    named = {"page_size": 3, "sort_by": "display_name desc", "experiment_id": experiment.experiment_id}
    jobs, pages = pages_of(client.list_recurring_runs, "recurring_runs", **named)
    assert ([job.display_name for job in jobs], pages) == ([f"job {n}" for n in range(6, -1, -1)], 3)


def test_names_conflict_as_on_a_real_server(client, package, fake):
    client.upload_pipeline(package, "small")
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.upload_pipeline(package, "small")
    assert refused.value.status == 409
    api = kfp_server_api.ExperimentServiceApi(
        kfp_server_api.ApiClient(kfp_server_api.Configuration(fake.host))
    )
    for status in (200, 409):
        body = kfp_server_api.V2beta1Experiment(display_name="trials")
        try:
            _, found, _ = api.experiment_service_create_experiment_with_http_info(body)
        except kfp_server_api.ApiException as error:
            found = error.status
        assert found == status


@pytest.mark.parametrize("cron", ["0 3 * * 1", "@weekly", "0 0 3 * * 1 2026"])
def test_a_cron_needs_six_fields(client, package, cron):
    experiment = client.create_experiment("trials")
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.create_recurring_run(
            experiment.experiment_id, "weekly", cron_expression=cron, pipeline_package_path=package
        )
    assert refused.value.status == 400


def test_what_the_models_do_not_know_is_refused(fake):
    answer = urllib3.request(
        "POST", f"{fake.host}/apis/v2beta1/experiments", json={"display_name": "a", "colour": "red"}
    )
    assert (answer.status, "colour" in answer.json()["message"]) == (400, True)
    with pytest.raises(Invalid, match="ON"):
        check_document({"mode": "ON"}, "V2beta1RecurringRun")
    with pytest.raises(Invalid, match="no str"):
        check_document({"display_name": 3}, "V2beta1Run")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("comp-say", "comp-sag"),
        ("schemaVersion", "schemeVersion"),
        ("exec-say", "exec-sag"),
        ("root:", "roof:"),
    ],
)
def test_a_damaged_package_is_refused(old, new):
    with pytest.raises(Invalid):
        read_package(small_package().replace(old, new, 1))
