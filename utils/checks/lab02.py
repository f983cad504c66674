"""Checks of lab 02, convolution."""

import functools
import sys

import keras
import numpy as np
import scipy.ndimage
import scipy.signal

from utils.checks import Exercise, expect, run, subtest
from utils.checks.observe import INSTALLED, OURS
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "worked_example": Claim("numbers of the lecture's worked example that come out right, of nine", "== 9"),
    "layers_agree": Claim(
        "layers that agree with Keras to 1e-5, of 201: paddings, strides, dilations, channels, kernel sizes", "== 201"
    ),
    "shifts_exact": Claim("shifts by a multiple of the jump after which the output is moved exactly, of 20", "== 20"),
    "shift_between": Claim("smallest equivariance error after other shifts", ">= 0.1", limits=POSITIVE),
    "pooling_ratio": Claim(
        "change by striding divided by change by max pooling, 200 Hubble galaxies moved by 2 pixels", ">= 1.5"
    ),
    "fields_right": Claim("receptive fields that are as large in the gradient as predicted, of three", "== 3"),
    "dense_weights": Claim("weights of a dense layer from 512 × 512 pixels to as many", "== 68719476736"),
    "hubble_neighbours": Claim("correlation of next neighbours in the Hubble picture", ">= 0.8"),
    "hubble_far": Claim("correlation of its pixels 40 columns apart", "-0.1 .. 0.1"),
    "lines_found": Claim("share of faint spectra in which the matched filter finds a line", ">= 0.7", limits=SHARE),
    "lines_gain": Claim("what that share gains over the highest ratio of flux to noise", ">= 0.15", limits=(-1.0, 1.0)),
    "shared_unseen": Claim(
        "accuracy of one shared kernel on lines where the training set had none", ">= 0.95", limits=SHARE
    ),
    "dense_unseen": Claim("accuracy of a dense network on the same pieces", "<= 0.6", limits=SHARE),
    "kernel_similarity": Claim(
        "cosine between the kernel that was learnt and a line's shape", ">= 0.9", limits=(-1.0, 1.0)
    ),
}


def steps_of(function, *args, **kwargs):
    """How many lines of its own a function runs, calls included; those of libraries and of the course do not count."""
    steps = 0

    def count(frame, event, argument):
        nonlocal steps
        name = frame.f_code.co_filename
        if name.startswith((*INSTALLED, OURS, "<frozen", "<__array_function__")):
            return None
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        function(*args, **kwargs)
    finally:
        sys.settrace(before)
    return steps


def expect_no_loop(observed, places, what):
    """The steps that were counted are far fewer than the places of the output."""
    steps = observed["steps"]
    expect.true(
        isinstance(steps, int) and steps < places / 4,
        f"{places} {what} took {expect.show(steps)} steps of Python: there is a loop over them. Let NumPy do it: "
        "sliding_window_view shows all windows at once. (A loop over the few weights of the kernel is fine.)",
    )


EMPTY_SLICE = "Is there a slice such as [:-shift]? With a shift of 0 it is empty: write [: width - shift]."


def _known(observed, name, other, advice):
    """What came back in a case; where that failed and another case did not, with a piece of advice."""
    try:
        return observed[name]
    except expect.NotYet as problem:
        if dict.get(observed, other, {}).get("problem"):
            raise
        raise expect.NotYet(f"{problem}\n{advice}") from None


def _advised(observed, name, advice):
    """What came back in a case; where an error did, with the piece of advice for the first words found in its text."""
    try:
        return observed[name]
    except expect.NotYet as problem:
        for words, sentence in advice.items():
            if words in str(problem):
                raise expect.NotYet(f"{problem}\n{sentence}") from None
        raise


# --- 2.1 --------------------------------------------------------------------------------------------------------------


class NeighbourCorrelation(Exercise):
    id = "2.1"
    title = "autocorrelation"
    hints = (
        "The first pixels of all pairs are the image without its last rows and columns, the second ones the image "
        "without "
        "its first.",
        "first = images[:, : height - down, : width - right] and second = images[:, down:, right:] have the same "
        "shape. "
        "Then the formula: mean of the product of the deviations, divided by both standard deviations. Turn the images "
        "into floats before.",
        "product = np.mean((first - first.mean()) * (second - second.mean())); "
        "return product / (first.std() * second.std()). (Or np.corrcoef of both, made flat by ravel().)",
    )

    def inputs(self, rng):
        smooth = scipy.ndimage.gaussian_filter(rng.normal(size=(3, 21, 26)), (0, 1.0, 2.5))
        levels = rng.normal(size=(4, 9, 11)) + np.array([0.0, 8.0, 15.0, 40.0])[:, None, None]
        counts = np.clip(120 + 900 * scipy.ndimage.gaussian_filter(rng.normal(size=(2, 18, 15)), (0, 2, 2)), 0, 255)
        ramp = np.arange(30.0) ** 2 + rng.normal(size=(1, 12, 30))
        stripes = np.where(np.arange(16) % 2, 3.0, 1.0) + 0.3 * rng.normal(size=(2, 10, 16))
        return {
            "no shift": {"images": smooth, "down": 0, "right": 0},
            "to the right": {"images": smooth, "down": 0, "right": 3},
            "down": {"images": smooth, "down": 2, "right": 0},
            "both": {"images": smooth, "down": 1, "right": 4},
            "bright and dark stripes": {"images": stripes, "down": 0, "right": 1},
            "ramp": {"images": ramp, "down": 0, "right": 10},
            "bright and dark images": {"images": levels, "down": 1, "right": 1},
            "whole numbers": {"images": counts.astype("uint8"), "down": 1, "right": 0},
            "noise": {"images": rng.normal(size=(1, 60, 60)), "down": 0, "right": 1},
        }

    def reference(self):
        def neighbour_correlation(images, down, right):
            first, second = _pairs(images, down, right)
            return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])

        return neighbour_correlation

    def _compare(self, cases, observed, name):
        case = cases[name]
        images, down, right = np.asarray(case["images"], float), case["down"], case["right"]
        first, second = _pairs(images, down, right)
        rolled = np.roll(images, (-down, -right), axis=(1, 2))
        whole = (first - images.mean()) * (second - images.mean())
        each = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second, strict=True)]
        covariance = np.mean((first - first.mean()) * (second - second.mean()))
        mistakes = {
            "The pixels that leave on one side come back on the other: np.roll makes pairs that are no neighbours. "
            "Cut instead.": _pearson(images, rolled),
            "Rows and columns are exchanged: images[:, row, column].": _pearson(*_pairs(images, right, down))
            if max(down, right) < min(images.shape[1:])
            else np.nan,
            "This is the covariance: divide by both standard deviations.": covariance,
            "Divide by both standard deviations, not by one of them squared.": covariance / first.var(),
            "The means are not subtracted.": np.mean(first * second) / (first.std() * second.std()),
            "You divided by the mean squares: subtract the means first.": np.mean(first * second)
            / np.sqrt(np.mean(first**2) * np.mean(second**2)),
            "This is the mean over the images of each one's correlation: throw the pairs of all images together.": (
                np.mean(each)
            ),
            "You took mean and spread of the whole images: take those of the first pixels and of the second ones.": (
                whole.mean() / images.var()
            ),
            "This is the square, r²: return r.": _pearson(first, second) ** 2,
            "This is the absolute value: where a bright pixel has a dark neighbour, r is negative.": abs(
                _pearson(first, second)
            ),
            "np.cov divides by the number of pairs less one, std by their number: take the same for both (np.mean, or "
            "ddof=0).": _pearson(first, second) * first.size / (first.size - 1),
        }
        if case["images"].dtype == np.uint8:
            small_first, small_second = _pairs(case["images"], down, right)
            with np.errstate(all="ignore"):
                overflown = np.mean(small_first * small_second) - first.mean() * second.mean()
            mistakes["The product of two uint8 pixels overflows at 255: turn the images into floats first."] = (
                overflown / (first.std() * second.std())
            )
        got = _known(observed, name, "both", EMPTY_SLICE) if 0 in (down, right) else observed[name]
        if np.shape(got) == (2, 2):
            raise expect.NotYet(f"{name}: np.corrcoef returns a table of 2 × 2; the correlation is its element [0, 1].")
        if got is not None and np.shape(got) == () and np.isnan(np.asarray(got, float)) and 0 in (down, right):
            raise expect.NotYet(f"{name}: got NaN. {EMPTY_SLICE}")
        expect.close(got, _pearson(first, second), name, rtol=1e-6, atol=1e-9, mistakes=mistakes)

    @subtest("every pixel agrees with itself: without a shift it is 1")
    def no_shift(self, cases, observed):
        self._compare(cases, observed, "no shift")

    @subtest("shifts to the right and down agree with the library")
    def shifts(self, cases, observed):
        for name in ("to the right", "down", "both", "bright and dark stripes"):
            self._compare(cases, observed, name)

    @subtest("pairs lie inside an image: nothing comes back on the other side")
    def edges(self, cases, observed):
        self._compare(cases, observed, "ramp")

    @subtest("the pairs of all images are thrown together")
    def together(self, cases, observed):
        self._compare(cases, observed, "bright and dark images")

    @subtest("whole numbers of 8 bits do not overflow")
    def whole(self, cases, observed):
        self._compare(cases, observed, "whole numbers")

    @subtest("pixels of pure noise know nothing of each other")
    def noise(self, cases, observed):
        expect.between(observed["noise"], -0.1, 0.1, "noise")


