"""Checks of lab 09, data augmentation."""

import keras
import numpy as np
from scipy import ndimage

from utils.checks import Exercise, expect, run, subtest
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "error_ratio": Claim(
        "Test error at 500 labels with flips and quarter turns, divided by that without augmentation",
        "<= 0.8",
        POSITIVE,
    ),
    "error_without": Claim("Test error at 500 labels without augmentation", None, SHARE),
    "error_with": Claim("Test error at 500 labels with flips and quarter turns", None, SHARE),
    "error_ratio_100": Claim(
        "Test error at 100 labels with flips and quarter turns, divided by that without", None, POSITIVE
    ),
    "error_ratio_2000": Claim("Test error at 2000 labels with them, divided by that without", None, POSITIVE),
    "any_angle_ratio": Claim(
        "Test error at 500 labels with turns by any angle, zooms and shifts, divided by that without augmentation",
        None,
        POSITIVE,
    ),
    "sky_ratio": Claim(
        "Test error of the augmented network on galaxies turned on the sky by 45°, divided by that on the test set",
        None,
        POSITIVE,
    ),
    "corners_ratio": Claim(
        "Test error of the augmented network with 0 in the corners of the images, divided by that without",
        ">= 1.5",
        POSITIVE,
    ),
    "noise_ratio": Claim(
        "Test error of the augmented network on images shifted by half a pixel, divided by that on images as they are",
        ">= 1.2",
        POSITIVE,
    ),
    "average_loss_ratio": Claim(
        "Cross-entropy of the augmented network on the test set, averaged over eight views divided by one view",
        "<= 0.95",
        POSITIVE,
    ),
    "average_error_ratio": Claim(
        "Test error of the augmented network, averaged over eight views divided by one view", "<= 0.95", POSITIVE
    ),
    "turn_ratio": Claim(
        "Change of the probabilities when galaxies are turned, with augmentation divided by without",
        "<= 0.8",
        POSITIVE,
    ),
    "handedness_mirrored": Claim("Accuracy for the winding of spirals, trained with mirrored images", "<= 0.6", SHARE),
    "handedness_followed": Claim("The same with labels that follow the mirror", ">= 0.8", SHARE),
    "parts_error_ratio": Claim(
        "Test error at 500 labels of a network that looks at four parts, divided by that of the plain network",
        "<= 0.9",
        POSITIVE,
    ),
    "inside_error": Claim(
        "Test error of the plain network, trained on with the average over eight views inside", None, SHARE
    ),
    "invariant_difference": Claim(
        "Largest change of a probability of the averaging network under the eight views", "<= 1e-5", POSITIVE
    ),
}


class EightViews(Exercise):
    id = "9.1"
    title = "eight views of one galaxy"
    hints = (
        "np.rot90 turns by quarter turns. Which direction, and which two axes does it turn? And how do you read the "
        "columns of an array backwards?",
        "np.rot90(image, k) turns the first two axes counter-clockwise by k quarter turns, which is what is wanted. "
        "The mirror image is image[:, ::-1]. Mirror first, then turn.",
        "Two lists, one after the other: np.rot90(image, k) for k = 0, 1, 2, 3, and the same with image[:, ::-1].",
    )

    def inputs(self, rng):
        return {
            "square": {"image": rng.normal(size=(5, 5, 3))},
            "even side": {"image": rng.normal(size=(6, 6, 6)).astype("float32")},
            "not square": {"image": rng.normal(size=(3, 5, 2))},
            "counts": {"image": rng.integers(0, 255, size=(4, 4, 1)).astype("uint8")},
        }

    def reference(self):
        def eight_views(image):
            turned = np.transpose(image, (1, 0, 2))
            both = image[::-1, ::-1]
            return [
                image,
                turned[::-1],
                both,
                turned[:, ::-1],
                image[:, ::-1],
                turned,
                image[::-1],
                turned[::-1, ::-1],
            ]

        return eight_views

    def _in_another_order(self, cases, observed):
        """Say so where the eight pictures are right and two kinds of them are mixed."""
        image, got = cases["square"]["image"], _eight(observed["square"], "square")
        if any(np.shape(picture) != image.shape for picture in got):
            return
        order = [next((k for k in range(8) if np.allclose(picture, _view(image, k))), -1) for picture in got]
        if sorted(order[:4]) != [0, 1, 2, 3] and sorted(order) == list(range(8)):
            raise expect.NotYet(
                "square: these are the eight views in another order: the four that are not mirrored come first, then "
                f"the four that are. Yours are the views {order}."
            )

    def _compare(self, cases, observed, numbers, wrong):
        for name in ("square", "not square", "even side", "counts"):
            image, got = cases[name]["image"], _eight(observed[name], name)
            for k in numbers:
                want = _view(image, k)
                slips = {text: value(image, k) for text, value in wrong.items()}
                mistakes = {text: value for text, value in slips.items() if not np.array_equal(value, want)}
                expect.close(got[k], want, f"{name}, view {k}", mistakes=mistakes)

    @subtest("the first four: quarter turns counter-clockwise, beginning with none")
    def turns(self, cases, observed):
        wrong = {
            "This is turned clockwise.": lambda image, k: np.rot90(image, -k),
            "The first view is the image as it is.": lambda image, k: np.rot90(image, k + 1),
            "This is the transposed image: rows and columns have changed places, which is a mirror image.": (
                lambda image, k: np.transpose(image, (1, 0, 2))
            ),
            "You turned columns and bands: the axes of the turn are 0 and 1.": lambda image, k: np.rot90(
                image, k, axes=(1, 2)
            ),
            "You turned rows and bands: the axes of the turn are 0 and 1.": lambda image, k: np.rot90(
                image, k, axes=(0, 2)
            ),
            "This is mirrored: the first four are turned only.": lambda image, k: np.rot90(image[:, ::-1], k),
        }
        self._in_another_order(cases, observed)
        self._compare(cases, observed, range(4), wrong)

    @subtest("the last four: mirrored left to right, then turned counter-clockwise")
    def mirrored(self, cases, observed):
        image, got = cases["square"]["image"], _eight(observed["square"], "square")
        clockwise = np.shape(got[1]) == image.shape and np.allclose(got[1], _view(image, 3))
        slip = (
            "turned clockwise, as the first four are" if clockwise else "turned first and mirrored then: mirror first"
        )
        wrong = {
            f"This is {slip}.": lambda image, k: np.rot90(image, k - 4)[:, ::-1],
            "This is mirrored upside down: left to right is image[:, ::-1].": (
                lambda image, k: np.rot90(image[::-1], k - 4)
            ),
            "This is mirrored, and turned clockwise.": lambda image, k: np.rot90(image[:, ::-1], -k),
            "Here the order of the bands is reversed: mirror the columns.": (
                lambda image, k: np.rot90(image[:, :, ::-1], k - 4)
            ),
            "This is not mirrored.": lambda image, k: np.rot90(image, k),
        }
        self._compare(cases, observed, range(4, 8), wrong)

    @subtest("all eight differ")
    def differ(self, cases, observed):
        for name in ("square", "even side"):
            got = _eight(observed[name], name)
            for i in range(8):
                for j in range(i):
                    same = np.shape(got[i]) == np.shape(got[j]) and np.allclose(got[i], got[j])
                    expect.true(not same, f"{name}: views {j} and {i} are the same picture.")


