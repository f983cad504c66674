"""Exercises and claims of lab 00: from a picture to a gallery of galaxies."""

import numpy as np
import skimage.measure
from scipy.stats import median_abs_deviation

from utils.checks import Exercise, expect, subtest
from utils.results import POSITIVE, Claim

CLAIMS = {
    "objects": Claim("objects above 5 σ in the Hubble picture"),
    "sky_noise": Claim("noise of its sky, on a scale from 0 to 1"),
    "robust_noise": Claim("1.4826 MAD of noise of σ = 1, with 5 % of the pixels covered by sources", "0.95 .. 1.15"),
    "plain_noise": Claim("standard deviation of the same pixels", ">= 5", limits=POSITIVE),
}


class ToGrey(Exercise):
    id = "0.1"
    title = "from colours to grey"
    hints = (
        "NumPy arrays have a method that averages over one of their axes. Which axis holds the colours?",
        "Average over the last axis, then divide by 255. Averaging turns uint8 into float by itself; adding does not.",
        "return picture.mean(axis=...) / 255, with the number of the colour axis for the dots",
    )

    def inputs(self, rng):
        return {
            "example": {"picture": np.array([[[255, 255, 0]]], np.uint8)},
            "bright": {"picture": rng.integers(200, 256, (4, 7, 3), dtype=np.uint8)},
            "dark and bright": {"picture": rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)},
            "white": {"picture": np.full((3, 2, 3), 255, np.uint8)},
        }

    def reference(self):
        def to_grey(picture):
            return np.average(picture, axis=-1) / 255

        return to_grey

    @subtest("the example of the docstring")
    def example(self, cases, observed):
        expect.close(observed["example"], [[2 / 3]], "the grey value", mistakes=self.mistakes(cases["example"]))

    @subtest("one number for each pixel", points=1)
    def shape(self, cases, observed):
        expect.shape(
            observed["bright"],
            (4, 7),
            "the grey picture",
            mistakes={
                "You averaged over the rows; the colours are the last axis.": (7, 3),
                "You averaged over the columns; the colours are the last axis.": (4, 3),
            },
        )

    @subtest("bright pixels do not wrap around", points=1)
    def bright(self, cases, observed):
        wanted = cases["bright"]["picture"].astype(float).mean(axis=2) / 255
        expect.close(observed["bright"], wanted, "the grey picture", mistakes=self.mistakes(cases["bright"]))

    @subtest("each colour counts the same, and white is 1", points=1)
    def equal_weights(self, cases, observed):
        wanted = cases["dark and bright"]["picture"].astype(float).mean(axis=2) / 255
        expect.close(
            observed["dark and bright"], wanted, "the grey picture", mistakes=self.mistakes(cases["dark and bright"])
        )
        expect.close(observed["white"], np.ones((3, 2)), "white", mistakes=self.mistakes(cases["white"]))

    @staticmethod
    def mistakes(case):
        picture = case["picture"]
        red, green, blue = (picture[..., i] for i in range(3))
        exact = picture.astype(float)
        return {
            "Adding uint8 wraps around at 256: turn the picture into float first.": (red + green + blue) / 3 / 255,
            "This still runs from 0 to 255: divide by 255.": exact.mean(axis=2),
            "This is the sum of the colours: divide by three as well.": exact.sum(axis=2) / 255,
            "These are the weights of the human eye; here each colour counts the same.": exact
            @ [0.2125, 0.7154, 0.0721]
            / 255,
            "This divides by the brightest pixel of the picture, not by 255.": exact.mean(axis=2) / exact.max(),
        }


