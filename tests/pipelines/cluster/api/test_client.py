"""Requests that fail: what is asked again, what is not, and what the user is told."""

import datetime as dt
import ipaddress
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from pipelines.cluster.api.client import RETRY, KubeflowClient, pages
from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.submit import ensure_experiment, find_experiment
from reelflow.errors import ClusterError
from reelflow.settings import Settings
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import config_for, quick_client
from tests.fake_kfp.shell import shell

SECRET = "s3cret-token"


@pytest.fixture
def fake():
    with FakeKfp() as server:
        yield server


@pytest.fixture
def client(fake, tmp_path):
    return quick_client(config_for(tmp_path, fake))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (400, "correct what it names"),
        (401, "REELFLOW_KFP_TOKEN"),
        (403, "ask for rights"),
        (404, "check the id"),
        (409, "choose another name"),
        (500, "the log of the deployment ml-pipeline"),
        (503, "the log of the deployment ml-pipeline"),
        (429, "wait a little"),
        (302, "login page"),
        ("reset", "the connection broke off"),
        ("truncated", "the connection broke off"),
        ("html", "did not answer as the Kubeflow Pipelines API does (text/html)"),
        ("garbage", "did not answer as the Kubeflow Pipelines API does"),
    ],
)
def test_every_failure_says_what_to_do_next(fake, client, kind, told):
    fake.fail(kind, times=99)
    with pytest.raises(ApiError) as failed:
        find_experiment(client, "trials")
    assert told in str(failed.value)
    assert "look for the experiment trials" in str(failed.value)


@pytest.mark.parametrize("kind", [429, 502, 503, 504, "reset", "lost", "truncated"])
def test_reads_are_repeated_after_a_failure_that_can_pass(fake, client, kind):
    ensure_experiment(client, "trials")
    fake.requests.clear()
    fake.fail(kind, times=2)
    assert find_experiment(client, "trials")
    assert len(fake.requests) == 3


@pytest.mark.parametrize("kind", [400, 401, 403, 500, "html", "garbage"])
def test_reads_are_not_repeated_after_another_failure(fake, client, kind):
    fake.fail(kind)
    with pytest.raises(ApiError):
        find_experiment(client, "trials")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["reset", "lost", "truncated", 503, 409])
def test_nothing_is_made_twice_when_an_answer_is_lost(fake, client, kind):
    fake.fail(kind, method="POST")
    made = ensure_experiment(client, "trials")
    assert [made] == list(fake.store.experiments)


def test_a_request_has_a_time_limit(fake, tmp_path):
    config = config_for(tmp_path, fake, timeout_s=1).kfp
    fake.fail("slow", times=9)
    with pytest.raises(ApiError, match=r"no answer in time\n\traise kfp\.timeout_s"):
        find_experiment(KubeflowClient(config, Settings(), RETRY.new(total=0)), "trials")


