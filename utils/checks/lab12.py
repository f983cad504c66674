"""Checks of lab 12, encoder–decoders."""

from itertools import count, pairwise

import keras
import numpy as np
import scipy.ndimage
import scipy.signal
import scipy.special
import scipy.stats
import skimage

from utils.checks import Exercise, expect, run, subtest
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "transpose_difference": Claim(
        "Largest difference between Cᵀ y by hand and Keras' transposed convolution, over the largest value",
        "<= 1e-5",
        POSITIVE,
    ),
    "lost": Claim("Share of random images that is lost by C and then Cᵀ, at the best scale", "0.5 .. 1", SHARE),
    "uneven_three": Claim("Copies over the most covered pixel / over the least, kernel 3 and stride 2", "== 4"),
    "uneven_four": Claim("The same with kernel 4 and stride 2", "== 1"),
    "denoise_ratio": Claim(
        "Error of the wide network / Wiener's filter: galaxies like those of training, noise 0.1", "<= 0.7", POSITIVE
    ),
    "unlike_ratio": Claim("The same: irregular galaxies, unlike those of training, noise 0.02", ">= 1.2", POSITIVE),
    "narrow_ratio": Claim("Narrow network / Wiener's filter: irregular galaxies, noise 0.1", ">= 2", POSITIVE),
    "spectrum_error": Claim("Mean deviation of the measured power spectrum from the one put in", "<= 0.05", POSITIVE),
    "power_periodic": Claim(
        "Largest deviation of P(k) of the painted large boxes up to 5 h/Mpc, trained on small ones, periodic edges",
        "<= 0.1",
        POSITIVE,
    ),
    "power_pointwise": Claim("The same for a mapping pixel by pixel", ">= 0.3", POSITIVE),
    "zero_edge_ratio": Claim("Error of the outermost two columns, zeros around / periodic edges", ">= 1.5", POSITIVE),
    "mass_ratio": Claim(
        "Scatter of the mass per pixel: network of three bands / rule of colour and M/L", "<= 0.5", POSITIVE
    ),
    "smooth_ratio": Claim("The same against the rule with colours of 5 × 5 pixels", "<= 0.9", POSITIVE),
    "one_band_ratio": Claim("Network of one band / rule of colour and M/L", "<= 0.7", POSITIVE),
    "noiseless_ratio": Claim("Network of three bands / the rule on images without noise", limits=POSITIVE),
    "hubble_ratio": Claim("Error on the blurred Hubble picture: wide network / Wiener's filter", limits=POSITIVE),
}

# --- 12.1 -------------------------------------------------------------------------------------------------------------


