"""Checks of lab 07, batch normalisation."""

import re

import keras
import numpy as np

from utils.checks import Exercise, expect, run, subtest
from utils.gradients import input_gradient
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "same_as_keras": Claim(
        "Largest difference of the training loss between your layer and Keras', 20 steps", "<= 0.01"
    ),
    "cosine_without": Claim("Cosine between two galaxies after 30 untrained layers, without batch norm", ">= 0.9"),
    "cosine_with": Claim("The same with batch norm", "<= 0.7"),
    "gradient_growth": Claim("Growth of the gradient in each of these layers, with batch norm", "1.1 .. 1.4", POSITIVE),
    "usable_rate": Claim("Largest usable learning rate, with batch norm / without", ">= 10", POSITIVE),
    "steps_needed": Claim("Steps to 75 % of the validation galaxies, with batch norm / without", "<= 0.5", POSITIVE),
    "shaken_drift": Claim(
        "Movement of a channel's mean: between two steps if shaken / in 50 steps without", ">= 0.3", POSITIVE
    ),
    "shaken_loss": Claim("Mean training loss of 100 steps, batch norm shaken / without", "<= 0.9", POSITIVE),
    "wall": Claim("Rise of the loss three gradients away, without batch norm / with it", ">= 5", POSITIVE),
    "noise_slope": Claim("Power of the batch size with which a galaxy's value scatters", "-0.6 .. -0.4"),
    "loss_without": Claim("Validation loss after learning 400 galaxies by heart, without batch norm", None, POSITIVE),
    "loss_with": Claim("The same with batch norm", None, POSITIVE),
    "loss_groups": Claim("The same with batch norm in groups of 8", None, POSITIVE),
    "momentum_gap": Claim("Validation accuracy lost by momentum 0.99 instead of 0.9, after 60 steps", ">= 0.1"),
    "gap_of_two": Claim(
        "Accuracy in inference minus that in training mode with batches of two, same network", ">= 0.1"
    ),
    "gap_of_128": Claim("The same with batches of 128", "-0.1 .. 0.1"),
    "batch_of_two": Claim("Validation accuracy after training with batches of two", "<= 0.5", SHARE),
    "loss_of_two": Claim("Loss of that network in inference minus its loss as in training", None),
    "layer_norm_of_two": Claim("The same with layer norm instead of batch norm", ">= 0.5", SHARE),
    "frozen_drop": Claim("Validation accuracy lost by 30 batches of other images at learning rate 0", ">= 0.1"),
    "folded": Claim("Largest difference of a logit after folding", "<= 0.001", POSITIVE),
}


class BatchNorm(Exercise):
    id = "7.1"
    title = "normalise a batch"
    forbidden = ("keras.layers", "keras.ops.batch_normalization", "keras.ops.moments", "sklearn.preprocessing")
    hints = (
        "Every unit is normalised by itself, over the galaxies of the batch. Which axis of x counts the galaxies?",
        "x.mean(axis=0) and x.var(axis=0) are one number for each unit. Subtract the mean, divide by the root of "
        "variance + ε, multiply by γ, add β.",
        "mean, variance = x.mean(axis=0), x.var(axis=0); return gamma * (x - mean) / np.sqrt(variance + epsilon) + "
        "beta",
    )

    def inputs(self, rng):
        def case(n, units, epsilon=1e-5, plain=False):
            spread, shift = rng.uniform(0.5, 5, size=units), rng.uniform(-4, 4, size=units)
            return {
                "x": shift + spread * rng.normal(size=(n, units)),
                "gamma": np.ones(units) if plain else rng.uniform(0.5, 2, size=units) * rng.choice([-1, 1], size=units),
                "beta": np.zeros(units) if plain else rng.uniform(1, 3, size=units),
                "epsilon": epsilon,
            }

        small = case(3, 4)
        constant = case(6, 3)
        constant["x"] = np.repeat(rng.uniform(1, 4, size=(1, 3)), 6, axis=0)
        narrow = case(8, 4, epsilon=0.3)
        narrow["x"] = narrow["x"] / 10
        plain = case(20, 5, plain=True)
        return {
            "plain": plain,
            "plain, brighter and shifted": plain | {"x": 50 * plain["x"] + 300},
            "a batch of three": small,
            "as many galaxies as units": case(5, 5),
            "many galaxies": case(30, 2),
            "large epsilon": narrow,
            "constant units": constant,
            "float32": {k: np.float32(v) if k != "epsilon" else v for k, v in case(10, 3, epsilon=1e-3).items()},
        }

    def reference(self):
        def batch_norm(x, gamma, beta, epsilon):
            layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
            layer.build(x.shape)
            layer.gamma.assign(gamma)
            layer.beta.assign(beta)
            return keras.ops.convert_to_numpy(layer(np.asarray(x, "float64"), training=True))

        return batch_norm

    def _compare(self, cases, observed, names):
        for name in names:
            case = cases[name]
            expect.shape(observed[name], case["x"].shape, name)
            want = _keras_batch_norm(**case)
            expect.close(observed[name], want, name, rtol=1e-3, atol=1e-4, mistakes=_told(_MISTAKES, case, want))

    @subtest("each unit leaves with mean 0 and standard deviation 1 over the batch")
    def standard(self, cases, observed):
        got, x = observed["plain"], cases["plain"]["x"]
        expect.shape(got, x.shape, "plain")
        mistakes = {
            "You normalised each galaxy over its units: each unit over its galaxies, axis=0.": (
                _z(x, axis=1).mean(axis=0)
            ),
            "You took one mean and one spread for all units: each has its own, axis=0.": _z(x, axis=None).mean(axis=0),
            "The mean has not been subtracted.": (x / x.std(axis=0)).mean(axis=0),
        }
        expect.close(np.mean(got, axis=0), np.zeros(5), "plain, mean of each unit", atol=1e-3, mistakes=mistakes)
        mistakes = {
            "You divided by the variance: by its square root.": 1 / x.std(axis=0),
            "Nothing has been divided by the standard deviation.": x.std(axis=0),
            "You divided by n − 1 in the variance: by n, as np.var does by itself.": np.full(5, np.sqrt(19 / 20)),
        }
        expect.close(np.std(got, axis=0), np.ones(5), "plain, spread of each unit", rtol=1e-3, mistakes=mistakes)

    @subtest("γ multiplies, β is added, each unit has its own; as Keras does it")
    def affine(self, cases, observed):
        self._compare(cases, observed, ("as many galaxies as units", "many galaxies", "float32"))

    @subtest("a batch of three: the variance is the mean of the squared deviations")
    def small(self, cases, observed):
        self._compare(cases, observed, ("a batch of three",))

    @subtest("ε is added to the variance, under the root")
    def epsilon(self, cases, observed):
        self._compare(cases, observed, ("large epsilon",))

    @subtest("a unit that is the same for all galaxies gives β")
    def constant(self, cases, observed):
        case = cases["constant units"]
        want = np.broadcast_to(case["beta"], case["x"].shape)
        expect.close(observed["constant units"], want, "constant units", atol=1e-4)

    @subtest("brighter by a factor, shifted by a constant: the same comes out")
    def invariant(self, cases, observed):
        got, plain = (np.asarray(observed[name]) for name in ("plain, brighter and shifted", "plain"))
        expect.close(got, plain, "50 x + 300 and x", rtol=1e-3, atol=1e-3)