class Stretch(Exercise):
    id = "0.2"
    title = "arcsinh stretch"
    hints = (
        "NumPy knows the inverse hyperbolic sine, for numbers and for whole arrays.",
        "np.arcsinh of the brightness over the softening, divided by the same expression for a brightness of 1.",
        "return np.arcsinh(grey / ...) / np.arcsinh(... / softening)",
    )

    def inputs(self, rng):
        return {
            "example": {"grey": 0.02, "softening": 0.01},
            "picture": {"grey": rng.random((5, 8)), "softening": 0.05},
            "ends": {"grey": np.array([0.0, 1.0]), "softening": 0.3},
            "negative": {"grey": rng.normal(0, 0.02, 50), "softening": 0.1},
            "nearly linear": {"grey": rng.random((3, 4, 2)), "softening": 1000.0},
        }

    def reference(self):
        def stretch(grey, softening):
            top = np.log(1 / softening + np.sqrt(1 / softening**2 + 1))
            return np.sign(grey) * np.log(np.abs(grey) / softening + np.hypot(grey / softening, 1)) / top

        return stretch

    @subtest("the example of the docstring")
    def example(self, cases, observed):
        expect.close(observed["example"], 0.2724854, "stretch(0.02, 0.01)", rtol=1e-4)

    @subtest("0 stays at 0 and 1 stays at 1")
    def ends(self, cases, observed):
        mistakes = {
            "Divide by arcsinh(1 / softening), so that 1 stays at 1.": np.arcsinh([0, 1 / 0.3]),
            "Divide by the softening inside the arcsinh too.": np.arcsinh([0, 1]) / np.arcsinh(1 / 0.3),
            "Divide the brightness by the softening; you multiplied.": np.arcsinh([0, 0.3]) / np.arcsinh(1 / 0.3),
        }
        expect.close(observed["ends"], [0, 1], "the stretched ends", mistakes=mistakes)

    @subtest("a whole picture, pixel by pixel")
    def picture(self, cases, observed):
        grey, softening = cases["picture"].values()
        top = np.arcsinh(1 / softening)
        mistakes = {
            "Divide by the softening inside the arcsinh, not behind it.": np.arcsinh(grey) / softening / top,
            "Divide by arcsinh(1 / softening), not by the brightest pixel.": np.arcsinh(grey / softening)
            / np.arcsinh(grey.max() / softening),
        }
        expect.close(observed["picture"], self.reference()(grey, softening), "the stretched picture", mistakes=mistakes)

    @subtest("negative pixels, which noise makes, keep their sign and size")
    def negative(self, cases, observed):
        grey, softening = cases["negative"].values()
        wanted = self.reference()(grey, softening)
        mistakes = {
            "You cut negative pixels off at 0: leave them, they are noise like the others.": np.maximum(wanted, 0),
            "You dropped the minus sign of negative pixels.": np.abs(wanted),
        }
        expect.close(observed["negative"], wanted, "noise around 0", mistakes=mistakes)

    @subtest("a very large softening changes nothing")
    def linear(self, cases, observed):
        expect.close(observed["nearly linear"], cases["nearly linear"]["grey"], "the stretched picture", rtol=1e-3)


