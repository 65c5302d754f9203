"""`reelflow benchmark`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelflow.edge.commands.options import DEFAULT_THREADS, AsJson, BundleFolder, Threads

if TYPE_CHECKING:
    from reelflow.edge.commands.measure import DeviceSpeed


def benchmark(
    bundle: BundleFolder,
    minutes: Annotated[
        float, typer.Option(min=0.01, max=1440, help="Minutes of steady work: does the device throttle?")
    ] = 0.1,
    clip: Annotated[
        Path | None, typer.Option(help="A clip to decode; by default a small one of reelflow's.")
    ] = None,
    as_json: AsJson = False,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Measure a bundle on this device: start, stages, steady rate, temperature, memory."""
    from reelflow.edge.commands.measure import measure

    found = measure(bundle, clip, minutes * 60, threads)
    if as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        for line in _lines(found):
            typer.echo(line)


def _lines(found: "DeviceSpeed") -> list[str]:
    stages = [
        f"  {name:<10}{stage.p50_ms:9.2f} {stage.p95_ms:9.2f} {stage.p99_ms:9.2f}"
        for name, stage in found.stages.items()
    ]
    heat = "not told" if found.temperature_c is None else f"{found.temperature_c:.1f} C"
    throttled = {None: "not told", True: "yes", False: "no"}[found.throttled]
    memory = "not told" if found.peak_mb is None else f"{found.peak_mb:.0f} MB at most"
    return [
        f"load         {found.load_s:.2f} s",
        f"first answer {found.first_answer_s:.2f} s, with the decoding of a clip",
        f"  {'ms':<10}{'p50':>9} {'p95':>9} {'p99':>9}",
        *stages,
        f"steady       {found.frames_per_s:.1f} frames/s over {found.steady_s:.0f} s: first tenth "
        f"{found.first_frames_per_s:.1f}, last {found.last_frames_per_s:.1f}",
        f"cameras      {found.cameras:.1f} at {found.sampled_per_s:.1f} frames/s each, decoding not counted",
        f"temperature  {heat}; throttled: {throttled}",
        f"memory       {memory}",
    ]