class Places(Exercise):
    id = "9.2"
    title = "where does each pixel come from?"
    forbidden = ("skimage.transform", "scipy.ndimage.affine_transform", "scipy.ndimage.rotate")
    hints = (
        "Go backwards: take a pixel of the new picture, undo the shift, then the turn, then the zoom. All three happen "
        "about the middle, which lies at ((height − 1) / 2, (width − 1) / 2).",
        "row, column = np.mgrid[:height, :width]; subtract the middle and the shift: that is `down` and `right`. To "
        "undo a counter-clockwise turn by a: rows take down·cos a + right·sin a, columns right·cos a − down·sin a. "
        "Divide by zoom and add the middle.",
        "a = np.radians(angle); down = row - (height - 1) / 2 - shift[0]; right = column - (width - 1) / 2 - shift[1]; "
        "rows = (height - 1) / 2 + (down * np.cos(a) + right * np.sin(a)) / zoom; columns likewise.",
    )

    def inputs(self, rng):
        def case(height, width, angle=0.0, zoom=1.0, shift=(0.0, 0.0)):
            return {
                "height": height,
                "width": width,
                "angle": float(angle),
                "zoom": float(zoom),
                "shift": [float(s) for s in shift],
            }

        down, right = rng.uniform([0.6, 2.2], [1.7, 3.6])
        return {
            "nothing": case(4, 6),
            "shift": case(5, 7, shift=(down, -right)),
            "quarter turn": case(6, 6, angle=90),
            "quarter turn, odd side": case(5, 5, angle=90),
            "turn": case(7, 7, angle=rng.uniform(20, 40)),
            "turn, not square": case(6, 9, angle=-rng.uniform(50, 70)),
            "zoom": case(6, 8, zoom=rng.uniform(1.5, 2.5)),
            "all": case(8, 5, rng.uniform(100, 130), rng.uniform(0.6, 0.8), (-right, down)),
        }

    def reference(self):
        return _places

    def _compare(self, cases, observed, name):
        case = cases[name]
        height, width, angle, zoom, shift = (case[key] for key in ("height", "width", "angle", "zoom", "shift"))
        got = observed[name]
        expect.true(
            (isinstance(got, list) and len(got) == 2) or np.shape(got) == (2, height, width),
            f"{name}: expected two arrays, rows and columns, got {expect.show(got)}.",
        )
        for part, found in zip(("rows", "columns"), got, strict=True):
            hint = " np.meshgrid takes the columns first; np.mgrid does not." if height != width else ""
            expect.true(
                np.shape(found) != (width, height) or not hint,
                f"{name}, {part}: expected shape ({height}, {width}), got ({width}, {height}).{hint}",
            )
            expect.shape(found, (height, width), f"{name}, {part}")
        got, want = np.array(got, float), np.round(_places(**case), 9)
        slips = {
            "Rows and columns have changed places.": want[::-1],
            "The middle lies at ((height − 1) / 2, (width − 1) / 2): pixels are counted from 0.": _places(
                **case, middle=(height / 2, width / 2)
            ),
            "This goes about the pixel [0, 0]: subtract the middle first, and add it at the end.": _places(
                **case, middle=(0, 0)
            ),
            "This is a clockwise turn. Mind that rows are counted downwards, and that you look for where a pixel came "
            "from.": _places(height, width, -angle, zoom, shift),
            "The angle is in degrees: np.radians.": _places(height, width, np.degrees(angle), zoom, shift),
            "This picture shrinks where it should grow: the way back divides by zoom.": _places(
                height, width, angle, 1 / zoom, shift
            ),
            "This is shifted the other way: what is at row r now was at row r − shift[0].": _places(
                height, width, angle, zoom, [-s for s in shift]
            ),
            "shift is (down, right): you took it for (right, down).": _places(height, width, angle, zoom, shift[::-1]),
            "This is shifted first, then turned: the shift comes last, so it is undone first.": _places(
                **case, shift_first=True
            ),
            "The height and the width have changed places in the middle.": _places(
                **case, middle=((width - 1) / 2, (height - 1) / 2)
            ),
            "These are rows and columns with their axes exchanged: np.meshgrid takes the columns first, np.mgrid does "
            "not.": np.transpose(want, (0, 2, 1)) if height == width else want,
            "The middle is counted with the height for both: columns take the width.": _places(
                **case, middle=((height - 1) / 2, (height - 1) / 2)
            ),
            "The middle lies between two pixels where the side is even: (n − 1) / 2, not rounded, not n // 2.": _places(
                **case, middle=(height // 2, width // 2)
            ),
            "The places are rounded: leave them between the pixels.": np.round(want),
            "The turn is undone before the shift: the shift comes last, so it is undone first.": _places(
                height, width, angle, zoom, _turned_shift(shift, angle)
            ),
            "The rows are right. The columns are made of rows that were turned already: keep the old distances until "
            "both are done.": _overwritten(height, width, angle, zoom, shift),
            "This is the way there: where does each pixel of the NEW picture come from?": _places(
                **case, forwards=True
            ),
        }
        mistakes = {text: np.array(value) for text, value in slips.items() if not np.allclose(value, want, atol=1e-3)}
        expect.close(got, want, f"{name}, rows and columns", rtol=1e-4, atol=1e-4, mistakes=mistakes)

    @subtest("nothing to do: each pixel comes from itself")
    def nothing(self, cases, observed):
        self._compare(cases, observed, "nothing")

    @subtest("a shift goes down and right")
    def shift(self, cases, observed):
        self._compare(cases, observed, "shift")

    @subtest("a quarter turn is that of np.rot90: counter-clockwise, about the middle")
    def quarter(self, cases, observed):
        for name in ("quarter turn", "quarter turn, odd side"):
            self._compare(cases, observed, name)
            side = cases[name]["height"]
            want = [np.rot90(grid) for grid in np.mgrid[:side, :side]]
            expect.close(np.array(observed[name]), np.array(want), name, atol=1e-6)

    @subtest("a turn by any angle, of any shape")
    def turn(self, cases, observed):
        self._compare(cases, observed, "turn")
        self._compare(cases, observed, "turn, not square")

    @subtest("a zoom larger than 1 enlarges, about the middle")
    def zoom(self, cases, observed):
        self._compare(cases, observed, "zoom")

    @subtest("zoom, turn and shift, in this order")
    def everything(self, cases, observed):
        self._compare(cases, observed, "all")


class Interpolate(Exercise):
    id = "9.3"
    title = "between the pixels"
    forbidden = ("scipy.ndimage", "skimage.transform", "scipy.interpolate", "keras.ops.image")
    hints = (
        "A place between four pixels: how much does each of them count? The nearer, the more; the four weights sum to "
        "1. And what has to happen at the border, so that no index leaves the image?",
        "Put a frame of zeros around the image (np.pad, not around the bands) and add 1 to the places. The upper left "
        "pixel is at np.floor; what is left over are the fractions `down` and `right`. The weights are (1 − down)(1 − "
        "right), (1 − down) right, down (1 − right), down right. Far outside: clip the places to the frame first.",
        "framed = np.pad(image, ((1, 1), (1, 1), (0, 0))); rows = np.clip(rows, -1, height) + 1; top = "
        "np.minimum(rows.astype(int), height); down = (rows - top)[..., None]; columns likewise; then the sum of four "
        "products such as (1 - down) * right * framed[top, left + 1].",
    )

    def inputs(self, rng):
        image = rng.normal(2, 1, size=(5, 7, 3))
        row, column = np.mgrid[:5, :7].astype(float)
        steep = np.arange(30.0).reshape(5, 6, 1) ** 1.5
        return {
            "whole pixels": {"image": image, "rows": row[::-1], "columns": column[:, ::-1]},
            "half way down": {"image": steep, "rows": np.array([[0.5, 2.5]]), "columns": np.array([[1.0, 4.0]])},
            "half way right": {"image": steep, "rows": np.array([[1.0, 4.0]]), "columns": np.array([[0.5, 3.5]])},
            "in between": {"image": image, "rows": rng.uniform(0, 4, (6, 4)), "columns": rng.uniform(0, 6, (6, 4))},
            "outside": {
                "image": image,
                "rows": np.array([[-9.0, 2.0, 30.0, 2.0, -1.5]]),
                "columns": np.array([[3.0, -12.0, 3.0, 40.0, 7.5]]),
            },
            "at the edge": {
                "image": image,
                "rows": np.array([[-0.25, 2.0, 4.5, 1.25, -0.5]]),
                "columns": np.array([[3.0, -0.75, 3.0, 6.25, 6.5]]),
            },
            "a hair outside": {"image": image, "rows": row - 1e-13, "columns": column + 1e-13},
            "counts": {
                "image": rng.integers(100, 255, size=(4, 4, 1)).astype("uint8"),
                "rows": rng.uniform(0, 3, (3, 3)),
                "columns": rng.uniform(0, 3, (3, 3)),
            },
        }

    def reference(self):
        return _interpolated

    def _compare(self, cases, observed, name):
        case = cases[name]
        image, rows, columns = case["image"], case["rows"], case["columns"]
        want = _interpolated(**case)
        down, right = rows - np.floor(rows), columns - np.floor(columns)
        across = _interpolated(image, np.floor(rows) + 1 - down, np.floor(columns) + 1 - right)
        slips = {
            "This is the nearest pixel: weigh the four pixels around.": _interpolated(image, rows, columns, order=0),
            "This is the pixel at the upper left: weigh the four pixels around.": _interpolated(
                image, np.floor(rows), np.floor(columns)
            ),
            "The weights are the wrong way round: the nearer pixel counts more.": across,
            "Rows and columns have changed places.": _interpolated(image, columns, rows),
            "The edge pixel is repeated outside: there is 0 outside.": _interpolated(
                image, rows, columns, mode="nearest"
            ),
            "What leaves on one side comes in on the other (a negative index counts from the end): there is 0 "
            "outside.": _interpolated(image, rows, columns, mode="grid-wrap"),
            "The edge pixels fade out into 0 over one pixel: here they break off.": _interpolated(
                image, rows, columns, mode="constant"
            ),
            "int() and astype(int) round towards 0: take np.floor, also at negative places.": _truncated(
                image, rows, columns
            ),
            "This is only interpolated along the columns.": _interpolated(image, np.floor(rows), columns),
            "This is only interpolated along the rows.": _interpolated(image, rows, np.floor(columns)),
        }
        mistakes = {text: value for text, value in slips.items() if not np.allclose(value, want, atol=1e-6)}
        expect.close(observed[name], want, name, rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("at whole pixels the image itself")
    def whole(self, cases, observed):
        self._compare(cases, observed, "whole pixels")

    @subtest("half way between two pixels their mean")
    def half(self, cases, observed):
        self._compare(cases, observed, "half way down")
        self._compare(cases, observed, "half way right")

    @subtest("in between: four pixels, the nearer count more; as many places as were asked for")
    def between(self, cases, observed):
        self._compare(cases, observed, "in between")
        self._compare(cases, observed, "counts")

    @subtest("far outside there is 0")
    def outside(self, cases, observed):
        self._compare(cases, observed, "outside")

    @subtest("over the edge the image fades out into 0, and a rounding error loses no edge")
    def edge(self, cases, observed):
        self._compare(cases, observed, "at the edge")
        self._compare(cases, observed, "a hair outside")


class KeptVariance(Exercise):
    id = "9.4"
    title = "what interpolation does to noise"
    hints = (
        "The interpolated value is a sum of four independent random numbers, each times a weight. How do you get the "
        "variance of such a sum?",
        "The variance of w·x is w² times that of x, and variances of independent numbers add up: the answer is the "
        "sum of the four squared weights. It is a product of one factor for the rows and one for the columns.",
        "down = rows - np.floor(rows); right likewise; ((1 - down)**2 + down**2) * ((1 - right)**2 + right**2).",
    )

    def inputs(self, rng):
        return {
            "whole pixels": {
                "rows": np.array([[0.0, 3.0], [7.0, -2.0]]),
                "columns": np.array([[5.0, 1.0], [2.0, 4.0]]),
            },
            "half way": {"rows": np.array([2.5, 2.0, 2.5]), "columns": np.array([3.0, 1.5, 0.5])},
            "anywhere": {"rows": rng.uniform(1, 9, 7), "columns": rng.uniform(1, 9, 7)},
            "left and above": {"rows": rng.uniform(-3, -1, (2, 3)), "columns": rng.uniform(-3, -1, (2, 3))},
            "many": {"rows": rng.uniform(0, 100, 40_000), "columns": rng.uniform(0, 100, 40_000)},
        }

    def reference(self):
        def kept_variance(rows, columns):
            return _sum_of_squared_weights(rows, columns)

        return kept_variance

    def _compare(self, cases, observed, name):
        rows, columns = cases[name]["rows"], cases[name]["columns"]
        want = _sum_of_squared_weights(rows, columns)
        down, right = rows - np.floor(rows), columns - np.floor(columns)
        one, other = down**2 + (1 - down) ** 2, right**2 + (1 - right) ** 2
        low, left = rows - np.trunc(rows), columns - np.trunc(columns)
        mistakes = {
            "This is the share that is lost: return the share that is kept.": 1 - want,
            "f is the fraction of a pixel, rows − np.floor(rows), not the place itself.": (
                (rows**2 + (1 - rows) ** 2) * (columns**2 + (1 - columns) ** 2)
            ),
            "This is the standard deviation: leave out the root.": np.sqrt(want),
            "This is the sum of the weights, which is 1 anywhere: square them first.": np.ones_like(want),
            "This is the factor of the rows alone: the columns have one too.": one,
            "This is the factor of the columns alone: the rows have one too.": other,
            "You added the factors of rows and columns: the four weights are products, and so is the answer.": (
                one + other
            ),
            "This is the mean of the two factors: multiply them.": (one + other) / 2,
            "This is the largest weight.": np.maximum(down, 1 - down) * np.maximum(right, 1 - right),
            "This is the square of one weight of the four: add up all four.": (down * right) ** 2,
            "This is the square of the first weight of the four: add up all four.": ((1 - down) * (1 - right)) ** 2,
            "int() and np.trunc round towards 0: a fraction is taken from np.floor, also at negative places.": (
                (low**2 + (1 - low) ** 2) * (left**2 + (1 - left) ** 2)
            ),
            "This is the mean over all places: here each place has its own value.": np.full_like(want, 4 / 9),
        }
        mistakes = {text: value for text, value in mistakes.items() if not np.allclose(value, want, rtol=1e-3)}
        expect.close(observed[name], want, name, rtol=1e-4, atol=1e-6, mistakes=mistakes)

    @subtest("at whole pixels all of the variance is kept")
    def whole(self, cases, observed):
        self._compare(cases, observed, "whole pixels")

    @subtest("half way between two pixels a half, between four a quarter")
    def half(self, cases, observed):
        self._compare(cases, observed, "half way")

    @subtest("anywhere: the sum of the squared weights, also at negative places")
    def anywhere(self, cases, observed):
        self._compare(cases, observed, "anywhere")
        self._compare(cases, observed, "left and above")

    @subtest("on average over all places 4/9")
    def average(self, cases, observed):
        expect.shape(observed["many"], cases["many"]["rows"].shape, "many places")
        expect.close(np.mean(observed["many"]), 4 / 9, "mean over many places", rtol=0.02)


class MovedLabels(Exercise):
    id = "9.5"
    title = "labels that follow"
    hints = (
        "Draw a galaxy as a line on paper, at 30°. Hold it before a mirror: at which angle is the line now? A zoom at "
        "constant surface brightness by 2: how many more pixels shine, and how many magnitudes is that?",
        "A mirror left to right makes 180° − angle of an angle and changes the winding's sign. Then the turn is added. "
        "The area, and with it the flux, grows by zoom²; magnitudes are −2.5 log10 of it. Radii grow by zoom.",
        "np.where(mirror, 180 - position_angle, position_angle) + angle, modulo 180; np.where(mirror, -winding, "
        "winding); magnitude - 5 * np.log10(zoom); radius * zoom.",
    )

    def inputs(self, rng):
        def case(n, mirror=False, angle=0.0, zoom=1.0):
            return {
                "position_angle": rng.uniform(10, 80, n) + 90 * rng.integers(0, 2, n),
                "winding": rng.choice([-1, 1], n),
                "magnitude": rng.uniform(17, 22, n),
                "radius": rng.uniform(0.5, 3, n),
                "mirror": np.zeros(n, bool) | mirror,
                "angle": np.zeros(n) + angle,
                "zoom": np.ones(n) * zoom,
            }

        n = 8
        return {
            "nothing": case(3),
            "mirror": case(4, mirror=True),
            "some mirrored": case(n, mirror=np.arange(n) % 3 == 0),
            "turn": case(n, angle=rng.uniform(20, 60, n)),
            "quarter turns": case(4, angle=np.array([90.0, 180.0, -90.0, 135.0])),
            "turn by a lot": case(n, angle=rng.uniform(200, 350, n)),
            "zoom": case(5, zoom=rng.uniform(0.7, 1.4, 5)),
            "mirror and turn": case(n, mirror=np.arange(n) % 2 == 0, angle=rng.uniform(-80, -20, n)),
        }

    def reference(self):
        def moved_labels(position_angle, winding, magnitude, radius, mirror, angle, zoom):
            across, along = np.sin(np.radians(position_angle)), np.cos(np.radians(position_angle))
            along = along * (1 - 2 * mirror.astype(int))
            turned = np.degrees(np.arctan2(across, along)) + angle
            flux = 10 ** (-0.4 * magnitude) * zoom**2
            return np.mod(turned, 180), winding * (1 - 2 * mirror.astype(int)), -2.5 * np.log10(flux), radius * zoom

        return moved_labels

    def _label(self, cases, observed, name, number):
        got = observed[name]
        if not isinstance(got, list) or len(got) != 4:
            raise expect.NotYet(
                f"{name}: expected four arrays (position_angle, winding, magnitude, radius), got {expect.show(got)}."
            )
        expect.shape(got[number], cases[name]["mirror"].shape, f"{name}, {_LABELS[number]}")
        return np.asarray(got[number])

    @subtest("the position angle is that of the moved picture")
    def position_angle(self, cases, observed):
        for name in ("nothing", "mirror", "turn", "turn by a lot", "some mirrored", "mirror and turn"):
            case, got = cases[name], self._label(cases, observed, name, 0).astype(float)
            before, mirror, angle = case["position_angle"], case["mirror"], case["angle"]
            want = np.array([_measured(row)[0] for row in _rows(case)])
            slips = {
                "The mirror has changed nothing: left and right are exchanged, so 30° becomes 150°.": before + angle,
                "Clockwise and counter-clockwise are mixed up: the turn is added.": np.where(
                    mirror, 180 - before, before
                )
                - angle,
                "You turned first and mirrored then: mirror first.": np.where(
                    mirror, 180 - before - angle, before + angle
                ),
                "A mirror left to right does not turn by a right angle: 30° becomes 150°.": np.where(
                    mirror, 90 - before, before
                )
                + angle,
                "The turn is missing.": np.where(mirror, 180 - before, before),
                "A mirror does not turn by 180°, which would change no position angle: 30° becomes 150°.": np.where(
                    mirror, before + 180, before
                )
                + angle,
            }
            for text, wrong in slips.items():
                if np.max(_apart(wrong, want)) > 2 and np.max(_apart(wrong, got)) < 1:
                    raise expect.NotYet(f"{name}: {text}")
            worst = int(np.argmax(_apart(got, want)))
            expect.true(
                _apart(got, want)[worst] < 1,
                f"{name}: expected {want[worst]:.1f} degrees, got {expect.show(float(got[worst]))}, for a galaxy at "
                f"{before[worst]:.1f}, mirror {bool(mirror[worst])}, turned by {angle[worst]:.1f}.",
            )

    @subtest("position angles are from 0 to 180 degrees")
    def span(self, cases, observed):
        for name in ("turn by a lot", "mirror and turn", "mirror"):
            got = self._label(cases, observed, name, 0).astype(float)
            worst = float(got[np.argmax(np.abs(got - 90))])
            expect.true(
                got.min() >= 0 and got.max() <= 180,
                f"{name}: a position angle of {expect.show(worst)} degrees. An axis has no arrow, after 180 degrees it "
                "is the same again: take the angle modulo 180.",
            )

    @subtest("a mirror changes the sense of winding, a turn does not")
    def winding(self, cases, observed):
        names = (
            "nothing",
            "turn",
            "quarter turns",
            "turn by a lot",
            "zoom",
            "some mirrored",
            "mirror",
            "mirror and turn",
        )
        for name in names:
            case, got = cases[name], self._label(cases, observed, name, 1)
            want = case["winding"] * np.where(case["mirror"], -1, 1)
            mistakes = {
                "A mirrored spiral winds the other way.": case["winding"],
                "All have changed their sense: only the mirrored ones do.": -case["winding"],
                "The sign tells which were mirrored, not how they wind.": np.where(case["mirror"], -1, 1),
                "That would be right for the labels 0 and 1: these are 1 and -1, so change the sign.": np.where(
                    case["mirror"], 1 - case["winding"], case["winding"]
                ),
            }
            mistakes = {text: value for text, value in mistakes.items() if not np.array_equal(value, want)}
            what = f"{name}, winding" + ("" if case["mirror"].any() else " (nothing is mirrored)")
            expect.close(got, want, what, mistakes=mistakes)

    @subtest("the magnitude is that of the zoomed picture, at constant surface brightness")
    def magnitude(self, cases, observed):
        for name in ("nothing", "turn", "mirror", "zoom"):
            case, got = cases[name], self._label(cases, observed, name, 2)
            before, zoom = case["magnitude"], case["zoom"]
            change = np.array([_measured(row)[1] for row in _rows(case)])
            mistakes = {
                "Magnitudes run backwards: the larger picture is the brighter one.": before + 5 * np.log10(zoom),
                "The area grows by zoom²: 5 log10(zoom), not 2.5.": before - 2.5 * np.log10(zoom),
                "The magnitude is that before the zoom: the picture has gained or lost light.": before,
                "log10, not the natural logarithm.": before - 5 * np.log(zoom),
                "A magnitude is a logarithm: it is shifted, not multiplied.": before * zoom**2,
                "A magnitude is a logarithm: subtract 5 log10(zoom).": before / zoom**2,
            }
            mistakes = {t: v for t, v in mistakes.items() if not np.allclose(v, before + change, atol=0.03)}
            expect.close(got, before + change, f"{name}, magnitude", rtol=0, atol=0.03, mistakes=mistakes)

    @subtest("the radius grows with the zoom")
    def radius(self, cases, observed):
        for name in ("nothing", "zoom", "turn"):
            case, got = cases[name], self._label(cases, observed, name, 3)
            mistakes = {
                "A radius is a length, and grows by zoom, not by its square.": case["radius"] * case["zoom"] ** 2,
                "The picture is enlarged: multiply.": case["radius"] / case["zoom"],
                "The radius has not changed.": case["radius"],
            }
            want = case["radius"] * case["zoom"]
            mistakes = {text: value for text, value in mistakes.items() if not np.allclose(value, want)}
            expect.close(got, want, f"{name}, radius", mistakes=mistakes)


class Augment(Exercise):
    id = "9.6"
    title = "a random view for each galaxy"
    forbidden = ("keras.layers.RandomFlip", "keras.layers.RandomRotation")
    hints = (
        "How many random numbers does a batch of 32 images need, if each image draws one of eight views?",
        "rng.integers(8, size=len(images)) draws a number for each image. Make a new array with np.empty_like and "
        "fill it image by image with eight_views(image)[number].",
        "augmented = np.empty_like(images); for i, k in enumerate(rng.integers(8, size=len(images))): augmented[i] = "
        "eight_views(images[i])[k]; return augmented.",
    )

    def inputs(self, rng):
        seeds = [int(s) for s in rng.integers(1, 10_000, 3)]
        return {
            "many": {"images": rng.normal(size=(480, 3, 3, 1)), "seed": seeds[0]},
            "a batch": {"images": rng.normal(size=(20, 4, 4, 3)).astype("float32"), "seed": seeds[1]},
            "the same start": {"images": None, "seed": seeds[1]},
            "once more": {"images": None, "seed": seeds[1]},
            "another start": {"images": None, "seed": seeds[2] + 10_000},
            "as many as bands": {"images": rng.normal(size=(4, 4, 4, 4)), "seed": seeds[0]},
            "one image": {"images": rng.normal(size=(1, 5, 5, 3)).astype("float32"), "seed": seeds[0]},
            "counts": {"images": rng.integers(0, 255, size=(3, 4, 4, 1)).astype("uint8"), "seed": seeds[0]},
        }

    def observe(self, answer, cases):
        def twice(images, seed):
            rng = np.random.default_rng(seed)
            answer(images.copy(), rng)
            return answer(images.copy(), rng)

        def once(images, seed):
            return answer(images, np.random.default_rng(seed))

        before = np.random.get_state()  # noqa: NPY002
        observed = {}
        for name, case in cases.items():
            images = cases["a batch"]["images"] if case["images"] is None else case["images"]
            observed[name] = run(twice if name == "once more" else once, images=images, seed=case["seed"])
        after = np.random.get_state()  # noqa: NPY002
        if before[2:] != after[2:] or not np.array_equal(before[1], after[1]):
            observed["the program's random numbers have changed"] = run(lambda: True)
        return observed

    def reference(self):
        def augment(images, rng):
            mirror, swap, up = rng.integers(0, 2, size=(3, len(images), 1, 1, 1)).astype(bool)
            images = np.where(mirror, images[:, :, ::-1], images)
            images = np.where(up, images[:, ::-1], images)
            return np.where(swap, np.transpose(images, (0, 2, 1, 3)), images)

        return augment

    @subtest("each galaxy comes out as a view of itself, in its own place of the batch")
    def views(self, cases, observed):
        for name in ("a batch", "as many as bands", "many"):
            images = cases[name]["images"]
            got = observed[name]
            expect.shape(got, images.shape, name)
            numbers = _which_view(got, images)
            lost = np.flatnonzero(numbers < 0)
            if len(lost):
                others = [_which_view(got[lost[:1]], images[k : k + 1])[0] >= 0 for k in range(len(images))]
                reason = " It is a view of another image: the labels would not fit any more." if any(others) else ""
                raise expect.NotYet(f"{name}: image {lost[0]} is none of the eight views of what it was.{reason}")

    def _numbers(self, cases, observed):
        """Which view each image of the large batch has become."""
        images = cases["many"]["images"]
        expect.shape(observed["many"], images.shape, "many")
        numbers = _which_view(observed["many"], images)
        expect.true(np.all(numbers >= 0), "many: not every image is a view of itself; mend that first.")
        return numbers

    @subtest("all eight views are equally likely")
    def likely(self, cases, observed):
        numbers = self._numbers(cases, observed)
        counts = np.bincount(numbers, minlength=8)
        never = [int(k) for k in np.flatnonzero(counts == 0)]
        expect.true(not never, f"many: in a batch of {len(numbers)}, the views {never} (numbers as in 9.1) never come.")
        expect.true(
            counts.min() > 20 and counts.max() < 100,
            "many: some of the eight views come much more often than others.",
        )

    @subtest("each galaxy draws its own view")
    def own(self, cases, observed):
        numbers = self._numbers(cases, observed)
        expect.true(
            np.any(numbers != numbers[0]), "many: all images of the batch got the same view: draw one for each."
        )
        same = np.mean(numbers[1:] == numbers[:-1])
        expect.true(same < 0.4, "many: neighbours in the batch get the same view far too often: draw one for each.")
        for step in range(1, 17):
            repeated = np.mean(numbers[step:] == numbers[:-step])
            expect.true(repeated < 0.4, f"many: the views repeat every {step} images: draw a random number for each.")

    @subtest("the next call draws anew, from the generator that is handed over")
    def anew(self, cases, observed):
        first, again, later, other = (
            np.asarray(observed[name]) for name in ("a batch", "the same start", "once more", "another start")
        )
        for name, got in (("a batch", first), ("the same start", again), ("once more", later)):
            expect.shape(got, cases["a batch"]["images"].shape, name)
        expect.true(
            np.array_equal(first, again),
            "the same generator state gave other views the second time: draw from `rng` alone.",
        )
        expect.true(not np.array_equal(first, later), "the second call with the same generator gave the same views.")
        expect.true(not np.array_equal(first, other), "another seed gave the same views: draw from `rng`.")
        expect.true(
            "the program's random numbers have changed" not in observed,
            "your function touches the random numbers of the whole program (np.random.…): draw from `rng`.",
        )

    @subtest("the type of the numbers stays, also of a single image")
    def types(self, cases, observed):
        for name in ("a batch", "one image", "counts"):
            images = cases[name]["images"]
            expect.shape(observed[name], images.shape, name)
            expect.equal(str(np.asarray(observed[name]).dtype), str(images.dtype), f"type of the numbers, {name}")


class Batches(Exercise):
    id = "9.7"
    title = "an input pipeline"
    hints = (
        "One epoch shows every galaxy once. How many batches are that, if the last one may be smaller? And which "
        "galaxies belong to batch number `index`, if self.order tells the order?",
        "The number of batches is n / batch_size, rounded up. Batch `index` takes self.order from index · batch_size "
        "on; the same indices for images and labels, and self.augment for the images. After an epoch, draw a new "
        "permutation from self.rng.",
        "-(-len(self.images) // self.batch_size) rounds up; chosen = self.order[index * self.batch_size : (index + 1) "
        "* self.batch_size]; return self.augment(self.images[chosen], self.rng), self.labels[chosen]; self.order = "
        "self.rng.permutation(len(self.images)).",
    )

    def inputs(self, rng):
        return {
            "does not fit": {"n": 22, "batch_size": 5, "seed": int(rng.integers(1000))},
            "fits": {"n": 24, "batch_size": 6, "seed": int(rng.integers(1000))},
            "one batch": {"n": 5, "batch_size": 32, "seed": int(rng.integers(1000))},
            "many": {"n": 60, "batch_size": 4, "seed": int(rng.integers(1000))},
        }

    def observe(self, answer, cases):
        def epochs(n, batch_size, seed):
            images = np.zeros((n, 2, 2, 1), "float32") + np.arange(n).reshape(n, 1, 1, 1)
            labels = 3 * np.arange(n) + 1

            generators = []

            def mark(images, rng=None):  # a whole number says which image it is, the rest is the mark of this call
                own = rng is not None and rng is getattr(batches, "rng", None)
                generators.append("self.rng" if own else "none" if rng is None else "another")
                rng = rng or np.random.default_rng(len(generators))
                return images + rng.uniform(0.1, 0.9, size=(len(images), 1, 1, 1))

            batches = answer(images, labels, batch_size, mark, seed)
            seen = {"lengths": [], "epochs": []}
            for _ in range(3):
                seen["lengths"].append(len(batches))
                found = []
                for index in range(min(len(batches), 100)):
                    batch = batches[index]
                    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                        raise TypeError(
                            f"batches[{index}] returned a {type(batch).__name__}: expected (images, labels)"
                        )
                    if np.ndim(batch[0]) != 4:
                        raise TypeError(
                            f"batches[{index}] returned first what has {np.ndim(batch[0])} dimensions: expected "
                            "(images, labels), the images (n, height, width, bands)"
                        )
                    found.append([np.array(batch[0], "float64")[:, 0, 0, 0], np.array(batch[1])])
                seen["epochs"].append(found)
                batches.on_epoch_end()
            seen["generators"] = sorted(set(generators))
            return seen

        observed = {name: run(epochs, **case) for name, case in cases.items()}
        observed["many, once more"] = run(epochs, **cases["many"])
        return observed

    def reference(self):
        class TrainingBatches(keras.utils.PyDataset):
            def __init__(self, images, labels, batch_size, augment, seed):
                super().__init__()
                self.pairs, self.batch_size, self.augment = (images, labels), batch_size, augment
                self.rng = np.random.default_rng(seed)
                self.on_epoch_end()

            def __len__(self):
                return len(self.parts)

            def __getitem__(self, index):
                images, labels = (values[self.parts[index]] for values in self.pairs)
                return self.augment(images, self.rng), labels

            def on_epoch_end(self):
                order = self.rng.permutation(len(self.pairs[1]))
                self.parts = np.split(order, range(self.batch_size, len(order), self.batch_size))

        return TrainingBatches

    @subtest("as many batches as it takes to show every galaxy, rounded up")
    def lengths(self, cases, observed):
        for name, case in cases.items():
            n, size = case["n"], case["batch_size"]
            want = len(range(0, n, size))
            mistakes = {
                "Round up: the rest that does not fill a batch counts.": n // size,
                "This is the batch size: the number of batches is the number of images divided by it.": size,
                "This is the number of images: divide by the batch size.": n,
                "Here is one batch too many, an empty one.": want + 1,
            }
            mistakes = {text: value for text, value in mistakes.items() if value != want}
            expect.equal(observed[name]["lengths"][0], want, f"{name}: number of batches", mistakes)

    @subtest("in an epoch every galaxy comes once, in batches of the wanted size")
    def once(self, cases, observed):
        for name, case in cases.items():
            n, size = case["n"], case["batch_size"]
            for number, epoch in enumerate(observed[name]["epochs"], 1):
                seen = np.floor(_joined(epoch)).astype(int)
                sizes = [len(x) for x, _ in epoch]
                rest = [n % size] if n % size else []
                what = f"{name}, epoch {number}"
                mistakes = {
                    "Batch number `index` begins at index · batch_size.": [
                        min(size, n - i) for i in range(len(range(0, n, size)))
                    ]
                }
                want = [size] * (n // size) + rest
                mistakes = {text: value for text, value in mistakes.items() if value != want}
                expect.equal(sizes, want, f"{what}: images in each batch", mistakes)
                missing, twice = n - len(np.unique(seen)), len(seen) - len(np.unique(seen))
                expect.true(missing == 0, f"{what}: {missing} of {n} images do not come, {twice} come more than once.")

    @subtest("each image comes with its own label")
    def labels(self, cases, observed):
        for name in cases:
            for number, epoch in enumerate(observed[name]["epochs"], 1):
                for x, y in epoch:
                    expect.shape(y, x.shape, f"{name}, labels of a batch")
                    expect.true(
                        np.array_equal(3 * np.floor(x).astype(int) + 1, y),
                        f"{name}, epoch {number}: labels belong to other images of the set: take the same indices for "
                        "both.",
                    )

    @subtest("every batch is augmented, anew in each epoch")
    def augmented(self, cases, observed):
        for name in ("fits", "does not fit", "one batch"):
            marks = []
            for epoch in observed[name]["epochs"]:
                values = _joined(epoch)
                expect.true(len(values) == cases[name]["n"], f"{name}: not every image comes; mend that first.")
                marks.append((values - np.floor(values))[np.argsort(values)])
                expect.true(
                    np.all(marks[-1] > 0), f"{name}: images come as they are: call self.augment(images, self.rng)."
                )
            expect.true(
                not np.allclose(marks[0], marks[1]) and not np.allclose(marks[1], marks[2]),
                f"{name}: the second epoch brings the same augmented images as the first: augment when a batch is "
                "asked for, with self.rng.",
            )
            used = observed[name]["generators"]
            expect.true(
                used == ["self.rng"],
                f"{name}: augment(images, rng) was called with {_GENERATORS.get(used[0])}: hand over self.rng, which "
                "was made from the seed.",
            )

    @subtest("a new order in each epoch")
    def order(self, cases, observed):
        for name in ("many", "does not fit", "fits"):
            orders = [np.floor(_joined(epoch)).astype(int) for epoch in observed[name]["epochs"]]
            n = cases[name]["n"]
            expect.true(
                not np.array_equal(orders[0], np.arange(n)), f"{name}: the images come in the order of the set."
            )
            expect.true(
                not np.array_equal(orders[0], orders[1]) and not np.array_equal(orders[1], orders[2]),
                f"{name}: two epochs have the same order: draw a new one in on_epoch_end, and keep it in self.order.",
            )
        first, again = (
            [np.floor(_joined(epoch)).astype(int) for epoch in observed[name]["epochs"]]
            for name in ("many", "many, once more")
        )
        expect.true(
            all(np.array_equal(one, other) for one, other in zip(first, again, strict=True)),
            "many: the same seed gives another order the second time: draw it from self.rng.",
        )


class AverageViews(Exercise):
    id = "9.8"
    title = "test-time averaging"
    hints = (
        "Which is averaged: the eight pictures, or the eight predictions? And over which axis?",
        "Turn the whole batch: its rows and columns are the axes 1 and 2. Call predict on each of the eight batches, "
        "which gives eight arrays of (n, classes), and take the mean of these, axis=0.",
        "views = [np.rot90(batch, k, axes=(1, 2)) for batch in (images, images[:, :, ::-1]) for k in range(4)]; then "
        "np.mean([predict(view) for view in views], axis=0).",
    )

    def inputs(self, rng):
        def case(n, size, bands, classes):
            return {
                "images": rng.normal(size=(n, size, size, bands)),
                "weights": rng.normal(size=(size * size * bands, classes)) * 1.5 / size,
            }

        cases = {"a batch": case(6, 5, 3, 4), "one image": case(1, 4, 1, 3), "eight images": case(8, 4, 2, 4)}
        cases["turned"] = cases["a batch"] | {"images": np.rot90(cases["a batch"]["images"], 1, axes=(1, 2))}
        cases["mirrored"] = cases["a batch"] | {"images": cases["a batch"]["images"][:, ::-1]}
        cases = {name: {"images": c["images"].copy(), "weights": c["weights"]} for name, c in cases.items()}
        even = rng.normal(size=(4, 4, 2, 3))
        even = sum(_view(even, k) for k in range(8)) / 8
        cases["invariant network"] = {
            "images": rng.normal(size=(3, 4, 4, 2)),
            "weights": even.reshape(-1, 3),
        }
        return cases

    def observe(self, answer, cases):
        def average(images, weights):
            def predict(x):
                if np.shape(x)[1:] != images.shape[1:]:
                    raise ValueError(
                        f"predict was called with an array of shape {np.shape(x)}, where images are (n, "
                        f"{', '.join(map(str, images.shape[1:]))}). eight_views turns one image, not a batch: turn "
                        "each image, or the axes 1 and 2 of the batch"
                    )
                return _bent(x, weights)

            return answer(predict, images)

        return {name: run(average, **case) for name, case in cases.items()}

    def reference(self):
        def average_views(predict, images):
            total = 0
            for turned in (images, np.transpose(images, (0, 2, 1, 3))):
                for rows in (1, -1):
                    for columns in (1, -1):
                        total = total + np.asarray(predict(turned[:, ::rows, ::columns]))
            return total / 8

        return average_views

    @subtest("probabilities: a row for each galaxy, with the sum 1")
    def shape(self, cases, observed):
        for name, case in cases.items():
            want = (len(case["images"]), case["weights"].shape[1])
            expect.shape(observed[name], want, name)
            expect.close(
                np.sum(observed[name], axis=1), np.ones(want[0]), f"{name}, sum of the probabilities", rtol=1e-3
            )

    @subtest("the mean of the predictions for the eight views")
    def mean(self, cases, observed):
        for name in ("a batch", "one image", "eight images"):
            images, weights = cases[name]["images"], cases[name]["weights"]
            views = [np.stack([_view(image, k) for image in images]) for k in range(8)]
            predictions = np.array([_bent(view, weights) for view in views])
            product = np.exp(np.log(predictions).mean(axis=0))
            mistakes = {
                "You averaged the pictures: that is a blurred galaxy. Average the predictions.": _bent(
                    np.mean(views, axis=0), weights
                ),
                "These are the turns alone: the mirrored views are missing.": predictions[:4].mean(axis=0),
                "This is the prediction for the images as they are.": predictions[0],
                "The quarter turns are missing: mirroring rows, columns and both gives four views.": predictions[
                    [0, 2, 4, 6]
                ].mean(axis=0),
                "This is the largest probability of the eight views: take the mean.": predictions.max(axis=0),
                "This is the sum: divide by 8.": predictions.sum(axis=0),
                "You averaged logarithms (or logits): average the probabilities.": product
                / product.sum(axis=1, keepdims=True),
                "This is a vote: each view gives its whole weight to one class. Average the probabilities.": np.eye(
                    weights.shape[1]
                )[predictions.argmax(axis=2)].mean(axis=0),
                "The predictions of several galaxies are mixed: eight arrays of (n, classes), mean over axis 0.": (
                    predictions.reshape(len(images), 8, -1).mean(axis=1)
                ),
            }
            want = predictions.mean(axis=0)
            mistakes = {text: value for text, value in mistakes.items() if not np.allclose(value, want, atol=1e-4)}
            expect.close(observed[name], want, name, rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("a turned or mirrored galaxy gets the same answer")
    def invariant(self, cases, observed):
        want = np.asarray(observed["a batch"])
        for name in ("turned", "mirrored"):
            expect.close(
                observed[name], want, f"the {name} batch, compared with the batch as it was", rtol=1e-4, atol=1e-5
            )

    @subtest("a network that knows no direction is left as it is")
    def unchanged(self, cases, observed):
        case = cases["invariant network"]
        expect.close(
            observed["invariant network"],
            _bent(case["images"], case["weights"]),
            "invariant network",
            rtol=1e-4,
            atol=1e-5,
        )


class Parts(Exercise):
    id = "9.9"
    title = "four parts with the galaxy in the same corner"
    hints = (
        "Cut out the four corners. In the upper left part the middle of the galaxy is at the lower right. Where is it "
        "in the others, and by how many quarter turns does it come to the lower right?",
        "image[:size, :size], image[:size, -size:], image[-size:, -size:], image[-size:, :size]. With np.rot90, "
        "counter-clockwise, the second needs one quarter turn, the third two, the fourth three.",
        "corners = the four of them in a list; return np.stack([np.rot90(corner, k) for k, corner in "
        "enumerate(corners)]).",
    )

    def inputs(self, rng):
        image = rng.normal(size=(9, 9, 3))
        return {
            "odd side": {"image": image, "size": 6},
            "even side": {"image": rng.normal(size=(8, 8, 2)).astype("float32"), "size": 5},
            "not square": {"image": rng.normal(size=(7, 10, 1)), "size": 6},
            "the whole": {"image": rng.normal(size=(4, 4, 1)), "size": 4},
            "turned": {"image": np.rot90(image).copy(), "size": 6},
        }

    def reference(self):
        def parts(image, size):
            views = (image, np.rot90(image, 1), np.rot90(image, 2), np.rot90(image, 3))
            return np.stack([view[:size, :size] for view in views])

        return parts

    def _compare(self, cases, observed, name, numbers):
        image, size = cases[name]["image"], cases[name]["size"]
        expect.shape(observed[name], (4, size, size, image.shape[-1]), name)
        low, left = image.shape[0] - size, image.shape[1] - size
        corners = [image[r : r + size, c : c + size] for r, c in ((0, 0), (0, left), (low, left), (low, 0))]
        want = np.stack([np.rot90(image, k)[:size, :size] for k in range(4)])
        for k in numbers:
            got = np.asarray(observed[name])[k]
            other = next((want[j] for j in range(4) if j != k and np.allclose(got, want[j])), None)
            mistakes = {
                "This part is not turned: the middle of the image has to lie at its lower right.": corners[k],
                "This part is turned the other way.": np.rot90(corners[k], -k),
                "This part is mirrored instead of turned.": _mirrored_corner(corners[k], k),
                "This is the upper left corner once more, turned: cut out another corner.": np.rot90(want[0], k),
            }
            if other is not None:
                mistakes["This is another corner: the order is upper left, upper right, lower right, lower left."] = (
                    other
                )
            mistakes = {text: value for text, value in mistakes.items() if not np.allclose(value, want[k])}
            expect.close(np.asarray(observed[name])[k], want[k], f"{name}, part {k}", mistakes=mistakes)

    @subtest("the first part is the upper left corner as it is")
    def first(self, cases, observed):
        for name in ("odd side", "even side", "not square"):
            self._compare(cases, observed, name, [0])

    @subtest("the others: upper right, lower right, lower left, turned so that the middle lies at the lower right")
    def others(self, cases, observed):
        for name in ("odd side", "even side", "not square"):
            self._compare(cases, observed, name, [1, 2, 3])

    @subtest("a part as large as the image")
    def whole(self, cases, observed):
        self._compare(cases, observed, "the whole", range(4))

    @subtest("a turned galaxy has the same parts, in another order")
    def turned(self, cases, observed):
        expect.shape(observed["odd side"], (4, 6, 6, 3), "odd side")
        want = np.roll(np.asarray(observed["odd side"]), -1, axis=0)
        expect.close(
            observed["turned"],
            want,
            "parts of the image turned by 90°, compared with those of the image, the second first",
        )


class Invariant(Exercise):
    id = "9.10"
    title = "a network that knows no direction"
    hints = (
        "A model can be called like a layer, and more than once: each time with the same weights. What do you call it "
        "on?",
        "keras.ops.flip(x, axis=2) mirrors a batch left to right, and keras.ops.flip(keras.ops.transpose(x, (0, 2, 1, "
        "3)), axis=1) turns it, also inside a model. Make the eight views of the input, call network on each, and "
        "average: layers.Average()(list of eight).",
        "inputs = keras.Input(network.input_shape[1:]); views = []; for x in (inputs, keras.ops.flip(inputs, axis=2)): "
        "four times views.append(x) and x = the next quarter turn of x; outputs = layers.Average()([network(view) for "
        "view in views]).",
    )

    def inputs(self, rng):
        def case(n, size, bands, classes):
            return {
                "images": rng.normal(size=(n, size, size, bands)).astype("float32"),
                "weights": (rng.normal(size=(size * size * bands, classes)) * 1.5 / size).astype("float32"),
            }

        return {"three bands": case(5, 6, 3, 4), "one band": case(3, 5, 1, 2)}

    def observe(self, answer, cases):
        def look(images, weights):
            network = _linear_network(images.shape[1:], weights)
            try:
                model = answer(network)
            except ValueError as problem:
                if "names should be unique" not in str(problem):
                    raise
                raise ValueError(
                    "the model holds several networks of the same name: call the network that was handed over, eight "
                    "times, and no copies of it"
                ) from None
            if model is None:
                raise TypeError("the function returned None: does it end with `return keras.Model(inputs, outputs)`?")
            if not isinstance(model, keras.Model):
                raise TypeError(f"expected a keras.Model, got {type(model).__name__}")

            def predict(x):
                return keras.ops.convert_to_numpy(model(np.ascontiguousarray(x), training=False))

            seen = {
                "predictions": predict(images),  # the first call also builds a subclassed model
                "parameters": model.count_params(),
                "turned": predict(np.rot90(images, 1, axes=(1, 2))),
                "mirrored": predict(images[:, :, ::-1]),
            }
            network.set_weights([np.zeros_like(w) for w in network.get_weights()])
            seen["after the network's weights were set to zero"] = predict(images)
            return seen

        return {name: run(look, **case) for name, case in cases.items()}

    def reference(self):
        def invariant(network):
            layers, ops = keras.layers, keras.ops
            entry = keras.Input(network.input_shape[1:])
            views = []
            for x in (entry, ops.transpose(entry, (0, 2, 1, 3))):
                mirrored = ops.flip(x, axis=2)
                views += [x, ops.flip(x, axis=1), mirrored, ops.flip(mirrored, axis=1)]
            return keras.Model(entry, layers.Average()([network(view) for view in views]))

        return invariant

    @subtest("the same weights for all views: no parameter more than the network has")
    def parameters(self, cases, observed):
        for name, case in cases.items():
            n = case["weights"].size
            mistakes = {
                "Each view has a network of its own: call the one network eight times.": 8 * n,
                "There are copies of the network: call the one network on each view.": 9 * n,
                "Each turn has a network of its own: call the one network on each view.": 4 * n,
            }
            expect.equal(observed[name]["parameters"], n, f"{name}, parameters", mistakes)

    @subtest("its output is the mean of the network's outputs for the eight views")
    def mean(self, cases, observed):
        for name, case in cases.items():
            views = [np.stack([_view(image, k) for image in case["images"]]) for k in range(8)]
            single = np.array([_linear(view, case["weights"]) for view in views])
            mistakes = {
                "You averaged the pictures: average what the network says to each.": _linear(
                    np.mean(views, axis=0), case["weights"]
                ),
                "The mirrored views are missing.": single[:4].mean(axis=0),
                "The quarter turns are missing: mirroring rows, columns and both gives four views.": single[
                    [0, 2, 4, 6]
                ].mean(axis=0),
                "This is the network's answer to the image as it is.": single[0],
                "This is the largest of the eight: take the mean.": single.max(axis=0),
                "This is the sum: divide by 8.": single.sum(axis=0),
            }
            expect.close(
                observed[name]["predictions"], single.mean(axis=0), name, rtol=1e-3, atol=1e-4, mistakes=mistakes
            )

    @subtest("turned and mirrored images get the same answer, to 1e-5")
    def exact(self, cases, observed):
        for name in cases:
            for moved in ("turned", "mirrored"):
                expect.close(
                    observed[name][moved],
                    observed[name]["predictions"],
                    f"{name}: the {moved} images, compared with the images",
                    rtol=0,
                    atol=1e-5,
                )

    @subtest("it is the network itself: what changes its weights changes the model")
    def shared(self, cases, observed):
        for name, case in cases.items():
            classes = case["weights"].shape[1]
            got = observed[name]["after the network's weights were set to zero"]
            expect.close(
                got,
                np.full((len(case["images"]), classes), 1 / classes),
                f"{name}, after the network's weights were set to zero",
                atol=1e-4,
                mistakes={
                    "The weights were copied: call the network that was handed over.": observed[name]["predictions"]
                },
            )


# What NumPy, scipy and scikit-image say

_LABELS = ("position_angle", "winding", "magnitude", "radius")


def _eight(got, name):
    """What was returned as a list of eight pictures."""
    if not isinstance(got, (list, np.ndarray)) or len(got) != 8:
        raise expect.NotYet(f"{name}: expected a list of eight pictures, got {expect.show(got)}.")
    return list(got)


def _view(image, number):
    """View `number` of an image, as 9.1 counts them."""
    return np.rot90(image[:, ::-1] if number >= 4 else image, number % 4)


_GENERATORS = {"none": "no generator", "another": "another generator"}


def _joined(epoch):
    """All images of an epoch, one number for each."""
    return np.concatenate([np.zeros(0), *(x for x, _ in epoch)])


def _which_view(got, images):
    """(n,) number of the view that each image has become, -1 where it is none."""
    got, numbers = np.asarray(got), np.full(len(images), -1)
    for k in range(8):
        views = np.stack([_view(image, k) for image in images])
        numbers[np.isclose(got, views, rtol=1e-5, atol=1e-7).all(axis=(1, 2, 3))] = k
    return numbers


def _places(height, width, angle, zoom, shift, middle=None, shift_first=False, forwards=False):
    """Where each pixel of the new picture comes from, by scikit-image's transforms of (x, y)."""
    from skimage.transform import SimilarityTransform

    middle_row, middle_column = middle if middle is not None else ((height - 1) / 2, (width - 1) / 2)
    to_middle = SimilarityTransform(translation=(-middle_column, -middle_row))
    turn = SimilarityTransform(scale=zoom, rotation=-np.radians(angle))  # y runs downwards
    move = SimilarityTransform(translation=(shift[1], shift[0]))
    back = SimilarityTransform(translation=(middle_column, middle_row))
    there = to_middle + move + turn + back if shift_first else to_middle + turn + move + back
    rows, columns = np.mgrid[:height, :width]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    found = there(points) if forwards else there.inverse(points)
    return found[:, 1].reshape(height, width), found[:, 0].reshape(height, width)


def _turned_shift(shift, angle):
    """(down, right), turned counter-clockwise."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return shift[0] * cos - shift[1] * sin, shift[1] * cos + shift[0] * sin


def _overwritten(height, width, angle, zoom, shift):
    """What comes out when the turned distance down is used for the distance to the right."""
    row, column = np.mgrid[:height, :width]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    down, right = row - (height - 1) / 2 - shift[0], column - (width - 1) / 2 - shift[1]
    down = down * cos + right * sin
    right = right * cos - down * sin
    return (height - 1) / 2 + down / zoom, (width - 1) / 2 + right / zoom


def _truncated(image, rows, columns):
    """Bilinear interpolation between the pixels at trunc(place) and one further, 0 outside."""
    top, left = np.trunc(rows), np.trunc(columns)
    total = 0.0
    for i in (0, 1):
        for j in (0, 1):
            weight = abs(1 - i - (rows - top)) * abs(1 - j - (columns - left))
            sign = (1 if i == 0 else np.sign(rows - top)) * (1 if j == 0 else np.sign(columns - left))
            total = total + (weight * sign)[..., None] * _interpolated(image, top + i, left + j)
    return total


def _interpolated(image, rows, columns, order=1, mode="grid-constant"):
    bands = [
        ndimage.map_coordinates(np.asarray(band, float), [rows, columns], order=order, mode=mode)
        for band in np.moveaxis(image, -1, 0)
    ]
    return np.stack(bands, axis=-1)


def _sum_of_squared_weights(rows, columns):
    """Sum over all pixels of the squared weight that scipy gives them: by interpolating single bright pixels."""
    down, right = (np.asarray(values, float) - np.floor(values) + 1 for values in (rows, columns))
    total = np.zeros(np.shape(rows))
    for index in range(16):
        pixel = np.zeros(16)
        pixel[index] = 1
        total += ndimage.map_coordinates(pixel.reshape(4, 4), [down, right], order=1) ** 2
    return total


def _rows(case):
    return [{key: values[i] for key, values in case.items()} for i in range(len(case["mirror"]))]


def _measured(row):
    """Position angle [degrees, counter-clockwise on the screen] and change of magnitude, from pixels."""
    side = 81
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.radians(row["position_angle"])
    along, across = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    picture = np.exp(-(along**2) / (2 * 6**2) - across**2 / (2 * 3**2))
    flux = picture.sum()
    if row["mirror"]:
        picture = picture[:, ::-1]
    places = _places(side, side, row["angle"], row["zoom"], (0.0, 0.0))
    picture = ndimage.map_coordinates(picture, places, order=3, mode="constant")
    xx, yy, xy = ((picture * values).sum() for values in (x * x, y * y, x * y))
    found = 0.5 * np.degrees(np.arctan2(-2 * xy, xx - yy))  # y runs downwards
    return found % 180, -2.5 * np.log10(picture.sum() / flux)


def _apart(a, b):
    """Difference of two position angles: 179° and 1° are 2° apart."""
    return np.abs((np.asarray(a) - np.asarray(b) + 90) % 180 - 90)


def _mirrored_corner(corner, number):
    return (corner, corner[:, ::-1], corner[::-1, ::-1], corner[::-1])[number]


def _linear(images, weights):
    """Softmax of a weighted sum of all pixels: a network that tells every direction."""
    logits = np.asarray(images, float).reshape(len(images), -1) @ weights
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _bent(images, weights):
    """The same of pixels that were bent before: the answer to a mean of images is not that of the mean logits."""
    return _linear(np.tanh(2 * np.asarray(images, float)), weights)


def _linear_network(shape, weights):
    layers = keras.layers
    inputs = keras.Input(tuple(shape))
    outputs = layers.Dense(weights.shape[1], activation="softmax", use_bias=False)(layers.Flatten()(inputs))
    network = keras.Model(inputs, outputs)
    network.set_weights([weights])
    return network