def test_a_list_of_many_pages_is_read_to_its_end(fake, client, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.api.client.PAGE_SIZE", 2)
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        client.experiments.experiment_service_create_experiment(experiment={"display_name": name})
    fake.requests.clear()
    assert [e.display_name for e in pages("list", client.list_experiments, "experiments")] == names
    assert len(fake.requests) == 3


@pytest.mark.parametrize("name", ["50% off", "a+b", 'say "a"'])
def test_a_name_with_special_letters_is_found(client, name):
    assert ensure_experiment(client, name) == ensure_experiment(client, name)


def test_a_new_token_in_the_file_is_used_at_once(fake, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    fake.allow("first", requests=1)
    client = quick_client(config_for(tmp_path, fake), kfp_token_file=file)
    find_experiment(client, "trials")
    fake.allow("second")
    file.write_text("second\n")
    assert ensure_experiment(client, "trials")
    file.unlink()
    with pytest.raises(ClusterError, match="No such file"):
        find_experiment(client, "trials")


def test_an_expired_token_is_not_quoted(fake, tmp_path):
    file = tmp_path / "token"
    file.write_text(SECRET)
    fake.allow("another")
    client = quick_client(config_for(tmp_path, fake), kfp_token_file=file)
    with pytest.raises(ApiError, match=r"answered 401: .*\*\*\*") as failed:
        find_experiment(client, "trials")
    assert (len(fake.requests), SECRET in str(failed.value)) == (1, False)


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", "ümlaut".encode(), b"\xff"])
def test_a_file_without_a_token_is_refused_and_not_quoted(fake, tmp_path, content):
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ClusterError) as failed:
        quick_client(config_for(tmp_path, fake), kfp_token_file=file)
    expected = "has no valid token: expected one word without spaces or line breaks"
    assert str(failed.value) == f"REELFLOW_KFP_TOKEN_FILE: {file} {expected}"


def test_a_token_file_that_is_missing_is_named(fake, tmp_path):
    with pytest.raises(ClusterError, match="No such file"):
        quick_client(config_for(tmp_path, fake), kfp_token_file=tmp_path / "none")


def test_the_namespace_must_fit_the_installation(tmp_path):
    with FakeKfp("team") as fake:
        with pytest.raises(ClusterError, match="is a multi-user installation"):
            quick_client(config_for(tmp_path, fake, namespace="")).check()
        client = quick_client(config_for(tmp_path, fake))
        client.check()
        assert ensure_experiment(client, "trials") == find_experiment(client, "trials")
        with pytest.raises(ApiError, match=r"403.*Namespace:other\)\n\task for rights"):
            find_experiment(quick_client(config_for(tmp_path, fake, namespace="other")), "trials")
    with FakeKfp() as fake, pytest.raises(ClusterError, match="single-user installation"):
        quick_client(config_for(tmp_path, fake, namespace="team")).check()


@pytest.mark.parametrize("namespace", ["", "team"])
def test_a_ui_whose_api_is_away_is_not_taken_for_an_installation(fake, tmp_path, monkeypatch, namespace):
    # frontend/server/handlers/healthz.ts of KFP 2.17 answers in place of the API; 01 always has multi_user
    health = ("GET /healthz", lambda *asked: {"apiServerReady": False})
    monkeypatch.setattr("tests.fake_kfp.store.ROUTES", [health])
    with pytest.raises(ClusterError, match="KFP's UI answers, but its API server does not"):
        quick_client(config_for(tmp_path, fake, namespace=namespace)).check()


def test_a_private_authority_is_trusted_when_named(tmp_path):
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(self_signed())
    with FakeKfp(certificate=certificate) as fake:
        quick_client(config_for(tmp_path, fake, certificate_authority=str(certificate))).check()
        with pytest.raises(ApiError, match=r"no trusted TLS connection.*self-signed"):
            quick_client(config_for(tmp_path, fake)).check()
        with pytest.raises(ClusterError, match="is not a file"):
            quick_client(config_for(tmp_path, fake, certificate_authority=str(tmp_path / "none.pem")))


def self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("http://127.0.0.1:1", "Connection refused"),
        ("http://[bad", "is not an address"),
        ("http://name.invalid", "check kfp.host"),
    ],
)
def test_a_host_that_is_not_there_ends_a_command_with_one_message(
    fake, tmp_path, monkeypatch, capsys, caplog, host, told
):
    run = shell(monkeypatch, capsys)
    config_for(tmp_path, fake)
    monkeypatch.setenv("REELFLOW_KFP_HOST", host)
    done = run("runs", "--cluster", tmp_path / "cluster.yaml")
    assert done.code == ClusterError.exit_code
    assert told in done.err
    assert "Traceback" not in done.err
    assert caplog.text == ""


def test_the_token_of_the_environment_is_sent_and_never_printed(fake, tmp_path, monkeypatch, capsys):
    run = shell(monkeypatch, capsys)
    config_for(tmp_path, fake)
    monkeypatch.setenv("REELFLOW_KFP_TOKEN", SECRET)
    fake.allow(SECRET, requests=2)
    assert run("runs", "--cluster", tmp_path / "cluster.yaml").code == 0
    done = run("runs", "--cluster", tmp_path / "cluster.yaml")
    assert (done.code, SECRET in done.out + done.err) == (9, False)
    client = quick_client(config_for(tmp_path, fake), kfp_token=SecretStr(SECRET), kfp_token_file=tmp_path)
    assert client.runs.api_client.configuration.api_key["authorization"] == SECRET


def test_the_commands_load_kfp_only_when_they_use_it():
    code = "import sys, pipelines.__main__; print({'kfp', 'kfp_server_api'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
