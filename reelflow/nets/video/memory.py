"""How much memory the training of a network takes: counted from its layers, before anything is built.

The backward pass needs what the layers have read: each convolution's input, each norm's input, the gates
of a ConvLSTM. With recomputation only the inputs of blocks are kept, and the inside of one block at a time.
`benchmarks/video_networks/memory.py` compares the sums with what training processes take.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle

from reelflow.errors import ParamsError
from reelflow.nets.video.design import EXPANSION, FLAT, STAGE_CHANNELS, STEM, Design
from reelflow.params import TrainingParams

FLOAT32, HALF = 4, 2
RGB = 3
LSTM_KEPT = 8
"""Maps a frame of a ConvLSTM: four gates, cell, its tanh, state, and the state among all outputs."""
SLOTS = {"adam": 2, "rmsprop": 1}
"""Moving averages a weight."""
RUNTIME = 200_000_000
"""Bytes of graphs and kernels; measured on CPUs."""
ERROR = 1.15
"""What a training may take for each byte counted: 0.89 to 1.15 were measured."""
LEAST_SIDE, SIDES = 32, 16
"""The smallest frame that is proposed, and the step from one to the next, in pixels."""


@dataclass(frozen=True)
class Block:
    """A bottleneck's sizes.

    Attributes:
        places: frames x height x width of its output.
        taken: channels that it reads.
        before: frames x height x width x channels that it reads.
        inner: channels of S and T.
        form: the design.
        timed: whether it has a T.
        is_first: of its stage: it has a convolution as shortcut.
    """

    places: int
    taken: int
    before: int
    inner: int
    form: str
    timed: bool
    is_first: bool

    @property
    def outer(self) -> int:
        """Channels of the output."""
        return EXPANSION * self.inner


@dataclass(frozen=True)
class Footprint:
    """Bytes of a training.

    Attributes:
        fixed: weights, gradients, optimiser, its intermediate results, graphs and kernels.
        copies: of weights and optimiser in main memory: at the start, best, in a checkpoint.
        clip: of each clip of a batch.
    """

    fixed: int
    copies: int
    clip: int

    def of(self, batch: int) -> int:
        """Bytes with a batch of so many clips."""
        return self.fixed + batch * self.clip

    def most_clips(self, free: int) -> int:
        """The largest batch that fits into so many bytes."""
        return max(0, free - self.fixed) // self.clip


def footprint(design: Design, params: TrainingParams, *, frames: int, side: int, classes: int) -> Footprint:
    """The memory of a training on a device.

    Args:
        design: the network.
        params: optimiser, clipping and precision.
        frames: of a clip.
        side: height and width of a frame, in pixels.
        classes: number of classes.
    """
    blocks = list(_blocks(design, frames, side))
    weights = FLOAT32 * parameters(design, classes)
    size = FLOAT32 if params.precision == "float32" else HALF
    slots = SLOTS[params.optimizer]
    cast = 0 if size == FLOAT32 else weights // 2
    return Footprint(
        fixed=weights * (3 + slots + (params.gradient_norm > 0)) + cast + RUNTIME,
        copies=weights * (2 * (1 + slots) + 1),
        clip=FLOAT32 * frames * side * side * RGB + size * _kept(design, blocks, frames, side),
    )


def check_fits(
    design: Design,
    params: TrainingParams,
    *,
    frames: int,
    side: int,
    classes: int,
    batch: int,
    free: int,
    workers: int = 1,
) -> None:
    """See that a training fits into main memory.

    Args:
        design: the network.
        params: optimiser, clipping and precision.
        frames: of a clip.
        side: height and width of a frame, in pixels.
        classes: number of classes.
        batch: clips of a step.
        free: bytes.
        workers: that share each batch; one must fit.

    Raises:
        ParamsError: it does not; the message has values that do.
    """
    count = partial(footprint, params=params, frames=frames, classes=classes)
    found, share = count(design, side=side), -(-batch // workers)
    if (needed := found.copies + found.of(share)) <= free:
        return

    def most(design: Design, side: int) -> int:
        """The largest batch, at most `batch`, that certainly fits."""
        other = count(design, side=side)
        return min(batch, workers * other.most_clips(int(free / ERROR) - other.copies))

    ways = []
    if fits := most(design, side):
        ways.append(f"training.batch_size to {fits}")
    if not design.recompute and (more := most(replace(design, recompute=True), side)) > fits:
        ways.append(f"training.video.recompute to true with training.batch_size {more}")
    sides = range(side - 1 - (side - 1) % SIDES, LEAST_SIDE - 1, -SIDES)
    if smaller := next((one for one in sides if most(design, one) == batch), None):
        ways.append(f"features.backbones to pixels_{smaller}")
    advice = f"set {', or '.join(ways)}" if ways else "train it where more is free, or a narrower network"
    raise ParamsError(
        f"a step on {share} clips of {frames} frames of {side}x{side} needs about {needed / 1e9:.1f} GB of "
        f"memory, and {free / 1e9:.1f} GB are free: {advice}"
    )


def _blocks(design: Design, frames: int, side: int) -> Iterator[Block]:
    """Every block, with its sizes."""
    side, left = _pooled(_halved(side)), _left(frames, design)
    taken, forms = design.channels(STEM), cycle("ABC")
    for stage, count in enumerate(design.stages):
        for place in range(count):
            before = left * side * side * taken
            if stage and not place:
                left = _left(left, design)
                before, side = left * side * side * taken, _halved(side)
            inner = design.channels(STAGE_CHANNELS[stage])
            timed = stage < FLAT and design.temporal != "none"
            yield Block(left * side * side, taken, before, inner, next(forms), timed, is_first=not place)
            taken = EXPANSION * inner


def _halved(side: int) -> int:
    return -(-side // 2)


def _pooled(side: int) -> int:
    """After pool1: as Caffe's, which rounds up."""
    return (side - 1) // 2 if side % 2 else side // 2