class Moments(Exercise):
    id = "7.2"
    title = "which axes?"
    forbidden = ("keras.layers", "keras.ops.moments", "sklearn.preprocessing")
    hints = (
        "A channel is one kernel, seen at all places of all images. So over what is its mean taken?",
        "Over all axes but the last. np.mean and np.var take a tuple of axes: (0,) for (n, units), (0, 1, 2) for "
        "(n, height, width, channels). tuple(range(x.ndim - 1)) is that tuple.",
        "axes = tuple(range(x.ndim - 1)); return x.mean(axis=axes), x.var(axis=axes)",
    )

    def inputs(self, rng):
        def images(*shape):
            channels = shape[-1]
            return rng.uniform(-3, 3, size=channels) + rng.uniform(0.5, 4, size=channels) * rng.normal(size=shape)

        bright = 20_000 + rng.normal(size=(4, 5, 6, 3)) * np.array([1.0, 2.0, 3.0])
        return {
            "dense": {"x": images(7, 4)},
            "images": {"x": images(3, 4, 6, 5)},
            "as many rows as channels": {"x": images(2, 4, 4, 4)},
            "one image, one channel": {"x": images(1, 5, 3, 1)},
            "spectra": {"x": images(6, 11, 3)},
            "a bright sky": {"x": bright.astype("float32")},
            "8-bit pixels": {"x": rng.integers(0, 256, size=(3, 4, 5, 3)).astype("uint8")},
        }

    def reference(self):
        def moments(x):
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(np.asarray(x, "float64").reshape(-1, x.shape[-1]))
            return scaler.mean_, scaler.var_

        return moments

    def _compare(self, cases, observed, names):
        for name in names:
            x = np.asarray(cases[name]["x"], "float64")
            got = observed[name]
            expect.true(
                isinstance(got, list) and len(got) == 2,
                f"{name}: expected two arrays, mean and variance, got {expect.show(got)}.",
            )
            want = _scaler_moments(x)
            wrong_axes = {
                "You averaged over the first axis alone: a channel has one mean for all places.": 0,
                "You averaged over rows and columns alone: over all galaxies of the batch too.": tuple(
                    range(1, x.ndim - 1)
                ),
                "The channels are on the last axis: the mean runs over all others.": tuple(range(1, x.ndim)),
                "You averaged over everything: each channel has its own mean and variance.": None,
                "You averaged over the first three axes whatever x is: over all but the last.": tuple(
                    range(min(3, x.ndim))
                ),
            }
            if x.ndim == 4:
                wrong_axes["You took the second axis for the channels: they are on the last."] = (0, 2, 3)
            for quantity, part, value, of in (
                ("mean", got[0], want[0], np.mean),
                ("variance", got[1], want[1], np.var),
            ):
                mistakes = {
                    text: of(x, axis=axes) for text, axes in wrong_axes.items() if axes != tuple(range(x.ndim - 1))
                }
                mistakes |= {
                    "Flatten it: one number for each channel, without axes of length 1 (no keepdims).": value.reshape(
                        (1,) * (x.ndim - 1) + (-1,)
                    ),
                    "The two are in the wrong order: mean first.": want[0] if quantity == "variance" else want[1],
                }
                if quantity == "variance":
                    n = x.size // x.shape[-1]
                    mistakes["This is the standard deviation: return the variance."] = np.sqrt(value)
                    mistakes["You divided by n − 1: by n, as np.var does by itself."] = value * n / max(n - 1, 1)
                expect.close(part, value, f"{name}, {quantity}", rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("a dense layer: over the galaxies")
    def dense(self, cases, observed):
        self._compare(cases, observed, ("dense",))

    @subtest("images: over galaxies, rows and columns, one number for each channel")
    def images(self, cases, observed):
        self._compare(cases, observed, ("images", "as many rows as channels", "one image, one channel"))

    @subtest("spectra: over all axes but the last")
    def spectra(self, cases, observed):
        self._compare(cases, observed, ("spectra",))

    @subtest("a bright sky with little contrast keeps its digits, 8-bit pixels do not overflow")
    def digits(self, cases, observed):
        for name in ("a bright sky", "8-bit pixels"):
            got = observed[name]
            if isinstance(got, list) and len(got) == 2 and np.shape(got[1]) == (3,):
                want = _scaler_moments(np.asarray(cases[name]["x"], "float64"))[1]
                spread = np.asarray(got[1], float) / want
                if np.any((spread < 0.5) | (spread > 2)):
                    raise expect.NotYet(
                        f"{name}, variance: expected {expect.show(want)}, got {expect.show(np.asarray(got[1]))}. Is it "
                        "the mean of the squares minus the square of the mean? Squares of 8-bit numbers overflow, and "
                        "the difference of two large numbers has few digits left: take the mean of (x − μ)², as np.var "
                        "does."
                    )
        self._compare(cases, observed, ("a bright sky", "8-bit pixels"))


class Inference(Exercise):
    id = "7.3"
    title = "one galaxy alone"
    forbidden = ("keras.layers", "keras.ops.batch_normalization")
    hints = (
        "The momentum is the share of what is known already. In inference no mean is taken over x at all. After one "
        "step, which share of the start is left? After two?",
        "update_moving: momentum × old + (1 − momentum) × new. inference: the formula of 7.1 with the moving mean "
        "and variance. steps_to_forget: the share is momentum to the power of the steps; count, or use logarithms.",
        "return momentum * moving + (1 - momentum) * batch; return gamma * (x - moving_mean) / "
        "np.sqrt(moving_variance + epsilon) + beta; return int(np.ceil(np.log(share) / np.log(momentum)))",
    )

    def inputs(self, rng):
        def update(units, momentum):
            return {
                "moving": rng.uniform(1, 3, size=units),
                "batch": rng.uniform(5, 9, size=units),
                "momentum": momentum,
            }

        def inference(*shape, epsilon=1e-3):
            units = shape[-1]
            return {
                "x": rng.normal(1, 2, size=shape),
                "moving_mean": rng.uniform(-2, 2, size=units),
                "moving_variance": rng.uniform(0.3, 4, size=units),
                "gamma": rng.uniform(0.5, 2, size=units),
                "beta": rng.uniform(-3, 3, size=units),
                "epsilon": epsilon,
            }

        galaxies = inference(8, 4)
        many = update(3, 0.8)
        many["batch"] = rng.uniform(5, 9, size=(6, 3))
        return {
            "update, 0.9": update(4, 0.9),
            "update, 0.99": update(3, 0.99),
            "update, six steps": many,
            "inference, eight galaxies": galaxies,
            "inference, one of the eight": galaxies | {"x": galaxies["x"][:1]},
            "inference, images": inference(2, 3, 5, 4),
            "inference, large epsilon": inference(5, 3, epsilon=0.7),
            "forget, slowly": {"momentum": 0.99, "share": float(rng.choice([0.11, 0.06, 0.012]))},
            "forget, fast": {"momentum": 0.9, "share": float(rng.choice([0.11, 0.06, 0.012]))},
            "forget, at once": {"momentum": 0.3, "share": 0.5},
        }

    def observe(self, answer, cases):
        update_moving, inference, steps_to_forget = answer

        def six_steps(moving, batch, momentum):
            for row in batch:
                moving = update_moving(moving, row, momentum)
            return moving

        functions = {"update": update_moving, "inference": inference, "forget": steps_to_forget}
        return {
            name: run(six_steps if name == "update, six steps" else functions[name.split(",")[0]], **case)
            for name, case in cases.items()
        }

    def reference(self):
        def update_moving(moving, batch, momentum):
            return np.average([moving, batch], axis=0, weights=[momentum, 1 - momentum])

        def inference(x, moving_mean, moving_variance, gamma, beta, epsilon):
            layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
            layer.build(x.shape)
            layer.set_weights([gamma, beta, moving_mean, moving_variance])
            return keras.ops.convert_to_numpy(layer(np.asarray(x, "float64"), training=False))

        def steps_to_forget(momentum, share):
            from itertools import accumulate, repeat, takewhile

            return 1 + sum(1 for _ in takewhile(lambda left: left > share, accumulate(repeat(momentum), np.multiply)))

        return update_moving, inference, steps_to_forget

    @subtest("a step of the moving average, as Keras does it")
    def one_step(self, cases, observed):
        for name in ("update, 0.9", "update, 0.99"):
            case = cases[name]
            moving, batch, momentum = case["moving"], case["batch"], case["momentum"]
            mistakes = {
                "The momentum belongs to the old value, 1 − momentum to the new one (in PyTorch it is the other way "
                "round).": (1 - momentum) * moving + momentum * batch,
                "Both are multiplied by the momentum: the new one gets 1 − momentum.": momentum * (moving + batch),
                "The new value is not weighted: it gets 1 − momentum.": momentum * moving + batch,
                "The old value is not weighted: it gets the momentum.": moving + (1 - momentum) * batch,
                "This is the batch's own value: mix it with the moving one.": batch,
                "This is the plain mean of the two: weight them.": (moving + batch) / 2,
            }
            want = _keras_moving_mean(moving, [batch], momentum)
            expect.close(observed[name], want, name, rtol=1e-4, mistakes=mistakes)

    @subtest("six steps in a row")
    def six(self, cases, observed):
        case = cases["update, six steps"]
        want = _keras_moving_mean(case["moving"], case["batch"], case["momentum"])
        expect.close(observed["update, six steps"], want, "update, six steps", rtol=1e-4)

    @subtest("inference: with the moving mean and variance, as Keras does it")
    def formula(self, cases, observed):
        for name in ("inference, eight galaxies", "inference, images", "inference, large epsilon"):
            case = cases[name]
            want = _keras_inference(**case)
            expect.shape(observed[name], case["x"].shape, name)
            mistakes = _told(_INFERENCE_MISTAKES, case, want)
            expect.close(observed[name], want, name, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("inference: a galaxy alone gets what it gets among others")
    def alone(self, cases, observed):
        got = observed["inference, one of the eight"]
        among = np.asarray(observed["inference, eight galaxies"])[:1]
        mistakes = {
            "It gets β, whatever it is: the mean of a batch of one is the galaxy itself. Take the moving mean.": (
                cases["inference, one of the eight"]["beta"][None]
            )
        }
        expect.close(got, among, "one galaxy alone, and among eight", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("steps until the start counts for no more than the share")
    def forget(self, cases, observed):
        for name in ("forget, slowly", "forget, fast", "forget, at once"):
            momentum, share = cases[name]["momentum"], cases[name]["share"]
            want, left = 0, 1.0
            while left > share:
                want, left = want + 1, left * momentum
            mistakes = {
                "One step too few: after so many, the share is still larger.": want - 1,
                "One step too many.": want + 1,
                "These are steps for the inverted momentum.": int(np.ceil(np.log(share) / np.log(1 - momentum))),
            }
            mistakes = {text: value for text, value in mistakes.items() if value != want}
            what = f"{name} (momentum {momentum}, share {share})"
            expect.shape(observed[name], (), what)
            if isinstance(observed[name], float) and observed[name] != round(observed[name]):
                raise expect.NotYet(f"{what}: expected a whole number, got {expect.show(observed[name])}: round up.")
            expect.equal(int(observed[name]), want, what, mistakes=mistakes)


def _weights(x):
    return np.arange(1.0, np.size(x) + 1).reshape(np.shape(x))


# Functions whose slopes are known: name -> (function, slope)
FUNCTIONS = {
    "parabola": lambda x: np.sum(_weights(x) * x**2),
    "sine": lambda x: np.sum(_weights(x) * np.sin(x)),
    "neighbours": lambda x: np.sum(np.ravel(x)[1:] * np.ravel(x)[:-1]),
    "product": np.prod,
}


def _slope_of_neighbours(x):
    flat = np.ravel(x)
    slope = np.zeros(flat.size)
    slope[1:] += flat[:-1]
    slope[:-1] += flat[1:]
    return slope.reshape(np.shape(x))


SLOPES = {
    "parabola": lambda x: 2 * _weights(x) * x,
    "sine": lambda x: _weights(x) * np.cos(x),
    "neighbours": _slope_of_neighbours,
    "product": lambda x: np.prod(x) / x,
}


class NumericGradient(Exercise):
    id = "7.4"
    title = "a gradient by trying"
    forbidden = ("scipy.optimize", "scipy.differentiate", "utils.gradients")
    hints = (
        "One number of x at a time: make it a little larger, then a little smaller, and leave all others as they are.",
        "Loop over np.ndindex(x.shape). In each turn make two copies of x as floats, add the step to one number of "
        "the first, subtract it from the same number of the second, and divide the difference of the two values by "
        "2 step.",
        "for place in np.ndindex(x.shape): up, down = x.astype(float), x.astype(float); up[place] += step; "
        "down[place] -= step; gradient[place] = (function(up) - function(down)) / (2 * step)",
    )

    def inputs(self, rng):
        return {
            "a row of numbers": {"function": "sine", "x": rng.uniform(-2, 2, size=4), "step": None},
            "a matrix": {"function": "neighbours", "x": rng.normal(size=(3, 5)), "step": None},
            "a batch of images": {"function": "sine", "x": rng.uniform(-2, 2, size=(2, 3, 2, 2)), "step": None},
            "a parabola with a large step": {"function": "parabola", "x": rng.uniform(1, 3, size=(2, 3)), "step": 0.5},
            "a sine with a large step": {"function": "sine", "x": rng.uniform(-1, 1, size=(3, 2)), "step": 0.6},
            "a product": {"function": "product", "x": rng.uniform(0.5, 2, size=5), "step": 1e-4},
            "whole numbers": {"function": "parabola", "x": rng.integers(1, 9, size=(2, 2)), "step": None},
        }

    def observe(self, answer, cases):
        observed = {}
        for name, case in cases.items():
            options = {} if case["step"] is None else {"step": case["step"]}
            observed[name] = run(answer, FUNCTIONS[case["function"]], case["x"], **options)
        return observed

    def reference(self):
        def numeric_gradient(function, x, step=1e-5):
            x = np.asarray(x, float)
            bumps = step * np.eye(x.size).reshape(x.size, *x.shape)
            slopes = [function(x + bump) - function(x - bump) for bump in bumps]
            return np.reshape(slopes, x.shape) / (2 * step)

        return numeric_gradient

    def _compare(self, cases, observed, names):
        for name in names:
            case = cases[name]
            function, x, step = FUNCTIONS[case["function"]], np.asarray(case["x"], float), case["step"] or 1e-5
            want = SLOPES[case["function"]](x)
            flat = {"Give the slopes the shape of x.": (x.size,)} if x.ndim > 1 else {}
            expect.shape(observed[name], x.shape, name, mistakes=flat)
            mistakes = {
                "Twice too large: the two points are 2 step apart.": 2 * want,
                "Half of it: divide by 2 step once.": want / 2,
                "The sign is the other way round: larger minus smaller.": -want,
                "This is a difference: divide it by 2 step.": 2 * step * want,
                "The division by 2 step reads `/ 2 * step`: put it into brackets.": want * step**2,
                "Every number was changed at once: one at a time.": np.full(x.shape, want.sum()),
                "You went to one side only: from x − step to x + step.": _one_sided(function, x, step),
                "You went to one side only, the lower one: from x − step to x + step.": _one_sided(function, x, -step),
            }
            mistakes = {
                text: value
                for text, value in mistakes.items()
                if np.shape(value) != want.shape or not np.allclose(value, want)
            }
            expect.close(observed[name], want, name, rtol=1e-5, atol=1e-6, mistakes=mistakes)

    @subtest("one slope for each number: of a row, a matrix, a batch of images")
    def shapes(self, cases, observed):
        self._compare(cases, observed, ("a row of numbers", "a matrix", "a batch of images"))

    @subtest("both sides: the slope of a parabola is exact, however large the step")
    def parabola(self, cases, observed):
        self._compare(cases, observed, ("a parabola with a large step",))

    @subtest("the step that is handed over is taken, to both sides")
    def step(self, cases, observed):
        name = "a sine with a large step"
        x, step = cases[name]["x"], cases[name]["step"]
        exact = SLOPES["sine"](x)
        mistakes = {
            "This is the slope of a much smaller step: use the one that is handed over.": exact,
            "You went to one side only: from x − step to x + step.": _one_sided(FUNCTIONS["sine"], x, step),
            "You went half a step to each side, and divided by 2 step or by one: go a whole step to each side.": (
                exact * np.sin(step / 2) / (step / 2)
            ),
        }
        # sin(x + h) − sin(x − h) is 2 cos x sin h
        want = exact * np.sin(step) / step
        expect.close(observed[name], want, f"{name} of {step}", rtol=1e-6, mistakes=mistakes)

    @subtest("one number at a time, with all others back in their places")
    def product(self, cases, observed):
        self._compare(cases, observed, ("a product", "a matrix"))

    @subtest("x may hold whole numbers")
    def integers(self, cases, observed):
        got = observed["whole numbers"]
        if np.shape(got) == (2, 2) and np.max(np.abs(got)) > 1000:
            raise expect.NotYet(
                "whole numbers: the slopes are enormous. An array of whole numbers cannot hold 3.00001: make the "
                "copies by x.astype(float)."
            )
        self._compare(cases, observed, ("whole numbers",))


class Backward(Exercise):
    id = "7.5"
    title = "the way back"
    forbidden = ("keras.layers", "utils.gradients")
    hints = (
        "Follow the three ways from x to the loss: straight through x̂, through the mean, through the variance. And "
        "remember that γ and β serve all galaxies and all places: their slopes are sums.",
        "g = γ · gradient is what arrives at x̂. Straight: g / s. Through the variance: Σ g (x − μ) · (−½) s⁻³, "
        "handed to each x by 2 (x − μ) / n. Through the mean: −Σ g / s, handed to each x by 1 / n. Sums run over "
        "all axes but the last, and n is the number of values of a channel.",
        "axes = tuple(range(x.ndim - 1)); n = x.size // x.shape[-1]; centred = x - x.mean(axis=axes); s = "
        "np.sqrt(x.var(axis=axes) + epsilon); g = gamma * gradient; d_variance = (g * centred).sum(axis=axes) * "
        "-0.5 / s**3; d_mean = -(g / s).sum(axis=axes); d_x = g / s + d_variance * 2 * centred / n + d_mean / n; "
        "d_gamma = (gradient * centred / s).sum(axis=axes); d_beta = gradient.sum(axis=axes)",
    )

    def inputs(self, rng):
        def case(*shape, epsilon=1e-5):
            units = shape[-1]
            return {
                "gradient": rng.normal(0.5, 1, size=shape),
                "x": rng.uniform(-2, 2, size=units) + rng.uniform(0.5, 2, size=units) * rng.normal(size=shape),
                "gamma": rng.uniform(0.5, 2, size=units) * rng.choice([-1, 1], size=units),
                "epsilon": epsilon,
            }

        return {
            "dense": case(6, 3),
            "as many galaxies as units": case(4, 4),
            "images": case(2, 3, 4, 3),
            "spectra": case(3, 7, 2),
            "large epsilon": case(5, 3, epsilon=0.8),
        }

    def reference(self):
        def backward(gradient, x, gamma, epsilon):
            axes = tuple(range(x.ndim - 1))
            spread = np.sqrt(np.var(x, axis=axes) + epsilon)
            normalised = (x - np.mean(x, axis=axes)) / spread
            along = np.mean(gradient * normalised, axis=axes)
            d_x = gamma / spread * (gradient - np.mean(gradient, axis=axes) - normalised * along)
            return d_x, np.sum(gradient * normalised, axis=axes), np.sum(gradient, axis=axes)

        return backward

    def _got(self, cases, observed, name):
        case, got = cases[name], observed[name]
        expect.true(
            isinstance(got, list) and len(got) == 3,
            f"{name}: expected three arrays, d_x, d_gamma and d_beta, got {expect.show(got)}.",
        )
        units = case["gamma"].shape
        summed = {"Sum over all axes but the last: γ and β serve every galaxy at every place.": case["x"].shape}
        if case["x"].ndim > 2:
            summed["Sum over rows and columns too: γ and β serve every place."] = case["x"].shape[1:]
        expect.shape(got[0], case["x"].shape, f"{name}, d_x")
        for part, what in ((got[1], "d_gamma"), (got[2], "d_beta")):
            expect.shape(part, units, f"{name}, {what}", mistakes=summed)
        return [np.asarray(part, float) for part in got]

    @subtest("d_beta and d_gamma: sums over all that the two serve")
    def parameters(self, cases, observed):
        for name in ("dense", "as many galaxies as units", "images", "spectra"):
            case, got = cases[name], self._got(cases, observed, name)
            gradient, x = case["gradient"], case["x"]
            _, want_gamma, want_beta = _numeric_backward(case)
            axes = tuple(range(x.ndim - 1))
            n = x.size // x.shape[-1]
            mistakes = {
                "This is a mean: add up.": want_beta / n,
                "You summed over the units: over the galaxies.": gradient.sum(axis=-1),
                "β is added, so γ has no part in its slope.": want_beta * case["gamma"],
                "This is the slope of γ: the order is d_x, d_gamma, d_beta.": want_gamma,
            }
            expect.close(got[2], want_beta, f"{name}, d_beta", rtol=1e-4, atol=1e-5, mistakes=mistakes)
            centred = x - x.mean(axis=axes)
            mistakes = {
                "This is a mean: add up.": want_gamma / n,
                "γ multiplies x̂, not x.": (gradient * x).sum(axis=axes),
                "γ multiplies x̂: x − μ is not divided by s yet.": (gradient * centred).sum(axis=axes),
                "What γ multiplies is x̂; γ itself has no part in its slope.": want_gamma * case["gamma"],
                "This is Σ x̂: multiply by the gradient that arrives.": (centred / x.std(axis=axes)).sum(axis=axes),
            }
            expect.close(got[1], want_gamma, f"{name}, d_gamma", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    def _d_x(self, cases, observed, name):
        case = cases[name]
        want = _numeric_backward(case)[0]
        mistakes = _told(_BACKWARD_MISTAKES, case, want)
        got = self._got(cases, observed, name)[0]
        expect.close(got, want, f"{name}, d_x", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("d_x of a dense layer: what numeric gradients say")
    def dense(self, cases, observed):
        for name in ("as many galaxies as units", "dense"):
            self._d_x(cases, observed, name)

    @subtest("d_x of images and spectra")
    def images(self, cases, observed):
        for name in ("images", "spectra"):
            self._d_x(cases, observed, name)

    @subtest("d_x with a large ε")
    def epsilon(self, cases, observed):
        self._d_x(cases, observed, "large epsilon")

    @subtest("shifting or stretching a whole batch changes nothing: no slope in these two directions")
    def directions(self, cases, observed):
        for name in ("dense", "images"):
            case = cases[name]
            d_x = self._got(cases, observed, name)[0]
            axes = tuple(range(d_x.ndim - 1))
            zero = np.zeros(d_x.shape[-1])
            expect.close(d_x.sum(axis=axes), zero, f"{name}, Σ d_x of each channel", atol=1e-3)
            centred = case["x"] - case["x"].mean(axis=axes)
            expect.close((d_x * centred).sum(axis=axes), zero, f"{name}, Σ d_x (x − μ) of each channel", atol=1e-2)


class Layer(Exercise):
    id = "7.6"
    title = "a Keras layer"
    forbidden = ("keras.layers.BatchNormalization", "keras.ops.batch_normalization")
    hints = (
        "Which of the four vectors does the optimiser change, and which does the layer keep itself? And when are "
        "the batch's own mean and variance used: only if it is training, and the layer has not been frozen.",
        'build: self.add_weight(shape=(units,), initializer="ones", name="gamma") and three like it, the moving '
        "ones with trainable=False. call: with keras.ops.mean and keras.ops.var over all axes but the last; in "
        "training assign momentum · old + (1 − momentum) · new to the moving ones; otherwise use these.",
        "axes = list(range(len(x.shape) - 1)); if training and self.trainable: mean, variance = keras.ops.mean(x, "
        "axes), keras.ops.var(x, axes); self.moving_mean.assign(self.momentum * self.moving_mean + (1 - "
        "self.momentum) * mean), the same for the variance; else: mean, variance = self.moving_mean, "
        "self.moving_variance; return self.gamma * (x - mean) / keras.ops.sqrt(variance + self.epsilon) + self.beta",
    )

    def inputs(self, rng):
        def case(*shape, momentum, epsilon=1e-3):
            units = shape[-1]
            return {
                "x": (rng.normal(size=shape) * rng.uniform(0.5, 3, size=units) + rng.uniform(1, 3)).astype("float32"),
                "gradient": rng.normal(size=shape).astype("float32"),
                "momentum": momentum,
                "epsilon": epsilon,
                "weights": [
                    rng.uniform(low, high, size=units).astype("float32")
                    for low, high in ((0.5, 2), (-1, 1), (-1, 1), (0.5, 2))
                ],
            }

        return {
            "dense": case(6, 4, momentum=0.9),
            "images": case(3, 4, 5, 3, momentum=0.8),
            "spectra": case(4, 9, 2, momentum=0.7),
            "large epsilon": case(5, 5, momentum=0.6, epsilon=0.5),
        }

    def observe(self, answer, cases):
        observed = {name: run(_observe_layer, answer, **case) for name, case in cases.items()}
        for outcome in observed.values():
            if outcome["problem"]:  # Keras wraps an error into bold type and a list of arguments
                first, separator, line = outcome["problem"]["message"].partition("\nin your line")
                first = re.sub(r"\x1b\[\d+m", "", first).split(" Arguments received by")[0]
                outcome["problem"]["message"] = first + separator + line
        return observed

    def reference(self):
        return keras.layers.BatchNormalization

    @subtest("one γ, β, moving mean and moving variance for each channel; it starts by changing nothing")
    def weights(self, cases, observed):
        for name, case in cases.items():
            got, units = observed[name], case["x"].shape[-1]
            for key, value in (("gamma", 1.0), ("beta", 0.0), ("moving_mean", 0.0), ("moving_variance", 1.0)):
                mistakes = {
                    "One for each channel, not for each place: the last number of input_shape.": case["x"].shape[1:]
                }
                expect.shape(got[key], (units,), f"{name}, {key}", mistakes=mistakes)
                expect.close(got[key], np.full(units, value), f"{name}, {key} at the start")

    @subtest("γ and β are trainable, the moving averages are not")
    def trainable(self, cases, observed):
        for name in ("images", "dense"):
            got, units = observed[name], cases[name]["x"].shape[-1]
            mistakes = {
                "The optimiser must not touch the moving averages: add them with trainable=False.": [4 * units, 0],
                "γ and β have to be learnt.": [0, 4 * units],
            }
            want = [2 * units, 2 * units]
            expect.equal(
                [got["trainable"], got["not trainable"]],
                want,
                f"{name}, numbers that are trained and that are not",
                mistakes=mistakes,
            )

    @subtest("training: what Keras' layer gives")
    def training(self, cases, observed):
        for name, case in cases.items():
            gamma, beta, *_ = case["weights"]
            parts = {"x": case["x"], "gamma": gamma, "beta": beta, "epsilon": case["epsilon"]}
            theirs = _observe_layer(keras.layers.BatchNormalization, **case)
            want = theirs["training"]
            mistakes = _told(_MISTAKES, parts, want)
            moving = "These are the moving averages' values: in training, take the batch's own mean and variance."
            mistakes[moving] = theirs["inference before"]
            mean, variance = theirs["after training"]
            mistakes[moving.replace("values", "values, just updated")] = _by(
                case["x"], gamma, beta, mean, np.sqrt(variance + case["epsilon"])
            )
            what = f"{name}, training"
            expect.close(observed[name]["training"], want, what, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("one training step moves the averages as Keras does")
    def moving(self, cases, observed):
        for name, case in cases.items():
            want = _observe_layer(keras.layers.BatchNormalization, **case)["after training"]
            momentum, (_, _, mean, variance) = case["momentum"], case["weights"]
            axes = tuple(range(case["x"].ndim - 1))
            batch = [case["x"].mean(axis=axes), case["x"].var(axis=axes)]
            n = case["x"].size // case["x"].shape[-1]
            for place, (what, old) in enumerate((("moving mean", mean), ("moving variance", variance))):
                mistakes = {
                    "It has not moved: assign the new value, self.moving_mean.assign(…).": old,
                    "The momentum belongs to the old value, 1 − momentum to the batch's.": (
                        (1 - momentum) * old + momentum * batch[place]
                    ),
                    "This is the batch's own value: mix it with the old one.": batch[place],
                    "It has moved twice.": momentum * want[place] + (1 - momentum) * batch[place],
                    "You divided by n − 1 in the variance (as PyTorch does for its moving variance; Keras divides by "
                    "n).": momentum * old + (1 - momentum) * batch[place] * n / (n - 1),
                    "You averaged the standard deviation: the moving variance is one of variances.": (
                        momentum * old + (1 - momentum) * np.sqrt(batch[place]) if place else None
                    ),
                }
                mistakes = {text: value for text, value in mistakes.items() if value is not None}
                got = observed[name]["after training"][place]
                expect.close(got, want[place], f"{name}, {what}", rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("inference uses the moving averages and leaves them as they are")
    def inference(self, cases, observed):
        for name, case in cases.items():
            theirs = _observe_layer(keras.layers.BatchNormalization, **case)
            got = observed[name]
            for before, after in zip(got["before inference"], got["after inference"], strict=True):
                expect.true(np.array_equal(before, after), f"{name}: inference has changed a moving average.")
            mistakes = {"These are the batch's own mean and variance: take the moving ones.": theirs["training"]}
            want = theirs["inference before"]
            what = f"{name}, inference"
            expect.close(got["inference before"], want, what, rtol=1e-3, atol=1e-4, mistakes=mistakes)
            expect.close(
                got["one alone"],
                np.asarray(got["inference before"])[:1],
                f"{name}: the first example alone, and among others",
                rtol=1e-3,
                atol=1e-4,
            )

    @subtest("a frozen layer (trainable = False) is in inference mode, even while the rest trains")
    def frozen(self, cases, observed):
        for name in ("dense", "images"):
            got = observed[name]
            for before, after in zip(got["before inference"], got["after frozen"], strict=True):
                expect.true(
                    np.array_equal(before, after),
                    f"{name}: the moving averages of a frozen layer have moved. Ask for `training and self.trainable`.",
                )
            mistakes = {
                "A frozen layer must not use the batch's mean and variance: `training and self.trainable`.": (
                    got["training"]
                )
            }
            what = f"{name}, frozen"
            want = got["inference before"]
            expect.close(got["frozen"], want, what, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("the gradient comes back through mean and variance, and inside a model")
    def gradient(self, cases, observed):
        for name, case in cases.items():
            gamma = case["weights"][0]
            parts = {"gradient": case["gradient"], "x": case["x"], "gamma": gamma, "epsilon": case["epsilon"]}
            parts = {key: np.asarray(value, "float64") for key, value in parts.items()}
            want = _numeric_backward(parts)[0]
            mistakes = _told(_BACKWARD_MISTAKES, parts, want)
            got = observed[name]["gradient"]
            expect.close(got, want, f"{name}, gradient", rtol=1e-2, atol=2e-3, mistakes=mistakes)
            what = f"{name}, predictions of a model with this layer"
            expect.close(observed[name]["model"], observed[name]["inference before"], what, rtol=1e-3, atol=1e-4)


class GroupNorm(Exercise):
    id = "7.7"
    title = "without the batch"
    forbidden = ("keras.layers",)
    hints = (
        "Split the last axis into two, groups and channels of a group. Over which axes does the mean of one group "
        "of one galaxy run?",
        "Reshape to (n, …, groups, channels // groups); mean and variance over all axes but the first and the one "
        "of the groups, with keepdims=True; normalise; reshape back; γ and β as before.",
        "split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups); axes = (*range(1, x.ndim - 1), x.ndim); "
        "mean = split.mean(axis=axes, keepdims=True); variance the same; y = (split - mean) / np.sqrt(variance + "
        "epsilon); return gamma * y.reshape(x.shape) + beta",
    )

    def inputs(self, rng):
        def case(*shape, groups, epsilon=1e-3):
            units = shape[-1]
            offset = rng.uniform(-3, 3, size=(shape[0],) + (1,) * (len(shape) - 2) + (units,))
            return {
                "x": offset + rng.uniform(0.5, 3, size=units) * rng.normal(size=shape),
                "gamma": rng.uniform(0.5, 2, size=units),
                "beta": rng.uniform(-2, 2, size=units),
                "groups": groups,
                "epsilon": epsilon,
            }

        images = case(4, 3, 5, 6, groups=2)
        return {
            "images, one group": case(3, 4, 5, 6, groups=1),
            "images, two groups of three": images,
            "the first of these images alone": images | {"x": images["x"][:1]},
            "images, four groups of two": case(2, 6, 4, 8, groups=4),
            "images, a group for each channel": case(3, 4, 3, 5, groups=5),
            "spectra, three groups": case(3, 8, 6, groups=3),
            "dense, two groups": case(5, 8, groups=2),
            "large epsilon": case(2, 3, 4, 4, groups=2, epsilon=0.6),
        }

    def reference(self):
        def group_norm(x, gamma, beta, groups, epsilon):
            layer = keras.layers.GroupNormalization(groups, epsilon=epsilon)
            layer.build(x.shape)
            layer.set_weights([gamma, beta])
            return keras.ops.convert_to_numpy(layer(np.asarray(x, "float32")))

        return group_norm

    def _compare(self, cases, observed, names):
        for name in names:
            case = cases[name]
            expect.shape(observed[name], case["x"].shape, name)
            want = _keras_group_norm(**case)
            mistakes = _told(_GROUP_MISTAKES, case, want)
            expect.close(observed[name], want, name, rtol=1e-3, atol=2e-3, mistakes=mistakes)

    @subtest("one group: each galaxy by itself, over all its places and channels")
    def one(self, cases, observed):
        self._compare(cases, observed, ("images, one group",))

    @subtest("several groups: neighbouring channels belong together, as in Keras")
    def several(self, cases, observed):
        self._compare(cases, observed, ("images, two groups of three", "images, four groups of two"))

    @subtest("a group for each channel, and a large ε")
    def instance(self, cases, observed):
        self._compare(cases, observed, ("images, a group for each channel", "large epsilon"))

    @subtest("spectra and dense layers")
    def ranks(self, cases, observed):
        self._compare(cases, observed, ("spectra, three groups", "dense, two groups"))

    @subtest("a galaxy alone gets what it gets among others")
    def alone(self, cases, observed):
        among = np.asarray(observed["images, two groups of three"])[:1]
        got = observed["the first of these images alone"]
        expect.close(got, among, "the first image alone, and among four", rtol=1e-3, atol=1e-4)


class Fold(Exercise):
    id = "7.8"
    title = "batch norm for nothing"
    forbidden = ("keras.layers",)
    hints = (
        "In inference, batch normalisation multiplies each channel by one number and adds another. Which two numbers?",
        "scale = γ / √(variance + ε) for each output channel. The convolution is linear: scale · (K ∗ a + b − μ) + "
        "β = (scale · K) ∗ a + (scale · (b − μ) + β).",
        "scale = gamma / np.sqrt(moving_variance + epsilon); return kernel * scale, (bias - moving_mean) * scale + "
        "beta",
    )

    def inputs(self, rng):
        def case(*shape, a, epsilon=1e-3):
            units = shape[-1]
            return {
                "a": rng.normal(1, 1, size=a),
                "kernel": rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1])),
                "bias": rng.normal(size=units),
                "gamma": rng.uniform(0.5, 2, size=units) * rng.choice([-1, 1], size=units),
                "beta": rng.uniform(-2, 2, size=units),
                "moving_mean": rng.uniform(-2, 2, size=units),
                "moving_variance": rng.uniform(0.2, 4, size=units),
                "epsilon": epsilon,
            }

        no_bias = case(3, 3, 2, 5, a=(2, 6, 7, 2))
        no_bias["bias"] = np.zeros(5)
        return {
            "dense": case(5, 3, a=(4, 5)),
            "as many inputs as outputs": case(3, 3, 4, 4, a=(2, 6, 5, 4)),
            "convolution": case(3, 5, 2, 6, a=(2, 7, 8, 2)),
            "a convolution without bias": no_bias,
            "spectra": case(4, 3, 5, a=(2, 12, 3)),
            "large epsilon": case(4, 4, a=(3, 4), epsilon=0.8),
        }

    def observe(self, answer, cases):
        return {
            name: run(answer, **{key: value for key, value in case.items() if key != "a"})
            for name, case in cases.items()
        }

    def reference(self):
        def fold(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
            layer = keras.layers.BatchNormalization(epsilon=epsilon)
            layer.build((None, len(gamma)))
            layer.set_weights([gamma, beta, moving_mean, moving_variance])
            at_zero, at_one = keras.ops.convert_to_numpy(layer(np.stack([bias, bias + 1]).astype("float32")))
            return kernel * (at_one - at_zero), at_zero

        return fold

    def _compare(self, cases, observed, names):
        for name in names:
            case, got = cases[name], observed[name]
            expect.true(
                isinstance(got, list) and len(got) == 2,
                f"{name}: expected a kernel and a bias, got {expect.show(got)}.",
            )
            expect.shape(got[0], case["kernel"].shape, f"{name}, kernel")
            expect.shape(got[1], case["bias"].shape, f"{name}, bias")
            want = _convolution_then_norm(**case)
            folded = _convolution(case["a"], *got)
            mistakes = _told(_FOLD_MISTAKES, case, want)
            what = f"{name}, what the folded layer gives"
            expect.close(folded, want, what, rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("a dense layer and a convolution, folded, give what the two layers gave")
    def layers(self, cases, observed):
        self._compare(cases, observed, ("dense", "convolution", "a convolution without bias", "spectra"))

    @subtest("as many inputs as outputs: the scale belongs to the outputs")
    def square(self, cases, observed):
        self._compare(cases, observed, ("as many inputs as outputs",))

    @subtest("a large ε")
    def epsilon(self, cases, observed):
        self._compare(cases, observed, ("large epsilon",))


# What Keras, scikit-learn and finite differences say


def _keras_batch_norm(x, gamma, beta, epsilon):
    layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    layer.build(x.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return keras.ops.convert_to_numpy(layer(np.asarray(x, "float64"), training=True))


def _keras_inference(x, moving_mean, moving_variance, gamma, beta, epsilon):
    layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([gamma, beta, moving_mean, moving_variance])
    return keras.ops.convert_to_numpy(layer(np.asarray(x, "float64"), training=False))


def _keras_moving_mean(start, means, momentum):
    """Keras' moving mean after batches that have these means."""
    layer = keras.layers.BatchNormalization(momentum=momentum, dtype="float64")
    layer.build((None, len(start)))
    layer.moving_mean.assign(start)
    for mean in means:
        layer(np.stack([mean - 1, mean + 1]), training=True)
    return keras.ops.convert_to_numpy(layer.moving_mean)


def _keras_group_norm(x, gamma, beta, groups, epsilon):
    layer = keras.layers.GroupNormalization(groups, epsilon=epsilon)
    layer.build(x.shape)
    layer.set_weights([gamma, beta])
    return keras.ops.convert_to_numpy(layer(np.asarray(x, "float32")))


def _scaler_moments(x):
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x.reshape(-1, x.shape[-1]))
    return scaler.mean_, scaler.var_


def _observe_layer(answer, x, gradient, momentum, epsilon, weights):
    """A batch normalisation layer in all its modes, as plain data."""
    layer = answer(momentum=momentum, epsilon=epsilon)
    layer.build((None, *x.shape[1:]))
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    missing = [name for name in names if not hasattr(layer, name)]
    if missing:
        raise AttributeError(f"the layer has no `{missing[0]}` after build: self.{missing[0]} = self.add_weight(…)")
    found = {name: keras.ops.convert_to_numpy(getattr(layer, name)) for name in names}
    found["trainable"] = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    found["not trainable"] = sum(int(np.prod(w.shape)) for w in layer.non_trainable_weights)
    for name, value in zip(names, weights, strict=True):
        if tuple(getattr(layer, name).shape) == np.shape(value):
            getattr(layer, name).assign(value)

    def moving():
        return [np.array(keras.ops.convert_to_numpy(v)) for v in (layer.moving_mean, layer.moving_variance)]

    def called(batch, training):
        return keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(batch), training=training))

    found["before inference"] = moving()
    found["inference before"] = called(x, False)
    found["one alone"] = called(x[:1], False)
    found["after inference"] = moving()
    layer.trainable = False
    found["frozen"] = called(x, True)
    found["after frozen"] = moving()
    layer.trainable = True
    inputs = keras.Input(x.shape[1:])
    found["model"] = keras.ops.convert_to_numpy(keras.Model(inputs, layer(inputs))(x, training=False))
    for name, value in zip(names[2:], found["before inference"], strict=True):
        getattr(layer, name).assign(value)
    found["training"] = called(x, True)
    found["after training"] = moving()
    state = [
        [keras.ops.convert_to_tensor(v) for v in kind]
        for kind in (layer.trainable_weights, layer.non_trainable_weights)
    ]

    def loss(t):
        y, _ = layer.stateless_call(*state, t, training=True)
        return keras.ops.sum(y * gradient)

    found["gradient"] = input_gradient(loss, x)
    return found


def _forward(x, gamma, epsilon):
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + epsilon)


def _numeric_backward(case):
    """Slopes of Σ gradient · y by central differences in double precision: d_x, d_gamma, d_beta."""
    gradient, x, gamma, epsilon = (case[key] for key in ("gradient", "x", "gamma", "epsilon"))
    step = 1e-5

    def loss(x, gamma, beta):
        return np.sum(gradient * (_forward(x, gamma, epsilon) + beta))

    beta = np.zeros_like(gamma)
    found = []
    for which, array in enumerate((x, gamma, beta)):
        slope = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            values = []
            for sign in (1, -1):
                arrays = [x, gamma, beta]
                arrays[which] = array.copy()
                arrays[which][place] += sign * step
                values.append(loss(*arrays))
            slope[place] = (values[0] - values[1]) / (2 * step)
        found.append(slope)
    return found


def _z(x, axis):
    return (x - x.mean(axis=axis, keepdims=True)) / x.std(axis=axis, keepdims=True)


def _one_sided(function, x, step):
    slope = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        bumped = x.copy()
        bumped[place] += step
        slope[place] = (function(bumped) - function(x)) / step
    return slope


def _told(mistakes, case, want):
    """The values of known mistakes, without those that give the right value here or cannot be computed."""
    found = {}
    for text, wrong in mistakes.items():
        try:
            with np.errstate(all="ignore"):
                value = wrong(**{key: np.asarray(v, "float64") if np.ndim(v) else v for key, v in case.items()})
        except (TypeError, ValueError):  # these shapes do not allow that mistake
            continue
        if np.shape(value) != np.shape(want) or not np.allclose(value, want, rtol=1e-3, atol=1e-4):
            found[text] = value
    return found


def _ways(x):
    """Axes over which a channel's mean runs."""
    return tuple(range(x.ndim - 1))


def _by(x, gamma, beta, mean, divisor):
    return gamma * (x - mean) / divisor + beta


_MISTAKES = {
    "You divided by n − 1 in the variance: by n, as np.var does by itself.": lambda x, gamma, beta, epsilon: _by(
        x, gamma, beta, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x), ddof=1) + epsilon)
    ),
    "ε stands outside the root: √(variance + ε).": lambda x, gamma, beta, epsilon: _by(
        x, gamma, beta, x.mean(axis=_ways(x)), x.std(axis=_ways(x)) + epsilon
    ),
    "ε is missing.": lambda x, gamma, beta, epsilon: _by(x, gamma, beta, x.mean(axis=_ways(x)), x.std(axis=_ways(x))),
    "ε is squared: √(variance + ε).": lambda x, gamma, beta, epsilon: _by(
        x, gamma, beta, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon**2)
    ),
    "You divided by variance + ε: by its root.": lambda x, gamma, beta, epsilon: _by(
        x, gamma, beta, x.mean(axis=_ways(x)), x.var(axis=_ways(x)) + epsilon
    ),
    "You normalised each galaxy over its units: each unit over its galaxies, axis=0.": (
        lambda x, gamma, beta, epsilon: _by(
            x, gamma, beta, x.mean(axis=-1, keepdims=True), np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
        )
    ),
    "You took one mean and one spread for all units: each has its own.": lambda x, gamma, beta, epsilon: _by(
        x, gamma, beta, x.mean(), np.sqrt(x.var() + epsilon)
    ),
    "You averaged over the first axis alone: a channel has one mean for all places.": (
        lambda x, gamma, beta, epsilon: _by(x, gamma, beta, x.mean(axis=0), np.sqrt(x.var(axis=0) + epsilon))
    ),
    "β is missing.": lambda x, gamma, beta, epsilon: _by(
        x, gamma, 0, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon)
    ),
    "γ is missing.": lambda x, gamma, beta, epsilon: _by(
        x, 1, beta, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon)
    ),
    "γ and β are missing.": lambda x, gamma, beta, epsilon: _by(
        x, 1, 0, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon)
    ),
    "γ multiplies x̂ before β is added: γ x̂ + β, not γ (x̂ + β).": lambda x, gamma, beta, epsilon: (
        gamma * _by(x, 1, beta, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon))
    ),
    "γ and β are swapped.": lambda x, gamma, beta, epsilon: _by(
        x, beta, gamma, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon)
    ),
}