def _pairs(images, down, right):
    height, width = images.shape[1:]
    return images[:, : height - down, : width - right], images[:, down:, right:]


def _pearson(first, second):
    return np.corrcoef(np.ravel(first), np.ravel(second))[0, 1]


# --- 2.2 --------------------------------------------------------------------------------------------------------------


class OneDimension(Exercise):
    id = "2.2"
    title = "correlation and convolution of a signal"
    hints = (
        "Put the kernel on the first pixels, multiply, add up. Then one pixel further. What changes for the "
        "convolution is "
        "only the order of the kernel's weights.",
        "sliding_window_view(signal, len(kernel)) has a window in each row. A matrix times a vector multiplies every "
        "row by "
        "the kernel and adds up: @ does it. The convolution is the correlation with the kernel turned round, "
        "kernel[::-1].",
        "correlate: return sliding_window_view(signal, len(kernel)) @ kernel. convolve: return correlate(signal, "
        "kernel[::-1]).",
    )

    def inputs(self, rng):
        return {
            "asymmetric kernel": {"signal": rng.normal(size=20), "kernel": rng.normal(size=5)},
            "even kernel": {"signal": rng.normal(size=11), "kernel": rng.normal(size=4)},
            "one weight": {"signal": rng.normal(size=6), "kernel": np.array([-2.5])},
            "kernel as long as the signal": {"signal": rng.normal(size=7), "kernel": rng.normal(size=7)},
            "whole numbers": {"signal": rng.integers(0, 90, size=9), "kernel": np.array([1, 0, -3])},
            "whole signal, kernel with fractions": {
                "signal": rng.integers(0, 90, size=9),
                "kernel": np.array([0.5, -0.25, 1.0]),
            },
            "impulse": {"signal": np.eye(1, 13, 5)[0], "kernel": rng.normal(size=5)},
            "long": {"signal": rng.normal(size=2000), "kernel": rng.normal(size=9)},
        }

    def observe(self, answer, cases):
        correlate, convolve = answer
        observed = {f"correlate, {name}": run(correlate, **case) for name, case in cases.items()}
        observed |= {f"convolve, {name}": run(convolve, **case) for name, case in cases.items()}
        return observed | {"steps": run(functools.partial(steps_of, convolve), **cases["long"])}

    def reference(self):
        def correlate(signal, kernel):
            return np.correlate(signal, kernel, mode="valid")

        def convolve(signal, kernel):
            return np.convolve(signal, kernel, mode="valid")

        return correlate, convolve

    def _compare(self, cases, observed, which, name):
        signal, kernel = cases[name]["signal"], cases[name]["kernel"]
        right, other = (
            (np.correlate, np.convolve)
            if which == "correlate"
            else (np.convolve, lambda a, b, mode: np.correlate(a, b, mode))
        )
        want = right(signal, kernel, mode="valid")
        flip = (
            "This is the convolution: a correlation leaves the kernel as it is."
            if which == "correlate"
            else "This is the correlation: the convolution turns the kernel round, kernel[::-1]."
        )
        used = kernel if which == "correlate" else kernel[::-1]
        products = np.lib.stride_tricks.sliding_window_view(signal, len(kernel)) * used
        mistakes = {
            flip: other(signal, kernel, mode="valid"),
            "This is the right result in reverse order: was the signal turned round, and not the kernel?": want[::-1],
            "The result was turned round, not the kernel.": other(signal, kernel, mode="valid")[::-1],
            "This has one place for each pixel, with zeros around: here only places count where the whole kernel lies "
            "on "
            'the signal ("valid").': right(signal, kernel, mode="same"),
            "This counts places where the kernel hangs over the edge: only those count where all of it lies on the "
            "signal "
            '("valid").': right(signal, kernel, mode="full"),
            "The last place is missing: there are pixels − n + 1 of them.": want[:-1],
            "You divided by the number of weights: a correlation is a sum, not a mean.": want / len(kernel),
            "You divided by the sum of the weights.": want / kernel.sum(),
            "These are the products: add them up over the kernel, axis=1.": products,
            "This adds up everything: add up each window by itself, axis=1.": products.sum(),
            "This adds up over the places: a window is a row, so add up over axis=1.": products.sum(axis=0),
            "The results were cut to whole numbers: the array that takes them has to hold floats.": np.trunc(want),
        }
        expect.close(observed[f"{which}, {name}"], want, f"{which}, {name}", rtol=1e-6, atol=1e-9, mistakes=mistakes)

    @subtest("correlation: the kernel as it is")
    def correlation(self, cases, observed):
        for name in ("asymmetric kernel", "whole numbers", "whole signal, kernel with fractions", "one weight"):
            self._compare(cases, observed, "correlate", name)

    @subtest("convolution: the kernel turned round")
    def convolution(self, cases, observed):
        for name in ("asymmetric kernel", "whole numbers", "whole signal, kernel with fractions", "one weight"):
            self._compare(cases, observed, "convolve", name)

    @subtest("a kernel of N pixels has one place on a signal of N, and even kernels work")
    def sizes(self, cases, observed):
        for which in ("correlate", "convolve"):
            for name in ("kernel as long as the signal", "even kernel"):
                self._compare(cases, observed, which, name)

    @subtest("an impulse, convolved, becomes the kernel itself")
    def impulse(self, cases, observed):
        kernel = cases["impulse"]["kernel"]
        want = np.r_[0, kernel, 0, 0, 0]
        mistakes = {
            "It comes out turned round: this is a correlation.": np.r_[0, kernel[::-1], 0, 0, 0],
            "The impulse is in the wrong place: the result was turned round, not the kernel.": np.r_[
                0, 0, 0, kernel, 0
            ],
            "Places where the kernel hangs over the edge do not count.": np.convolve(
                cases["impulse"]["signal"], kernel
            ),
            "This has one place for each pixel: only those count where the whole kernel "
            "lies on the signal.": np.convolve(cases["impulse"]["signal"], kernel, mode="same"),
        }
        expect.close(observed["convolve, impulse"], want, "convolve, impulse", mistakes=mistakes)

    @subtest("no loop over the pixels")
    def fast(self, cases, observed):
        self._compare(cases, observed, "convolve", "long")
        expect_no_loop(observed, 1992, "places")


# --- 2.3 --------------------------------------------------------------------------------------------------------------


