"""Starts the workers of a team as processes of this machine, and sees them through."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from components.training.job import TrainingJob
from components.training.workers import worker
from components.training.workers.events import EventReader
from reelflow.errors import ParamsError, StepError
from reelflow.files import write_text
from reelflow.progress import emit
from reelflow.workers.cpus import POOLS, granted_cpus

HOST = "127.0.0.1"
POLL_S = 0.1
MODULE = worker.__spec__.name if worker.__spec__ else worker.__name__


def train_here(job: TrainingJob, workers: int) -> None:
    """Train by so many processes of this machine, which share its CPUs; the chief writes the output.

    Args:
        job: what to train.
        workers: number of processes.

    Raises:
        ParamsError: there are GPUs, but fewer than workers.
        StepError: a worker was killed, or failed without a reason of ours; the others are ended.
        ReelflowError: what a worker raised.
    """
    cpus, gpus = max(1, granted_cpus() // workers), _gpus()
    if 0 < gpus < workers:
        raise ParamsError(
            f"training.workers is {workers}, and this machine has {gpus} GPUs: set it to {gpus} at most"
        )
    emit("notice", message=f"{workers} workers with {cpus} CPU{'s' * (cpus > 1)} each train together")
    folder = job.work / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "job.json", job.to_json())
    readers = [EventReader(folder / f"events-{rank}.jsonl") for rank in range(workers)]
    with _free_ports(workers) as ports:
        variables = [_variables(ports, rank, cpus, gpus) for rank in range(workers)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(_process(folder / "job.json", reader.path, workers, environment))
            for reader, environment in zip(readers, variables, strict=True)
        ]
        _wait(started, readers)


def _wait(processes: Sequence["Popen[bytes]"], readers: Sequence[EventReader]) -> None:
    """Pass on what the chief tells, until all have ended well, or one has not."""
    while True:
        codes = [process.poll() for process in processes]
        for reader in readers:
            reader.read(passes_on=reader is readers[0])
        if any(codes):
            _raise(codes, readers)
        if None not in codes:
            return
        time.sleep(POLL_S)


def _raise(codes: Sequence[int | None], readers: Sequence[EventReader]) -> None:
    """The reason of ours, if a worker told one; else how the first ended.

    A worker whose neighbour was killed may fail by that before it is looked at: a signal comes first.
    """
    for reader in readers:
        if reader.error:
            raise reader.error
    rank, code = min((code, rank) for rank, code in enumerate(codes) if code)[::-1]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    raise StepError(
        f"worker {rank} of {len(codes)} {how}, and the others are ended: look at its messages and at the "
        "memory, and run the same command again; it resumes from the newest checkpoint"
    )


@contextmanager
def _process(job: Path, events: Path, neighbours: int, variables: dict[str, str]) -> Iterator["Popen[bytes]"]:
    """A worker, which is killed at the end of the block, if it has not ended."""
    command = [sys.executable, "-m", MODULE, str(job), str(events), str(neighbours)]
    with Popen(command, stdin=PIPE, env={**os.environ, **variables}) as process:
        try:
            yield process
        finally:
            process.kill()


def _variables(ports: Sequence[int], rank: int, cpus: int, gpus: int) -> dict[str, str]:
    """What tells a worker who it is, and what it may use."""
    cluster = {"worker": [f"{HOST}:{port}" for port in ports]}
    config = {"cluster": cluster, "task": {"type": "worker", "index": rank}}
    pools = {name: str(min(cpus, int(os.environ.get(name, cpus)))) for name in POOLS}
    devices = {"CUDA_VISIBLE_DEVICES": _devices(gpus)[rank]} if gpus else {}
    return {"TF_CONFIG": json.dumps(config), "LOKY_MAX_CPU_COUNT": str(cpus), **pools, **devices}


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Ports of this machine that nothing listens at; held until the end of the block."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        yield [one.getsockname()[1] for one in sockets]


def _gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _devices(gpus: int) -> list[str]:
    """How CUDA calls the devices that this process sees."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return chosen.split(",") if chosen else [str(number) for number in range(gpus)]
