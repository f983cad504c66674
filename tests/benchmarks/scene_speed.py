"""How fast ``utils.sky`` pictures fields of many objects, as the survey of the HSC tile sees them.

Run with ``python -m tests.benchmarks.scene_speed`` from the repository.
"""

import time

import numpy as np

from utils import sky


def seconds(size, n, survey):
    """Seconds for n fields, drawn and pictured with noise, and how many objects they hold; the better of two runs."""
    best = np.inf
    for seed in range(2):
        start = time.perf_counter()
        rng = np.random.default_rng(seed)
        truths = [sky.draw_field(size, survey, rng) for _ in range(n)]
        sky.render_fields(truths, survey, size, rng)
        best = min(best, time.perf_counter() - start)
    return best, sum(map(len, truths))


def main():
    survey = sky.SURVEYS["HSC tile"]
    print(f"{'field':>8s} {'objects':>8s} {'fields/s':>9s} {'objects/s':>10s} {'seconds':>8s}")
    for size, n in ((64, 128), (128, 64), (256, 16), (1024, 1)):
        took, objects = seconds(size, n, survey)
        print(f"{size:5d} px {objects / n:8.1f} {n / took:9.1f} {objects / took:10.0f} {took / n:8.3f}", flush=True)


if __name__ == "__main__":
    main()