_INFERENCE_MISTAKES = {
    "This is the batch's own mean and variance: take the moving ones.": (
        lambda x, moving_mean, moving_variance, gamma, beta, epsilon: (
            gamma * (x - x.mean(axis=_ways(x))) / np.sqrt(x.var(axis=_ways(x)) + epsilon) + beta
        )
    ),
    "ε stands outside the root: √(variance + ε).": (
        lambda x, moving_mean, moving_variance, gamma, beta, epsilon: _by(
            x, gamma, beta, moving_mean, np.sqrt(moving_variance) + epsilon
        )
    ),
    "ε is missing.": lambda x, moving_mean, moving_variance, gamma, beta, epsilon: _by(
        x, gamma, beta, moving_mean, np.sqrt(moving_variance)
    ),
    "You divided by the variance: by its root.": (
        lambda x, moving_mean, moving_variance, gamma, beta, epsilon: _by(
            x, gamma, beta, moving_mean, moving_variance + epsilon
        )
    ),
    "γ and β are missing: they are learnt, and used in inference as well.": (
        lambda x, moving_mean, moving_variance, gamma, beta, epsilon: _by(
            x, 1, 0, moving_mean, np.sqrt(moving_variance + epsilon)
        )
    ),
    "γ and β are swapped.": lambda x, moving_mean, moving_variance, gamma, beta, epsilon: _by(
        x, beta, gamma, moving_mean, np.sqrt(moving_variance + epsilon)
    ),
}