class Unpooling(Exercise):
    id = "12.1"
    title = "unpooling by copy, bed of nails"
    forbidden = ("keras.layers.UpSampling2D", "keras.ops.image.resize")
    hints = (
        "Only the second and the third axis grow. np.repeat writes each element several times in a row.",
        "Copy: repeat along axis 1, and the result along axis 2. Nails: begin with zeros of the large shape and of the "
        "images' dtype; a slice with a step reaches every size-th pixel.",
        "images.repeat(size, axis=1).repeat(size, axis=2); and: result = np.zeros((n, height * size, width * size, "
        "channels), images.dtype), result[:, ::size, ::size] = images.",
    )

    def inputs(self, rng):
        return {
            "small": {"images": np.array([[[[1.0], [5.0]]]]), "size": 2},
            "non-square": {"images": rng.normal(size=(2, 3, 5, 1)), "size": 2},
            "colour": {"images": rng.normal(size=(3, 4, 2, 3)), "size": 3},
            "size 1": {"images": rng.normal(size=(1, 4, 3, 2)), "size": 1},
            "whole numbers": {"images": rng.integers(1, 250, size=(2, 3, 3, 1), dtype=np.uint8), "size": 2},
            "single precision": {"images": rng.normal(size=(1, 2, 4, 2)).astype("float32"), "size": 4},
        }

    def observe(self, answer, cases):
        unpool, bed_of_nails = answer
        observed = {f"unpool, {name}": run(unpool, **case) for name, case in cases.items()}
        return observed | {f"bed_of_nails, {name}": run(bed_of_nails, **case) for name, case in cases.items()}

    def reference(self):
        def unpool(images, size):
            return np.kron(images, np.ones((1, size, size, 1), images.dtype))

        def bed_of_nails(images, size):
            return np.kron(images, _corner(size, 0, 0).astype(images.dtype))

        return unpool, bed_of_nails

    def _compare(self, cases, observed, which, name):
        images, size = cases[name]["images"], cases[name]["size"]
        copies = np.kron(images, np.ones((1, size, size, 1)))
        nails = np.kron(images, _corner(size, 0, 0)) + 0.0  # no -0
        want = copies if which == "unpool" else nails
        mistakes = {
            "The rows and columns are tiled: whole images side by side. Each pixel has to be repeated, np.repeat.": (
                np.tile(images, (1, size, size, 1))
            ),
            "Only the rows have grown: repeat along axis 2, too.": images.repeat(size, axis=1),
            "Only the columns have grown: repeat along axis 1, too.": images.repeat(size, axis=2),
            "Axis 0 counts the images and must stay: rows are axis 1, columns axis 2.": (
                images.repeat(size, axis=0).repeat(size, axis=1)
            ),
            "The channels have grown: rows are axis 1, columns axis 2.": images.repeat(size, axis=2).repeat(
                size, axis=3
            ),
            "You divided by size²: unpooling copies the value as it is.": copies / size**2,
            "This is the bed of nails.": nails if which == "unpool" else None,
            "This is unpooling by copy: three of four pixels have to be 0.": copies if which != "unpool" else None,
            "The value stands in the lower right of its square, not in the upper left.": np.kron(
                images, _corner(size, size - 1, size - 1)
            ),
            "The value stands in the upper right of its square, not in the upper left.": np.kron(
                images, _corner(size, 0, size - 1)
            ),
            "The value stands in the lower left of its square, not in the upper left.": np.kron(
                images, _corner(size, size - 1, 0)
            ),
            "The value stands in the middle of its square, not in the upper left.": np.kron(
                images, _corner(size, size // 2, size // 2)
            ),
            "You multiplied by size²: the value stays as it is.": nails * size**2,
            "Whole rows are filled: the columns need the step, too.": np.kron(images, _corner(size, 0, None)),
            "Whole columns are filled: the rows need the step, too.": np.kron(images, _corner(size, None, 0)),
        }
        what = f"{which}, {name}"
        mistakes = {sentence: wrong for sentence, wrong in mistakes.items() if wrong is not None}
        expect.close(observed[what], want, what, rtol=1e-6, mistakes=mistakes)

    @subtest("copy: each pixel becomes a square of its own value")
    def copy(self, cases, observed):
        for name in ("small", "non-square", "size 1"):
            self._compare(cases, observed, "unpool", name)

    @subtest("bed of nails: the value in the upper left of its square, 0 elsewhere")
    def nails(self, cases, observed):
        for name in ("small", "non-square", "size 1"):
            self._compare(cases, observed, "bed_of_nails", name)

    @subtest("several images and channels, each for itself")
    def colour(self, cases, observed):
        for which in ("unpool", "bed_of_nails"):
            self._compare(cases, observed, which, "colour")

    @subtest("the numbers keep their type")
    def types(self, cases, observed):
        for which in ("unpool", "bed_of_nails"):
            for name in ("whole numbers", "single precision"):
                self._compare(cases, observed, which, name)
                got, want = np.asarray(observed[f"{which}, {name}"]).dtype, cases[name]["images"].dtype
                expect.true(
                    got == want,
                    f"{which}, {name}: expected numbers of type {want}, got {got}. np.zeros makes float64 unless it is "
                    "told otherwise: give it images.dtype.",
                )


def _corner(size, row, column):
    """(1, size, size, 1): 1 at a row and a column (all of them for None), 0 elsewhere."""
    pattern = np.zeros((1, size, size, 1))
    pattern[:, slice(None) if row is None else row, slice(None) if column is None else column] = 1
    return pattern


# --- 12.2 -------------------------------------------------------------------------------------------------------------


class Switches(Exercise):
    id = "12.2"
    title = "max-unpooling with switches"
    hints = (
        "Bring the pixels of each square together on one axis of size² elements. Then max and argmax do all the work. "
        "The way back is the same in reverse order.",
        "reshape to (n, height // size, size, width // size, size, channels): axes 2 and 4 count inside the square. "
        "transpose(0, 1, 3, 2, 4, 5) brings them side by side, a second reshape joins them. On the way back: zeros, "
        "except where the switch is equal to the place 0 … size² − 1.",
        "squares.max(axis=3), squares.argmax(axis=3). Back: np.where(switches[:, :, :, None] == np.arange(size * "
        "size)[:, None], pooled[:, :, :, None], 0) has the shape (n, rows, columns, size², channels): reshape to (n, "
        "rows, columns, size, size, channels), transpose(0, 1, 3, 2, 4, 5), reshape.",
    )

    def inputs(self, rng):
        def images(*shape, low=-9.0):
            return rng.permutation(np.linspace(low, 9.0, int(np.prod(shape)))).reshape(shape)

        def pooled(*shape, size):
            values = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(1, 5, size=shape)
            return {"pooled": values, "switches": rng.integers(0, size**2, size=shape), "size": size}

        ties = np.kron(images(1, 2, 3, 1), np.ones((1, 2, 2, 1)))
        ties[:, 0::4, 0] -= 1  # the first pixel of some squares is no maximum
        return {
            "pool, one square": {"images": np.array([[1.0, 7], [3, 4]])[None, :, :, None], "size": 2},
            "pool, non-square": {"images": images(2, 4, 6, 1), "size": 2},
            "pool, size 3": {"images": images(1, 6, 9, 1), "size": 3},
            "pool, three channels": {"images": images(2, 4, 4, 3), "size": 2},
            "pool, negative": {"images": images(1, 4, 4, 1) - 20, "size": 2},
            "pool, ties": {"images": ties, "size": 2},
            "unpool, one square": {
                "pooled": np.full((1, 1, 1, 1), 7.0),
                "switches": np.ones((1, 1, 1, 1), int),
                "size": 2,
            },
            "unpool, non-square": pooled(1, 3, 2, 1, size=2),
            "unpool, size 3": pooled(2, 2, 3, 1, size=3),
            "unpool, three channels": pooled(2, 3, 2, 3, size=2),
            "there and back": {"images": images(2, 6, 6, 2, low=1.0), "size": 3},
        }

    def observe(self, answer, cases):
        pool, unpool = answer

        def there_and_back(images, size):
            first = pool(images, size)
            return [first, pool(unpool(*first, size), size)]

        functions = {"pool": pool, "unpool": unpool, "there and back": there_and_back}
        return {name: run(functions[name.partition(",")[0]], **case) for name, case in cases.items()}

    def reference(self):
        def max_pool_with_switches(images, size):
            return skimage.measure.block_reduce(images, (1, size, size, 1), np.max), _squares(images, size).argmax(-1)

        def max_unpool(pooled, switches, size):
            chosen = np.eye(size * size)[switches] * pooled[..., None]
            n, rows, columns, channels = pooled.shape
            chosen = chosen.reshape(n, rows, columns, channels, size, size)
            return np.einsum("nrcfab->nracbf", chosen).reshape(n, rows * size, columns * size, channels)

        return max_pool_with_switches, max_unpool

    def _pair(self, cases, observed, name):
        got = observed[name]
        expect.true(
            isinstance(got, list) and len(got) == 2,
            f"{name}: expected two arrays, pooled and switches, got {expect.show(got)}.",
        )
        squares = _squares(cases[name]["images"], cases[name]["size"])
        exchanged = squares.argmax(axis=-1), squares.max(axis=-1)
        expect.true(
            not all(np.shape(a) == b.shape and np.allclose(a, b) for a, b in zip(got, exchanged, strict=True)),
            f"{name}: the two are exchanged: pooled comes first, then the switches.",
        )
        return got

    @subtest("pooled: the largest of each square, every channel for itself")
    def pooled(self, cases, observed):
        for name in ("pool, one square", "pool, non-square", "pool, size 3", "pool, negative", "pool, three channels"):
            images, size = cases[name]["images"], cases[name]["size"]
            squares = _squares(images, size)
            n, height, width, channels = images.shape
            mixed = images.reshape(n, height // size, width // size, size * size, channels).max(axis=3)
            mistakes = {
                "This is the mean of each square.": squares.mean(axis=-1),
                "This is the smallest of each square.": squares.min(axis=-1),
                "This is the largest absolute value: the largest number is asked for.": np.take_along_axis(
                    squares, abs(squares).argmax(axis=-1)[..., None], axis=-1
                )[..., 0],
                "Negative maxima have become 0: do not begin with zeros.": np.maximum(squares.max(axis=-1), 0),
                "This is the upper left pixel of each square.": squares[..., 0],
                "A reshape alone takes size² pixels of the same row: bring rows and columns of a square together with "
                "transpose first.": mixed,
                "The maximum was taken over the channels, too.": np.broadcast_to(
                    squares.max(axis=(-2, -1))[..., None], squares.shape[:-1]
                ),
            }
            expect.close(
                self._pair(cases, observed, name)[0], squares.max(axis=-1), f"{name}, pooled", mistakes=mistakes
            )

    def _switches(self, cases, observed, name):
        got = np.asarray(self._pair(cases, observed, name)[1])
        images, size = cases[name]["images"], cases[name]["size"]
        squares = _squares(images, size)
        want = squares.argmax(axis=-1)
        row, column = np.divmod(want, size)
        rows, columns = np.arange(want.shape[1])[:, None, None] * size, np.arange(want.shape[2])[:, None] * size
        mistakes = {
            "You count column by column: row by row the place is row · size + column.": column * size + row,
            "You count from 1.": want + 1,
            "These are places in the whole image: count inside each square, from 0 to size² − 1.": (
                (rows + row) * images.shape[2] + columns + column
            ),
            "Of equal pixels the last one was taken: the first one counts.": (
                size**2 - 1 - squares[..., ::-1].argmax(axis=-1)
            ),
        }
        if name != "pool, ties":  # there, these may be the same
            mistakes["This is the row inside the square alone: row · size + column."] = row
            mistakes["This is the column inside the square alone: row · size + column."] = column
            mistakes["This is the place of the smallest pixel."] = squares.argmin(axis=-1)
            mistakes["This is the place of the largest absolute value."] = abs(squares).argmax(axis=-1)
        expect.close(got, want, f"{name}, switches", mistakes=mistakes)
        expect.true(
            got.dtype.kind in "iu",
            f"{name}, switches: expected whole numbers (int), got {got.dtype}. They are places: .astype(int).",
        )

    @subtest("switches: the place of the maximum in its square, row by row")
    def places(self, cases, observed):
        for name in ("pool, size 3", "pool, non-square", "pool, one square", "pool, three channels"):
            self._switches(cases, observed, name)

    @subtest("of equal pixels the first one counts")
    def ties(self, cases, observed):
        self._switches(cases, observed, "pool, ties")

    @subtest("unpooling: each value where its switch says, 0 elsewhere")
    def unpooled(self, cases, observed):
        for name in ("unpool, non-square", "unpool, size 3", "unpool, one square", "unpool, three channels"):
            pooled, switches, size = cases[name].values()
            n, rows, columns, channels = pooled.shape
            expect.shape(observed[name], (n, rows * size, columns * size, channels), name)
            one_hot = np.eye(size**2)[switches]
            row, column = np.divmod(switches, size)
            mistakes = {
                "The value fills its whole square: this is unpooling by copy.": one_hot * 0 + pooled[..., None],
                "All values stand in the upper left: this is the bed of nails. Use the switches.": (
                    np.eye(size**2)[0 * switches] * pooled[..., None]
                ),
                "Rows and columns inside the square are exchanged: the row is switch // size, the column switch % "
                "size.": np.eye(size**2)[column * size + row] * pooled[..., None],
                "Negative values are lost.": one_hot * np.maximum(pooled, 0)[..., None],
                "There are ones where the values should stand.": one_hot,
                "Each value stands one place too early: switches count from 0.": np.roll(one_hot, -1, axis=-1)
                * pooled[..., None],
                "Each value stands one place too early: switches count from 0, not from 1.": np.concatenate(
                    [one_hot[..., 1:], 0 * one_hot[..., :1]], axis=-1
                )
                * pooled[..., None],
                "The first channel's switches were used for all channels.": np.eye(size**2)[
                    np.broadcast_to(switches[..., :1], switches.shape)
                ]
                * pooled[..., None],
                "The first image's switches were used for all images.": np.eye(size**2)[
                    np.broadcast_to(switches[:1], switches.shape)
                ]
                * pooled[..., None],
                "The reshape alone lays the size² pixels of a square side by side: bring rows and columns of the image "
                "together with transpose first.": _squares(
                    np.moveaxis(one_hot * pooled[..., None], -1, 3).reshape(n, rows * size, columns * size, channels),
                    size,
                ),
            }
            expect.close(
                _squares(np.asarray(observed[name]), size),
                one_hot * pooled[..., None] + 0.0,  # no -0
                f"{name}, square by square",
                mistakes=mistakes,
            )

    @subtest("down, up and down again gives the same values and switches")
    def round_trip(self, cases, observed):
        first, second = observed["there and back"]
        expect.close(second[0], first[0], "there and back, pooled")
        expect.close(second[1], first[1], "there and back, switches")
        squares = _squares(cases["there and back"]["images"], cases["there and back"]["size"])
        expect.close(first[0], squares.max(axis=-1), "there and back, pooled the first time")


def _squares(images, size):
    """The pixels of each square, row by row, on the last axis: (n, rows, columns, channels, size²)."""
    blocks = skimage.util.view_as_blocks(np.ascontiguousarray(images), (1, size, size, 1))
    return blocks.reshape(*blocks.shape[:4], size * size)


# --- 12.3 -------------------------------------------------------------------------------------------------------------


class Interpolation(Exercise):
    id = "12.3"
    title = "bilinear interpolation as a matrix"
    forbidden = ("numpy.interp", "scipy.ndimage.zoom", "skimage.transform.resize")
    hints = (
        "First find the place x of each of the n · size new pixels. Where does a place before the first old pixel, or "
        "behind the last one, have to be moved to?",
        "np.clip(x, 0, n - 1) moves them. Between the old pixels a and a + 1 the weights are 1 minus the distance to "
        "each. That holds for all old pixels at once, if a weight below 0 becomes 0.",
        "place = np.clip((np.arange(n * size) + 0.5) / size - 0.5, 0, n - 1); "
        "return np.maximum(1 - abs(place[:, None] - np.arange(n)), 0).",
    )

    def inputs(self, rng):
        n, size = (int(number) for number in rng.integers([6, 2], [12, 6]))
        return {
            "2 pixels, size 2": {"n": 2, "size": 2},
            "5 pixels, size 3": {"n": 5, "size": 3},
            "7 pixels, size 4": {"n": 7, "size": 4},
            f"{n} pixels, size {size}": {"n": n, "size": size},
            "size 1": {"n": 4, "size": 1},
            "one pixel": {"n": 1, "size": 3},
        }

    def reference(self):
        def interpolation_matrix(n, size):
            places = (np.arange(n * size) + 0.5) / size - 0.5
            return np.stack([np.interp(places, np.arange(n), one) for one in np.eye(n)], axis=1)

        return interpolation_matrix

    def _compare(self, cases, observed, name, rows):
        n, size = cases[name]["n"], cases[name]["size"]
        got = observed[name]
        expect.shape(got, (n * size, n), name, mistakes={"It is transposed: a row for each new pixel.": (n, n * size)})
        want = scipy.ndimage.zoom(np.eye(n), (size, 1), order=1, grid_mode=True, mode="nearest")

        def weights(places):
            return np.maximum(1 - np.abs(np.asarray(places)[:, None] - np.arange(n)), 0)

        new = np.arange(n * size)
        middle = (new + 0.5) / size - 0.5
        mistakes = {
            "The first and the last new pixel lie on the first and the last old one here. A new pixel's middle lies at "
            "(i + ½) / size − ½.": weights(np.linspace(0, n - 1, n * size)),
            "The halves are missing: pixels have their middles at + ½.": weights(np.minimum(new / size, n - 1)),
            "The halves are missing, and places outside lose weight.": weights(new / size),
            "The last − ½ is missing.": weights(np.clip((new + 0.5) / size, 0, n - 1)),
            "This copies the nearest pixel: take a weighted mean of two.": np.eye(n).repeat(size, axis=0),
            "The weights are exchanged: a gets (a + 1 − x), its neighbour (x − a).": _exchanged(middle, n),
            "Places outside go round to the other side: they take the pixel of their own edge.": _neighbours(
                middle, n, np.floor(middle).astype(int), lambda pixel: pixel % n
            ),
            "Places outside are extrapolated, with a weight below 0: clip x to the range from 0 to n − 1 first.": (
                _neighbours(middle, n, np.clip(np.floor(middle), 0, max(n - 2, 0)).astype(int))
            ),
            "Places outside are extrapolated: int() of a number below 0 rounds up. Clip x to the range from 0 to n − 1 "
            "first.": _neighbours(middle, n, middle.astype(int)),
            "The weights are cut off to whole numbers: an array of float is needed.": np.trunc(want),
            "Each row is divided by size, but its weights add up to 1 already.": want / size,
        }
        got = np.asarray(got)[rows]
        mistakes = {sentence: wrong[rows] for sentence, wrong in mistakes.items()}
        want, lost = want[rows], weights(middle)[rows]
        if np.allclose(got, lost) and not np.allclose(want, lost):
            raise expect.NotYet(
                f"{name}: the rows at the edges do not add up to 1: a place before the first pixel takes that pixel, "
                "with a weight of 1."
            )
        for sentence, wrong in mistakes.items():
            if np.shape(wrong) == np.shape(got) and np.allclose(got, wrong) and not np.allclose(wrong, want):
                raise expect.NotYet(f"{name}: these are not the weights. {sentence}")
        expect.close(got, want, f"{name}, new pixels {rows.start or 0} to …")

    @subtest("a row for each new pixel, a column for each old one, and each row adds up to 1")
    def rows(self, cases, observed):
        for name, case in cases.items():
            n, size = case["n"], case["size"]
            mistakes = {"It is transposed: a row for each new pixel.": (n, n * size)}
            expect.shape(observed[name], (n * size, n), name, mistakes=mistakes)
            expect.close(
                np.sum(observed[name], axis=1),
                np.ones(n * size),
                f"{name}, sum of each row",
                mistakes={
                    "Every sum is size: these are not means.": np.full(n * size, float(size)),
                    "Every sum is 1 / size: the weights add up to 1 without a division.": np.full(n * size, 1 / size),
                    "A place before the first pixel, or behind the last, takes that pixel with a weight of 1.": np.clip(
                        1 - np.abs(_outside(n, size)), 0, 1
                    ),
                },
            )

    @subtest("inside: the weights of both neighbours")
    def inside(self, cases, observed):
        for name, case in cases.items():
            if case["n"] > 2 and case["size"] > 1:
                self._compare(cases, observed, name, slice(case["size"], -case["size"]))

    @subtest("at the edges: the pixel of the edge, with a weight of 1")
    def edges(self, cases, observed):
        for name, case in cases.items():
            self._compare(cases, observed, name, slice(0, case["size"]))
            self._compare(cases, observed, name, slice(-case["size"], None))

    @subtest("a ramp stays a ramp, and size 1 changes nothing")
    def ramp(self, cases, observed):
        expect.close(observed["size 1"], np.eye(4), "size 1")
        n, size = 7, 4
        made = np.asarray(observed["7 pixels, size 4"])
        expect.shape(made, (n * size, n), "7 pixels, size 4")
        steps = np.diff(made @ np.arange(n))[size:-size]
        expect.close(steps, np.full(len(steps), 1 / size), "step from one new pixel of a ramp to the next, inside")


def _outside(n, size):
    """How far the middle of each new pixel lies outside of the middles of the old ones."""
    places = (np.arange(n * size) + 0.5) / size - 0.5
    return places - np.clip(places, 0, n - 1)


def _neighbours(places, n, left, moved=None):
    """Weights a + 1 − x and x − a of the pixels a (left) and a + 1; those outside are moved, or clipped."""
    moved = moved or (lambda pixel: np.clip(pixel, 0, n - 1))
    matrix = np.zeros((len(places), n))
    rows = np.arange(len(places))
    np.add.at(matrix, (rows, moved(left)), left + 1 - places)
    np.add.at(matrix, (rows, moved(left + 1)), places - left)
    return matrix


def _exchanged(places, n):
    places = np.clip(places, 0, n - 1)
    left = np.minimum(np.floor(places).astype(int), max(n - 2, 0))
    matrix = np.zeros((len(places), n))
    rows = np.arange(len(places))
    matrix[rows, left] += places - left
    matrix[rows, np.minimum(left + 1, n - 1)] += left + 1 - places
    return matrix


# --- 12.4 -------------------------------------------------------------------------------------------------------------


class Matrix(Exercise):
    id = "12.4"
    title = "a convolution as a matrix"
    forbidden = ("scipy.linalg.toeplitz", "scipy.linalg.convolution_matrix")
    hints = (
        "One row of the matrix is one place of the kernel: an image of zeros with the kernel lying on it, made flat. "
        "How many places are there, downwards and to the right?",
        "Begin with zeros of shape (rows, columns, padded height, padded width), and put the kernel into "
        "[row, column] at row · stride, column · stride. Then cut the padding away from the last two axes, and "
        "reshape.",
        "rows = (height + 2 * padding - kernel.shape[0]) // stride + 1, columns alike. Two loops: matrix[row, column, "
        "top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel. At last matrix[:, :, padding : padding "
        "+ height, padding : padding + width].reshape(rows * columns, height * width).",
    )

    def inputs(self, rng):
        def case(height, width, kernel, **options):
            return {"height": height, "width": width, "kernel": rng.normal(size=kernel), **options}

        return {
            "one row": {"height": 1, "width": 4, "kernel": np.array([[7.0, 8]])},
            "plain": case(5, 6, (3, 3)),
            "non-square": case(4, 7, (2, 3)),
            "whole numbers": {"height": 4, "width": 3, "kernel": rng.permutation(9)[:4].reshape(2, 2) + 1},
            "stride 2": case(7, 9, (3, 3), stride=2),
            "stride 3, not even": case(9, 8, (2, 3), stride=3),
            "padding 1": case(4, 5, (3, 2), padding=1),
            "padding 2": case(5, 4, (4, 3), padding=2),
            "stride 2, padding 1": case(6, 8, (3, 4), stride=2, padding=1),
        }

    def reference(self):
        def convolution_matrix(height, width, kernel, stride=1, padding=0):
            return _matrix_of(lambda image: _correlated(image, kernel, stride, padding), height, width)

        return convolution_matrix

    def _compare(self, cases, observed, name):
        case = {"stride": 1, "padding": 0} | cases[name]
        height, width, stride, padding = (case[key] for key in ("height", "width", "stride", "padding"))
        kernel = np.asarray(case["kernel"], float)

        def matrix(*, kernel=kernel, stride=stride, padding=padding):
            return _matrix_of(lambda image: _correlated(image, kernel, stride, padding), height, width)

        want = matrix()
        tall, wide = height + 2 * padding, width + 2 * padding
        places = tuple((side - k) // stride + 1 for side, k in zip((tall, wide), kernel.shape, strict=True))
        by_columns = want.reshape(*places, -1).transpose(1, 0, 2).reshape(want.shape)
        padded = _matrix_of(lambda image: _correlated(image, kernel, stride, 0), tall, wide)
        plain = _matrix_of(lambda image: _correlated(image, kernel, 1, padding), height, width)
        grid = (tall - kernel.shape[0] + 1, wide - kernel.shape[1] + 1)
        mistakes = {
            "It is transposed: a row for each output, a column for each pixel.": want.T,
            "The kernel is turned round: here it stays as it is.": matrix(kernel=kernel[::-1, ::-1]),
            "The outputs are numbered column by column: row by row, as the pixels are.": by_columns,
            "The pixels are numbered column by column: row by row.": want.reshape(-1, height, width)
            .transpose(0, 2, 1)
            .reshape(want.shape),
            "Outputs and pixels are numbered column by column: row by row.": by_columns.reshape(-1, height, width)
            .transpose(0, 2, 1)
            .reshape(want.shape),
            "Height and width are exchanged.": _matrix_of(
                lambda image: _correlated(image, kernel, stride, padding), width, height
            )
            if kernel.shape[0] <= width + 2 * padding and kernel.shape[1] <= height + 2 * padding
            else np.full(1, np.nan),
            "The kernel is upside down.": matrix(kernel=kernel[::-1]),
            "The kernel is mirrored, left for right.": matrix(kernel=kernel[:, ::-1]),
            "Where the kernel hangs over the upper or left edge it comes back on the other side: a negative index "
            "counts from the end.": _hanging_over(case, places, below=False),
            "Where the kernel hangs over an edge it comes back on the other side: zeros are there.": _hanging_over(
                case, places, below=True
            ),
            "The weights are cut off to whole numbers: an array of float is needed.": np.trunc(want),
            "Every stride-th row of the matrix was taken: leave out rows of outputs, and outputs in each row.": plain[
                ::stride
            ],
            "The padded zeros have columns of their own: cut them away.": padded,
            "The stride is not used.": plain,
            "The stride is used downwards alone.": plain.reshape(*grid, -1)[::stride].reshape(-1, height * width),
            "The stride is used to the right alone.": plain.reshape(*grid, -1)[:, ::stride].reshape(-1, height * width),
            "The padding is not used.": matrix(padding=0)
            if min(height - kernel.shape[0], width - kernel.shape[1]) >= 0
            else np.full(1, np.nan),
        }
        if kernel.shape[0] == kernel.shape[1]:
            mistakes["The kernel is transposed."] = matrix(kernel=kernel.T)
        got = observed[name]
        shapes = {
            sentence: wrong.shape
            for sentence, wrong in mistakes.items()
            if wrong.shape == np.shape(got) != want.shape and np.allclose(got, wrong)
        }
        shapes["The matrix still has four axes: reshape it to (outputs, pixels)."] = (*places, height, width)
        shapes["The matrix still has three axes: reshape it to (outputs, pixels)."] = (len(want), height, width)
        for sentence, wrong in mistakes.items():
            shapes.setdefault(sentence, wrong.shape) if wrong.shape not in (want.shape, *shapes.values()) else None
        expect.shape(got, want.shape, name, mistakes=shapes)
        expect.close(got, want, name, mistakes=mistakes)

    @subtest("a row for each output, a column for each pixel")
    def shapes(self, cases, observed):
        for name in ("one row", "plain", "non-square"):
            self._compare(cases, observed, name)

    @subtest("whole numbers work, and each row holds the same weights")
    def weights(self, cases, observed):
        case = cases["whole numbers"]
        got = np.asarray(observed["whole numbers"])
        expect.shape(got, (6, 12), "whole numbers")
        want = [sorted(case["kernel"].ravel().tolist())] * 6
        expect.equal([sorted(row[row != 0].tolist()) for row in got], want, "weights of each row that are not 0")
        self._compare(cases, observed, "whole numbers")

    @subtest("stride: every second or third place, downwards and to the right")
    def stride(self, cases, observed):
        for name in ("stride 2", "stride 3, not even"):
            self._compare(cases, observed, name)

    @subtest("padding: the kernel may hang over the edge, and zeros have no column")
    def padding(self, cases, observed):
        for name in ("padding 1", "padding 2", "stride 2, padding 1"):
            self._compare(cases, observed, name)


def _hanging_over(case, places, below):
    """The matrix where what hangs over the edges comes back on the other side, below and on the right only if asked."""
    height, width, stride, padding = (case[key] for key in ("height", "width", "stride", "padding"))
    matrix = np.zeros((*places, height, width))
    for row, column in np.ndindex(places):
        for (down, right), weight in np.ndenumerate(case["kernel"]):
            y, x = row * stride - padding + down, column * stride - padding + right
            if below or (y < height and x < width):
                matrix[row, column, y % height, x % width] += weight
    return matrix.reshape(-1, height * width)


def _correlated(image, kernel, stride, padding):
    """A convolution as networks mean it, by SciPy."""
    padded = np.pad(image, padding)
    return scipy.signal.correlate2d(padded, np.asarray(kernel, float), mode="valid")[::stride, ::stride]


def _matrix_of(function, height, width):
    """The matrix of a linear function of images: what it makes of each image with a single 1 is a column."""
    units = np.eye(height * width).reshape(-1, height, width)
    return np.stack([function(unit).ravel() for unit in units], axis=1)


# --- 12.5 -------------------------------------------------------------------------------------------------------------


class Transposed(Exercise):
    id = "12.5"
    title = "transposed convolution"
    forbidden = ("keras.ops.conv_transpose", "keras.layers.Conv2DTranspose", "scipy.signal.convolve2d")
    hints = (
        "Size: where does the last copy begin, and how long is it? The layer: loop over the few weights of the kernel, "
        "not over pixels. The weight at (row, column) lands on every stride-th pixel of the result, from (row, column) "
        "on.",
        "Begin with zeros of the final size. For a weight, result[:, row::stride, column::stride] would reach too far: "
        "as many steps as there are pixels, so the slice ends at row + (height − 1) · stride + 1. The channels are a "
        "matrix product: images @ kernels[row, column].T.",
        "for row …: for column …: result[:, row : row + (height - 1) * stride + 1 : stride, column : column + (width - "
        "1) * stride + 1 : stride] += images @ kernels[row, column].T. Size: (size - 1) * stride + kernel - 2 * "
        "padding.",
    )

    def inputs(self, rng):
        def case(n, height, width, kernel, channels_out, channels_in, stride):
            return {
                "images": rng.normal(size=(n, height, width, channels_in)),
                "kernels": rng.normal(size=(*kernel, channels_out, channels_in)),
                "stride": stride,
            }

        def size(size, kernel, stride, padding):
            return {"size": size, "kernel": kernel, "stride": stride, "padding": padding}

        sizes = [size(4, 3, 2, 0), size(7, 4, 2, 0), size(1, 5, 3, 0), size(5, 2, 2, 0), size(8, 3, 1, 0)]
        sizes += [size(9, 5, 3, 2), size(4, 4, 2, 1), size(6, 3, 1, 1)]
        drawn = rng.integers([3, 2, 0], [30, 5, 3], size=(2, 3))
        sizes += [size(int(n), int(2 * p + s + 1), int(s), int(p)) for n, s, p in drawn]
        row = {"images": np.array([[[[1.0], [2.0]]]]), "kernels": np.array([10.0, 20, 30]).reshape(1, 3, 1, 1)}
        return {f"size {', '.join(str(number) for number in setting.values())}": setting for setting in sizes} | {
            "one row": row | {"stride": 1},
            "side by side": case(1, 3, 4, (2, 2), 1, 1, 2),
            "kernel 3, stride 2": case(1, 4, 5, (3, 3), 1, 1, 2),
            "kernel 3, stride 1": case(2, 4, 3, (3, 3), 1, 1, 1),
            "kernel 5 × 2, stride 2": case(1, 3, 4, (5, 2), 1, 1, 2),
            "whole-number images": {
                "images": rng.integers(1, 9, size=(1, 3, 4, 1)),
                "kernels": rng.normal(size=(3, 2, 1, 1)),
                "stride": 2,
            },
            "two channels of three": case(2, 4, 3, (3, 4), 2, 3, 2),
            "as many out as in": case(1, 3, 5, (4, 3), 3, 3, 3),
        }

    def observe(self, answer, cases):
        size, transposed = answer
        return {name: run(size if name.startswith("size") else transposed, **case) for name, case in cases.items()}

    def reference(self):
        def transposed_size(size, kernel, stride, padding):
            layer = keras.layers.Conv1DTranspose(1, kernel, strides=stride)  # valid: as long as stride <= kernel
            return int(layer.compute_output_shape((1, size, 1))[1]) - 2 * padding

        def conv2d_transpose(images, kernels, stride=1):
            return _by_keras(images, kernels, stride)

        return transposed_size, conv2d_transpose

    def _sizes(self, cases, observed, padded):
        for name, case in cases.items():
            if not name.startswith("size") or bool(case["padding"]) != padded:
                continue
            size, kernel, stride, padding = case.values()
            # the smallest image of which the convolution makes `size` pixels
            want = next(n for n in count(1) if len(range(0, n + 2 * padding - kernel + 1, stride)) == size)
            mistakes = {
                "That is size · stride: the last copy of the kernel reaches further, or not so far.": size * stride,
                "One step too many: between size copies there are size − 1 steps.": size * stride
                + kernel
                - 2 * padding,
                "The padding takes away from the result: − 2 · padding.": (size - 1) * stride + kernel + 2 * padding,
                "The padding is on both sides: − 2 · padding.": (size - 1) * stride + kernel - padding,
                "The padding is forgotten.": (size - 1) * stride + kernel,
                "The last copy is as long as the kernel, not one pixel.": (size - 1) * stride + 1 - 2 * padding,
                "The stride is not used.": size - 1 + kernel - 2 * padding,
                "That is the size after a convolution, not after its transpose.": (
                    (size + 2 * padding - kernel) // stride + 1
                ),
            }
            mistakes = {sentence: wrong for sentence, wrong in mistakes.items() if wrong != want}
            what = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}"
            got = observed[name]
            expect.equal(
                int(got) if isinstance(got, float) and got.is_integer() else got, want, what, mistakes=mistakes
            )

    @subtest("size: from the first pixel of the first copy to the last of the last")
    def size(self, cases, observed):
        self._sizes(cases, observed, padded=False)

    @subtest("size: padding takes away pixels on both sides")
    def size_padded(self, cases, observed):
        self._sizes(cases, observed, padded=True)

    def _compare(self, cases, observed, name):
        images, kernels, stride = cases[name].values()
        want = _by_keras(images, kernels, stride)
        overwritten = np.zeros(want.shape)
        height, width = images.shape[1:3]
        for row in range(height):
            for column in range(width):
                copy = np.einsum("nc,abfc->nabf", images[:, row, column], kernels)
                top, left = row * stride, column * stride
                overwritten[:, top : top + len(kernels), left : left + kernels.shape[1]] = copy
        mistakes = {
            "Where copies overlap, the last one has overwritten the others: they add up, +=.": overwritten,
            "The copies are turned round: each pixel puts down the kernel as it is.": _by_keras(
                images, kernels[::-1, ::-1], stride
            ),
        }
        if images.shape[-1] > 1:
            mistakes["The channels of the images are averaged: they add up."] = want / images.shape[-1]
            mistakes["Only the first channel of the images is used."] = _by_keras(
                images[..., :1], kernels[..., :1], stride
            )
        if len(images) > 1:
            mistakes["The images are added up: each for itself."] = np.broadcast_to(
                want.sum(axis=0, keepdims=True), want.shape
            )
        if images.dtype.kind in "iu":
            cut = np.zeros(want.shape)
            for row, column in np.ndindex(height, width):
                top, left = row * stride, column * stride
                copy = np.trunc(np.einsum("nc,abfc->nabf", images[:, row, column], kernels))
                cut[:, top : top + len(kernels), left : left + kernels.shape[1]] += copy
            mistakes["The result is cut off to whole numbers: begin with zeros of float."] = cut
        often = _by_keras(np.ones_like(images), np.ones_like(kernels) / images.shape[-1], stride)
        mistakes["Where copies overlap you took their mean: they add up."] = want / np.maximum(often, 1)
        if kernels.shape[0] == kernels.shape[1]:
            mistakes["The kernel is transposed: its rows lie on the result's columns."] = _by_keras(
                images, kernels.transpose(1, 0, 2, 3), stride
            )
        if kernels.shape[2] == kernels.shape[3] > 1:
            mistakes["Output and input channels are exchanged: kernels[row, column] has the shape (out, in)."] = (
                _by_keras(images, kernels.transpose(0, 1, 3, 2), stride)
            )
        got = observed[name]
        shapes = {
            "There is a channel for each channel of the images: kernels are (rows, columns, out, in).": (
                *want.shape[:3],
                images.shape[-1],
            ),
            "The copies stand on every pixel: put them stride pixels apart.": (
                len(images),
                height + kernels.shape[0] - 1,
                width + kernels.shape[1] - 1,
                want.shape[-1],
            ),
            "The kernel's rows lie on the result's columns.": (
                len(images),
                (height - 1) * stride + kernels.shape[1],
                (width - 1) * stride + kernels.shape[0],
                want.shape[-1],
            ),
            "Only one image came back.": (1, *want.shape[1:]),
            "That is size · stride: the last copy reaches further.": (
                len(images),
                height * stride,
                width * stride,
                want.shape[-1],
            ),
        }
        expect.shape(got, want.shape, name, mistakes={s: shape for s, shape in shapes.items() if shape != want.shape})
        expect.close(got, want, name, rtol=1e-4, atol=1e-4, mistakes=mistakes)

    @subtest("one channel: copies of the kernel, and where they overlap they add up", points=2)
    def copies(self, cases, observed):
        for name in ("one row", "side by side", "kernel 3, stride 2", "kernel 3, stride 1", "kernel 5 × 2, stride 2"):
            self._compare(cases, observed, name)
        self._compare(cases, observed, "whole-number images")

    @subtest("channels: as Keras has them")
    def channels(self, cases, observed):
        for name in ("as many out as in", "two channels of three"):
            self._compare(cases, observed, name)

    @subtest("it is the transpose: Cᵀ y · x = y · C x for any image x")
    def adjoint(self, cases, observed):
        for name in ("kernel 3, stride 2", "two channels of three"):
            images, kernels, stride = cases[name].values()
            got = np.asarray(observed[name], float)
            expect.shape(got, _by_keras(images, kernels, stride).shape, name)
            x = np.random.default_rng(0).normal(size=got.shape)
            down = keras.ops.convert_to_numpy(
                keras.ops.conv(np.float32(x), np.float32(kernels), strides=stride, padding="valid")
            )
            expect.close(np.sum(got * x), np.sum(images * down), f"{name}: Cᵀ y · x", rtol=1e-3, atol=1e-3)


def _by_keras(images, kernels, stride):
    made = keras.ops.conv_transpose(np.float32(images), np.float32(kernels), strides=stride, padding="valid")
    return keras.ops.convert_to_numpy(made)


# --- 12.6 -------------------------------------------------------------------------------------------------------------


class Wiener(Exercise):
    id = "12.6"
    title = "Wiener's filter"
    forbidden = ("skimage.restoration.wiener", "scipy.signal.wiener")
    hints = (
        "Three transforms: one of the PSF, one of the images, one back. Between them only products and a division, "
        "element by element.",
        "np.fft.fft2 transforms the last two axes, so that all images go at once. The PSF first needs "
        "np.fft.ifftshift. np.conj gives H*, abs(H) ** 2 the |H|². The result of ifft2 is complex, with an imaginary "
        "part of rounding errors alone: return the real part.",
        "transfer = np.fft.fft2(np.fft.ifftshift(psf)); gain = np.conj(transfer) / (abs(transfer) ** 2 + "
        "noise_to_signal); return np.fft.ifft2(np.fft.fft2(images) * gain).real.",
    )

    def inputs(self, rng):
        def psf(*shape):
            values = rng.random(shape) ** 3
            values[shape[0] // 2, shape[1] // 2] += 2
            return values / values.sum()

        def case(n, *shape, ratio):
            return {"images": rng.normal(size=(n, *shape)), "psf": psf(*shape), "noise_to_signal": ratio}

        star = np.zeros((6, 8))
        star[3, 4] = 1
        lossy = case(1, 4, 6, ratio=0.2)
        k = np.hypot(np.fft.fftfreq(6)[:, None], np.fft.fftfreq(7))
        return {
            "star": {"images": rng.normal(size=(2, 6, 8)), "psf": star, "noise_to_signal": 1.0},
            "even sides": case(1, 6, 8, ratio=0.3),
            "odd sides": case(1, 7, 9, ratio=0.1),
            "four images": case(4, 5, 6, ratio=0.5),
            "a PSF that loses light": lossy | {"psf": 0.6 * lossy["psf"]},
            "N/S of each wave": case(2, 6, 7, ratio=0.05 + 3 * k**2),
        }

    def reference(self):
        def wiener(images, psf, noise_to_signal):
            return _normal_equations(images, psf, noise_to_signal)

        return wiener

    def _compare(self, cases, observed, name):
        images, psf, ratio = cases[name].values()
        constant = np.ndim(ratio) == 0
        want = _by_skimage(images, psf, ratio) if constant else _normal_equations(images, psf, ratio)
        got = observed[name]
        expect.true(
            not np.iscomplexobj(got), f"{name}: the result is complex: return its real part (the rest is rounding)."
        )
        transfer, seen = np.fft.fft2(np.fft.ifftshift(psf)), np.fft.fft2(images)
        unshifted = np.fft.fft2(psf)

        def back(gain):
            return np.fft.ifft2(seen * gain).real

        power = abs(transfer) ** 2
        mistakes = {
            "The image has moved: the PSF was not shifted, np.fft.ifftshift(psf).": back(
                np.conj(unshifted) / (power + ratio)
            ),
            "On odd sides fftshift and ifftshift differ: it is ifftshift that moves the middle to (0, 0).": back(
                np.conj(np.fft.fft2(np.fft.fftshift(psf))) / (power + ratio)
            ),
            "The conjugate is missing: the numerator is H*.": back(transfer / (power + ratio)),
            "N / S is not used: this divides by H.": back(1 / transfer),
            "The numerator is |H|²: this blurs again, H* it should be.": back(power / (power + ratio)),
            "The denominator has |H|, not its square.": back(np.conj(transfer) / (abs(transfer) + ratio)),
            "The denominator has H², not |H|²: abs first.": back(np.conj(transfer) / (transfer**2 + ratio)),
            "N / S stands in the numerator, or its inverse was used.": back(np.conj(transfer) / (power + 1 / ratio)),
            "N / S differs from wave to wave: this takes its mean.": back(np.conj(transfer) / (power + np.mean(ratio))),
            "N / S stands beside H, not beside |H|²: this is 1 / (H + N / S).": back(1 / (transfer + ratio)),
            "N / S was squared.": back(np.conj(transfer) / (power + np.square(ratio))),
            "N / S is given in the order of np.fft.fft2: it needs no shift.": back(
                np.conj(transfer) / (power + (ratio if constant else np.fft.ifftshift(ratio)))
            ),
            "N / S is given in the order of np.fft.fft2: it needs no shift, nor fftshift.": back(
                np.conj(transfer) / (power + (ratio if constant else np.fft.fftshift(ratio)))
            ),
            "The numerator is |H|: it is the conjugate, H*.": back(abs(transfer) / (power + ratio)),
            "The denominator is 1 + N / S, without |H|².": back(np.conj(transfer) / (1 + ratio)),
            "N / S multiplies |H|² here: |H|² + N / S.": back(np.conj(transfer) / (power * ratio + 1)),
            "This blurs once more: divide, do not multiply.": back(transfer),
            "The transform of the PSF was shifted: shift the PSF itself, before np.fft.fft2.": back(
                np.conj(np.fft.ifftshift(unshifted)) / (power + ratio)
            ),
            "The PSF was shifted along its rows or its columns alone: both.": back(
                np.conj(np.fft.fft2(np.fft.ifftshift(psf, axes=0))) / (power + ratio)
            ),
            "The PSF was shifted along one axis alone: both.": back(
                np.conj(np.fft.fft2(np.fft.ifftshift(psf, axes=1))) / (power + ratio)
            ),
            "The transform runs along axes 0 and 1: axis 0 counts the images, use the last two.": np.fft.ifft2(
                np.fft.fft2(images, axes=(0, 1)) * np.conj(transfer) / (power + ratio), axes=(0, 1)
            ).real,
            "Every image is the first one.": np.broadcast_to(want[:1], want.shape),
            "The PSF was divided by its sum: take it as it is.": back(
                np.conj(transfer) * psf.sum() / (power + ratio * psf.sum() ** 2)
            ),
            "Negative pixels have become 0: leave them.": np.maximum(want, 0),
            "The product is not transformed back.": (seen * np.conj(transfer) / (power + ratio)).real,
            "This is the absolute value: take the real part.": abs(want),
        }
        mistakes = {s: wrong for s, wrong in mistakes.items() if not np.allclose(wrong, want, rtol=1e-5, atol=1e-8)}
        expect.close(got, want, name, rtol=1e-5, atol=1e-8, mistakes=mistakes)

    @subtest("without a blur, and with as much noise as signal, every image is halved")
    def star(self, cases, observed):
        images, name = cases["star"]["images"], "star"
        mistakes = {"The image stays as it is: N / S is not used.": images}
        expect.true(not np.iscomplexobj(observed[name]), "star: the result is complex: return its real part.")
        mistakes["The image has moved: np.fft.ifftshift(psf)."] = np.roll(images, (-3, -4), axis=(1, 2)) / 2
        mistakes["The image has moved: np.fft.ifftshift(psf) "] = np.roll(images, (3, 4), axis=(1, 2)) / 2
        mistakes["This is the absolute value: take the real part."] = abs(images) / 2
        mistakes["Negative pixels have become 0: leave them."] = np.maximum(images, 0) / 2
        mistakes["Every image is the first one."] = np.broadcast_to(images[:1], images.shape) / 2
        expect.close(observed[name], images / 2, name, mistakes=mistakes)

    @subtest("a PSF without any symmetry, as the library has it")
    def library(self, cases, observed):
        self._compare(cases, observed, "even sides")
        self._compare(cases, observed, "a PSF that loses light")

    @subtest("odd sides, too, leave the image in its place")
    def odd(self, cases, observed):
        self._compare(cases, observed, "odd sides")

    @subtest("several images at once")
    def several(self, cases, observed):
        self._compare(cases, observed, "four images")

    @subtest("N / S may differ from wave to wave")
    def waves(self, cases, observed):
        self._compare(cases, observed, "N/S of each wave")


def _by_skimage(images, psf, ratio):
    return np.stack(
        [skimage.restoration.wiener(image, psf, ratio, reg=np.ones((1, 1)), clip=False) for image in images]
    )


def _normal_equations(images, psf, ratio):
    """(HᵀH + R) x = Hᵀ y, with matrices: a column of H is the image of a star, R is diagonal for waves."""
    height, width = psf.shape
    middle = np.array([height // 2, width // 2])
    penalty = np.fft.ifft2(np.broadcast_to(ratio, psf.shape)).real  # what R makes of a star at (0, 0)
    stars = list(np.ndindex(height, width))
    blur = np.stack([np.roll(psf, star - middle, axis=(0, 1)).ravel() for star in stars], axis=1)
    damping = np.stack([np.roll(penalty, star, axis=(0, 1)).ravel() for star in stars], axis=1)
    restored = np.linalg.solve(blur.T @ blur + damping, blur.T @ images.reshape(len(images), -1).T)
    return restored.T.reshape(images.shape)


# --- 12.7 -------------------------------------------------------------------------------------------------------------


class EncoderDecoder(Exercise):
    id = "12.7"
    title = "an encoder–decoder"
    hints = (
        "A chain of layers: each takes what the one before gave. Which of the three parts needs a loop?",
        "inputs = x = keras.Input((None, None, bands)). A loop over filters with Conv2D(n, 4, strides=2, …), one "
        "Conv2D(filters[-1], 3, …), a loop over reversed(filters) with Conv2DTranspose(n, 4, strides=2, …).",
        'All with padding="same" and activation="relu". At last outputs = layers.Conv2D(bands, 3, padding="same")(x); '
        "return keras.Model(inputs, outputs).",
    )

    def inputs(self, rng):
        def case(filters, height, width, bands=1):
            images = rng.normal(size=(2, height, width, bands)).astype("float32")
            return {"filters": filters, "bands": bands, "images": images, "seed": int(rng.integers(1_000_000))}

        return {
            "the example": case([16, 32], 8, 8),
            "one step": case([5], 6, 10),
            "two steps": case([4, 7], 12, 8),
            "three steps, three bands": case([3, 5, 4], 8, 16, bands=3),
        }

    def observe(self, answer, cases):
        return {name: run(_look_at_network, answer, case) for name, case in cases.items()}

    def reference(self):
        def encoder_decoder(filters, bands=1):
            stack = [keras.Input((None, None, bands))]
            for n in filters:
                stack += [keras.layers.Conv2D(n, 4, strides=2, padding="same"), keras.layers.ReLU()]
            stack += [keras.layers.Conv2D(filters[-1], 3, padding="same"), keras.layers.ReLU()]
            for n in reversed(filters):
                stack += [keras.layers.Conv2DTranspose(n, 4, strides=2, padding="same"), keras.layers.ReLU()]
            return keras.Sequential([*stack, keras.layers.Conv2D(bands, 3, padding="same")])

        return encoder_decoder

    @subtest("the layers with weights: so many down, one at the bottleneck, so many up, one last", points=2)
    def layers(self, cases, observed):
        for name, case in cases.items():
            got, filters, bands = observed[name], case["filters"], case["bands"]
            wrong_order = _kernel_shapes(filters, bands, upwards=filters)
            for i, (made, want) in enumerate(zip(got["kernels"], _kernel_shapes(filters, bands), strict=False), 1):
                mistakes = {
                    "This is a Conv2D: the way up needs Conv2DTranspose.": ["Conv2D", *want[1:3], want[4], want[3]],
                    "On the way up the numbers of filters come in reverse order.": wrong_order[i - 1],
                }
                mistakes = {sentence: wrong for sentence, wrong in mistakes.items() if wrong != want}
                what = f"{name}, layer {i} with weights (kind, rows and columns of the kernel, and its channels)"
                expect.equal(made, want, what, mistakes=mistakes)
            mistakes = {"The convolution at the bottleneck is missing, or the last one.": 2 * len(filters) + 1}
            expect.equal(len(got["kernels"]), 2 * len(filters) + 2, f"{name}, layers with weights", mistakes=mistakes)
            expect.true(got["others"] == [], f"{name}: there are other layers with weights: {got['others']}.")

    @subtest("the output is as large as the image, with as many channels")
    def same_size(self, cases, observed):
        for name, case in cases.items():
            want = case["images"].shape
            n, height, width, bands = want
            expect.true(
                np.size(observed[name]["output"]) > 0,
                f"{name}: the model does not take images of {height} × {width} pixels and {bands} channels. Are height "
                'and width left open, and has every layer padding="same"?',
            )
            mistakes = {
                "It is half as large: are there as many steps up as down?": (n, height // 2, width // 2, bands),
                "It is twice as large: are there as many steps up as down?": (n, height * 2, width * 2, bands),
                'The last layer cuts off the border: padding="same".': (n, height - 2, width - 2, bands),
                "There is always one channel: the last layer has `bands` filters.": (n, height, width, 1),
            }
            expect.shape(observed[name]["output"], want, f"{name}, output", mistakes=mistakes)

    @subtest("height and width are left open")
    def any_size(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]["input"]
            reason = " Write None for both: keras.Input((None, None, bands))." if None not in got[1:3] else ""
            expect.true(
                got[1:] == [None, None, case["bands"]],
                f"{name}: expected an input of (any, any, {case['bands']}), got {tuple(got[1:])}.{reason}",
            )

    @subtest("a step down halves, and everything is ReLU but the last layer", points=2)
    def activations(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            n = len(case["filters"])
            kinds = [kernel[0] for kernel in got["kernels"]]
            expect.true(
                kinds == ["Conv2D"] * (n + 1) + ["Conv2DTranspose"] * n + ["Conv2D"],
                f"{name}: first mend the layers: {n} Conv2D, one at the bottleneck, {n} Conv2DTranspose, one last.",
            )
            expect.equal(
                got["strides"],
                [2] * n + [1] + [2] * n + [1],
                f"{name}, strides of the layers with weights",
                mistakes={
                    "On the way down the convolutions halve: strides=2, and no pooling.": [1] * (n + 1) + [2] * n + [1]
                },
            )
            expect.true(
                np.size(got["output"]) > 0, f"{name}: the model does not take the images: first mend its input."
            )
            relu = [True] * (2 * n + 1) + [False]
            want = _forward(case["images"], got["weights"], kinds, n, relu)
            mistakes = {
                "There is a ReLU at the end: noise and sky go below 0, the last layer has no activation.": np.maximum(
                    want, 0
                ),
                "There is a sigmoid at the end: the last layer has no activation.": scipy.special.expit(want),
                "There is a tanh at the end: the last layer has no activation.": np.tanh(want),
                "The image is added at the end: that is for later.": want + case["images"],
                "No layer has an activation: all but the last need ReLU.": _forward(
                    case["images"], got["weights"], kinds, n, [False] * (2 * n + 2)
                ),
                "The convolution at the bottleneck has no ReLU.": _forward(
                    case["images"], got["weights"], kinds, n, [i != n and use for i, use in enumerate(relu)]
                ),
                "The steps up have no ReLU.": _forward(
                    case["images"], got["weights"], kinds, n, [use and i <= n for i, use in enumerate(relu)]
                ),
                "The steps down have no ReLU.": _forward(
                    case["images"], got["weights"], kinds, n, [use and i >= n for i, use in enumerate(relu)]
                ),
            }
            expect.close(got["output"], want, f"{name}, output", rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("[16, 32] has 42 513 weights")
    def weights(self, cases, observed):
        expect.equal(observed["the example"]["count"], 42513, "weights of encoder_decoder([16, 32])")


def _kernel_shapes(filters, bands, upwards=None):
    """[kind, *shape of the kernel] of each layer with weights."""
    upwards = filters[::-1] if upwards is None else upwards
    down = [["Conv2D", 4, 4, before, after] for before, after in pairwise([bands, *filters])]
    up = [["Conv2DTranspose", 4, 4, after, before] for before, after in pairwise([filters[-1], *upwards])]
    bottleneck = ["Conv2D", 3, 3, filters[-1], filters[-1]]
    return [*down, bottleneck, *up, ["Conv2D", 3, 3, upwards[-1], bands]]


def _look_at_network(answer, case):
    """What the network is made of, and what it makes of images once its weights are random: plain data."""
    filters = list(case["filters"])
    model = answer(filters, case["bands"])
    if filters != list(case["filters"]):
        raise ValueError("the list `filters` was changed in place: it is the caller's. filters[::-1] makes a new one.")
    if model is None:
        raise TypeError("the function returned None: does it end with `return keras.Model(inputs, outputs)`?")
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a keras.Model, got {type(model).__name__}")
    rng = np.random.default_rng(case["seed"])
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        variable.assign(rng.normal(0, 1.0 if len(shape) < 2 else np.sqrt(8 / np.prod(shape)), size=shape))
    fits = all(side in (None, there) for side, there in zip(model.input_shape, case["images"].shape, strict=True))
    with_weights = [layer for layer in _all_layers(model) if layer.weights]
    known = [layer for layer in with_weights if type(layer).__name__ in ("Conv2D", "Conv2DTranspose")]
    return {
        "kernels": [[type(layer).__name__, *(int(n) for n in layer.kernel.shape)] for layer in known],
        "others": [type(layer).__name__ for layer in with_weights if layer not in known],
        "weights": [[keras.ops.convert_to_numpy(w) for w in layer.weights] for layer in known],
        "input": list(model.input_shape),
        "count": int(model.count_params()),
        "strides": [int(layer.strides[0]) for layer in known],
        "output": _output(model, case["images"]) if fits else np.zeros(0),
    }


def _all_layers(model):
    """The layers of a model, those of models inside it in their place."""
    for layer in model.layers:
        yield from _all_layers(layer) if isinstance(layer, keras.Model) else [layer]


def _output(model, images):
    """What the model makes of the images; nothing where it cannot, e.g. when a kernel is larger than what is left."""
    try:
        return keras.ops.convert_to_numpy(model(images, training=False))
    except Exception:
        return np.zeros(0)


def _forward(images, weights, kinds, steps, relu):
    """What layers with these weights make of images, by keras.ops, whatever layers they came from."""
    x = images
    for i, (kind, (kernel, *bias), active) in enumerate(zip(kinds, weights, relu, strict=True)):
        if kind == "Conv2D":
            x = keras.ops.conv(x, kernel, strides=2 if i < steps else 1, padding="same")
        else:
            x = keras.ops.conv_transpose(x, kernel, strides=2, padding="same")
        x = x + bias[0] if bias else x
        x = keras.ops.relu(x) if active else x
    return keras.ops.convert_to_numpy(x)


# --- 12.8 -------------------------------------------------------------------------------------------------------------


class PowerSpectrum(Exercise):
    id = "12.8"
    title = "the power spectrum"
    hints = (
        "First the power of every wave, |m̃|², averaged over the maps: an array of (side, side). Then the length of "
        "every wave vector, of the same shape. Then one mean for each bin.",
        "np.fft.fft2 works on the last two axes. k along an axis is 2 * np.pi * np.fft.fftfreq(side, pixel); "
        "np.hypot(k[:, None], k[None, :]) is the length of all vectors. A bin is power[(length >= low) & (length < "
        "high)].mean().",
        "power = np.mean(np.abs(np.fft.fft2(maps)) ** 2, axis=0) * pixel**2 / side**2, then a list with one mean for "
        "each pair of edges[:-1] and edges[1:], as np.array.",
    )

    def inputs(self, rng):
        def smooth(n, side):
            return scipy.ndimage.gaussian_filter(rng.normal(size=(n, side, side)), (0, 1.3, 0.7), mode="wrap")

        def case(maps, pixel, bins):
            side = maps.shape[-1]
            lowest, highest = 2 * np.pi / (side * pixel), np.pi / pixel
            # no wave lies on an edge, so that rounding does not matter
            edges = np.linspace(0.613 * lowest, 0.983 * highest, bins + 1)
            return {"maps": maps, "pixel": pixel, "edges": edges}

        x = np.arange(16)
        wave = np.cos(2 * np.pi * 3 * x / 16 + 1.0)[None, :, None] * np.ones(16)
        return {
            "noise": case(3 * rng.normal(size=(80, 18, 18)), 0.5, 4),
            "one wave": case(wave, 1.0, 4),
            "a map": case(smooth(1, 20), 1.0, 5),
            "five maps": case(smooth(5, 12), 1.0, 3),
            "odd side": case(smooth(2, 15), 1.0, 4),
            "pixels of 0.3": case(smooth(2, 16), 0.3, 5),
            "pixels of 3": case(smooth(3, 14), 3.0, 3),
            # here waves lie on the edges, to the last digit: side and pixel are powers of 2
            "waves on the edges": {
                "maps": smooth(3, 8) + 0.7,
                "pixel": 0.25,
                "edges": 2 * np.pi * np.array([0, 2, 3, 4]) / 2,
            },
        }

    def reference(self):
        def power_spectrum(maps, pixel, edges):
            return _binned(_wave_powers(maps, pixel), maps.shape[-1], pixel, edges)

        return power_spectrum

    def _compare(self, cases, observed, name):
        maps, pixel, edges = cases[name].values()
        side = maps.shape[-1]
        power = _wave_powers(maps, pixel)
        want = _binned(power, side, pixel, edges)
        want = np.where(abs(want) < 1e-12, 0, want)
        transform = np.fft.fft2(maps)
        scale = pixel**2 / side**2
        k = 2 * np.pi * np.fft.fftfreq(side, pixel)
        down, right = abs(k)[:, None], abs(k)[None, :]
        lengths = np.hypot(down, right)

        def means(chosen_by, values=power):
            return np.array([np.mean(values[chosen]) if (chosen := chosen_by(*ab)).any() else np.nan for ab in bins])

        bins = list(pairwise(edges))
        half = (slice(None), slice(0, side // 2 + 1))  # what np.fft.rfft2 gives
        last = means(lambda a, b: (lengths >= a) & ((lengths < b) | (b == edges[-1]) & (lengths == b)))
        on_the_axis = lengths == right
        mistakes = {
            "The upper edge belongs to the next bin, the lower edge to this one.": means(
                lambda a, b: (lengths > a) & (lengths <= b)
            ),
            "Both edges are in the bin: the upper one belongs to the next.": means(
                lambda a, b: (lengths >= a) & (lengths <= b)
            ),
            "Neither edge is in the bin: the lower one belongs to it.": means(
                lambda a, b: (lengths > a) & (lengths < b)
            ),
            "The last bin holds its upper edge (np.histogram does that): it does not.": last,
            "The wave with k = 0 is left out.": means(lambda a, b: (lengths >= a) & (lengths < b) & (lengths > 0)),
            "The mean of the maps was taken away first: k = 0 has a power, too.": means(
                lambda a, b: (lengths >= a) & (lengths < b), np.where(lengths == 0, 0, power)
            ),
            "np.fft.rfft2 gives each wave and its opposite only once, but both where k = 0 along the columns: "
            "np.fft.fft2 gives all.": means(lambda a, b: ((lengths >= a) & (lengths < b))[half], power[half]),
            "This is the median: take the mean.": _binned(power, side, pixel, edges, "median"),
            "|k| is the root of the sum of squares: this is the sum.": means(
                lambda a, b: (down + right >= a) & (down + right < b)
            ),
            "|k| is the root of the sum of squares: this is the larger of the two.": means(
                lambda a, b: (np.maximum(down, right) >= a) & (np.maximum(down, right) < b)
            ),
            "This is k², not k.": means(lambda a, b: (lengths**2 >= a) & (lengths**2 < b)),
            "k is that along one axis alone.": means(lambda a, b: (down + 0 * right >= a) & (down + 0 * right < b)),
            "k is that along one axis alone, that of the columns.": means(
                lambda a, b: (right + 0 * down >= a) & (right + 0 * down < b)
            ),
            "Only the waves along one axis are counted: all directions.": means(
                lambda a, b: (lengths >= a) & (lengths < b) & on_the_axis
            ),
            "Only the first map is used.": _binned(_wave_powers(maps[:1], pixel), side, pixel, edges),
            "p² / n² is missing.": want / scale,
            "p² is missing.": want / pixel**2,
            "1 / n² is missing.": want * side**2,
            "p stands in the denominator: p² / n².": want / pixel**4,
            "p² / n² it is, not p² / n.": want * side,
            "p² / n² it is, not p / n.": want * side / pixel,
            "You divided by n⁴, or normalised twice: p² / n².": want / side**2,
            "p² it is, not p.": want / pixel,
            "These are moduli, |m̃|: the power is their square.": _binned(
                abs(transform).mean(axis=0) * scale, side, pixel, edges
            ),
            "Only the real part was squared: np.abs before the square.": _binned(
                (transform.real**2).mean(axis=0) * scale, side, pixel, edges
            ),
            "You averaged the maps before the transform: average their powers.": _binned(
                abs(transform.mean(axis=0)) ** 2 * scale, side, pixel, edges
            ),
            "The powers of all maps are added up: take their mean.": want * len(maps),
            "The powers of a bin are added up: take their mean.": want
            * _binned(0 * power, side, pixel, edges, "count"),
            "The powers are shifted by fftshift, the wave numbers are not.": _binned(
                np.fft.fftshift(power), side, pixel, edges
            ),
            "The powers of a bin are added up, without p² / n².": want
            / scale
            * _binned(0 * power, side, pixel, edges, "count"),
        }
        for sentence, factor in (
            ("2π is missing: k is 2π times np.fft.fftfreq.", 2 * np.pi),
            ("np.fft.fftfreq needs the pixel's side, too: np.fft.fftfreq(side, pixel).", 1 / pixel),
        ):
            mistakes[sentence] = _binned(power, side, pixel, edges * factor)
        got = observed[name]
        zero = want == 0
        mistakes = {
            sentence: wrong
            for sentence, wrong in mistakes.items()
            if not np.allclose(wrong, want, rtol=1e-6) and not np.allclose(wrong, 0, atol=1e-12)
        }
        shapes = {
            "There is one spectrum for each map: take the mean over the maps.": (len(maps), len(want)),
            "That is one number for each edge: bins lie between them.": (len(edges),),
        }
        expect.shape(got, want.shape, name, mistakes=shapes)
        if np.isnan(got).any():
            known = [s for s, wrong in mistakes.items() if np.allclose(got, wrong, rtol=1e-5, equal_nan=True)]
            known.append("Does k have its 2π, and did np.fft.fftfreq get the pixel?")
            raise expect.NotYet(
                f"{name}: {int(np.isnan(got).sum())} of {len(want)} bins are NaN: no wave fell into them. {known[0]}"
            )
        late = np.asarray(got)[1:]
        if not zero.all() and np.allclose(late, want[:-1], rtol=1e-5, atol=1e-12) and not np.allclose(late, want[1:]):
            raise expect.NotYet(f"{name}: each power stands one bin too late: np.digitize gives 1 for the first bin.")
        expect.close(got, want, name, rtol=1e-5, atol=1e-12, mistakes=mistakes)

    @subtest("one wave has its power in its own bin")
    def wave(self, cases, observed):
        self._compare(cases, observed, "one wave")

    @subtest("the power of noise is σ² times the area of a pixel, at every k")
    def noise(self, cases, observed):
        self._compare(cases, observed, "noise")
        got = observed["noise"]
        expect.between(np.asarray(got) / 2.25, 0.8, 1.2, "power of the noise / (3² · 0.5²)")

    @subtest("the mean over all directions, also of maps with an odd side")
    def directions(self, cases, observed):
        for name in ("a map", "odd side"):
            self._compare(cases, observed, name)

    @subtest("the mean of the powers of all maps")
    def maps(self, cases, observed):
        self._compare(cases, observed, "five maps")

    @subtest("a bin has its lower edge, not its upper one, and k = 0 is a wave as others are")
    def edges(self, cases, observed):
        self._compare(cases, observed, "waves on the edges")

    @subtest("units: pixels of other sides")
    def units(self, cases, observed):
        for name in ("pixels of 0.3", "pixels of 3"):
            self._compare(cases, observed, name)


def _wave_powers(maps, pixel):
    """Mean power of each wave, from the autocorrelation (Wiener and Khinchin)."""
    side = maps.shape[-1]
    autocorrelation = np.zeros((side, side))
    for down in range(side):
        moved = np.roll(maps, -down, axis=1)
        for right in range(side):
            autocorrelation[down, right] = np.mean(maps * np.roll(moved, -right, axis=2))
    return np.fft.fft2(autocorrelation).real * pixel**2


def _binned(power, side, pixel, edges, statistic="mean"):
    k = 2 * np.pi * np.fft.fftfreq(side, pixel)
    lengths = np.hypot(k[:, None], k[None, :]).ravel()
    beyond = [*edges, lengths.max() + edges[-1] + 1]  # SciPy counts the last edge in: let that be another one
    return scipy.stats.binned_statistic(lengths, power.ravel(), statistic, bins=beyond).statistic[:-1]


# --- 12.9 -------------------------------------------------------------------------------------------------------------


class PeriodicPadding(Exercise):
    id = "12.9"
    title = "periodic edges"
    hints = (
        "What stands before the first row of a periodic box? Its last rows. And behind the last? First do the rows "
        "alone.",
        "keras.ops.concatenate([the last rows, x, the first rows], axis=1). Then the same with the columns of what "
        "comes out, axis=2: so the corners are right by themselves.",
        "x = keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1), then the same with x[:, :, -margin:], "
        "x[:, :, :margin] and axis=2.",
    )

    def inputs(self, rng):
        def case(*shape, margin):
            return {"x": rng.normal(size=shape).astype("float32"), "margin": margin}

        return {
            "one row": {"x": np.array([1, 2, 3], "float32").reshape(1, 1, 3, 1), "margin": 1},
            "margin 1": case(2, 4, 5, 1, margin=1),
            "margin 3": case(1, 6, 5, 2, margin=3),
            "as wide as the box": case(1, 3, 3, 1, margin=3),
            "in a model": case(2, 5, 7, 2, margin=2),
        }

    def observe(self, answer, cases):
        return {
            name: run(_pad_in_a_model if name == "in a model" else _pad, answer, **case) for name, case in cases.items()
        }

    def reference(self):
        def periodic_pad(x, margin):
            x = keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1)
            return keras.ops.concatenate([x[:, :, -margin:], x, x[:, :, :margin]], axis=2)

        return periodic_pad

    def _compare(self, cases, observed, name, part=None):
        x, margin = cases[name]["x"], cases[name]["margin"]
        sides = ((0, 0), (margin, margin), (margin, margin), (0, 0))
        want = np.pad(x, sides, mode="wrap")
        got = observed[name]
        height, width = x.shape[1:3]
        shapes = {
            "Only the rows have been continued.": (len(x), height + 2 * margin, width, x.shape[-1]),
            "Only the columns have been continued.": (len(x), height, width + 2 * margin, x.shape[-1]),
            "It has grown by margin pixels in all, or by one on each side: margin pixels on each of the four sides.": (
                len(x),
                height + margin,
                width + margin,
                x.shape[-1],
            ),
            "The images are axis 0: rows are axis 1, columns axis 2.": (
                len(x) + 2 * margin,
                height + 2 * margin,
                width,
                x.shape[-1],
            ),
        }
        expect.shape(got, want.shape, name, mistakes=shapes)
        rows = np.concatenate([x[:, :margin], x, x[:, -margin:]], axis=1)
        corners = np.pad(np.pad(x, (*sides[:2], (0, 0), (0, 0)), mode="wrap"), ((0, 0), (0, 0), *sides[2:]))
        corners[:, margin:-margin] = want[:, margin:-margin]
        mistakes = {
            "Around the box are zeros.": np.pad(x, sides),
            "The box is mirrored at its edges: before the first row stands the last.": np.pad(x, sides, "symmetric"),
            "The outermost pixels are repeated: before the first row stands the last.": np.pad(x, sides, "edge"),
            "Before and behind are exchanged: the last rows stand before the first.": np.concatenate(
                [rows[:, :, :margin], rows, rows[:, :, -margin:]], axis=2
            ),
            "The margin runs backwards: keep the order of its rows and columns.": _backwards(x, margin),
            "The corners are 0: take the columns of what the first step gave, not of x.": corners,
            "The row of the other edge is repeated: a margin has as many different rows as it is wide.": _repeated(
                x, margin
            ),
            "All of the margin is behind the box: half of it belongs before.": np.pad(
                x, ((0, 0), (0, 2 * margin), (0, 2 * margin), (0, 0)), mode="wrap"
            ),
            "All of the margin is before the box: half of it belongs behind.": np.pad(
                x, ((0, 0), (2 * margin, 0), (2 * margin, 0), (0, 0)), mode="wrap"
            ),
            "The margin begins one row too far inside: the last rows end with the very last.": _too_far_inside(
                x, margin
            ),
            "Opposite corners are exchanged: take the columns of what the first step gave.": _wrong_corners(x, margin),
        }
        mistakes = {s: wrong for s, wrong in mistakes.items() if wrong.shape == want.shape and (wrong != want).any()}
        if margin == 1:  # mirrored, repeated and exchanged are the same
            mistakes = {
                "Before the first row stands the first once more: the last belongs there, and behind the last the "
                "first.": np.pad(x, sides, "edge")
            } | mistakes
        if min(height, width) > margin:
            mistakes["The box is mirrored at its edges."] = np.pad(x, sides, "reflect")
        expect.close(got, want, name, mistakes=mistakes)

    @subtest("before the first row and column stands the last, and the other way round")
    def one(self, cases, observed):
        for name in ("one row", "margin 1"):
            self._compare(cases, observed, name)

    @subtest("wider margins keep their order, corners included")
    def wide(self, cases, observed):
        for name in ("margin 3", "as wide as the box"):
            self._compare(cases, observed, name)

    @subtest("a box twice as far is the same box: moving it moves the margin along")
    def shifted(self, cases, observed):
        for name in ("margin 1", "margin 3"):
            x, margin = cases[name]["x"], cases[name]["margin"]
            height, width = x.shape[1:3]
            got = np.asarray(observed[name])
            expect.shape(got, (len(x), height + 2 * margin, width + 2 * margin, x.shape[-1]), name)
            expect.close(got[:, height:], got[:, : 2 * margin], f"{name}: rows one box further")
            expect.close(got[:, :, width:], got[:, :, : 2 * margin], f"{name}: columns one box further")

    @subtest("inside a model of unknown height and width")
    def in_a_model(self, cases, observed):
        try:
            observed["in a model"]
        except expect.NotYet as problem:
            raise expect.NotYet(
                f"{problem}\nInside a model x is not an array yet, and its height and width are None: use "
                "keras.ops and slices, no NumPy, and no x.shape."
            ) from None
        self._compare(cases, observed, "in a model")


def _repeated(x, margin):
    for axis in (1, 2):
        first, last = np.take(x, [0] * margin, axis), np.take(x, [-1] * margin, axis)
        x = np.concatenate([last, x, first], axis)
    return x


def _too_far_inside(x, margin):
    for axis in (1, 2):
        side = x.shape[axis]
        before, behind = np.arange(side - margin - 1, side - 1), np.arange(1, margin + 1)
        x = np.concatenate([np.take(x, before, axis, mode="wrap"), x, np.take(x, behind, axis, mode="wrap")], axis)
    return x


def _wrong_corners(x, margin):
    made = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="wrap")
    for rows, same in ((slice(None, margin), slice(None, margin)), (slice(-margin, None), slice(-margin, None))):
        made[:, rows, :margin] = x[:, same, :margin]
        made[:, rows, -margin:] = x[:, same, -margin:]
    return made


def _backwards(x, margin):
    for axis in (1, 2):
        first, last = np.split(x, [margin], axis)[0], np.split(x, [x.shape[axis] - margin], axis)[1]
        x = np.concatenate([np.flip(last, axis), x, np.flip(first, axis)], axis)
    return x


def _pad(answer, x, margin):
    return answer(keras.ops.convert_to_tensor(x), margin)


def _pad_in_a_model(answer, x, margin):
    inputs = keras.Input((None, None, x.shape[-1]))
    return keras.Model(inputs, answer(inputs, margin))(x)
