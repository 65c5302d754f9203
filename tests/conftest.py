"""Fixtures that every test may use."""

import gc
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import hypothesis
import pytest

from reelflow.contracts import Sampling
from reelflow.files import locked
from tests.bundles import FRAMES, WINDOW_S, write_small_bundle
from tests.engine import engine_answers
from tests.radosgw import radosgw
from tests.s3_server import BUCKET, credentials, rclone_s3
from tests.sharing import made_once, shared_by_workers
from tests.workplace import ROOT, Workplace

hypothesis.settings.register_profile(
    "steady",
    deadline=None,  # machines are shared
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")

USUAL_LIMIT_S = 300.0  # of a test, in pyproject.toml


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Looking for garbage among the tests is half of the time that reading them takes, and finds none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups that one worker runs come first, then what may take long: no worker is left alone at the end.

    One test makes the small run at once, and the others that read it come last: none waits for it.
    """
    first_reader = next((item for item in items if _reads_small_run(item)), None)
    items.sort(key=lambda item: _place(item, first=item is first_reader))


def _place(item: pytest.Item, *, first: bool) -> tuple[bool, bool, float]:
    """Where a test comes, by comparison; one that may take long has a limit above the usual one."""
    limit = item.get_closest_marker("timeout")
    limit_s = max(USUAL_LIMIT_S, limit.args[0]) if limit else USUAL_LIMIT_S
    grouped = item.get_closest_marker("xdist_group") is not None
    return (_reads_small_run(item) and not first, not (grouped or first), -limit_s)


def _reads_small_run(item: pytest.Item) -> bool:
    """Whether a test that any worker may run needs the finished run."""
    return "small_run" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("xdist_group")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real clips and weights beside the checkout; never part of it."""
    folder = Path(os.environ.get("REELFLOW_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set REELFLOW_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def quick_stacks() -> Iterator[None]:
    """KFP asks a thousand times a compilation who has called it; looking for the files of all callers among
    the modules of a test worker takes up to half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", stack_without_files)
        yield


def stack_without_files(context: int = 0) -> list[inspect.FrameInfo]:
    """`inspect.stack`, which looks no file up."""
    found, frame = [], inspect.currentframe()
    while frame := frame and frame.f_back:
        code = frame.f_code
        found.append(inspect.FrameInfo(frame, code.co_filename, frame.f_lineno, code.co_name, None, None))
    return found


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files are where pytest removes them; the path is short, because sockets are made in it."""
    folder = shared_by_workers(tmp_path_factory) / "t"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The empty folder that processes of this test take for temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture(autouse=True)
def store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the shards, the clips or the spool of another one."""
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("REELFLOW_CLIPS", str(tmp_path / "clips-cache"))
    monkeypatch.setenv("REELFLOW_SPOOL", str(tmp_path / "spool"))


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium (apt-get install chromium)")
    return found


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables without a row. Test workers share one: making it takes seconds."""
    from reelflow.tracking.sqlite import migrate

    folder = shared_by_workers(tmp_path_factory)
    with locked(folder / ".database.lock"):
        migrate(folder / "empty.db")
    return folder / "empty.db"


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> str:
    """URI of an empty MLflow database of the test's own."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"


@pytest.fixture(scope="session")
def edge_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle that answers on windows of 1.8 s; copy it before you change it."""
    sampling = Sampling(frames=FRAMES, clip_s=WINDOW_S)
    return made_once(tmp_path_factory, "edge-bundle", partial(write_small_bundle, sampling=sampling))


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Workplace, Path, str]:
    """A finished run: its workplace, its folder, and what it printed. Test workers share one."""
    folder = shared_by_workers(tmp_path_factory) / "small-run"
    (folder / "t").mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"), pytest.MonkeyPatch.context() as patch:
        printed, place = folder / "printed.txt", Workplace(folder)
        if not printed.exists():
            patch.setenv("TMPDIR", str(folder / "t"))
            shutil.copy(empty_database, folder / "mlflow.db")
            done = place.run(folder / "out")
            assert done.returncode == 0, done.stdout
            printed.write_text(done.stdout)
    return place, folder / "out", printed.read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project's own files, under git, as a user has it."""
    target = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)
    return target


@pytest.fixture(scope="session")
def s3_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Gives the endpoint of a server by its name; it is started when first asked for, with one bucket."""
    with ExitStack() as running:

        @cache
        def start(name: str) -> str:
            folder = tmp_path_factory.mktemp(name) / "data"
            server = {"rclone": rclone_s3, "radosgw": radosgw}[name]
            return running.enter_context(server(folder, BUCKET))

        yield start


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)


@pytest.fixture(scope="session")
def images() -> Mapping[str, str]:
    """References in the engine by name. `make test-docker` has built them of this very checkout."""
    if not engine_answers():
        pytest.skip("no Docker engine answers (make test-docker starts one)")
    from pipelines.images import read_images  # imports kfp

    command = [sys.executable, "-m", "infra.images.build", "all"]
    subprocess.run(command, cwd=ROOT, check=True)  # builds only what is missing
    return read_images()