def _backward_parts(gradient, x, gamma, epsilon):
    spread = np.sqrt(x.var(axis=_ways(x)) + epsilon)
    centred = x - x.mean(axis=_ways(x))
    return gamma * gradient / spread, centred / spread


def _along(direct, normalised):
    return normalised * (direct * normalised).mean(axis=_ways(normalised))


def _only_straight(gradient, x, gamma, epsilon):
    return _backward_parts(gradient, x, gamma, epsilon)[0]


def _without_variance(gradient, x, gamma, epsilon):
    direct, _ = _backward_parts(gradient, x, gamma, epsilon)
    return direct - direct.mean(axis=_ways(x))


def _without_mean(gradient, x, gamma, epsilon):
    direct, normalised = _backward_parts(gradient, x, gamma, epsilon)
    return direct - _along(direct, normalised)


def _without_gamma(gradient, x, gamma, epsilon):
    direct, normalised = _backward_parts(gradient, x, 1.0, epsilon)
    return direct - direct.mean(axis=_ways(x)) - _along(direct, normalised)


def _without_n(gradient, x, gamma, epsilon):
    direct, normalised = _backward_parts(gradient, x, gamma, epsilon)
    n = x.size // x.shape[-1]
    return direct - n * direct.mean(axis=_ways(x)) - n * _along(direct, normalised)