class SkyLevelAndNoise(Exercise):
    id = "0.3"
    title = "level and noise of the sky"
    hints = (
        "Both numbers come from np.median, which takes all pixels of an array at once.",
        "First the median. Then the absolute differences of all pixels from it, and the median of those, times 1.4826.",
        "level = np.median(grey); noise = 1.4826 * np.median(np.abs(...)); return both, the level first",
    )

    def inputs(self, rng):
        with_sources = rng.normal(0.3, 0.02, (60, 71))
        with_sources[rng.random(with_sources.shape) < 0.05] += 0.6
        return {
            "example": {"grey": np.array([[1.0, 2, 3, 4, 100]])},
            "pure noise": {"grey": rng.normal(-1.0, 2.0, (200, 150))},
            "with sources": {"grey": with_sources},
            "constant": {"grey": np.full((4, 6), 0.25)},
        }

    def reference(self):
        def sky_level_and_noise(grey):
            return float(np.median(grey)), float(median_abs_deviation(grey, axis=None, scale="normal"))

        return sky_level_and_noise

    @subtest("level and noise, in this order")
    def example(self, cases, observed):
        mistakes = {
            "The level comes first.": [1.4826, 3],
            "The noise lacks the factor 1.4826.": [3, 1],
            "These are mean and standard deviation, which one bright pixel spoils.": [
                np.mean(cases["example"]["grey"]),
                np.std(cases["example"]["grey"]),
            ],
        }
        expect.close(observed["example"], [3, 1.4826], "(level, noise)", rtol=1e-3, mistakes=mistakes)

    @subtest("for Gaussian noise it is the standard deviation")
    def gaussian(self, cases, observed):
        level, noise = self.two_numbers(observed["pure noise"])
        expect.between(level, -1.1, -0.9, "the level of noise around -1")
        expect.between(noise, 1.9, 2.1, "the noise of σ = 2")

    @subtest("sources hardly touch either")
    def sources(self, cases, observed):
        grey = cases["with sources"]["grey"]
        expect.close(
            observed["with sources"],
            [np.median(grey), median_abs_deviation(grey, axis=None, scale="normal")],
            "(level, noise)",
            rtol=1e-3,
            mistakes={
                "The level is the median, not the mean.": [grey.mean(), 1.4826 * np.median(abs(grey - grey.mean()))],
                "Take the median of the deviations, not their mean.": [
                    np.median(grey),
                    1.4826 * np.mean(abs(grey - np.median(grey))),
                ],
                "These are mean and standard deviation, which sources spoil.": [grey.mean(), grey.std()],
                "Take absolute values before the median: without them the deviations cancel.": [np.median(grey), 0],
            },
        )

    @subtest("a constant picture has no noise")
    def constant(self, cases, observed):
        expect.close(observed["constant"], [0.25, 0], "(level, noise)")

    @staticmethod
    def two_numbers(got):
        expect.shape(got, (2,), "(level, noise)")
        return got


