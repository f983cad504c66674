"""Train several models on the same batches and keep their curves.

Two models differ for many reasons: their make, their first weights, the order of the batches. :func:`train` leaves
only the first: with the same seed, every model sees the same examples in the same order.
"""

import sys
import time
from dataclasses import dataclass, field

import keras
import numpy as np
from tqdm import tqdm

from utils.training import evaluation, prepare


@dataclass(frozen=True)
class Curves:
    """How one model trained: a row for each seed. What comes after the loss stopped being a number is NaN.

    loss : (seeds, steps), of each training batch before its step, with the model as in training
    steps : (checks,), how many steps had been made at each check; the first check is before any
    validation_loss, validation_accuracy : (seeds, checks); accuracy is NaN where the model was compiled without
    watched : for each seed a list of what `watch` returned at each check
    seconds : (seeds,), training alone
    """

    loss: np.ndarray
    steps: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    watched: list = field(repr=False)
    seconds: np.ndarray

    def smooth_loss(self, width=20):
        """Mean of the loss over the last `width` steps (fewer at the beginning): (seeds, steps)."""
        sums = np.cumsum(np.pad(self.loss, ((0, 0), (1, 0))), axis=1)
        end = np.arange(1, self.loss.shape[1] + 1)
        start = np.maximum(end - width, 0)
        return (sums[:, end] - sums[:, start]) / (end - start)

    def steps_to(self, accuracy):
        """(seeds,) steps until a check first found this validation accuracy; infinite where none did."""
        reached = self.validation_accuracy >= accuracy
        return np.where(reached.any(axis=1), self.steps[reached.argmax(axis=1)], np.inf)


def train(makers, training, validation, steps, batch_size=32, every=None, seeds=(0,), watch=None):
    """Train each model for the same number of steps on the same batches.

    Parameters
    ----------
    makers : dict of str to callable
        Name -> function without arguments that returns a compiled model. Keras is seeded before each call, so that the
        first weights hang on the seed alone.
    training, validation : tuple of array
        (x, y). Where validation is None, nothing is measured at a check: NaN.
    steps : int
        One step is one batch.
    batch_size : int
    every : int, optional
        Steps between two checks on the validation set; by default one check before and one after training.
    seeds : sequence of int
        Each model is trained once for each.
    watch : callable, optional
        ``watch(model)`` is called at every check, and what it returns is kept.

    Returns
    -------
    dict of str to Curves
    """
    every = every or steps
    check_on = validation and evaluation(*validation)
    bar = tqdm(total=len(makers) * len(seeds) * steps, file=sys.stdout, leave=False, mininterval=0.5, unit="step")
    started, curves = time.perf_counter(), {}
    for name, make in makers.items():
        runs = []
        for seed in seeds:
            bar.set_description(name, refresh=False)
            keras.utils.set_random_seed(seed)
            runs.append(_train_one(make(), training, check_on, steps, batch_size, every, seed, watch, bar))
        parts = {key: [run[key] for run in runs] for key in runs[0]}
        watched = parts.pop("watched")
        arrays = {key: np.array(values) for key, values in parts.items()}
        curves[name] = Curves(steps=_checks(steps, every), watched=watched, **arrays)
    bar.close()
    models = f"{len(makers)} model{'s' if len(makers) != 1 else ''}"
    times = f" × {len(seeds)} seeds" if len(seeds) > 1 else ""
    print(f"{models}{times}, {steps} steps each, in {time.perf_counter() - started:.0f} s")
    return curves


def batches(n, batch_size, steps, seed):
    """Yield the examples of each batch: every example once before any comes again, all batches of the same size.

    Parameters
    ----------
    n : int
        Number of examples.
    batch_size, steps, seed : int

    Examples
    --------
    >>> [len(batch) for batch in batches(5, 2, 4, seed=0)]
    [2, 2, 2, 2]
    >>> sorted(np.concatenate(list(batches(6, 2, 3, seed=0))).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    if not 0 < batch_size <= n:
        raise ValueError(f"batch_size must be from 1 to the number of examples, {n}, got {batch_size}")
    yield from draws(n, batch_size, steps, seed)


def draws(n, batch_size, steps, seed):
    """As :func:`batches`, but where there are fewer examples than fill a batch, some come twice in it.

    Examples
    --------
    >>> [len(batch) for batch in draws(2, 5, 3, seed=0)]
    [5, 5, 5]
    """
    rng = np.random.default_rng(seed)
    waiting = rng.permutation(n)
    for _ in range(steps):
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, rng.permutation(n)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def _checks(steps, every):
    """Steps made at each check: 0, every, 2 every, … and at last `steps`."""
    return np.unique([*range(0, steps, every), steps])


def _train_one(model, training, check_on, steps, batch_size, every, seed, watch, bar):
    """One model with one seed: dictionary of loss, validation_loss, validation_accuracy, watched, seconds."""
    x, y = training
    checks = _checks(steps, every)
    loss = np.full(steps, np.nan)
    found = np.full((2, len(checks)), np.nan)
    watched, seconds = [], 0.0

    def check():
        if check_on is not None:
            result = model.evaluate(**check_on, verbose=0, return_dict=True)
            found[:, len(watched)] = result["loss"], result.get("accuracy", np.nan)
        watched.append(watch(model) if watch else None)

    prepare(model, y)
    check()
    for step, chosen in enumerate(batches(len(x), batch_size, steps, seed)):
        began = time.perf_counter()
        model.reset_metrics()
        value = model.train_on_batch(x[chosen], y[chosen], return_dict=True)["loss"]
        seconds += time.perf_counter() - began
        if not np.isfinite(value):
            bar.update(steps - step)
            break
        loss[step] = value
        bar.update(1)
        if step + 1 in checks:
            check()
    validation_loss, validation_accuracy = found
    return {
        "loss": loss,
        "validation_loss": validation_loss,
        "validation_accuracy": validation_accuracy,
        "watched": watched,
        "seconds": seconds,
    }