def _with_batch_for_n(gradient, x, gamma, epsilon):
    direct, normalised = _backward_parts(gradient, x, gamma, epsilon)
    factor = x.size // x.shape[-1] / len(x)
    return direct - factor * direct.mean(axis=_ways(x)) - factor * _along(direct, normalised)


def _without_epsilon(gradient, x, gamma, epsilon):
    direct, normalised = _backward_parts(gradient, x, gamma, 0.0)
    return direct - direct.mean(axis=_ways(x)) - _along(direct, normalised)


def _with_epsilon_outside(gradient, x, gamma, epsilon):
    spread = x.std(axis=_ways(x)) + epsilon
    direct, normalised = gamma * gradient / spread, (x - x.mean(axis=_ways(x))) / spread
    return direct - direct.mean(axis=_ways(x)) - _along(direct, normalised)


_BACKWARD_MISTAKES = {
    "The ways through the mean and the variance are missing: both depend on x.": _only_straight,
    "The way through the variance is missing.": _without_variance,
    "The way through the mean is missing.": _without_mean,
    "γ is missing: what arrives at x̂ is γ times the gradient.": _without_gamma,
    "The divisions by n are missing: each x is one of n in the mean and in the variance.": _without_n,
    "n is the number of values of a channel, images × rows × columns, not the number of images.": _with_batch_for_n,
    "ε is missing: it belongs to s = √(variance + ε).": _without_epsilon,
    "ε stands outside the root: s = √(variance + ε).": _with_epsilon_outside,
}