class Detect(Exercise):
    id = "0.4"
    title = "from pixels to objects"
    hints = (
        "Compare the picture with the threshold: that gives True and False. scipy.ndimage.label returns two things: "
        "the numbered groups and how many there are. What does the number 0 stand for?",
        "sizes = np.bincount(labels.ravel()) counts all groups at once. For each large one, np.nonzero(labels == n) "
        "gives its rows and columns: keep mean column, mean row, and the sum of brightness minus level. Sort by that "
        "at the end. np.array(rows).reshape(-1, 3) has three columns even when there are no rows.",
        "labels, n = scipy.ndimage.label(grey > level + n_sigma * noise); for number in range(1, n + 1): if "
        "sizes[number] >= smallest: y, x = np.nonzero(labels == number), append (x.mean(), y.mean(), ...); at the end "
        "objects[np.argsort(-objects[:, 2])]",
    )

    def inputs(self, rng):
        square = np.zeros((9, 20))
        square[2:6, 10:14] = 0.5
        y, x = np.mgrid[:70, :90]
        field = rng.normal(0.1, 0.01, y.shape)
        for _ in range(6):
            centre_x, centre_y, peak = rng.uniform(5, 85), rng.uniform(5, 65), rng.uniform(0.2, 0.9)
            field += peak * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * 2.5**2))
        diagonal = np.zeros((12, 12))
        diagonal[1:4, 1:5] = diagonal[4:8, 5:9] = 1.0
        sizes = np.zeros((10, 30))
        sizes[1:4, 1:4], sizes[1:6, 10:12], sizes[2:5, 20:24] = 1, 2, 3  # 9, 10 and 12 pixels
        quiet = {"level": 0.0, "noise": 0.01}
        return {
            "example": {"grey": square, **quiet},
            "field": {"grey": field, "level": 0.1, "noise": 0.01},
            "touching corners": {"grey": diagonal, **quiet},
            "sizes": {"grey": sizes, "level": 0.5, "noise": 0.05},
            "low threshold": {"grey": field, "level": 0.1, "noise": 0.01, "n_sigma": 20.0, "smallest": 3},
            "empty": {"grey": np.zeros((5, 6)), **quiet},
        }

    def reference(self):
        def detect(grey, level, noise, n_sigma=5.0, smallest=10):
            labels = skimage.measure.label(grey > level + n_sigma * noise, connectivity=1)
            return self.catalogue(grey, labels, level, smallest)

        return detect

    @staticmethod
    def catalogue(grey, labels, level, smallest):
        """x, y, flux of labelled pixels, by scikit-image."""
        regions = [r for r in skimage.measure.regionprops(labels, grey - level) if r.num_pixels >= smallest]
        rows = [(r.centroid[1], r.centroid[0], r.image_intensity[r.image].sum()) for r in regions]
        rows = np.array(rows).reshape(-1, 3)
        return rows[np.argsort(-rows[:, 2])]

    def wanted(self, case):
        """What scikit-image finds in a case, brightest first."""
        return self.reference()(**case)

    @subtest("the example of the docstring: x, y, flux, in this order")
    def example(self, cases, observed):
        mistakes = {
            "x is the column and y the row: yours are exchanged.": [[3.5, 11.5, 8.0]],
            "Subtract the level from the flux, and sum instead of averaging.": [[11.5, 3.5, 0.5]],
            "This is the corner, not the mean position.": [[10, 2, 8.0]],
            "Group 0 is the sky between the objects: begin at 1.": self.with_group_zero(cases["example"]),
        }
        expect.close(observed["example"], [[11.5, 3.5, 8.0]], "the objects", mistakes=mistakes)

    @subtest("a field with noise, the brightest object first", points=2)
    def field(self, cases, observed):
        wanted = self.wanted(cases["field"])
        grey, level = cases["field"]["grey"], cases["field"]["level"]
        with_sky = self.catalogue(
            grey, skimage.measure.label(grey > level + 5 * cases["field"]["noise"], connectivity=1), 0.0, 10
        )
        weighted, sorted_apart = self.weighted(cases["field"]), -np.sort(-wanted, axis=0)
        mistakes = {
            "This is the centre of light; here each pixel counts the same.": weighted,
            "You sorted each column by itself, which tears the objects apart: use np.argsort.": sorted_apart,
            "The threshold is level + n_sigma * noise: the level is missing.": self.reference()(
                **cases["field"] | {"level": 0.0}
            ),
            "The flux still contains the sky: subtract the level from each pixel.": with_sky,
            "The order is from faint to bright: turn it round.": wanted[::-1],
            "x is the column and y the row: yours are exchanged.": wanted[:, [1, 0, 2]],
        }
        expect.close(observed["field"], wanted, "the objects", mistakes=mistakes)

    @staticmethod
    def with_group_zero(case):
        grey, level = case["grey"], case["level"]
        sky = grey <= level + 5 * case["noise"]
        y, x = np.nonzero(sky)
        return [[11.5, 3.5, 8.0], [x.mean(), y.mean(), np.sum(grey[sky] - level)]]

    @staticmethod
    def weighted(case):
        """The catalogue with centres of light."""
        grey, level = case["grey"], case["level"]
        labels = skimage.measure.label(grey > level + 5 * case["noise"], connectivity=1)
        regions = [r for r in skimage.measure.regionprops(labels, grey - level) if r.num_pixels >= 10]
        rows = [(*r.centroid_weighted[::-1], r.image_intensity[r.image].sum()) for r in regions]
        return np.array(sorted(rows, key=lambda row: -row[2]))

    @subtest("pixels that meet at a corner alone belong to two objects")
    def corners(self, cases, observed):
        expect.close(observed["touching corners"], self.wanted(cases["touching corners"]), "the objects")

    @subtest("exactly the smallest size is kept, less is dropped")
    def sizes(self, cases, observed):
        count = len(np.atleast_2d(observed["sizes"]))
        expect.equal(count, 2, "objects of 9, 10 and 12 pixels, of which those with at least 10 stay")

    @subtest("threshold and smallest size are taken from the arguments")
    def arguments(self, cases, observed):
        expect.close(observed["low threshold"], self.wanted(cases["low threshold"]), "the objects at 20 sigma")

    @subtest("an empty picture gives an empty list with three columns")
    def empty(self, cases, observed):
        expect.shape(observed["empty"], (0, 3), "the objects of an empty picture")