class MatchedFilter(Exercise):
    id = "2.3"
    title = "matched filter"
    hints = (
        "Both sums run over the window, so both are correlations. What is the signal and what is the kernel in each?",
        "Numerator: flux / noise² with the kernel. Denominator: 1 / noise² with the kernel's square. To get a place "
        "for each "
        "pixel, put n // 2 zeros before and behind both signals (np.pad): a zero has no weight, which is what is "
        "wanted at "
        "the ends.",
        "half = len(kernel) // 2; information = correlate(np.pad(1 / noise**2, half), kernel**2); strength = "
        "correlate(np.pad(flux / noise**2, half), kernel) / information; error = 1 / np.sqrt(information).",
    )

    def inputs(self, rng):
        kernel = np.array([0.2, 0.6, 1.0, 0.8, 0.5])  # asymmetric on purpose
        gaussian = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
        varying = rng.uniform(0.5, 3.0, size=40)
        masked = varying.copy()
        masked[[7, 8, 25]] = np.inf
        line = np.zeros(31)
        line[12:17] = 7.0 * kernel
        flux = rng.normal(size=40)
        return {
            "a pure line": {"flux": line, "noise": np.full(31, 2.0), "kernel": kernel},
            "the same noise everywhere": {"flux": flux, "noise": np.full(40, 0.5), "kernel": gaussian},
            "noise that varies": {"flux": flux * varying, "noise": varying, "kernel": kernel},
            "noise that varies, twice as loud": {"flux": flux * varying, "noise": 2 * varying, "kernel": kernel},
            "pixels not to be used": {"flux": flux * varying, "noise": masked, "kernel": kernel},
        }

    def reference(self):
        def matched_filter(flux, noise, kernel):
            return _least_squares(flux, noise, kernel)

        return matched_filter

    def _compare(self, cases, observed, name, inside=slice(None), which=("strength", "error")):
        flux, noise, kernel = (np.asarray(cases[name][key], float) for key in ("flux", "noise", "kernel"))
        got = _two_arrays(observed[name], name)
        want = _least_squares(flux, noise, kernel)
        n, half = len(flux), len(kernel) // 2
        if np.shape(got[0]) == (n - 2 * half,):
            raise expect.NotYet(
                f"{name}: expected {n} values, one for each pixel, got {n - 2 * half}. Put {half} zeros before and "
                f"behind "
                "flux / noise² and 1 / noise²: pixels that do not exist have no weight."
            )

        def window_sums(values, weights):
            return scipy.signal.correlate(values, weights, mode="same", method="direct")

        inverse = 1 / noise**2
        with np.errstate(all="ignore"):
            information = window_sums(inverse, kernel**2)
            numerator = window_sums(flux * inverse, kernel)
            padded = np.pad(noise, half, constant_values=np.median(noise))
            late = [
                np.lib.stride_tricks.sliding_window_view(np.pad(values, (0, 2 * half)), len(kernel)) @ weights
                for values, weights in ((flux * inverse, kernel), (inverse, kernel**2))
            ]
            begins = (
                "The window begins at the pixel: its middle has to lie there, so put as many zeros before as behind."
            )
            mistakes = {
                "strength": {
                    "The noise is not used, or stands outside of the sum. Each pixel has its own σ: divide by noise² "
                    "before you correlate.": (window_sums(flux, kernel) / window_sums(np.ones(n), kernel**2)),
                    "The weights are 1 / noise: the formula has 1 / noise².": (
                        window_sums(flux / noise, kernel) / window_sums(1 / noise, kernel**2)
                    ),
                    "The kernel is turned round: this is a convolution, the formula is a correlation.": (
                        window_sums(flux * inverse, kernel[::-1]) / window_sums(inverse, kernel[::-1] ** 2)
                    ),
                    "The denominator has the square of the kernel: correlate 1 / noise² with kernel**2.": (
                        numerator / window_sums(inverse, kernel)
                    ),
                    "The sum of the products is not divided by the sum of kernel² / noise².": numerator,
                    "This is strength / error: return the two by themselves.": numerator / np.sqrt(information),
                    "At the ends the weights that hang over the edge were counted in the denominator.": (
                        numerator / np.lib.stride_tricks.sliding_window_view(1 / padded**2, len(kernel)).dot(kernel**2)
                    ),
                    begins: late[0] / late[1],
                },
                "error": {
                    SIGNAL_TO_NOISE: want[0] / want[1],
                    "This is the variance: take the square root.": 1 / information,
                    "This is the sum of kernel² / noise²: the error is 1 / √ of it.": information,
                    "This is 1 / error.": np.sqrt(information),
                    "The error is 1 / √ of the sum of kernel² / noise²: here the kernel is not squared.": (
                        1 / np.sqrt(window_sums(inverse, kernel))
                    ),
                    "The noise is not used.": 1 / np.sqrt(window_sums(np.ones(n), kernel**2)),
                    "The noise stands outside of the sum. Each pixel has its own σ: divide by noise² before you "
                    "correlate.": noise / np.sqrt(window_sums(np.ones(n), kernel**2)),
                    begins: 1 / np.sqrt(late[1]),
                    "The weights are 1 / noise: the formula has 1 / noise².": 1
                    / np.sqrt(window_sums(1 / noise, kernel**2)),
                    "The kernel is turned round.": 1 / np.sqrt(window_sums(inverse, kernel[::-1] ** 2)),
                },
            }
        for what, value, right in zip(("strength", "error"), got, want, strict=True):
            if what in which:
                expect.shape(value, (n,), f"{what}, {name}")
                wrong = {sentence: array[inside] for sentence, array in mistakes[what].items()}
                expect.close(
                    np.asarray(value)[inside], right[inside], f"{what}, {name}", rtol=1e-6, atol=1e-9, mistakes=wrong
                )

    @subtest("a pure line has its strength at its place")
    def pure_line(self, cases, observed):
        self._compare(cases, observed, "a pure line", which=("strength",), inside=slice(2, -2))
        expect.close(_two_arrays(observed["a pure line"], "a pure line")[0][14], 7.0, "strength at the line's middle")

    @subtest("strength and error are those of a least-squares fit, where the noise varies")
    def varying(self, cases, observed):
        self._compare(cases, observed, "noise that varies", inside=slice(2, -2))

    @subtest("where the noise is twice as loud, the strength stays and the error doubles")
    def twice(self, cases, observed):
        names = ("noise that varies", "noise that varies, twice as loud")
        quiet, loud = (_two_arrays(observed[name], name) for name in names)
        lowest = np.nanmin(np.asarray(quiet[1], float))
        expect.true(
            not lowest < 0,
            f"error, noise that varies: an error is not negative, got {expect.show(lowest)}. {SIGNAL_TO_NOISE}",
        )
        expect.close(loud[0], quiet[0], "strength, noise twice as loud", rtol=1e-6)
        mistakes = {
            "This does not change with the noise.": np.asarray(quiet[1]),
            "This is four times as large: a variance. Take the square root.": 4 * np.asarray(quiet[1]),
            "This becomes smaller: it is one over the error.": np.asarray(quiet[1]) / 2,
            "This becomes four times smaller: it is one over the variance.": np.asarray(quiet[1]) / 4,
        }
        expect.close(loud[1], 2 * np.asarray(quiet[1]), "error, noise twice as loud", rtol=1e-6, mistakes=mistakes)

    @subtest("at the ends, weights that hang over the edge do not count")
    def ends(self, cases, observed):
        for name in ("the same noise everywhere", "noise that varies"):
            half = len(cases[name]["kernel"]) // 2
            self._compare(cases, observed, name, inside=slice(half, -half))
            try:
                self._compare(cases, observed, name)
            except expect.NotYet as problem:
                raise expect.NotYet(
                    f"{problem}\nInside the spectrum all is right; at its ends pixels that do not exist were given a "
                    f"weight. "
                    "Put zeros around flux / noise² and around 1 / noise²."
                ) from None

    @subtest("pixels of infinite noise do not count")
    def masked(self, cases, observed):
        got = _two_arrays(observed["pixels not to be used"], "pixels not to be used")
        if any(np.isnan(np.asarray(part, float)).any() for part in got):
            raise expect.NotYet(
                "pixels not to be used: got NaN, from an infinite number times 0 or divided by another. Divide by "
                "noise**2 "
                "and do nothing else with the noise: anything divided by infinity is 0."
            )
        try:
            self._compare(cases, observed, "pixels not to be used")
        except expect.NotYet as problem:
            self._compare(cases, observed, "noise that varies")  # what is wrong there too has another reason
            raise expect.NotYet(
                f"{problem}\nA pixel whose noise is infinite has the weight 1 / noise² = 0, in both sums."
            ) from None


SIGNAL_TO_NOISE = "Is this strength / error, the ratio of signal to noise? Return the error by itself."


def _two_arrays(got, name):
    """Strength and error, whether they come as a pair or as the two rows of an array."""
    if isinstance(got, (list, np.ndarray)) and len(np.shape(got)) > 0 and len(got) == 2:
        return got
    raise expect.NotYet(f"{name}: expected two arrays, strength and error, got {expect.show(got)}.")


def _least_squares(flux, noise, kernel):
    """Strength and error at each pixel: weighted fits of the kernel to the window around it (numpy.linalg.lstsq)."""
    flux, noise, kernel = np.asarray(flux, float), np.asarray(noise, float), np.asarray(kernel, float)
    half = len(kernel) // 2
    strength, error = np.empty(len(flux)), np.empty(len(flux))
    for middle in range(len(flux)):
        at = np.arange(middle - half, middle + half + 1)
        inside = (at >= 0) & (at < len(flux))
        design = kernel[inside] / noise[at[inside]]
        strength[middle] = np.linalg.lstsq(design[:, None], flux[at[inside]] / noise[at[inside]], rcond=None)[0][0]
        error[middle] = np.sqrt(np.linalg.inv(design[None] @ design[:, None])[0, 0])
    return strength, error


# --- 2.4 --------------------------------------------------------------------------------------------------------------

SUM_OVER_PLACES = "This is summed over the places: the window has the last two axes: sum over axis=(2, 3)."
LECTURE = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]


