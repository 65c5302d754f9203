"""Clips a second of study B's networks under JAX, on the accelerator that is there.

`KERAS_BACKEND=jax python -m benchmarks.video_networks.accelerator --networks p3d_199,convlstm_c2d_63`

The study measured 36.9 clips/s (ConvLSTM-C2D-63) and 194 (P3D-199) of inference on one GTX 1080 Ti. Prints a
line of JSON for every case: a fresh process each, so that the memory is that of the case alone.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from typing import Any

FRAMES, SIDE, CLASSES, BATCH = 16, 160, 101, 48
CLIPS_A_VIDEO = 21  # of P3D's protocol
STEPS, ROUNDS = 10, 3


def main() -> None:
    """Measure every case, or one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default="p3d_199,convlstm_c2d_63,p3d_63,c2d_50")
    parser.add_argument("--precisions", default="float32,mixed_bfloat16")
    parser.add_argument("--recompute", default="0", help="0, 1, or 0,1")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--alone", action="store_true")
    found = parser.parse_args()
    cases = list(product(found.networks.split(","), found.precisions.split(","), found.recompute.split(",")))
    if found.alone:
        print(json.dumps(measure(*cases[0], batch=found.batch, side=found.side)), flush=True)
        return
    for network, precision, recompute in cases:
        case = ["--networks", network, "--precisions", precision, "--recompute", recompute, "--alone"]
        size = ["--batch", str(found.batch), "--side", str(found.side)]
        subprocess.run([sys.executable, "-m", __spec__.name, *case, *size], check=False)


def measure(name: str, precision: str, recompute: str, *, batch: int, side: int) -> dict[str, Any]:
    """Time training and inference of one network."""
    import jax

    from benchmarks.video_networks.jax_steps import JaxTrainer, peak_bytes, random_clips
    from reelflow.nets.video.design import NETWORKS
    from reelflow.nets.video.network import build_network

    design = replace(NETWORKS[name], recompute=recompute == "1")
    network = build_network(
        design, name=name, frames=FRAMES, side=side, classes=CLASSES, dropout=0.5, precision=precision
    )
    trainer = JaxTrainer(network)
    clips = jax.device_put(random_clips(batch, FRAMES, side))
    truth = jax.device_put(list(range(batch)))
    truth = jax.numpy.asarray(truth) % CLASSES
    started = time.perf_counter()
    trainer.scores(clips).block_until_ready()
    first_scores_s = time.perf_counter() - started
    scoring_s = _best(lambda: trainer.scores(clips).block_until_ready())
    scoring_bytes = peak_bytes()
    started = time.perf_counter()
    loss = float(trainer.train(clips, truth))
    first_step_s = time.perf_counter() - started
    training_s = _best(lambda: trainer.train(clips, truth).block_until_ready())
    rate = batch / scoring_s
    return {
        "device": jax.devices()[0].device_kind,
        "network": name,
        "precision": precision,
        "recompute": recompute == "1",
        "batch": batch,
        "side": side,
        "parameters": network.count_params(),
        "training_clips_a_second": round(batch / training_s, 1),
        "inference_clips_a_second": round(rate, 1),
        "videos_a_second_by_21_clips": round(rate / CLIPS_A_VIDEO, 2),
        "scoring_peak_bytes": scoring_bytes,
        "training_peak_bytes": peak_bytes(),
        "first_scores_s": round(first_scores_s, 1),
        "first_step_s": round(first_step_s, 1),
        "first_loss": round(loss, 3),
        "last_loss": round(float(trainer.train(clips, truth)), 3),
    }


def _best(call: Any) -> float:
    """Seconds a call, the best of `ROUNDS` means over `STEPS`."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(STEPS):
            call()
        rounds.append((time.perf_counter() - started) / STEPS)
    return min(rounds)


if __name__ == "__main__":
    main()
