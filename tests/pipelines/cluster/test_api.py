"""Requests that fail: what is asked again, what is not, and what a person is told."""

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from pipelines.cluster.failures import ApiError
from pipelines.cluster.submit import ensure_experiment, find_experiment
from reelflow.errors import ClusterError
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.place import config_for, quick_api
from tests.fake_kfp.shell import shell

SECRET = "s3cret-token"


@pytest.fixture
def fake():
    with FakeKfp() as server:
        yield server


@pytest.fixture
def api(fake, tmp_path):
    return quick_api(config_for(tmp_path, fake))


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
def test_every_failure_says_what_to_do_next(fake, api, kind, told):
    fake.store.create_experiment({"display_name": "trials"})
    fake.fail(kind, times=99)
    with pytest.raises(ApiError) as failed:
        find_experiment(api, "trials")
    assert told in str(failed.value)
    assert "look for the experiment trials" in str(failed.value)


@pytest.mark.parametrize("kind", [429, 502, 503, 504, "reset", "lost", "truncated"])
def test_reads_are_repeated_where_that_may_help(fake, api, kind):
    fake.store.create_experiment({"display_name": "trials"})
    fake.fail(kind, times=2)
    assert find_experiment(api, "trials")
    assert len(fake.requests) == 3


@pytest.mark.parametrize("kind", [400, 401, 403, 500, "html", "garbage"])
def test_reads_are_not_repeated_where_it_cannot(fake, api, kind):
    fake.store.create_experiment({"display_name": "trials"})
    fake.fail(kind)
    with pytest.raises(ApiError):
        find_experiment(api, "trials")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["reset", "lost", "truncated", 503, 409])
def test_nothing_is_made_twice_when_an_answer_is_lost(fake, api, kind):
    fake.fail(kind, method="POST")
    made = ensure_experiment(api, "trials")
    assert [made] == list(fake.store.experiments)


def test_a_slow_server_is_not_waited_for(fake, tmp_path):
    api = quick_api(config_for(tmp_path, fake, timeout_s=1))
    fake.fail("slow", times=9)
    with pytest.raises(ApiError, match=r"no answer in time\n\traise kfp\.timeout_s"):
        find_experiment(api, "trials")


def test_a_list_of_many_pages_is_read_to_its_end(fake, api):
    for number in range(250):
        fake.store.create_experiment({"display_name": f"trials {number:03}"})
    found = api.pages("list", api.experiments.experiment_service_list_experiments, "experiments")
    assert [e.display_name for e in found] == [f"trials {n:03}" for n in range(250)]
    assert len(fake.requests) == 3


def test_an_expired_token_is_read_again_from_its_file(fake, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    fake.allow("first", requests=1)
    api = quick_api(config_for(tmp_path, fake), kfp_token_file=file)
    find_experiment(api, "trials")
    fake.allow("second")
    file.write_text("second\n")
    assert ensure_experiment(api, "trials")


def test_an_expired_token_without_a_new_one_is_said_once(fake, tmp_path):
    file = tmp_path / "token"
    file.write_text(SECRET)
    fake.allow("another")
    api = quick_api(config_for(tmp_path, fake), kfp_token_file=file)
    with pytest.raises(ApiError) as failed:
        find_experiment(api, "trials")
    assert len(fake.requests) == 1
    assert SECRET not in str(failed.value)
    assert "***" in str(failed.value)


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "ümlaut"])
def test_a_token_that_is_none_is_refused_and_not_quoted(fake, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(ClusterError, match="holds no token") as failed:
        quick_api(config_for(tmp_path, fake), kfp_token_file=file)
    assert not text or text not in str(failed.value).replace(str(tmp_path), "")


def test_a_token_file_that_is_missing_is_named(fake, tmp_path):
    with pytest.raises(ClusterError, match="No such file"):
        quick_api(config_for(tmp_path, fake), kfp_token_file=tmp_path / "none")


def test_the_namespace_must_fit_the_installation(tmp_path):
    with FakeKfp("team") as fake:
        with pytest.raises(ClusterError, match="has many users"):
            quick_api(config_for(tmp_path, fake, namespace="")).check()
        api = quick_api(config_for(tmp_path, fake))
        api.check()
        assert ensure_experiment(api, "trials") == find_experiment(api, "trials")
        with pytest.raises(ApiError, match=r"403.*other\n\task for rights"):
            find_experiment(quick_api(config_for(tmp_path, fake, namespace="other")), "trials")
    with FakeKfp() as fake, pytest.raises(ClusterError, match="single-user installation"):
        quick_api(config_for(tmp_path, fake, namespace="team")).check()


def test_an_authority_of_ones_own_is_trusted_when_named(tmp_path):
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(self_signed())
    with FakeKfp(certificate=certificate) as fake:
        quick_api(config_for(tmp_path, fake, certificate_authority=str(certificate))).check()
        with pytest.raises(ApiError, match=r"no trusted TLS connection.*self-signed"):
            quick_api(config_for(tmp_path, fake)).check()
        with pytest.raises(ClusterError, match="is no file"):
            quick_api(config_for(tmp_path, fake, certificate_authority=str(tmp_path / "none.pem")))


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
        ("http://[bad", "is no address"),
        ("http://name.invalid", "check kfp.host"),
    ],
)
def test_a_host_that_is_not_there_ends_a_command_with_one_message(
    fake, tmp_path, monkeypatch, capsys, host, told
):
    run = shell(monkeypatch, capsys)
    config_for(tmp_path, fake)
    monkeypatch.setenv("REELFLOW_KFP_HOST", host)
    done = run("runs", "--cluster", tmp_path / "cluster.yaml")
    assert done.code == ClusterError.exit_code
    assert told in done.err
    assert "Traceback" not in done.err


def test_the_token_of_the_environment_is_sent_and_never_printed(fake, tmp_path, monkeypatch, capsys):
    run = shell(monkeypatch, capsys)
    config_for(tmp_path, fake)
    monkeypatch.setenv("REELFLOW_KFP_TOKEN", SECRET)
    fake.allow(SECRET, requests=2)
    assert run("runs", "--cluster", tmp_path / "cluster.yaml").code == 0
    done = run("runs", "--cluster", tmp_path / "cluster.yaml")
    assert (done.code, SECRET in done.out + done.err) == (9, False)
    assert quick_api(config_for(tmp_path, fake), kfp_token=SecretStr(SECRET)).host == fake.host