def _group_axes(x, gamma, beta, groups, epsilon, axes, order="groups first"):
    channels = x.shape[-1] // groups
    if order == "groups first":
        split = x.reshape(*x.shape[:-1], groups, channels)
        axes = axes(x.ndim)
    else:
        split = x.reshape(*x.shape[:-1], channels, groups)
        axes = (*range(1, x.ndim - 1), x.ndim - 1)
    mean, variance = split.mean(axis=axes, keepdims=True), split.var(axis=axes, keepdims=True)
    return gamma * ((split - mean) / np.sqrt(variance + epsilon)).reshape(x.shape) + beta


_GROUP_MISTAKES = {
    "The mean runs over the galaxies too: leave out axis 0.": lambda **case: _group_axes(
        **case, axes=lambda ndim: (*range(ndim - 1), ndim)
    ),
    "This is batch normalisation: each galaxy by itself, and over the channels of a group.": (
        lambda x, gamma, beta, groups, epsilon: _by(
            x, gamma, beta, x.mean(axis=_ways(x)), np.sqrt(x.var(axis=_ways(x)) + epsilon)
        )
    ),
    "Each pixel was normalised by itself: the mean runs over rows and columns too.": lambda **case: _group_axes(
        **case, axes=lambda ndim: (ndim,)
    ),
    "The channels were dealt out to the groups in turn: neighbouring channels belong together.": (
        lambda **case: _group_axes(**case, axes=None, order="dealt")
    ),
    "All channels are in one group: split the last axis.": lambda x, gamma, beta, groups, epsilon: _group_axes(
        x, gamma, beta, 1, epsilon, lambda ndim: (*range(1, ndim - 1), ndim)
    ),
    "Each channel is by itself: a group holds channels // groups of them.": (
        lambda x, gamma, beta, groups, epsilon: _group_axes(
            x, gamma, beta, x.shape[-1], epsilon, lambda ndim: (*range(1, ndim - 1), ndim)
        )
    ),
    "γ and β are missing: one of each for each channel.": lambda x, gamma, beta, groups, epsilon: _group_axes(
        x, 1, 0, groups, epsilon, lambda ndim: (*range(1, ndim - 1), ndim)
    ),
    "These are consecutive numbers of the image, not channels: split the last axis, not the whole galaxy.": (
        lambda x, gamma, beta, groups, epsilon: (
            gamma
            * (
                (x.reshape(len(x), groups, -1) - x.reshape(len(x), groups, -1).mean(axis=2, keepdims=True))
                / np.sqrt(x.reshape(len(x), groups, -1).var(axis=2, keepdims=True) + epsilon)
            ).reshape(x.shape)
            + beta
        )
    ),
}