class TwoDimensions(Exercise):
    id = "2.4"
    title = "correlation and convolution of an image"
    hints = (
        "The same as in one dimension, with windows that have rows and columns. What does it mean to turn a kernel by "
        "half a "
        "turn?",
        "windows = sliding_window_view(image.astype(float), kernel.shape) has the shape (rows, columns, kernel rows, "
        "kernel "
        "columns): multiply by the kernel and sum over the last two axes. For the convolution reverse the kernel's "
        "rows and "
        "its columns.",
        'correlate_image: return np.einsum("yxij,ij->yx", windows, kernel), or (windows * kernel).sum(axis=(2, 3)). '
        "convolve_image: return correlate_image(image, kernel[::-1, ::-1]).",
    )

    def inputs(self, rng):
        impulse = np.zeros((9, 8))
        impulse[4, 3] = 1
        return {
            "lecture": {"image": np.array(LECTURE), "kernel": np.full((3, 3), 1 / 9)},
            "lecture, four columns": {"image": np.array(LECTURE)[:, :4], "kernel": np.full((3, 3), 1 / 9)},
            "asymmetric kernel": {"image": rng.normal(size=(9, 9)), "kernel": rng.normal(size=(3, 3))},
            "not square": {"image": rng.normal(size=(8, 13)), "kernel": rng.normal(size=(2, 5))},
            "one weight": {"image": rng.normal(size=(4, 5)), "kernel": np.array([[3.0]])},
            "8 bits": {
                "image": rng.integers(100, 256, size=(7, 9)).astype("uint8"),
                "kernel": np.array([[1, 2, 1], [2, 4, 3], [0, 2, 1]]).astype("uint8"),
            },
            "impulse": {"image": impulse, "kernel": rng.normal(size=(3, 3))},
            "large": {"image": rng.normal(size=(60, 50)), "kernel": rng.normal(size=(3, 5))},
        }

    def observe(self, answer, cases):
        correlate_image, convolve_image = answer
        observed = {f"correlate, {name}": run(correlate_image, **case) for name, case in cases.items()}
        observed |= {f"convolve, {name}": run(convolve_image, **case) for name, case in cases.items()}
        return observed | {"steps": run(functools.partial(steps_of, convolve_image), **cases["large"])}

    def reference(self):
        def correlate_image(image, kernel):
            return _library_image(image, kernel, "correlate")

        def convolve_image(image, kernel):
            return _library_image(image, kernel, "convolve")

        return correlate_image, convolve_image

    def _compare(self, cases, observed, which, name):
        image, kernel = cases[name]["image"], cases[name]["kernel"]
        want = _library_image(image, kernel, which)
        other = _library_image(image, kernel, "convolve" if which == "correlate" else "correlate")
        rows_only, columns_only = (
            _library_image(image, turned, "correlate") for turned in (kernel[::-1], kernel[:, ::-1])
        )
        used = kernel if which == "correlate" else kernel[::-1, ::-1]
        windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
        mistakes = {
            "This is the convolution: a correlation leaves the kernel as it is."
            if which == "correlate"
            else "This is the correlation: the convolution turns the kernel, kernel[::-1, ::-1].": other,
            SUM_OVER_PLACES: (windows * used.astype(float)).sum(axis=(0, 1)),
            "The kernel's rows are reversed, its columns not: half a turn reverses both.": rows_only,
            "The kernel's columns are reversed, its rows not: half a turn reverses both.": columns_only,
            "The result is turned, not the kernel.": want[::-1, ::-1],
            'This has a place for each pixel, with zeros around: only places inside the image count ("valid").': (
                getattr(scipy.signal, f"{which}2d")(image.astype(float), kernel.astype(float), mode="same")
            ),
            "The last row and the last column are missing: there are height − kernel height + 1 rows.": want[:-1, :-1],
            "You divided by the number of weights: this is a sum, not a mean.": want / kernel.size,
            "You divided by the sum of the weights.": want / max(kernel.sum(), 1e-9)
            if kernel.sum() > 0
            else np.full(1, np.nan),
            "The numbers of 8 bits overflowed: turn the image into floats before you multiply.": (
                (want % 256) if image.dtype == np.uint8 else np.full(1, np.nan)
            ),
            "The products of numbers of 8 bits overflowed: turn the image into floats before you multiply.": (
                (windows * used).sum(axis=(2, 3)) if image.dtype == np.uint8 else np.full(1, np.nan)
            ),
        }
        if kernel.shape[0] == kernel.shape[1]:
            mistakes["The kernel is transposed: its rows lie on the image's columns."] = _library_image(
                image, kernel.T, which
            )
            mistakes["Transposing is not turning: kernel[::-1, ::-1] reverses both."] = _library_image(
                image, kernel.T, "correlate"
            )
            for turns in (1, -1):
                mistakes["np.rot90 makes a quarter of a turn" + ": half a turn is two of them." * (turns > 0)] = (
                    _library_image(image, np.rot90(kernel, turns), "correlate")
                )
        expect.close(observed[f"{which}, {name}"], want, f"{which}, {name}", rtol=1e-6, atol=1e-9, mistakes=mistakes)

    @subtest("the lecture's example: means of 3 × 3 pixels")
    def lecture(self, cases, observed):
        got = observed["correlate, lecture"]
        mistakes = {"Only the nine places count where the whole kernel lies inside the image.": (5, 5)}
        expect.shape(got, (3, 3), "correlate, lecture", mistakes=mistakes)
        want = np.array([[15, 15, 15], [9, 11, 16], [10, 7, 12]]) / 9
        mistakes = {"These are sums of 3 × 3 pixels: multiply by the kernel.": 9 * want}
        expect.close(got, want, "correlate, lecture", mistakes=mistakes)
        part = np.array(LECTURE)[:, :4]
        over_places = np.lib.stride_tricks.sliding_window_view(part, (3, 3)).sum(axis=(0, 1)) / 9
        name = "correlate, lecture, four columns"
        expect.close(observed[name], want[:, :2], name, mistakes={SUM_OVER_PLACES: over_places})

    @subtest("correlation: the kernel as it is, also where neither is square")
    def correlation(self, cases, observed):
        for name in ("asymmetric kernel", "not square", "one weight"):
            self._compare(cases, observed, "correlate", name)

    @subtest("convolution: the kernel turned by half a turn")
    def convolution(self, cases, observed):
        for name in ("asymmetric kernel", "not square", "one weight"):
            self._compare(cases, observed, "convolve", name)

    @subtest("a single bright pixel, convolved, becomes the kernel")
    def impulse(self, cases, observed):
        kernel = cases["impulse"]["kernel"]
        want = np.pad(kernel, ((2, 2), (1, 2)))
        mistakes = {
            "It comes out turned by half a turn: this is a correlation.": np.pad(kernel[::-1, ::-1], ((2, 2), (1, 2))),
            "The bright pixel is in the wrong place: the result was turned, not the kernel.": want[::-1, ::-1],
            "The bright pixel is in the wrong place: the result was turned, and the kernel not.": np.pad(
                kernel, ((2, 2), (2, 1))
            ),
            "Its rows are reversed: only the columns were turned.": np.pad(kernel[::-1], ((2, 2), (1, 2))),
            "Its columns are reversed: only the rows were turned.": np.pad(kernel[:, ::-1], ((2, 2), (1, 2))),
        }
        expect.close(observed["convolve, impulse"], want, "convolve, impulse", mistakes=mistakes)

    @subtest("pixels of 8 bits do not overflow")
    def eight_bits(self, cases, observed):
        for which in ("correlate", "convolve"):
            self._compare(cases, observed, which, "8 bits")

    @subtest("no loop over the pixels")
    def fast(self, cases, observed):
        self._compare(cases, observed, "convolve", "large")
        expect_no_loop(observed, 58 * 46, "places")


def _library_image(image, kernel, which):
    function = getattr(scipy.signal, f"{which}2d")
    return function(np.asarray(image, float), np.asarray(kernel, float), mode="valid")


# --- 2.5 --------------------------------------------------------------------------------------------------------------


