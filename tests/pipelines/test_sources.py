"""Every kind of `dataset.source`: what is fetched, what is kept, what is recorded, and what fails how."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import boto3
import pytest
from dulwich.repo import Repo as GitRepository
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain
from mlflow import MlflowClient

from components.dataset.step import run as run_dataset
from components.frames.step import run as run_frames
from pipelines.local.defaults import Counts, count_clips
from reelflow.contracts import DatasetReport
from reelflow.errors import DataError, ParamsError, ReelflowError, StorageError
from reelflow.params import load_params
from reelflow.progress import watched_by
from reelflow.settings import Settings
from reelflow.sources import dvc as sources_dvc
from reelflow.sources.address import GitPath, LocalPath, S3Prefix, parse_source
from reelflow.sources.cache import Entry, checked_entries
from reelflow.sources.fetch import content_version, data_version, fetched
from reelflow.steps import perform
from reelflow.tracking.lifecycle import begin
from reelflow.tracking.records import finish_run, record_folder
from tests.environment import in_environment
from tests.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_s3
from tests.slowly import slow
from tests.team_repository import CLIPS, git, make_team, publish
from tests.videos import write_video

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::sqlalchemy.exc.SADeprecationWarning"
)
ONE = {"a/1.mp4": b"one", "a/2 ä.mp4": b"two", "groups.csv": b"path,label,group\n"}

frames_step = in_environment(run_frames)


@pytest.fixture(autouse=True)
def clips_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_CLIPS", str(tmp_path / "fetched"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))


class Bucket:
    """A prefix of a bucket on a real server."""

    def __init__(self, endpoint: str, prefix: str) -> None:
        self._client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        self._prefix = prefix
        self.source = f"s3://{BUCKET}/{prefix}"

    def put_all(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            self._client.put_object(Bucket=BUCKET, Key=f"{self._prefix}/{name}", Body=content)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rclone_s3(tmp_path_factory.mktemp("s3") / "data", BUCKET) as endpoint:
        yield endpoint


@pytest.fixture
def bucket(server, monkeypatch, tmp_path) -> Bucket:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("REELFLOW_S3_ENDPOINT", server)
    return Bucket(server, f"team/{tmp_path.name}")


@pytest.fixture
def team(tmp_path: Path) -> Path:
    return make_team(tmp_path / "team", "../../remote")


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def fetched_counts(tmp_path: Path, source: str) -> tuple[dict[str, bytes], int]:
    """What a source holds, and how many files were brought for it."""
    events: list[dict] = []
    with watched_by(events.append), fetched(source, Settings()) as given:
        found = content(given["source"])
    totals = [event["total"] for event in events if event.get("unit") == "files fetched"]
    return found, totals[0] if totals else 0


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("clips", LocalPath(Path("clips"))),
        ("s3://bucket/a/b/", S3Prefix("bucket", "a/b")),
        ("s3://bucket", S3Prefix("bucket", "")),
        (
            "git+https://host/team/clips.git@v3#data/clips",
            GitPath("https://host/team/clips.git", "v3", "data/clips"),
        ),
        (
            "git+ssh://git@host/team/clips.git@feature/x#data",
            GitPath("ssh://git@host/team/clips.git", "feature/x", "data"),
        ),
        ("git+https://host/clips.git#data", GitPath("https://host/clips.git", "", "data")),
        ("git+file:///srv/my%20clips@v1#data", GitPath("/srv/my clips", "v1", "data")),
    ],
)
def test_a_source_is_one_string(source, address):
    assert parse_source(source) == address


@pytest.mark.parametrize(
    "source",
    [
        *("gs://bucket/x", "s3://", "s3:///x", "https://host/clips", "git+ftp://host/x#y"),
        *("git+https://host/clips.git@v1", "git+https://host#x", "git+https://host/x.git#../y"),
        *("git+https://[::1/x.git#y", "s3://buc\nket/x", "s3://buck et/x", f"s3://{'b' * 256}/x"),
    ],
)
def test_an_address_of_no_known_kind_is_refused(source):
    with pytest.raises(ParamsError, match=r"expected (a path, )?git\+https://"):
        parse_source(source)


@pytest.mark.parametrize(
    "source",
    [
        *("git+https://me:s3cret@host/x.git#y", "git+https://s3cret@host/x.git#y"),
        *("git+ssh://git:s3cret@host/x.git#y", "s3://s3cret@bucket/x", "s3://me:s3cret@bucket/x"),
    ],
)
def test_an_address_with_a_secret_is_refused_everywhere_and_not_repeated(source):
    with pytest.raises(ParamsError, match="must not have a password") as refused:
        load_params(Path("params.yaml")).with_values(dataset={"source": source})
    assert "s3cret" not in str(refused.value)


def test_s3_clips_are_fetched_once_and_then_what_changed(bucket, tmp_path):
    bucket.put_all(ONE)
    bucket.put_all({".hidden": b"x"})
    assert fetched_counts(tmp_path, bucket.source) == (ONE, 3)
    assert fetched_counts(tmp_path, bucket.source) == (ONE, 0)
    bucket.put_all({"a/1.mp4": b"new", "b/3.mp4": b"three"})
    again, _ = fetched_counts(tmp_path, bucket.source)
    assert again == ONE | {"a/1.mp4": b"new", "b/3.mp4": b"three"}
    kept = [path for path in (tmp_path / "fetched" / "files").rglob("*") if path.is_file()]
    assert len(kept) == 5  # three, and two


def test_equal_sizes_and_times_do_not_hide_a_change(bucket):
    bucket.put_all({"a/1.mp4": b"one"})
    before = data_version(bucket.source, Settings())
    assert data_version(bucket.source, Settings()) == before
    bucket.put_all({"a/1.mp4": b"two"})
    assert data_version(bucket.source, Settings()) != before


def test_a_git_host_that_does_not_answer_may_do_so_later_and_a_missing_one_not(tmp_path):
    for address, may_pass in (("http://127.0.0.1:9/clips.git", True), (f"file://{tmp_path}/none", False)):
        with pytest.raises(StorageError, match="cannot be fetched by DVC") as refused:
            data_version(f"git+{address}#{CLIPS}", Settings())
        assert refused.value.may_pass is may_pass


def test_git_clips_are_those_of_the_revision(team, tmp_path):
    first = publish(team, ONE, "v1")
    second = publish(team, {"a/1.mp4": b"new"}, "v2")
    source = f"git+file://{team}@v1#{CLIPS}"
    with fetched(source, Settings()) as given:
        assert content(given["source"]) == ONE
        note = json.loads(given["note"].read_text())
    assert (note["source"], note["revision"]) == (source, first)
    assert note["version"] == data_version(f"git+file://{team}@{first}#{CLIPS}", Settings())
    newest, _ = fetched_counts(tmp_path, f"git+file://{team}#{CLIPS}")
    assert newest == ONE | {"a/1.mp4": b"new"}
    assert data_version(f"git+file://{team}@{second[:10]}#{CLIPS}", Settings()) != note["version"]
    assert git(team, "status", "--porcelain") == ""


def test_clips_elsewhere_are_counted_before_any_is_fetched(bucket, team, tmp_path):
    files = ONE | {"groups.csv": b"path,label,group\na/1.mp4,a,g\na/2 \xc3\xa4.mp4,a,g\n", "a/readme.md": b""}
    publish(team, files, "v1")
    bucket.put_all(files)
    for source in (f"git+file://{team}@v1#{CLIPS}", bucket.source):
        assert count_clips(source, Settings()) == Counts(2, 1, 1)
    bucket.put_all({"groups.csv": b"path,label,group\na/1.mp4,a,g\na/2 \xc3\xa4.mp4,a,h\n"})
    assert count_clips(bucket.source, Settings()) == Counts(2, 2, 2)
    trees = tmp_path / "fetched" / "trees"
    assert {path.name for path in trees.rglob("*") if path.is_file() and path.suffix != ".lock"} == {
        "groups.csv"
    }
    assert fetched_counts(tmp_path, bucket.source)[1] == 3


def test_a_recipe_elsewhere_holds_no_clips_to_count(team):
    (team / "recipe.yaml").write_text("seed: 1\n")
    git(team, "add", "recipe.yaml")
    git(team, "commit", "-qm", "a recipe")
    assert count_clips(f"git+file://{team}#recipe.yaml", Settings()) is None


def test_a_bare_repository_and_files_of_git_itself(team, tmp_path):
    publish(team, ONE, "v1")
    (team / "recipe.yaml").write_text("seed: 1\n")
    git(team, "add", "recipe.yaml")
    git(team, "commit", "-qm", "a recipe")
    git(tmp_path, "clone", "-q", "--bare", str(team), "bare.git")
    with fetched(f"git+file://{tmp_path}/bare.git#recipe.yaml", Settings()) as given:
        assert (given["source"].name, given["source"].read_text()) == ("recipe.yaml", "seed: 1\n")


def test_a_tracked_path_is_fetched_when_absent_or_stale(team, tmp_path, monkeypatch):
    publish(team, ONE, "v1")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", str(team), str(work))
    monkeypatch.chdir(work)
    assert fetched_counts(tmp_path, CLIPS) == (ONE, 3)
    version = data_version(CLIPS, Settings())
    assert version == data_version(f"git+file://{team}#{CLIPS}", Settings())
    assert not (work / CLIPS).exists()

    shutil.copytree(team / CLIPS, work / CLIPS)
    with fetched(CLIPS, Settings()) as given:
        assert given["source"] == Path(CLIPS)
        note = json.loads(given["note"].read_text())
    assert note["version"] == version
    assert note["revision"].endswith(".dir")

    (work / CLIPS / "a" / "mine.mp4").write_bytes(b"mine")
    assert fetched_counts(tmp_path, CLIPS) == (ONE, 0)
    assert (work / CLIPS / "a" / "mine.mp4").exists()
    assert data_version(CLIPS, Settings()) == version


@pytest.mark.slow
def test_dvc_s_remote_may_be_in_s3_at_the_endpoint_of_the_environment(bucket, tmp_path):
    endpoint = os.environ["REELFLOW_S3_ENDPOINT"]
    team = make_team(tmp_path / "team", f"{bucket.source}/remote", endpointurl=endpoint)
    publish(team, ONE, "v1")
    config = (team / ".dvc" / "config").read_text()
    (team / ".dvc" / "config").write_text(config.replace(f"endpointurl = {endpoint}\n", ""))
    git(team, "commit", "-qam", "no endpoint")
    shutil.rmtree(team / ".dvc" / "cache")
    assert fetched_counts(tmp_path, f"git+file://{team}#{CLIPS}") == (ONE, 3)


def _no_credentials(monkeypatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", "/nowhere")


def test_what_is_wrong_is_said_in_one_line(bucket, team, tmp_path, monkeypatch):
    publish(team, ONE, "v1")
    bucket.put_all(ONE)

    def said(source: str) -> tuple[type[ReelflowError], str]:
        with pytest.raises(ReelflowError) as raised, fetched(source, Settings()):
            pass
        assert "\n" not in str(raised.value)
        return type(raised.value), str(raised.value)

    expected = [
        (f"{bucket.source}-none", DataError, "holds no clips"),
        ("s3://no-such-bucket/x", StorageError, "no such bucket"),
        (f"git+file://{team}@v9#{CLIPS}", DataError, "unknown Git revision 'v9'"),
        (f"git+file://{team}@--upload-pack=false#{CLIPS}", DataError, "unknown Git revision '--upload-pack"),
        (f"git+file://{team}@v1#data/none", DataError, "there is no data/none"),
        (f"git+file://{tmp_path}/none@v1#x", StorageError, "No git repository was found"),
        ("git+http://127.0.0.1:1/x.git@v1#x", StorageError, "Connection refused"),
    ]
    for source, kind, text in expected:
        found = said(source)
        assert found[0] is kind, found
        assert text in found[1]
    _no_credentials(monkeypatch)
    assert said(bucket.source)[0] is StorageError


def test_clips_that_were_never_pushed_are_named(team, tmp_path):
    publish(team, ONE, "v1")
    git(tmp_path, "clone", "-q", str(team), "work")
    shutil.rmtree(tmp_path / "remote")
    with pytest.raises(ReelflowError) as raised, fetched(f"git+file://{tmp_path}/work#{CLIPS}", Settings()):
        pass
    assert raised.value.exit_code in (3, 6)


def test_a_mute_git_server_is_told(monkeypatch):
    monkeypatch.setattr(sources_dvc, "GIT_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        source = f"git+http://127.0.0.1:{mute.getsockname()[1]}/clips.git@v1#{CLIPS}"
        with (
            pytest.raises(StorageError, match=r"timed out.*run the same command again"),
            fetched(source, Settings()),
        ):
            pass
    assert socket.getdefaulttimeout() is None


def test_links_in_a_repository_do_not_lead_out_of_it(team, tmp_path):
    publish(team, ONE, "v1")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "clip.mp4").write_text("private")
    for name, target in (("file.mp4", tmp_path / "private" / "clip.mp4"), ("folder", "../../private")):
        (team / "links").mkdir(exist_ok=True)
        (team / "links" / name).symlink_to(target)
    git(team, "add", "-A")
    git(team, "commit", "-qm", "links")
    with fetched(f"git+file://{team}#links", Settings()) as given:
        found = content(given["source"])
        assert not any(path.is_symlink() for path in given["source"].rglob("*"))
    assert set(found) == {"file.mp4", "folder"}
    assert b"private" not in found.values()


@pytest.mark.parametrize("relpath", [slow("../../../out.mp4"), "/out.mp4"])
def test_a_folder_that_dvc_tracks_does_not_lead_out(team, tmp_path, relpath):
    publish(team, ONE, "v1")
    (listing,) = (tmp_path / "remote").rglob("*.dir")
    rows = json.loads(listing.read_text())
    altered = json.dumps([{**rows[0], "relpath": relpath}]).encode()
    md5 = hashlib.md5(altered).hexdigest()
    place = listing.parent.parent / md5[:2] / f"{md5[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(altered)
    tracked = team / f"{CLIPS}.dvc"
    tracked.write_text(re.sub(r"md5: \w+\.dir", f"md5: {md5}.dir", tracked.read_text()))
    git(team, "commit", "-qam", "altered")
    shutil.rmtree(team / ".dvc" / "cache")
    with pytest.raises(DataError), fetched(f"git+file://{team}#{CLIPS}", Settings()):
        pass
    assert not list(tmp_path.rglob("out.mp4"))


def test_a_repository_cannot_have_files_of_this_machine_imported(team, tmp_path):
    publish(team, ONE, "v1")
    (tmp_path / "private.mp4").write_text("private")
    imported = f"deps:\n- path: {tmp_path / 'private.mp4'}\nouts:\n- path: clips\n"
    (team / f"{CLIPS}.dvc").write_text(imported)
    git(team, "commit", "-qam", "imported")
    with (
        pytest.raises(DataError, match="imported and never downloaded"),
        fetched(f"git+file://{team}#{CLIPS}", Settings()),
    ):
        pass
    assert not list((tmp_path / "fetched").rglob("*.mp4"))


@pytest.mark.parametrize("name", ["../x.mp4", "/x.mp4", "a/../../x.mp4", "a//x.mp4", "a/\0.mp4"])
def test_a_name_is_no_way_out(name):
    with pytest.raises(DataError, match="not a relative path"):
        checked_entries("s3://bucket/x", {name: Entry(1, "x")})


def test_a_name_is_a_file_or_a_folder():
    with pytest.raises(DataError, match="'up/a' as a file and as a folder"):
        checked_entries("s3://bucket/x", {"up/a": Entry(1, "x"), "up/a/b.mp4": Entry(1, "y")})


@pytest.mark.slow
def test_clips_that_change_between_check_and_step_stop_the_run(bucket):
    bucket.put_all(ONE)
    version = data_version(bucket.source, Settings())
    with fetched(bucket.source, Settings(), version):
        pass
    bucket.put_all({"a/1.mp4": b"two"})
    with (
        pytest.raises(DataError, match="has changed since this run began"),
        fetched(bucket.source, Settings(), version),
    ):
        pass


@pytest.mark.slow
def test_no_run_takes_the_results_of_other_clips_under_the_same_prefix(bucket, videos, tmp_path):
    def settings(run: str) -> Settings:
        return Settings(run_name=run)

    bucket.put_all(videos)
    first, _ = begin(settings("run-1"), bucket.source, "work", always=False)
    report = steps(bucket.source, tmp_path)
    record_folder(settings("run-1"), tmp_path / "dataset")
    (run,) = MlflowClient(Settings().tracking_uri).search_runs(["1"])
    known = {name: run.data.tags.get(f"reelflow.data_{name}") for name in ("source", "revision", "version")}
    assert known == {"source": bucket.source, "revision": "", "version": report.version}
    finish_run(settings("run-1"), "FINISHED")
    assert begin(settings("run-2"), bucket.source, "work", always=False)[0].data == ""
    bucket.put_all({"a/1.mp4": b"two"})
    assert begin(settings("run-3"), bucket.source, "work", always=False)[0].data not in ("", first.data)


FETCH = (
    "import sys; from reelflow.settings import Settings; from reelflow.sources.fetch import fetched\n"
    "with fetched(sys.argv[1], Settings()): print('whole')"
)


@pytest.mark.slow
def test_a_killed_fetch_goes_on_and_two_at_once_are_safe(bucket, tmp_path):
    files = {f"a/{number}.mp4": os.urandom(300_000) for number in range(40)}
    bucket.put_all(files)
    command = [sys.executable, "-c", FETCH, bucket.source]
    killed = subprocess.Popen(command)
    trees = tmp_path / "fetched" / "trees"
    while len(list(trees.rglob("*.mp4"))) < 5:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = {path.name: path.stat().st_mtime_ns for path in trees.rglob("*.mp4")}
    assert len(before) < 40
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["whole\n"] * 2
    (tree,) = (path for path in trees.iterdir() if path.is_dir())
    assert content(tree) == files
    assert {name: (tree / "a" / name).stat().st_mtime_ns for name in before} == before
    assert not list(tree.rglob(".*.tmp"))


def test_no_room_for_the_clips_is_said_before_they_are_fetched(bucket, monkeypatch):
    bucket.put_all(ONE)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=5))
    with pytest.raises(StorageError, match="REELFLOW_CLIPS"), fetched(bucket.source, Settings()):
        pass


@pytest.fixture
def videos(tmp_path: Path) -> dict[str, bytes]:
    """Three groups of two classes."""
    found = {}
    for label in ("jump", "wave"):
        for number in range(3):
            path = write_video(tmp_path / "made" / f"{label}{number}.mp4", 8, seed=len(found))
            found[f"{label}/{label}{number} ä.mp4"] = path.read_bytes()
    return found


def steps(source: str, out: Path) -> DatasetReport:
    params = load_params(Path("params.yaml")).with_values(
        dataset={"source": source, "test": 0.3, "validation": 0.3}, frames={"count": 2, "shards": 2}
    )
    dataset, frames = out / "dataset", out / "frames"
    report = perform(
        run_dataset,
        params.dataset,
        inputs={},
        passing=lambda settings: fetched(source, settings),
        output={"dataset": dataset},
    )
    options = {"inputs": {"dataset": dataset}, "output": {"frames": frames}}
    perform(run_frames, params.frames, options={"part": ""}, **options)
    return report


def test_another_machine_fetches_just_the_clips_of_missing_shards(bucket, videos, tmp_path, monkeypatch):
    bucket.put_all(videos)
    report = steps(bucket.source, tmp_path / "one")
    assert report.source == bucket.source
    assert report.version == data_version(bucket.source, Settings())

    monkeypatch.setenv("REELFLOW_CLIPS", str(tmp_path / "elsewhere"))
    shutil.copytree(tmp_path / "one" / "dataset", tmp_path / "two" / "dataset")
    params = load_params(Path("params.yaml")).with_values(frames={"count": 2, "shards": 2}).frames
    (tmp_path / "two" / "all").mkdir()
    frames_step(params, dataset=tmp_path / "two" / "dataset", frames=tmp_path / "two" / "all")
    assert not (tmp_path / "elsewhere").exists()
    monkeypatch.setenv("REELFLOW_STORE", "none")
    (tmp_path / "two" / "part").mkdir()
    part = frames_step(
        params, dataset=tmp_path / "two" / "dataset", frames=tmp_path / "two" / "part", part="1/2"
    )
    wanted = sum(len(shard.clip_ids) for shard in part.shards)
    assert 0 < wanted < 6
    assert len(list((tmp_path / "elsewhere" / "trees").rglob("*.mp4"))) == wanted

    bucket.put_all({"wave/late.mp4": b"x"})
    with pytest.raises(DataError, match="has changed since the dataset step"):
        frames_step(params, dataset=tmp_path / "two" / "dataset", frames=tmp_path / "other", part="2/2")


@pytest.mark.slow
def test_git_and_s3_give_the_same_data_set(bucket, team, videos, tmp_path):
    commit = publish(team, videos, "v1")
    bucket.put_all(videos)
    by_git = steps(f"git+file://{team}@v1#{CLIPS}", tmp_path / "git")
    by_s3 = steps(bucket.source, tmp_path / "s3")
    assert by_git.data_hash == by_s3.data_hash
    assert (by_git.revision, by_s3.revision) == (commit, "")
    git(team, "tag", "-d", "v1")  # later steps hold on to the commit
    shutil.rmtree(tmp_path / "fetched")
    params = load_params(Path("params.yaml")).with_values(frames={"count": 3, "shards": 2}).frames
    (tmp_path / "more").mkdir()
    assert (
        frames_step(params, dataset=tmp_path / "git" / "dataset", frames=tmp_path / "more").metrics["clips"]
        == 6
    )


def test_dvc_sees_other_clips_but_not_another_place(tmp_path):
    for name in ("one", "two"):
        write_video(tmp_path / name / "a" / "1.mp4", 3, seed=1)
    one = content_version(str(tmp_path / "one"), Settings())
    assert content_version(str(tmp_path / "two"), Settings()) == one
    assert content_version(str(tmp_path / "one"), Settings()) == one
    write_video(tmp_path / "one" / "a" / "1.mp4", 3, seed=2)
    assert content_version(str(tmp_path / "one"), Settings()) != one


def test_a_file_that_fails_while_it_is_read_is_no_part_of_the_version(tmp_path):
    for name in ("one", "two"):
        write_video(tmp_path / name / "a/1.mp4", 3, seed=1)
    (tmp_path / "two/a/failing.mp4").symlink_to("/proc/self/mem")  # an I/O error at its first byte
    one, two = (content_version(str(tmp_path / name), Settings()) for name in ("one", "two"))
    assert one == two


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def private_server(team: Path) -> Iterator[str]:
    """The team's repository by git's smart protocol, for who knows the token."""
    git_over_http = make_wsgi_chain(DictBackend({"/clips.git": GitRepository(str(team))}))
    expected = "Basic " + base64.b64encode(b"bot:t0ken").decode()

    def guarded(environment: dict, start: Callable) -> Iterable[bytes]:
        if environment.get("HTTP_AUTHORIZATION") == expected:
            return git_over_http(environment, start)
        start("401 Unauthorized", [("WWW-Authenticate", "Basic realm=team")])
        return [b""]

    with make_server("127.0.0.1", 0, guarded, handler_class=Quiet) as server:
        Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f"http://127.0.0.1:{server.server_port}/clips.git"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(("token", "code"), [("t0ken", 0), ("wr0ng", 6)])
def test_a_private_repository_asks_the_environment(team, private_server, tmp_path, bucket, token, code):
    (team / ".dvc" / "config").write_text(
        "[core]\nanalytics = false\nremote = store\n['remote \"store\"']\n"
        f"url = {bucket.source}/remote\nendpointurl = {os.environ['REELFLOW_S3_ENDPOINT']}\n"
    )
    publish(team, ONE, "v1")
    (tmp_path / "ask").write_text(f'#!/bin/sh\ncase "$1" in Username*) echo bot;; *) echo {token};; esac\n')
    (tmp_path / "ask").chmod(0o755)
    source = f"git+{private_server}@v1#{CLIPS}"
    command = [sys.executable, "-m", "components.dataset", "--source", source, "--dataset", tmp_path / "out"]
    known = os.environ | {"GIT_ASKPASS": str(tmp_path / "ask")}
    done = subprocess.run(command, env=known, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert token not in done.stderr
    if code:
        assert (done.returncode, done.stderr.count("\n")) == (code, 1)
        assert "No valid credentials" in done.stderr
    else:  # these are no clips, but they are here
        assert "lists no clips" in done.stderr
        (tree,) = (path for path in (tmp_path / "fetched" / "trees").iterdir() if path.is_dir())
        assert content(tree) == ONE