class CutStamp(Exercise):
    id = "0.5"
    title = "stamps"
    hints = (
        "A slice of an array is picture[rows, columns]. What happens to it when a row number gets negative?",
        "Make the empty stamp first. Clip the wanted rows and columns to the picture, and work out where that part "
        "belongs in the stamp. Or surround the whole picture by zeros with np.pad, and slice that.",
        "half = size // 2; padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2)); "
        "then padded[row : row + size, column : column + size], because padding moved everything by half",
    )

    def inputs(self, rng):
        picture = rng.integers(1, 255, (12, 17, 3), dtype=np.uint8)
        return {
            "example": {"picture": np.array([[1, 2, 3], [4, 5, 6]]), "x": 2, "y": 0, "size": 3},
            "inside": {"picture": picture, "x": 9, "y": 5, "size": 5},
            "rounding": {"picture": picture, "x": 8.7, "y": 4.2, "size": 3},
            "left edge": {"picture": picture, "x": 1, "y": 6, "size": 7},
            "corner": {"picture": rng.random((9, 11)), "x": 10, "y": 8, "size": 9},
            "larger than the picture": {"picture": rng.random((4, 6)), "x": 3, "y": 2, "size": 21},
        }

    def reference(self):
        def cut_stamp(picture, x, y, size):
            half = size // 2
            padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2))
            row, column = round(y), round(x)
            return padded[row : row + size, column : column + size]

        return cut_stamp

    def compare(self, cases, observed, name):
        case = cases[name]
        cut, x, y, half = self.reference(), case["x"], case["y"], case["size"] // 2
        sliced = case["picture"][round(y) - half : round(y) + half + 1, round(x) - half : round(x) + half + 1]
        mistakes = {
            "Rows are y and columns are x: yours are exchanged.": cut(**case | {"x": y, "y": x}),
            "Round to the nearest pixel; int() always rounds down.": cut(**case | {"x": int(x), "y": int(y)}),
            "Round to the nearest pixel, not up.": cut(**case | {"x": -int(-x // 1), "y": -int(-y // 1)}),
            "One row and column are missing: the slice ends behind the last pixel.": cut(**case)[:-1, :-1],
            "A negative row or column counts from the other end: slice from 0 at least, and fill up.": sliced,
            "The centre sits one pixel off: it belongs at [size // 2, size // 2].": cut(
                **case | {"x": x + 1, "y": y + 1}
            ),
        }
        expect.close(observed[name], cut(**case), "the stamp", mistakes=mistakes)

    @subtest("the example of the docstring")
    def example(self, cases, observed):
        self.compare(cases, observed, "example")

    @subtest("inside the picture: rows are y, columns are x", points=1)
    def inside(self, cases, observed):
        self.compare(cases, observed, "inside")

    @subtest("positions are rounded to the nearest pixel")
    def rounding(self, cases, observed):
        self.compare(cases, observed, "rounding")

    @subtest("beyond the edge there are zeros", points=2)
    def edges(self, cases, observed):
        for name in ("left edge", "corner", "larger than the picture"):
            self.compare(cases, observed, name)

    @subtest("the stamp has the picture's type of number")
    def same_type(self, cases, observed):
        for name in ("inside", "corner"):
            got, wanted = np.asarray(observed[name]).dtype.name, cases[name]["picture"].dtype.name
            expect.equal(got, wanted, "type", mistakes={"np.zeros takes a dtype.": "float64"})