class Sizes(Exercise):
    id = "2.5"
    title = "sizes, padding, parameters"
    hints = (
        "Draw a row of 10 pixels and a kernel of 3. Where does the last place begin? How far does a dilated kernel "
        "reach?",
        'The kernel reaches over dilation * (kernel_size - 1) + 1 pixels. "valid": as often as it fits, every '
        "stride-th, and "
        'the first place always counts. "same": size / stride, rounded up, and the last place begins at (places - 1) * '
        "stride: how many pixels does it need beyond the end?",
        "valid: (size - reach) // stride + 1; same: -(-size // stride). missing = max((places - 1) * stride + reach - "
        "size, "
        "0); before = missing // 2, behind = missing - before. Parameters: (height * width * channels + 1) * kernels.",
    )

    def inputs(self, rng):
        def case(size, kernel_size, stride, dilation):
            return {"size": size, "kernel_size": kernel_size, "stride": stride, "dilation": dilation}

        extra = int(rng.integers(40, 90))
        grid = {
            "plain": [case(10, 3, 1, 1), case(512, 5, 1, 1), case(5, 5, 1, 1), case(extra, 4, 1, 1)],
            "stride": [
                case(10, 3, 2, 1),
                case(11, 2, 3, 1),
                case(512, 5, 5, 1),
                case(extra, 6, 4, 1),
                case(9, 1, 3, 1),
            ],
            "dilation": [case(12, 2, 1, 3), case(10, 3, 1, 2), case(9, 5, 1, 2), case(extra, 4, 1, 5)],
            "both": [case(20, 3, 2, 2), case(extra, 5, 3, 4)],
        }
        kernel_height, kernel_width, channels, kernels = (int(n) for n in rng.integers([2, 2, 4, 8], [5, 8, 8, 40]))
        cases = {}
        for group, settings in grid.items():
            for setting in settings:
                text = ", ".join(f"{key.replace('_size', '')} {value}" for key, value in setting.items())
                cases[f"valid, {group}: {text}"] = {**setting, "padding": "valid"}
                if group != "both":
                    cases[f"same, {group}: {text}"] = {**setting, "padding": "same"}
                    cases[f"zeros, {group}: {text}"] = setting
        return cases | {
            "count: one kernel, grey": _counted(5, 5, 1, 1),
            "count: colour": _counted(3, 3, 3, 16),
            "count: 1 × 1": _counted(1, 1, 8, 4),
            "count: not square": _counted(kernel_height, kernel_width + 5, channels, kernels),
        }

    def observe(self, answer, cases):
        output_size, same_padding, count_parameters = answer
        functions = {"valid": output_size, "same": output_size, "zeros": same_padding, "count": count_parameters}
        return {name: run(functions[name[:5].rstrip(",: ")], **case) for name, case in cases.items()}

    def reference(self):
        def output_size(size, kernel_size, stride=1, dilation=1, padding="valid"):
            return _keras_output_size(size, kernel_size, stride, dilation, padding)

        def same_padding(size, kernel_size, stride=1, dilation=1):
            together = stride > 1 and dilation > 1  # not in Keras: as for an undilated kernel that reaches as far
            return _keras_same_padding(
                size, dilation * (kernel_size - 1) + 1 if together else kernel_size, stride, 1 if together else dilation
            )

        def count_parameters(kernel_height, kernel_width, channels, kernels):
            return _keras_count(kernel_height, kernel_width, channels, kernels)

        return output_size, same_padding, count_parameters

    def _sizes(self, cases, observed, prefix):
        for name, case in cases.items():
            if not name.startswith(prefix):
                continue
            size, kernel, stride, dilation = (case[key] for key in ("size", "kernel_size", "stride", "dilation"))
            reach = dilation * (kernel - 1) + 1
            same = case["padding"] == "same"
            other = _keras_output_size(size, kernel, stride, dilation, "valid" if same else "same")
            if same:
                mistakes = {
                    "The stride is missing: only every stride-th place is used.": size,
                    'Round up: with "same" the first pixel always counts.': size // stride,
                    'That is the size with padding="valid".': other,
                }
            else:
                mistakes = {
                    "One is missing: the first place counts before the first step.": (size - reach) // stride,
                    "The stride is missing: only every stride-th place is used.": size - reach + 1,
                    "The dilation is missing: the kernel reaches over dilation * (kernel_size - 1) + 1 pixels.": (
                        (size - kernel) // stride + 1
                    ),
                    "The dilated kernel reaches over dilation * (kernel_size - 1) + 1 pixels, not dilation * "
                    "kernel_size.": (size - dilation * kernel) // stride + 1,
                    "The kernel reaches over dilation * (kernel_size - 1) + 1 pixels: the + 1 is missing.": (
                        (size - reach + 1) // stride + 1
                    ),
                    "Round down: a step that would leave the image is not made.": -(-(size - reach) // stride) + 1,
                    'That is the size with padding="same".': other,
                }
            _whole(observed[name], _keras_output_size(**case), name, mistakes)

    @subtest("valid: the kernel fits size − reach + 1 times, of which every stride-th counts")
    def valid(self, cases, observed):
        self._sizes(cases, observed, "valid, plain")
        self._sizes(cases, observed, "valid, stride")

    @subtest("dilation: a kernel reaches over dilation · (k − 1) + 1 pixels")
    def dilation(self, cases, observed):
        self._sizes(cases, observed, "valid, dilation")
        self._sizes(cases, observed, "valid, both")

    @subtest("same: the size divided by the stride, rounded up")
    def same(self, cases, observed):
        self._sizes(cases, observed, "same")

    def _zeros(self, cases, observed, groups):
        for name, case in cases.items():
            if not name.startswith(tuple(f"zeros, {group}" for group in groups)):
                continue
            size, kernel, stride, dilation = (case[key] for key in ("size", "kernel_size", "stride", "dilation"))
            reach = dilation * (kernel - 1) + 1
            want = list(_keras_same_padding(**case))
            always = reach - 1
            undilated = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            negative = (-(-size // stride) - 1) * stride + reach - size
            mistakes = {
                "The odd zero goes behind, not before.": want[::-1],
                "The stride is forgotten: as many zeros as the last place needs, no more.": [
                    always // 2,
                    always - always // 2,
                ],
                "(k − 1) / 2 zeros on both sides is right for a stride of 1 and an odd kernel only.": [
                    (reach - 1) // 2,
                    (reach - 1) // 2,
                ],
                "k // 2 zeros on both sides: the size would grow for an even kernel.": [reach // 2, reach // 2],
                "The dilation is forgotten: the kernel reaches further.": [undilated // 2, undilated - undilated // 2],
                "There are no negative zeros: where the last place needs none, it is 0.": [
                    negative // 2,
                    negative - negative // 2,
                ],
                "The kernel reaches over dilation * (kernel_size - 1) + 1 pixels: the + 1 is missing.": [
                    max(negative - 1, 0) // 2,
                    max(negative - 1, 0) - max(negative - 1, 0) // 2,
                ],
                "This is the number of all zeros on each side: half of them go before.": [sum(want), sum(want)],
            }
            got = observed[name]
            expect.true(
                isinstance(got, (list, np.ndarray)) and np.shape(got) == (2,),
                f"{name}: expected two numbers, before and behind, got {expect.show(got)}.",
            )
            expect.equal([int(n) if float(n).is_integer() else n for n in got], want, name, mistakes=mistakes)

    @subtest("zeros for same: half before, half behind, the odd one behind")
    def zeros(self, cases, observed):
        self._zeros(cases, observed, ("plain", "dilation"))

    @subtest("zeros for same with a stride: as many as the last place needs")
    def zeros_stride(self, cases, observed):
        self._zeros(cases, observed, ("stride",))

    @subtest("parameters: all weights of each kernel, and a bias each")
    def parameters(self, cases, observed):
        for name, case in cases.items():
            if name.startswith("count"):
                height, width, channels, kernels = case.values()
                mistakes = {
                    "The biases are missing, one for each kernel.": height * width * channels * kernels,
                    "The channels are missing: a kernel has weights of its own for each.": (height * width + 1)
                    * kernels,
                    "There is one bias for each kernel, not one in all.": height * width * channels * kernels + 1,
                    "There is one bias for each kernel, not one for each channel of it.": (
                        (height * width + 1) * channels * kernels
                    ),
                    "There is one bias for each kernel, not for each channel of the input.": (
                        height * width * channels * kernels + channels
                    ),
                    "The number of kernels is missing.": height * width * channels + 1,
                    "The kernel need not be square: height × width.": (height * height * channels + 1) * kernels,
                }
                _whole(observed[name], _keras_count(**case), name, mistakes)


def _counted(kernel_height, kernel_width, channels, kernels):
    return {"kernel_height": kernel_height, "kernel_width": kernel_width, "channels": channels, "kernels": kernels}


def _whole(got, want, name, mistakes):
    """A whole number, also where it comes as 8.0."""
    if isinstance(got, float) and not got.is_integer():
        raise expect.NotYet(f"{name}: expected {want}, got {expect.show(got)}. There are no fractions of it: use //.")
    expect.equal(int(got) if isinstance(got, float) else got, want, name, mistakes=mistakes)


def _keras_output_size(size, kernel_size, stride=1, dilation=1, padding="valid"):
    if stride > 1 and dilation > 1:  # not together in Keras: count the places
        return len(range(0, size - dilation * (kernel_size - 1), stride))
    layer = keras.layers.Conv1D(1, kernel_size, strides=stride, dilation_rate=dilation, padding=padding)
    return int(layer.compute_output_shape((1, size, 1))[1])


def _keras_same_padding(size, kernel_size, stride=1, dilation=1):
    """Zeros before and behind, read off a layer whose k-th weight is k: what meets the first and the last pixels?"""
    pixels = np.eye(size, dtype="float32")[:, :, None]  # one image for each pixel, which is 1 there
    weights = np.arange(1, kernel_size + 1, dtype="float32")[:, None, None]
    with keras.device("cpu:0"):
        answer = keras.ops.conv(pixels, weights, strides=stride, padding="same", dilation_rate=dilation)
    met = np.rint(keras.ops.convert_to_numpy(answer)[:, :, 0]).astype(int)  # (pixel, place): number of the weight, or 0
    first = np.flatnonzero(met[:, 0])[0]
    before = (met[first, 0] - 1) * dilation - first
    last = np.flatnonzero(met[:, -1])[-1]
    behind = (kernel_size - met[last, -1]) * dilation - (size - 1 - last)
    return max(int(before), 0), max(int(behind), 0)


def _keras_count(kernel_height, kernel_width, channels, kernels):
    layer = keras.layers.Conv2D(kernels, (kernel_height, kernel_width))
    layer.build((None, kernel_height, kernel_width, channels))
    return int(layer.count_params())


# --- 2.6 --------------------------------------------------------------------------------------------------------------


class ConvolutionalLayer(Exercise):
    id = "2.6"
    title = "a convolutional layer"
    hints = (
        "Begin with stride 1, dilation 1 and valid padding, and get the first two sub-tests right. Which axes of the "
        "windows "
        "meet which axes of the kernels?",
        "Pad rows and columns by your same_padding (np.pad with a pair for each of the four axes). Windows over axes "
        "1 and 2, as "
        "large as the kernel reaches: sliding_window_view(images, (reach_y, reach_x), axis=(1, 2)) has the shape (n, "
        "y, x, "
        "channels, i, j). Of y and x take every stride-th, of i and j every dilation-th.",
        "windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]; return "
        'np.einsum("nyxcij,ijcf->nyxf", windows, kernels) + biases.',
    )

    def inputs(self, rng):
        def case(n, height, width, channels, kernel_size, filters, **options):
            return {
                "images": rng.normal(size=(n, height, width, channels)).astype("float32"),
                "kernels": rng.normal(size=(*kernel_size, channels, filters)).astype("float32"),
                "biases": rng.normal(size=filters).astype("float32"),
                **options,
            }

        return {
            "grey, one kernel": case(1, 8, 8, 1, (3, 3), 1),
            "colour, one kernel": case(2, 7, 9, 3, (3, 3), 1),
            "colour, four kernels": case(3, 8, 10, 3, (2, 3), 4),
            "as many images as kernels": case(4, 6, 7, 4, (3, 2), 4),
            "1 × 1": case(2, 5, 6, 5, (1, 1), 3),
            "stride 2": case(2, 9, 12, 2, (3, 3), 3, stride=2),
            "stride 3": case(1, 11, 9, 2, (2, 4), 2, stride=3),
            "dilation 2": case(2, 9, 11, 2, (3, 3), 3, dilation=2),
            "dilation 3": case(1, 10, 12, 1, (2, 3), 2, dilation=3),
            "stride 2, dilation 2": case(2, 11, 13, 2, (3, 2), 2, stride=2, dilation=2),
            "same": case(2, 7, 9, 2, (3, 5), 3, padding="same"),
            "same, even kernel": case(2, 7, 9, 2, (2, 4), 3, padding="same"),
            "same, stride 2": case(2, 10, 9, 2, (3, 3), 3, padding="same", stride=2),
            "same, dilation 2": case(1, 8, 11, 3, (3, 2), 2, padding="same", dilation=2),
            "large": case(2, 40, 50, 2, (3, 3), 3),
        }

    def observe(self, answer, cases):
        observed = super().observe(answer, cases)
        return observed | {"steps": run(functools.partial(steps_of, answer), **cases["large"])}

    def reference(self):
        def conv2d(images, kernels, biases, stride=1, dilation=1, padding="valid"):
            return _keras_conv(images, kernels, biases, stride, dilation, padding)

        return conv2d

    def _compare(self, cases, observed, name):
        case = {"stride": 1, "dilation": 1, "padding": "valid"} | cases[name]
        images, kernels, biases = case["images"], case["kernels"], case["biases"]
        options = {key: case[key] for key in ("stride", "dilation", "padding")}
        want = _keras_conv(images, kernels, biases, **options)
        without = _keras_conv(images, kernels, 0 * biases, **options)
        mistakes = {
            "The biases are missing.": without,
            "The kernels are turned round: a layer computes a correlation.": _keras_conv(
                images, kernels[::-1, ::-1], biases, **options
            ),
            "You took the mean over the channels: add them up.": without / images.shape[-1] + biases,
            "Only the first channel was used: add up all of them.": _keras_conv(
                images[..., :1], kernels[:, :, :1], biases, **options
            ),
            "The sum over the weights was divided by their number.": without / kernels[..., 0].size + biases,
        }
        mistakes["The biases are added for every weight of the kernel: add them once, after the loop."] = (
            without + kernels[..., 0, 0].size * biases
        )
        mistakes["The kernels' axis stands in the wrong place: (n, rows, columns, kernels)."] = np.moveaxis(want, -1, 1)
        if len(images) == len(biases):
            mistakes["The biases are added to the images, not to the kernels' outputs."] = (
                without + np.asarray(biases)[:, None, None, None]
            )
        if options["stride"] > 1:
            stride = options["stride"]
            plain = _keras_conv(images, kernels, biases, 1, options["dilation"], options["padding"])
            mistakes["The stride is not used: take every stride-th place."] = plain
            mistakes[
                "The places are right, but not where TensorFlow puts them: with a stride, fewer zeros are needed."
            ] = plain[:, ::stride, ::stride]
            mistakes["The stride is used for the rows alone."] = plain[:, ::stride]
            mistakes["The stride is used for the columns alone."] = plain[:, :, ::stride]
        if options["dilation"] > 1:
            step = options["dilation"]
            mistakes["The dilation is not used."] = _keras_conv(
                images, kernels, biases, options["stride"], 1, options["padding"]
            )
            if min(images[0, ::step, ::step].shape[:2]) >= max(kernels.shape[:2]):
                mistakes[
                    "Pixels of the image are skipped: the places stay as close as they were, the weights move apart."
                ] = _keras_conv(images[:, ::step, ::step], kernels, biases, options["stride"], 1, options["padding"])
        if options["padding"] == "same":
            sides, sizes = images.shape[1:3], kernels.shape[:2]
            rows, columns = (
                _keras_same_padding(n, k, options["stride"], options["dilation"])
                for n, k in zip(sides, sizes, strict=True)
            )
            undilated = [_keras_same_padding(n, k, options["stride"]) for n, k in zip(sides, sizes, strict=True)]
            for sentence, pads in {
                "The zeros for the rows are put around the columns too: a kernel need not be square.": [rows, rows],
                "The zeros for the columns are put around the rows too: a kernel need not be square.": [
                    columns,
                    columns,
                ],
                "The zeros of rows and columns are exchanged: axis 1 are the rows, axis 2 the columns.": [
                    columns,
                    rows,
                ],
                "The zeros forget the dilation: a dilated kernel reaches further.": undilated,
            }.items():
                padded = np.pad(images, [(0, 0), *pads, (0, 0)])
                mistakes[sentence] = _keras_conv(padded, kernels, biases, options["stride"], options["dilation"])
            mistakes['Nothing is padded: this is "valid".'] = _keras_conv(
                images, kernels, biases, options["stride"], options["dilation"], "valid"
            )
            if options["stride"] == 1:
                pads = [
                    _keras_same_padding(size, k, 1, options["dilation"])
                    for size, k in zip(images.shape[1:3], kernels.shape[:2], strict=True)
                ]
                for mode in ("edge", "reflect", "symmetric", "wrap"):
                    padded = np.pad(images, [(0, 0), *pads, (0, 0)], mode=mode)
                    mistakes[f'np.pad put pixels of the image around it (mode "{mode}"): put zeros.'] = _keras_conv(
                        padded, kernels, biases, 1, options["dilation"]
                    )
            mistakes["The odd zero stands before the image: TensorFlow puts it behind."] = _keras_conv(
                images[:, ::-1, ::-1], kernels[::-1, ::-1], biases, **options
            )[:, ::-1, ::-1]
        if max(kernels.shape[:2]) * options["dilation"] <= min(images.shape[1:3]):
            mistakes["The kernels are transposed: their rows lie on the images' columns."] = _keras_conv(
                images, kernels.transpose(1, 0, 2, 3), biases, **options
            )
        mistakes |= _other_letters(case, want)
        got = _advised(observed, name, WINDOWS_ADVICE)
        expect.close(got, want, name, rtol=1e-4, atol=1e-4, mistakes=mistakes)

    @subtest("channels: each has its own weights, and they are added up")
    def channels(self, cases, observed):
        for name in ("grey, one kernel", "colour, one kernel"):
            self._compare(cases, observed, name)

    @subtest("kernels: each makes a channel of the output, and adds its bias", points=2)
    def kernels(self, cases, observed):
        for name in ("as many images as kernels", "colour, four kernels", "1 × 1"):
            self._compare(cases, observed, name)

    @subtest("stride: every second or third place")
    def stride(self, cases, observed):
        for name in ("stride 2", "stride 3"):
            self._compare(cases, observed, name)

    @subtest("dilation: pixels two or three apart, also with a stride")
    def dilation(self, cases, observed):
        for name in ("dilation 2", "dilation 3", "stride 2, dilation 2"):
            self._compare(cases, observed, name)

    @subtest("same padding: zeros around, the odd one behind", points=2)
    def same(self, cases, observed):
        for name in ("same", "same, even kernel", "same, stride 2", "same, dilation 2"):
            self._compare(cases, observed, name)

    @subtest("no loop over the pixels")
    def fast(self, cases, observed):
        self._compare(cases, observed, "large")
        expect_no_loop(observed, 38 * 48, "places")


WINDOW_AXES = (
    "sliding_window_view puts the axes of the window last: its windows have the axes (n, y, x, channel, i, j), the "
    "kernels (i, j, channel, kernel)."
)
WINDOWS_ADVICE = {
    "must provide window_shape": "Tell sliding_window_view which axes the window slides along, rows and columns: "
    f"axis=(1, 2). {WINDOW_AXES}",
    "non-broadcastable output": "What is added for a weight has to have the size of the output.",
    "subscripts": WINDOW_AXES,
    "broadcast": f"Which axis meets which? If these are windows: {WINDOW_AXES}",
    "mismatch": f"Which axis meets which? If these are windows: {WINDOW_AXES}",
    "not aligned": f"Which axis meets which? If these are windows: {WINDOW_AXES}",
}


def _other_letters(case, want):
    """Results where the last three axes of the windows are taken in another order than (channel, i, j)."""
    images, kernels, stride, dilation = (case[key] for key in ("images", "kernels", "stride", "dilation"))
    if case["padding"] == "same":
        return {}
    reach = [dilation * (k - 1) + 1 for k in kernels.shape[:2]]
    windows = np.lib.stride_tricks.sliding_window_view(images, reach, axis=(1, 2))
    windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]
    mistakes = {}
    for letters in ("ijc", "icj", "jic", "jci", "cji"):
        try:
            result = np.einsum(f"nyx{letters},ijcf->nyxf", windows, kernels) + case["biases"]
        except ValueError:
            continue
        if not np.allclose(result, want, rtol=1e-4, atol=1e-4):
            mistakes[
                f"The axes of the windows are taken in the order (n, y, x, {', '.join(letters)}). {WINDOW_AXES}"
            ] = result
    return mistakes


def _keras_conv(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    images, kernels = np.asarray(images, "float32"), np.asarray(kernels, "float32")
    together = (
        stride > 1 and dilation > 1
    )  # not in Keras: pad, then take every stride-th place of a layer with stride 1
    if together and padding == "same":
        pads = [
            _keras_same_padding(size, dilation * (k - 1) + 1, stride)  # an undilated kernel that reaches as far
            for size, k in zip(images.shape[1:3], kernels.shape[:2], strict=True)
        ]
        images, padding = np.pad(images, [(0, 0), *pads, (0, 0)]), "valid"
    with keras.device("cpu:0"):  # a GPU may round products to 10 bits
        answer = keras.ops.conv(
            images, kernels, strides=1 if together else stride, padding=padding, dilation_rate=dilation
        )
    answer = keras.ops.convert_to_numpy(answer)
    return (answer[:, ::stride, ::stride] if together else answer) + np.asarray(biases, "float32")


# --- 2.7 --------------------------------------------------------------------------------------------------------------


class Pooling(Exercise):
    id = "2.7"
    title = "pooling"
    hints = (
        "Cut off what does not divide by size. Then each image is a table of squares: how can reshape give rows and "
        "columns "
        "within a square axes of their own?",
        "images.reshape(n, rows, size, columns, size, channels) has the rows within a square on axis 2 and the "
        "columns within it "
        "on axis 4. Then sum, max, or index 0 over these two.",
        "sum: squares.sum(axis=(2, 4)); root: np.sqrt((squares**2).sum(axis=(2, 4))); max: squares.max(axis=(2, 4)); "
        "first: "
        "squares[:, :, 0, :, 0]. Turn the images into floats first.",
    )

    def inputs(self, rng):
        images = rng.normal(size=(2, 8, 12, 3))
        odd = rng.normal(size=(3, 11, 7, 2))
        negative = -rng.uniform(1, 3, size=(1, 8, 6, 1))
        bits = rng.integers(60, 256, size=(1, 6, 8, 2)).astype("uint8")
        cases = {}
        for how in ("sum", "root", "max", "first"):
            cases[how] = {"images": images, "size": 4, "how": how}
            cases[f"{how}, odd sides"] = {"images": odd, "size": 3, "how": how}
            cases[f"{how}, negative"] = {"images": negative, "size": 2, "how": how}
            cases[f"{how}, 8 bits"] = {"images": bits, "size": 2, "how": how}
        return cases

    def reference(self):
        def pool(images, size, how):
            return _keras_pool(images, size, how)

        return pool

    def _compare(self, cases, observed, name):
        images, size, how = (cases[name][key] for key in ("images", "size", "how"))
        x = np.asarray(images, float)
        want = _keras_pool(images, size, how)
        rows, columns = want.shape[1:3]
        cut = x[:, : rows * size, : columns * size]
        strips = cut.reshape(len(x), rows, size, columns, size, x.shape[-1])
        mixed = cut.reshape(len(x), rows, columns, size, size, x.shape[-1])
        reductions = {
            "sum": lambda a, axes: a.sum(axis=axes),
            "root": lambda a, axes: np.sqrt((a**2).sum(axis=axes)),
            "max": lambda a, axes: a.max(axis=axes),
            "first": lambda a, axes: a[:, :, :, 0, 0] if axes == (3, 4) else a[:, :, 0, :, 0],
        }
        ends = [(0, 0), (0, -x.shape[1] % size), (0, -x.shape[2] % size), (0, 0)]
        grown = np.pad(x, ends)
        grown = grown.reshape(len(x), grown.shape[1] // size, size, grown.shape[2] // size, size, x.shape[-1])
        with np.errstate(all="ignore"):
            mistakes = {
                "This is not a reshape into squares: rows and columns are mixed. The order of the axes is (n, rows, "
                "size, "
                "columns, size, channels).": reductions[how](mixed, (3, 4)),
                "Rows and columns that do not divide are left out, not filled up.": reductions[how](grown, (2, 4)),
                "Channels are pooled together: each channel is pooled by itself.": want.sum(axis=-1)
                if how == "sum"
                else want.max(axis=-1),
                "The squares overlap: they follow one another, with a step of `size`.": _keras_pool(x, size, how, 1),
            }
            if how == "sum":
                mistakes["This is the mean: add up."] = want / size**2
                mistakes["This is the mean of squares that overlap: add up, and let them follow one another."] = (
                    _keras_pool(x, size, how, 1) / size**2
                )
                if images.dtype == np.uint8:
                    mistakes["The sum of numbers of 8 bits overflows: turn the images into floats first."] = want % 256
            if how == "root":
                mistakes |= {
                    "This is the sum of the squares: take the root.": want**2,
                    "This is the root of the mean square: the root of the sum.": want / size,
                    "This is the root of the sum: square the pixels first.": np.sqrt(strips.sum(axis=(2, 4))),
                    "The squares are added with their sign.": strips.sum(axis=(2, 4)),
                    "The root of a square is the pixel again: add up first, then take the root.": np.abs(strips).sum(
                        axis=(2, 4)
                    ),
                }
                if images.dtype == np.uint8:
                    small = strips.astype("uint8")
                    mistakes["The square of a number of 8 bits overflows: turn the images into floats first."] = (
                        np.sqrt((small**2).sum(axis=(2, 4)))
                    )
            if how == "max":
                mistakes |= {
                    "The largest is taken of the absolute values: a negative pixel stays negative.": np.abs(strips).max(
                        axis=(2, 4)
                    ),
                    "Zero is taken for larger than negative pixels.": np.maximum(want, 0),
                }
            if how == "first":
                mistakes |= {
                    "This is the last pixel of each square: the first, upper left, is what a stride keeps.": (
                        strips[:, :, -1, :, -1]
                    ),
                    "This is the middle of each square: a stride keeps the first, upper left.": (
                        strips[:, :, size // 2, :, size // 2]
                    ),
                }
        got = _advised(observed, name, CUT_OFF) if name.endswith("odd sides") else observed[name]
        expect.close(got, want, name, rtol=1e-5, atol=1e-5, mistakes=mistakes)

    @subtest("sum: all pixels of a square, each channel by itself")
    def sums(self, cases, observed):
        self._compare(cases, observed, "sum")
        self._compare(cases, observed, "sum, negative")

    @subtest("root: of the sum of the squares")
    def roots(self, cases, observed):
        self._compare(cases, observed, "root")
        self._compare(cases, observed, "root, negative")

    @subtest("max: the largest, also where all are negative")
    def largest(self, cases, observed):
        self._compare(cases, observed, "max")
        self._compare(cases, observed, "max, negative")

    @subtest("first: the upper left pixel, as with a stride")
    def first(self, cases, observed):
        self._compare(cases, observed, "first")
        self._compare(cases, observed, "first, negative")

    @subtest("sides that do not divide: the rest is left out")
    def odd(self, cases, observed):
        for how in ("sum", "root", "max", "first"):
            self._compare(cases, observed, f"{how}, odd sides")

    @subtest("pixels of 8 bits do not overflow")
    def bits(self, cases, observed):
        for how in ("sum", "root", "max"):
            self._compare(cases, observed, f"{how}, 8 bits")


CUT_OFF = {
    word: "Cut off the rows and columns that do not divide by size first: images[:, : rows * size, : columns * size]."
    for word in ("cannot reshape", "broadcast", "out of bounds", "concatenate", "inhomogeneous")
}


def _keras_pool(images, size, how, strides=None):
    x = np.asarray(images, "float32")
    step = strides or size
    with keras.device("cpu:0"):
        if how == "first":
            height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
            return x[:, :height:step, :width:step].astype(float)
        if how == "max":
            pooled = keras.ops.max_pool(x, size, strides=step)
        else:
            pooled = keras.ops.average_pool(x**2 if how == "root" else x, size, strides=step) * size**2
    pooled = keras.ops.convert_to_numpy(pooled).astype(float)
    return np.sqrt(pooled) if how == "root" else pooled


# --- 2.8 --------------------------------------------------------------------------------------------------------------


class ReceptiveField(Exercise):
    id = "2.8"
    title = "receptive field"
    hints = (
        "Start with a field of 1 and a jump of 1, and let each layer of the list change the two.",
        "For each layer first the field grows by (kernel_size - 1) * dilation * jump, with the jump of the layers "
        "before; "
        "then the jump is multiplied by the layer's stride.",
        "field, jump = 1, 1; for kernel_size, stride, dilation in layers: field += (kernel_size - 1) * dilation * "
        "jump; "
        "jump *= stride; return field, jump.",
    )

    def inputs(self, rng):
        drawn = [[int(rng.integers(2, 5)), int(rng.integers(1, 3)), 1] for _ in range(3)]
        return {
            "no layer": {"layers": []},
            "one layer": {"layers": [[5, 1, 1]]},
            "three layers of 3": {"layers": [[3, 1, 1]] * 3},
            "different kernels": {"layers": [[3, 1, 1], [5, 1, 1], [2, 1, 1]]},
            "stride in the last layer": {"layers": [[3, 1, 1], [4, 2, 1]]},
            "strides": {"layers": [[3, 2, 1], [3, 2, 1], [3, 1, 1]]},
            "convolutions and poolings": {"layers": [[3, 1, 1], [2, 2, 1], [3, 1, 1], [2, 2, 1]]},
            "1 × 1 with a stride": {"layers": [[1, 3, 1], [4, 1, 1]]},
            "dilations": {"layers": [[3, 1, 1], [3, 1, 2], [3, 1, 4]]},
            "stride, then dilation": {"layers": [[2, 2, 1], [3, 1, 3]]},
            "drawn": {"layers": drawn},
        }

    def reference(self):
        def receptive_field(layers):
            return _seen_by_keras(layers)

        return receptive_field

    def _compare(self, cases, observed, names, both=True):
        for name in names:
            layers = cases[name]["layers"]
            want = list(_seen_by_keras(layers))
            got = observed[name]
            expect.true(
                isinstance(got, (list, np.ndarray)) and np.shape(got) == (2,),
                f"{name}: expected two numbers, field and jump, got {expect.show(got)}."
                + " Is the return inside the loop? Where there is no layer it is not reached."
                * (got is None and not layers),
            )
            mistakes = {
                "The two are in the wrong order: field first, then jump.": want[::-1],
                "The jump grows before the field: a layer's own stride does not widen its own field.": _walk(
                    layers, early=True
                ),
                "The stride of the layers before is missing: their neighbours lie `jump` pixels apart.": _walk(
                    layers, jumps=False
                ),
                "The field grows by the kernel's size less one: the middle is there already.": _walk(layers, less=0),
                "The dilation is missing.": _walk(layers, dilations=False),
                "The jump is multiplied from layer to layer, not added.": _walk(layers, add=True),
                "The jump is that of the last layer alone: multiply all strides.": [
                    want[0],
                    layers[-1][1] if layers else 1,
                ],
                "The jump has to do with the strides alone: dilation does not change it.": _walk(layers, spread=True),
                "The field starts with 1: a pixel sees itself.": [want[0] - 1, want[1]],
                "A layer is (kernel size, stride, dilation), in this order.": _walk([[k, d, s] for k, s, d in layers]),
                "Only the first layer is counted: is the return inside the loop?": _walk(layers[:1]),
                "Fields add up, they are not multiplied.": [int(np.prod([k for k, _, _ in layers])), want[1]],
            }
            expect.equal([int(n) if float(n).is_integer() else n for n in got], want, name, mistakes=mistakes)

    @subtest("convolutions one after the other: each adds its size less one")
    def plain(self, cases, observed):
        self._compare(cases, observed, ("no layer", "one layer", "three layers of 3", "different kernels"))

    @subtest("a stride widens what comes after it, not its own layer")
    def strides(self, cases, observed):
        self._compare(cases, observed, ("stride in the last layer", "strides", "1 × 1 with a stride", "drawn"))

    @subtest("poolings are kernels with a stride")
    def poolings(self, cases, observed):
        self._compare(cases, observed, ("convolutions and poolings",))

    @subtest("dilation widens the kernel, and leaves the jump alone")
    def dilations(self, cases, observed):
        self._compare(cases, observed, ("dilations", "stride, then dilation"))


def _walk(layers, early=False, jumps=True, less=1, dilations=True, add=False, spread=False):
    """Field and jump as a mistaken recursion finds them."""
    field, jump = 1, 1
    for kernel_size, stride, dilation in layers:
        step = jump * stride if early else jump
        field += (kernel_size - less) * (dilation if dilations else 1) * (step if jumps else 1)
        jump = jump + stride - 1 if add else jump * stride * (dilation if spread else 1)
    return [field, jump]


def _seen_by_keras(layers):
    """Field and jump, read off layers of ones: which pixels reach the first output and which the next?"""
    if not layers:
        return 1, 1
    size = 64
    pixels = np.eye(size, dtype="float32")[:, :, None]  # one image for each pixel, which is 1 there
    with keras.device("cpu:0"):
        for kernel_size, stride, dilation in layers:
            ones = np.ones((kernel_size, 1, 1), "float32")
            pixels = keras.ops.conv(pixels, ones, strides=stride, dilation_rate=dilation)
    reaches = keras.ops.convert_to_numpy(pixels)[:, :, 0] > 0  # (pixel, output)
    first, second = (np.flatnonzero(reaches[:, place]) for place in (0, 1))
    return int(first[-1] - first[0] + 1), int(second[0] - first[0])


# --- 2.9 --------------------------------------------------------------------------------------------------------------


class EquivarianceError(Exercise):
    id = "2.9"
    title = "does the output move with the input?"
    hints = (
        "Cut both frames first, and write down which pixel of the first frame is pixel (0, 0) of the second.",
        "The frames are image[: height - shift, : width - shift] and image[shift:, shift:]. What is at (0, 0) in the "
        "second is at "
        "(shift, shift) in the first; so the output of the second at (0, 0) should be that of the first at "
        "(output_shift, "
        "output_shift). Cut both outputs to what they share.",
        "moved = first[output_shift:, output_shift:]; known = second[: rows - output_shift, : columns - "
        "output_shift]; return "
        "abs(known - moved).max() / abs(first).max().",
    )

    def inputs(self, rng):
        image = rng.normal(size=(24, 31))
        image[0, -1], image[-1, -1] = 16.0, -6.0  # the largest is in neither frame, the next in the second alone
        kernel = rng.normal(size=(3, 3))

        def case(name, shift, output_shift, **options):
            return {"layer": {"name": name, "kernel": kernel, **options}, "image": image, "shift": shift} | {
                "output_shift": output_shift
            }

        return {
            "nothing moves": case("convolution", 0, 0),
            "convolution, 1 pixel": case("convolution", 1, 1),
            "convolution, 5 pixels": case("convolution", 5, 5),
            "stride 2, moved by 2": case("convolution", 2, 1, stride=2),
            "stride 4, moved by 4": case("convolution", 4, 1, stride=4),
            "stride 2, moved by 1": case("convolution", 1, 0, stride=2),
            "the output stays": case("identity", 3, 0),
            "rows are added to": case("rows", 4, 4),
        }

    def observe(self, answer, cases):
        def measure(layer, **case):
            return answer(_layer(**layer), **case)

        return {name: run(measure, **case) for name, case in cases.items()}

    def reference(self):
        def equivariance_error(layer, image, shift, output_shift):
            height, width = image.shape
            first, second = (layer(image[at : at + height - shift, at : at + width - shift]) for at in (0, shift))
            corners = scipy.ndimage.shift(first, -output_shift, order=0, cval=np.nan, prefilter=False)
            return float(np.nanmax(abs(second - corners)) / abs(first).max())

        return equivariance_error

    def _compare(self, cases, observed, name, want):
        case = cases[name]
        image, shift, output_shift = case["image"], case["shift"], case["output_shift"]
        layer = _layer(**case["layer"])
        height, width = image.shape
        first, second = layer(image[: height - shift, : width - shift]), layer(image[shift:, shift:])
        rows, columns = first.shape
        overlap = slice(None, rows - output_shift), slice(None, columns - output_shift)
        known, moved = second[overlap], first[output_shift:, output_shift:]
        rolled = np.roll(image, (-shift, -shift), (0, 1))
        whole = layer(image)
        rolled_output = np.roll(whole, (-output_shift, -output_shift), (0, 1))
        scale = abs(first).max()
        mistakes = {
            "The output is moved the other way: what is at (0, 0) in the second frame is at (shift, shift) in the "
            "first.": (abs(first[overlap] - second[output_shift:, output_shift:]).max() / scale),
            "The output is not moved at all: use output_shift.": abs(second - first).max() / scale,
            "The output moves by output_shift, not by shift.": (
                abs(second[: rows - shift, : columns - shift] - first[shift:, shift:]).max() / scale
                if shift < min(rows, columns)
                else np.nan
            ),
            "The largest difference is not divided by the largest value of the first frame's output.": (
                abs(known - moved).max()
            ),
            "This is the mean of the differences, not the largest.": abs(known - moved).mean() / scale,
            "The difference needs its absolute value: a large negative one counts too.": (known - moved).max() / scale,
            "Divide by the largest absolute value: it may be a negative number.": abs(known - moved).max()
            / (first.max() or 1.0),
            "You divided by the largest value of the whole image's output, not of the first frame's.": (
                abs(known - moved).max() / abs(whole).max()
            ),
            "You divided by the largest value of the image: by that of the output.": abs(known - moved).max()
            / abs(image).max(),
            "You divided by the largest value of the second frame's output: the first's is asked for.": (
                abs(known - moved).max() / abs(second).max()
            ),
            "np.roll brings back on one side what has left on the other: cut two frames instead.": (
                abs(layer(rolled) - rolled_output).max() / abs(whole).max()
            ),
            "np.roll brings back on one side what has left on the other: cut both outputs to what they share.": (
                abs(second - np.roll(first, (-output_shift, -output_shift), (0, 1))).max() / scale
            ),
        }
        zero = 0 in (shift, output_shift)
        got = _known(observed, name, "convolution, 1 pixel", EMPTY_SLICE) if zero else observed[name]
        expect.close(got, want, name, rtol=1e-6, atol=1e-9, mistakes=mistakes)

    @subtest("a convolution moves along with every shift: the error is 0")
    def convolution(self, cases, observed):
        for name in ("nothing moves", "convolution, 1 pixel", "convolution, 5 pixels"):
            self._compare(cases, observed, name, 0.0)

    @subtest("with a stride, a shift by the stride moves the output by one")
    def strided(self, cases, observed):
        for name in ("stride 4, moved by 4", "stride 2, moved by 2"):
            self._compare(cases, observed, name, 0.0)

    @subtest("a shift by less than the stride: another output, a large error")
    def between(self, cases, observed):
        case = cases["stride 2, moved by 1"]
        image, kernel = case["image"], case["layer"]["kernel"]
        responses = scipy.signal.correlate2d(image, kernel, mode="valid")
        first, second = responses[:-1, :-1][::2, ::2], responses[1:, 1:][::2, ::2]
        self._compare(cases, observed, "stride 2, moved by 1", abs(first - second).max() / abs(first).max())

    @subtest("an output that stays: the largest change, relative to the largest value")
    def stays(self, cases, observed):
        image = cases["the output stays"]["image"]
        distance = abs(image[3:, 3:] - image[:-3, :-3]).max()
        self._compare(cases, observed, "the output stays", distance / abs(image[:-3, :-3]).max())

    @subtest("a layer that adds 10 to each further row is off by 10 a row")
    def rows(self, cases, observed):
        first = _layer(**cases["rows are added to"]["layer"])(cases["rows are added to"]["image"][:-4, :-4])
        self._compare(cases, observed, "rows are added to", 40 / abs(first).max())


def _layer(name, kernel, stride=1):
    """A layer by its name: from (height, width) to another array."""
    if name == "convolution":
        return lambda image: scipy.signal.correlate2d(image, kernel, mode="valid")[::stride, ::stride]
    if name == "identity":
        return lambda image: image.copy()
    return lambda image: image + 10 * np.arange(len(image))[:, None]
