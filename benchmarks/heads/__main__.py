"""`python -m benchmarks.heads`: how large a recurrent head must be, in which form, against a newcomer's.

Every clip is scored by a head that has not seen its group; epochs are chosen on validation groups, and
nothing is chosen on the clips that are counted. What is trained and converted is kept in `--out`: a run that
was killed goes on.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from benchmarks.accuracy import BACKBONE, ROOT, SHARED
from benchmarks.heads import newcomer
from benchmarks.heads.forms import FORMS, Form
from benchmarks.heads.quantised import forms
from benchmarks.heads.sets import PROTOCOL, RECIPE, SETS, ClipSet, embedded, params_of
from benchmarks.heads.sizes import sizes
from benchmarks.heads.tables import form_table, newcomer_table, size_table
from reelflow.commandline import run_command
from reelflow.errors import ParamsError
from reelflow.files import write_text
from reelflow.params import TrainingParams


class Wanted(NamedTuple):
    """What to measure, on what, and where it is kept."""

    data: Path
    out: Path
    sets: tuple[str, ...]
    units: tuple[int, ...]
    seeds: tuple[int, ...]
    form_units: tuple[int, ...]
    forms: tuple[Form, ...]
    newcomer_units: int
    backbone: str

    def clips(self) -> list[ClipSet]:
        """The sets, embedded."""
        return [embedded(name, self.data, self.out, self.backbone) for name in self.sets]

    def training(self, clips: ClipSet, units: int, seed: int) -> TrainingParams:
        """How a head is trained."""
        return params_of(clips.name, self.data, units, seed, self.backbone).training


def measure_sizes(wanted: Wanted) -> tuple[Any, Iterable[str]]:
    """Heads of every size."""
    heads = []
    for clips in wanted.clips():
        training = {n: [wanted.training(clips, n, seed) for seed in wanted.seeds] for n in wanted.units}
        heads += sizes(clips, training, wanted.out)
    return [head._asdict() | {"interval": head.interval.model_dump()} for head in heads], size_table(heads)


def measure_forms(wanted: Wanted) -> tuple[Any, Iterable[str]]:
    """Every form of some heads."""
    found = [
        form
        for clips in wanted.clips()
        for units in wanted.form_units
        for form in forms(clips, wanted.training(clips, units, wanted.seeds[0]), wanted.out, wanted.forms)
    ]
    return [form._asdict() for form in found], form_table(found)


def measure_newcomer(wanted: Wanted) -> tuple[Any, Iterable[str]]:
    """Ours and the unrolled one."""
    found = newcomer.measured(wanted.out / "newcomer", wanted.newcomer_units)
    return found, newcomer_table(found)


PARTS: dict[str, Callable[[Wanted], tuple[Any, Iterable[str]]]] = {
    "sizes": measure_sizes,
    "forms": measure_forms,
    "newcomer": measure_newcomer,
}


def main(
    parts: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(PARTS),
    data: Annotated[Path, typer.Option(help="Folder with clips/ and weights/.")] = SHARED,
    out: Annotated[Path, typer.Option(help="Where features, heads and results are kept.")] = ROOT
    / "out"
    / "benchmarks",
    sets: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(SETS),
    units: Annotated[str, typer.Option(help="Comma-separated.")] = "128,256,512,1280",
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "1",
    form_units: Annotated[str, typer.Option(help="Units of the heads that get every form.")] = "128,1280",
    only_forms: Annotated[str, typer.Option("--forms", help="GRAPH-NUMBERS, comma-separated.")] = ",".join(
        map(str, FORMS)
    ),
    newcomer_units: Annotated[int, typer.Option(help="Units of the head that a newcomer unrolls.")] = 1280,
    backbone: Annotated[str, typer.Option(help="thumbnail needs no weights.")] = BACKBONE,
) -> None:
    """Train, convert and measure; print a table a part, and write heads-PART.json."""
    if foreign := sorted(set(parts.split(",")) - PARTS.keys()):
        raise ParamsError(f"no part {', '.join(foreign)}; the parts are {', '.join(PARTS)}")
    out.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(
        data=data.absolute(),
        out=out.absolute(),
        sets=tuple(sets.split(",")),
        units=_numbers(units),
        seeds=_numbers(seeds),
        form_units=_numbers(form_units),
        forms=tuple(form for form in FORMS if str(form) in only_forms.split(",")),
        newcomer_units=newcomer_units,
        backbone=backbone,
    )
    print(f"gru on {backbone}, {PROTOCOL}, params.large.yaml with {RECIPE}, seeds {seeds}", flush=True)
    for part in parts.split(","):
        found, table = PARTS[part](wanted)
        write_text(out / f"heads-{part}.json", json.dumps(found, indent=2) + "\n")
        print("\n" + "\n".join(table), flush=True)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    run_command(main)