def _convolution(a, kernel, bias):
    kernel, bias = np.asarray(kernel, "float32"), np.asarray(bias, "float32")
    a = np.asarray(a, "float32")
    summed = keras.ops.matmul(a, kernel) if kernel.ndim == 2 else keras.ops.conv(a, kernel)
    return keras.ops.convert_to_numpy(summed) + bias


def _convolution_then_norm(a, kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    return _keras_inference(_convolution(a, kernel, bias), moving_mean, moving_variance, gamma, beta, epsilon)


def _scale(gamma, moving_variance, epsilon):
    return gamma / np.sqrt(moving_variance + epsilon)


_WRONG_FOLDS = {
    "The old bias is missing: the mean is subtracted from it.": (
        lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
            kernel * _scale(gamma, moving_variance, epsilon),
            beta - moving_mean * _scale(gamma, moving_variance, epsilon),
        )
    ),
    "The old bias is not scaled: scale · (bias − mean) + β.": (
        lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
            kernel * _scale(gamma, moving_variance, epsilon),
            bias + beta - moving_mean * _scale(gamma, moving_variance, epsilon),
        )
    ),
    "The mean is not scaled: scale · (bias − mean) + β.": (
        lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
            kernel * _scale(gamma, moving_variance, epsilon),
            bias * _scale(gamma, moving_variance, epsilon) - moving_mean + beta,
        )
    ),
    "The kernel is not scaled.": lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
        kernel,
        (bias - moving_mean) * _scale(gamma, moving_variance, epsilon) + beta,
    ),
    "β is missing.": lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
        kernel * _scale(gamma, moving_variance, epsilon),
        (bias - moving_mean) * _scale(gamma, moving_variance, epsilon),
    ),
    "γ is missing.": lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
        kernel * _scale(1, moving_variance, epsilon),
        (bias - moving_mean) * _scale(1, moving_variance, epsilon) + beta,
    ),
    "You divided by the variance: by √(variance + ε).": (
        lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
            kernel * gamma / (moving_variance + epsilon),
            (bias - moving_mean) * gamma / (moving_variance + epsilon) + beta,
        )
    ),
    "ε is missing.": lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
        kernel * _scale(gamma, moving_variance, 0),
        (bias - moving_mean) * _scale(gamma, moving_variance, 0) + beta,
    ),
    "The scale went to the inputs of the kernel: it belongs to its outputs, the last axis.": (
        lambda kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon: (
            kernel * _scale(gamma, moving_variance, epsilon)[:, None],
            (bias - moving_mean) * _scale(gamma, moving_variance, epsilon) + beta,
        )
    ),
}


def _folded_wrongly(wrong):
    """What the layer gives that `wrong` makes of a case."""
    return lambda a, **layers: _convolution(a, *wrong(**layers))


_FOLD_MISTAKES = {text: _folded_wrongly(wrong) for text, wrong in _WRONG_FOLDS.items()}