def _left(frames: int, design: Design) -> int:
    return frames if design.temporal == "none" else _halved(frames)


def parameters(design: Design, classes: int) -> int:
    """All weights and moving statistics of a network."""
    blocks, stem = list(_blocks(design, 1, 1)), design.channels(STEM)
    last = blocks[-1].outer
    return (
        7 * 7 * RGB * stem + 4 * stem + sum(_weights_of(design, one) for one in blocks) + (last + 1) * classes
    )


def _weights_of(design: Design, block: Block) -> int:
    inner, outer = block.inner, block.outer
    found = (block.taken + 4) * inner + (9 * inner + 4) * inner + (inner + 4) * outer
    if block.timed:
        lstm = 4 * inner * (9 * 2 * inner + 1)
        found += 4 * inner + (3 * inner * inner if design.temporal == "conv" else lstm)
    if block.is_first:
        found += (block.taken + 4) * outer
    return found


def _kept(design: Design, blocks: list[Block], frames: int, side: int) -> int:
    """Numbers a clip that are in memory at once, when the backward pass begins."""
    stem, first = design.channels(STEM), _halved(side)
    padded = frames * (side + 6) ** 2 * RGB
    conv1 = 2 * frames * first**2 * stem  # the norm's input, and the pool's
    pooled = frames * _pooled(first) ** 2 * stem
    insides = [_inside(design, block) for block in blocks]
    outputs = sum(block.places * block.outer for block in blocks)
    halved = blocks[0].before + sum(block.before for block in blocks[1:] if block.is_first)
    moving = 2 * max(conv1 // 2, *(block.places * block.outer for block in blocks))  # gradients on their way
    kept = max(insides) if design.recompute else sum(insides)
    return padded + conv1 + pooled + halved + outputs + moving + kept


def _inside(design: Design, block: Block) -> int:
    """Numbers that a block keeps, but for its input and its output."""
    inner, outer = block.inner, block.outer
    maps = 4 * inner + outer  # reduce and spatial, before and behind their norms; expand before its norm
    if block.timed:
        maps += inner if design.temporal == "conv" else LSTM_KEPT * inner
        maps += inner  # behind the ReLU of T, or of the sum
    if block.is_first:
        maps += outer
    return block.places * maps
