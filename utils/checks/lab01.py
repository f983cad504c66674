"""Exercises and claims of lab 01, HoG features.

Oracles: ``numpy.histogram``, ``scipy.ndimage``, ``numpy.interp`` on a ring, ``skimage.measure.block_reduce``,
``sklearn.preprocessing.normalize``, ``skimage.feature.hog`` with hard votes, ``scipy.spatial.distance.pdist``, and
properties: ramps of known direction, contrast inversion, mirror images, conservation of votes.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import pdist
from skimage.feature import hog as skimage_hog
from skimage.measure import block_reduce
from skimage.util import view_as_windows
from sklearn.preprocessing import normalize

from utils.checks import Exercise, expect, run, subtest
from utils.results import SHARE, Claim

CLAIMS = {
    "pixels_accuracy": Claim(
        "accuracy of pixels + linear SVM, upright galaxies, the better of two stretches", limits=SHARE
    ),
    "hog_accuracy": Claim("accuracy of HoG + linear SVM, upright galaxies", limits=SHARE),
    "hog_minus_pixels": Claim("what HoG gains over pixels with the same linear SVM, upright galaxies", ">= 0.08"),
    "colour_gain": Claim("what two colours add to HoG, linear SVM, upright galaxies", ">= 0.02"),
    "all_accuracy": Claim("accuracy of all features together, linear SVM, upright galaxies", limits=SHARE),
    "quarter_turn_loss": Claim("what HoG + linear SVM, trained upright, loses on galaxies turned by 90°", ">= 0.1"),
    "rotation_loss": Claim(
        "what HoG + linear SVM loses from upright to random orientation, trained on each", ">= 0.03"
    ),
    "hog_random_accuracy": Claim(
        "accuracy of HoG + kernel SVM, random orientation, 4000 galaxies as in lab 03", limits=SHARE
    ),
    "hog_fast_enough": Claim("your HoG takes at most three times as long as scikit-image's (1 is yes)", "== 1"),
}


class ColourHistogram(Exercise):
    id = "1.1"
    title = "a histogram for each band"
    hints = (
        "A histogram forgets where a value was: for one band you need all its values as one long list.",
        "np.clip moves values outside the range to its ends; np.histogram(values, bins=..., range=...) counts"
        " them. Divide the counts of a band by the number of its pixels.",
        "almost code:"
        "\n    values = np.clip(image[..., band], low, high)      # for each band"
        "\n    counts, _ = np.histogram(values, bins=bins, range=(low, high))"
        "\n    keep counts / values.size in a list, and join the list with np.concatenate",
    )

    def inputs(self, rng):
        end = np.linspace(0.0, 1.0, 9)[:, None, None] * np.ones((1, 2, 1))
        bands = np.stack([np.full((4, 6), 0.1), np.full((4, 6), 0.3), np.full((4, 6), 0.9)], axis=-1)
        outside = rng.uniform(-1.5, 2.5, size=(9, 6, 2))
        return {
            "three bands": {"image": rng.uniform(size=(10, 7, 3))},
            "one colour": {"image": bands, "bins": 5},
            "upper end": {"image": end, "bins": 4},
            "outside": {"image": outside, "bins": 4},
            "uint8": {
                "image": rng.integers(0, 256, size=(6, 5, 3)).astype("uint8"),
                "bins": 16,
                "value_range": (0, 255),
            },
            "one band, float32": {"image": rng.normal(size=(5, 11, 1)).astype("float32"), "value_range": (-2.0, 3.0)},
        }

    def reference(self):
        def colour_histogram(image, bins=8, value_range=(0.0, 1.0)):
            image = np.clip(image, *value_range)
            edges = np.histogram_bin_edges(image, bins=bins, range=value_range)
            return np.concatenate([np.histogram(band, edges)[0] / band.size for band in np.moveaxis(image, -1, 0)])

        return colour_histogram

    def want(self, case):
        return self.reference()(**case)

    @subtest("the shares of each band add up to one")
    def sums(self, cases, observed):
        expect.shape(
            observed["three bands"],
            (24,),
            "three bands of 8 bins",
            mistakes={"This is one histogram for each band: join them into one long array, np.concatenate.": (3, 8)},
        )
        got = np.asarray(observed["three bands"]).reshape(3, 8).sum(axis=1)
        expect.close(
            got,
            [1, 1, 1],
            "sum over the bins of each band",
            mistakes={
                "These are counts: divide by the number of pixels.": [70, 70, 70],
                "The whole vector adds up to one: divide by the pixels of one band, not of all.": [1 / 3] * 3,
                "This is a density, whose integral is one: divide by the number of pixels, not by the bin width too.": [
                    8,
                    8,
                    8,
                ],
            },
        )

    @subtest("band after band")
    def bands(self, cases, observed):
        want = self.want(cases["one colour"])
        expect.close(
            observed["one colour"],
            want,
            "the histograms of an image of one colour",
            mistakes={
                "The bins come first and the bands inside: join whole histograms.": want.reshape(3, 5).T.ravel(),
                "All bands share one histogram: make one for each.": want.reshape(3, 5).mean(axis=0),
                "reshape(bands, -1) does not move the axis: take image[..., band].": np.full(15, 1 / 3)
                * np.tile([1, 1, 0, 0, 1], 3),
                "np.histogram chose its own range: hand it range=value_range.": np.tile([0, 0, 1, 0, 0], 3),
            },
        )

    @subtest("the upper end of the range falls into the last bin")
    def upper_end(self, cases, observed):
        expect.close(
            observed["upper end"], self.want(cases["upper end"]), "histogram of the values 0, 1/8, ... 1 in 4 bins"
        )

    @subtest("values outside the range count in the end bins")
    def outside(self, cases, observed):
        image = cases["outside"]["image"]
        kept = np.concatenate([np.histogram(image[..., b], 4, (0, 1))[0] / image[..., b].size for b in range(2)])
        lost = "np.histogram leaves out what is outside: clip first. The bright centre of a galaxy must not vanish."
        expect.close(
            observed["outside"],
            self.want(cases["outside"]),
            "histogram of values from -1.5 to 2.5 in the range 0 to 1",
            mistakes={lost: kept},
        )

    @subtest("other bands, ranges and number types")
    def other(self, cases, observed):
        for name in ("three bands", "uint8", "one band, float32"):
            case = cases[name]
            bins, low_high = case.get("bins", 8), case.get("value_range", (0.0, 1.0))
            bands = np.moveaxis(np.clip(case["image"], *low_high), -1, 0)
            own_range = np.concatenate([np.histogram(band, bins)[0] / band.size for band in bands])
            mistakes = {"np.histogram chose its own range: hand it range=value_range.": own_range}
            expect.close(observed[name], self.want(case), name, mistakes=mistakes)


def _ramp(angle, shape):
    """A plane that rises by one per pixel in the direction `angle` (degrees, from right towards down)."""
    rows, columns = np.indices(shape)
    return np.cos(np.deg2rad(angle)) * columns + np.sin(np.deg2rad(angle)) * rows


def _pair(value):
    """Magnitude and orientation of an answer to exercise 1.2."""
    expect.true(isinstance(value, list) and len(value) == 2, "expected two arrays: return magnitude, orientation")
    shapes = [np.shape(part) for part in value]
    expect.true(
        shapes[0] == shapes[1], f"magnitude has the shape {shapes[0]}, orientation {shapes[1]}: both have the image's"
    )
    return np.asarray(value[0], dtype=float), np.asarray(value[1], dtype=float)


def _reference_gradients(image):
    image = np.asarray(image, dtype=float)
    parts = []
    for axis in (0, 1):
        part = ndimage.correlate1d(image, [-1.0, 0.0, 1.0], axis=axis)
        np.moveaxis(part, axis, 0)[[0, -1]] = 0.0
        parts.append(part)
    along_rows, along_columns = parts
    return np.hypot(along_rows, along_columns), np.rad2deg(np.arctan2(along_rows, along_columns)) % 180


def _magnitude_beyond_border(image, mode):
    """The magnitude when the image is continued beyond its border, see scipy.ndimage's modes."""
    image = np.asarray(image, dtype=float)
    return np.hypot(*(ndimage.correlate1d(image, [-1.0, 0.0, 1.0], axis=axis, mode=mode) for axis in (0, 1)))


class Gradients(Exercise):
    id = "1.2"
    title = "magnitude and orientation of the gradient"
    forbidden = ("skimage.feature.hog",)
    hints = (
        "Two slices of an image, shifted by two pixels against each other, give all differences at once.",
        "Begin with two arrays of zeros and fill their inner part: along_columns[:, 1:-1] = image[:, 2:] - "
        "image[:, :-2], and the same for rows. Then np.hypot for the length, np.arctan2 and np.rad2deg for "
        "the angle; the remainder after division by 180 folds opposite directions together.",
        "almost code:"
        "\n    image = np.asarray(image, dtype=float)"
        "\n    along_rows, along_columns = np.zeros(image.shape), np.zeros(image.shape)"
        "\n    ... fill them as in hint 2 ..."
        "\n    return np.hypot(along_rows, along_columns), np.rad2deg(np.arctan2(along_rows, along_columns)) % 180",
    )
    ANGLES = (0, 20, 45, 90, 110, 160)

    def inputs(self, rng):
        image = rng.normal(size=(9, 12))
        cases = {f"ramp at {angle} degrees": {"image": _ramp(angle, (8, 11))} for angle in self.ANGLES}
        return cases | {
            "noise": {"image": image},
            "inverted noise": {"image": -image},
            "edge": {"image": np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 5, axis=0)},
            "edge from the right": {"image": np.repeat([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]], 5, axis=0)},
            "uint8": {"image": rng.integers(0, 256, size=(7, 6)).astype("uint8")},
            "float32": {"image": rng.normal(size=(6, 13)).astype("float32")},
            "constant": {"image": np.full((5, 6), 3.0)},
        }

    def reference(self):
        def gradients(image):
            return _reference_gradients(image)

        return gradients

    def agrees(self, case, value, rtol=1e-5, places=np.s_[:, :]):
        """Magnitudes, and orientations up to half turns where there is a gradient, are those of scipy."""
        magnitude, orientation = _pair(value)
        want, angle = _reference_gradients(case["image"])
        expect.shape(magnitude, want.shape, "magnitude", mistakes={"Rows and columns are swapped.": want.T.shape})
        no_frame = np.pad(want[1:-1, 1:-1], 1)
        wrapped, edge, zeros = (
            _magnitude_beyond_border(case["image"], mode) for mode in ("wrap", "nearest", "constant")
        )
        magnitude, orientation, want, angle = magnitude[places], orientation[places], want[places], angle[places]
        expect.close(
            magnitude,
            want,
            "magnitude",
            rtol=rtol,
            atol=1e-5,
            mistakes={
                "Every value is half as large: [-1, 0, 1] does not divide by two.": want / 2,
                "The whole frame is zero: at the upper border only the difference along the rows has no neighbour, "
                "the one along the columns stays.": no_frame[places],
                "np.roll takes the pixel from the opposite border: there, the difference is 0.": wrapped[places],
                "The border pixels were repeated beyond the border: there, the difference is 0.": edge[places],
                "Zeros were put beyond the border: there, the difference is 0.": zeros[places],
            },
        )
        there = want > 1e-3
        turned = (orientation - angle + 90) % 180 - 90
        expect.close(
            turned[there], np.zeros(there.sum()), "orientation, difference from the right one in degrees", atol=1e-3
        )

    @subtest("a ramp of slope one has magnitude two")
    def magnitude(self, cases, observed):
        for angle in self.ANGLES:
            magnitude, _ = _pair(observed[f"ramp at {angle} degrees"])
            expect.shape(magnitude, (8, 11), "magnitude", mistakes={"Rows and columns are swapped.": (11, 8)})
            inner = magnitude[1:-1, 1:-1]
            one_sided = "The neighbours on both sides of a pixel are two pixels apart: [-1, 0, 1], not [-1, 1]."
            expect.close(
                inner,
                np.full(inner.shape, 2.0),
                f"magnitude of a ramp at {angle} degrees, inside",
                mistakes={
                    "You divided by two, or used np.gradient or neighbouring pixels. Here it is right minus left, "
                    "without division.": np.full(inner.shape, 1.0),
                    "This is the square of the length.": np.full(inner.shape, 4.0),
                    one_sided: np.full(inner.shape, np.sqrt(2)),
                },
            )

    @subtest("ramps at known angles")
    def angles(self, cases, observed):
        for angle in self.ANGLES:
            _, orientation = _pair(observed[f"ramp at {angle} degrees"])
            inner = orientation[1:-1, 1:-1]
            expect.shape(inner, (6, 9), "orientation, inside")
            full = np.full(inner.shape, 1.0)
            expect.true(
                np.isfinite(inner).all(),
                f"ramp at {angle} degrees: the orientation is not finite. np.arctan2 divides safely.",
            )
            turned = (inner - angle + 90) % 180 - 90
            mistakes = {}
            if angle not in (45, 90):
                mistakes["This is in radians: np.rad2deg."] = ((np.deg2rad(angle) - angle + 90) % 180 - 90) * full
                mistakes["Down and right are swapped: np.arctan2(along_rows, along_columns)."] = (
                    (90 - 2 * angle + 90) % 180 - 90
                ) * full
                mistakes["Rows count downwards: the difference is the lower minus the upper pixel."] = (
                    (-2 * angle + 90) % 180 - 90
                ) * full
            expect.close(
                turned,
                0 * full,
                f"orientation of a ramp at {angle} degrees, difference from the right one in degrees",
                atol=1e-3,
                mistakes=mistakes,
            )

    @subtest("orientations lie from 0 to 180 degrees")
    def folded(self, cases, observed):
        for name in ("noise", "inverted noise"):
            _, orientation = _pair(observed[name])
            expect.true(
                not np.isnan(orientation).any(),
                f"orientation: {int(np.isnan(orientation).sum())} of {orientation.size} values are NaN. They come "
                "from 0 / 0, where both differences are zero: use np.arctan2(along_rows, along_columns), which does "
                "not divide.",
            )
            expect.true(
                orientation.min() >= 0 and orientation.max() <= 180,
                f"orientation: found {expect.show(float(orientation.min()))} to "
                f"{expect.show(float(orientation.max()))} degrees. "
                "An angle and its opposite are one orientation: take the remainder after division by 180.",
            )
            expect.true(
                orientation.max() > 90,
                "no orientation is above 90 degrees: np.arctan2 keeps the signs, np.arctan of absolute values does not",
            )

    @subtest("from bright to dark counts as from dark to bright")
    def inversion(self, cases, observed):
        (a, alpha), (b, beta) = _pair(observed["noise"]), _pair(observed["inverted noise"])
        expect.close(b, a, "magnitude of the inverted image")
        clear = (a > 1e-3) & (np.abs(alpha % 180 - 90) < 89)  # near 0 and 180 degrees rounding may decide
        expect.close(
            (beta - alpha)[clear],
            np.zeros(clear.sum()),
            "change of the orientation when the image is inverted, in degrees",
            atol=1e-3,
        )
        left, right = (_pair(observed[name])[0].sum() for name in ("edge", "edge from the right"))
        expect.close(right, left, "sum of the magnitudes of an edge that is bright on the left")

    @subtest("rows stay rows and columns stay columns")
    def axes(self, cases, observed):
        self.agrees(cases["noise"], observed["noise"], places=np.s_[1:-1, 1:-1])
        self.agrees(cases["float32"], observed["float32"], places=np.s_[1:-1, 1:-1])

    @subtest("no difference across the border")
    def border(self, cases, observed):
        self.agrees(cases["noise"], observed["noise"])

    @subtest("whole numbers do not wrap around")
    def whole(self, cases, observed):
        magnitude, _ = _pair(observed["uint8"])
        want, _ = _reference_gradients(cases["uint8"]["image"])
        expect.close(
            magnitude[1:-1, 1:-1],
            want[1:-1, 1:-1],
            "magnitude of a uint8 image, inside",
            rtol=1e-3,
            mistakes={"Divided by two: [-1, 0, 1] does not divide.": want[1:-1, 1:-1] / 2},
        )

    @subtest("a constant image has no gradient")
    def constant(self, cases, observed):
        magnitude, orientation = _pair(observed["constant"])
        expect.close(magnitude, np.zeros((5, 6)), "magnitude of a constant image")
        expect.true(
            np.isfinite(orientation).all(), "orientation of a constant image: not finite. np.arctan2(0, 0) is 0."
        )


def _ring_votes(magnitude, orientation, bins=9):
    """Votes shared by linear interpolation on a ring of 180 degrees: numpy.interp with a period."""
    width = 180 / bins
    shares = [
        np.interp(orientation, [centre - width, centre, centre + width], [0, 1, 0], period=180)
        for centre in (np.arange(bins) + 0.5) * width
    ]
    return np.asarray(magnitude)[..., None] * np.stack(shares, axis=-1)


def _hard_votes(magnitude, orientation, bins=9):
    """The whole magnitude to the bin in which the orientation lies."""
    edges = np.linspace(0, 180, bins + 1)[1:]
    return np.asarray(magnitude)[..., None] * (np.digitize(orientation % 180, edges)[..., None] == np.arange(bins))


def _votes_by_place(magnitude, position, below, above, bins):
    """Votes for two bins of each pixel, one after the other, as an assignment by index leaves them."""
    votes = np.zeros((*magnitude.shape, bins))
    rows, columns = np.indices(magnitude.shape)
    share = position - np.trunc(position) if below is None else position - np.floor(position)
    below, above = (np.trunc(position) % bins, (np.trunc(position) + 1) % bins) if below is None else (below, above)
    votes[rows, columns, below.astype(int)] = magnitude * (1 - share)
    votes[rows, columns, above.astype(int)] = magnitude * share
    return votes


class SharedVotes(Exercise):
    id = "1.3"
    title = "votes shared between neighbouring bins"
    forbidden = ("skimage.feature.hog",)
    hints = (
        "Measure the orientation in units of bins, starting at the first centre: 10 degrees is 0, 30 degrees "
        "is 1, 20 is 0.5.",
        "position = orientation / width - 0.5. Its integer part (np.floor) is the bin below, the rest is the "
        "share of the bin above. Take both bin numbers modulo the number of bins, as the bins form a ring.",
        "almost code:"
        "\n    below = np.floor(position).astype(int)"
        "\n    share = position - below"
        "\n    votes = np.zeros((*magnitude.shape, bins))"
        "\n    rows, columns = np.indices(magnitude.shape)"
        "\n    votes[rows, columns, below % bins] = magnitude * (1 - share)"
        "\n    votes[rows, columns, (below + 1) % bins] = magnitude * share",
    )

    def inputs(self, rng):
        turned = rng.uniform(0, 179, size=(6, 30))
        size = rng.uniform(0.5, 2, size=(6, 30))
        return {
            "centres": {"magnitude": np.full((1, 9), 2.0), "orientation": np.arange(10.0, 180, 20)[None]},
            "half-way": {
                "magnitude": np.full((2, 4), 3.0),
                "orientation": np.array([[20.0, 40, 60, 80], [100, 120, 140, 160]]),
            },
            "nearer to one": {"magnitude": np.array([[1.0, 1.0]]), "orientation": np.array([[15.0, 105.0]])},
            "ring": {"magnitude": np.ones((1, 4)), "orientation": np.array([[0.0, 5.0, 175.0, 180.0]])},
            "noise": {"magnitude": size, "orientation": turned},
            "noise turned by a degree": {"magnitude": size, "orientation": turned + 1},
            "six bins": {
                "magnitude": rng.uniform(size=(4, 7)),
                "orientation": rng.uniform(0, 180, size=(4, 7)),
                "bins": 6,
            },
            "float32": {
                "magnitude": rng.uniform(size=(8, 3)).astype("float32"),
                "orientation": rng.uniform(0, 179.9, size=(8, 3)).astype("float32"),
            },
        }

    def reference(self):
        def shared_votes(magnitude, orientation, bins=9):
            return _ring_votes(magnitude, orientation, bins)

        return shared_votes

    def compare(self, name, cases, observed, what):
        case = cases[name]
        bins, width = case.get("bins", 9), 180 / case.get("bins", 9)
        magnitude, orientation = case["magnitude"], case["orientation"]
        no_ring = _ring_votes(magnitude, orientation, bins)
        no_ring[..., -1] *= orientation > width / 2
        no_ring[..., 0] *= orientation < 180 - width / 2
        position = orientation / width - 0.5
        swapped = _ring_votes(magnitude, (2 * np.floor(position) + 1 - position + 0.5) * width % 180, bins)
        below = np.floor(position)
        overwritten = _votes_by_place(
            magnitude, position, np.clip(below, 0, bins - 1), np.clip(below + 1, 0, bins - 1), bins
        )
        ring = "The bins form a ring: take the number of the bin modulo bins"
        mistakes = {}
        got, nearer = np.asarray(observed[name]), np.asarray(observed["nearer to one"])
        if nearer.shape == (1, 2, 9) and np.allclose(nearer, _hard_votes(**cases["nearer to one"])):
            # only then: with centres at 0, 20, ... 20 degrees go to one bin as well, though votes are shared
            whole = got.ndim == 3 and got.shape[:2] == magnitude.shape and np.allclose(got.max(axis=-1), magnitude)
            mistakes["The whole magnitude went to one bin: share it between the two nearest centres."] = (
                got if whole else _hard_votes(magnitude, orientation, bins)
            )
        expect.close(
            observed[name],
            _ring_votes(magnitude, orientation, bins),
            what,
            rtol=1e-4,
            atol=1e-5,
            mistakes=mistakes
            | {
                "The magnitude is forgotten: multiply the shares by it.": _ring_votes(
                    np.ones_like(magnitude), orientation, bins
                ),
                "astype(int) rounds -0.5 to 0, not down to -1: np.floor first.": _votes_by_place(
                    magnitude, position, None, None, bins
                ),
                f"{ring}, do not clip the position.": _ring_votes(
                    magnitude, np.clip(orientation, width / 2, 180 - width / 2), bins
                ),
                f"{ring}, do not clip the number.": overwritten,
                "The bins start at 0 degrees, but their centres are half a bin further: 10, 30, 50 ...": _ring_votes(
                    magnitude, (orientation + width / 2) % 180, bins
                ),
                "The bins form a ring: above the last centre and below the first, last and first share.": no_ring,
                "The shares are swapped: the nearer centre gets the larger one.": swapped,
            },
        )

    @subtest("a centre's angle votes for one bin alone")
    def centres(self, cases, observed):
        self.compare("centres", cases, observed, "votes of the angles 10, 30, ... 170 degrees")

    @subtest("half-way between two centres: half and half")
    def half_way(self, cases, observed):
        self.compare("half-way", cases, observed, "votes of the angles 20, 40, ... 160 degrees")

    @subtest("the nearer centre gets more")
    def nearer(self, cases, observed):
        self.compare("nearer to one", cases, observed, "votes of the angles 15 and 105 degrees")

    @subtest("the bins form a ring")
    def ring(self, cases, observed):
        self.compare("ring", cases, observed, "votes of the angles 0, 5, 175 and 180 degrees")

    @subtest("the votes of a pixel add up to its magnitude")
    def conserved(self, cases, observed):
        for name in ("noise", "ring", "six bins"):
            magnitude = cases[name]["magnitude"]
            expect.shape(observed[name], (*magnitude.shape, cases[name].get("bins", 9)), f"votes ({name})")
            expect.close(
                np.sum(observed[name], axis=-1),
                magnitude,
                f"sum of each pixel's votes ({name})",
                mistakes={"The magnitude is forgotten: multiply the shares by it.": np.ones_like(magnitude)},
            )

    @subtest("a turn by one degree moves few votes")
    def smooth(self, cases, observed):
        before, after = np.asarray(observed["noise"]), np.asarray(observed["noise turned by a degree"])
        expect.shape(after, before.shape, "votes after the turn")
        expect.true(
            not np.allclose(before.sum(axis=-1), 1),
            "the votes of every pixel add up to 1, not to its magnitude: multiply the shares by the magnitude.",
        )
        most = (np.abs(after - before).max(axis=-1) / cases["noise"]["magnitude"]).max()
        expect.true(
            most < 0.0501,
            f"one degree moved {expect.show(float(most))} of a vote. Bins are 20 degrees apart: it should be 1/20.",
        )

    @subtest("other numbers of bins and number types")
    def other(self, cases, observed):
        self.compare("six bins", cases, observed, "votes in six bins")
        self.compare("float32", cases, observed, "votes of float32 input")


def _reference_cells(votes, cell_size=8):
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    return block_reduce(votes[: rows * cell_size, : columns * cell_size], (cell_size, cell_size, 1), np.sum)


class CellHistograms(Exercise):
    id = "1.4"
    title = "one histogram for each cell"
    forbidden = ("skimage.feature.hog",)
    hints = (
        "A reshape can split one axis of 64 pixels into two: 8 cells of 8 pixels. Then sum over the pixels.",
        "Cut off what does not fill a cell, reshape to (rows, cell_size, columns, cell_size, bins) and sum "
        "over the axes 1 and 3.",
        "almost code:"
        "\n    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size"
        "\n    whole = votes[: rows * cell_size, : columns * cell_size]"
        "\n    return whole.reshape(rows, cell_size, ..., ..., -1).sum(axis=...)",
    )

    def inputs(self, rng):
        one = np.zeros((16, 24, 3))
        one[1:8, 9:15, 1] = 1.0
        return {
            "one bright cell": {"votes": one},
            "non-square": {"votes": rng.uniform(size=(32, 48, 9))},
            "left over": {"votes": rng.uniform(size=(21, 30, 4))},
            "small cells": {"votes": rng.uniform(size=(12, 8, 9)), "cell_size": 4},
            "odd cells": {"votes": rng.uniform(size=(10, 15, 2)).astype("float32"), "cell_size": 5},
        }

    def reference(self):
        def cell_histograms(votes, cell_size=8):
            return _reference_cells(votes, cell_size)

        return cell_histograms

    @subtest("a cell sums its own pixels")
    def own(self, cases, observed):
        want = _reference_cells(**cases["one bright cell"])
        expect.close(
            observed["one bright cell"],
            want,
            "cells of an image with light in one cell",
            mistakes={
                "This is the mean of a cell's pixels: sum them.": want / 64,
                "Rows and columns are swapped.": np.swapaxes(want, 0, 1),
                "The reshape mixes cells: the order is (rows, cell_size, columns, cell_size, bins).": (
                    cases["one bright cell"]["votes"].reshape(2, 3, 8, 8, 3).sum(axis=(2, 3))
                ),
            },
        )

    @subtest("no vote is lost and none counted twice")
    def conserved(self, cases, observed):
        for name in ("non-square", "small cells"):
            votes = cases[name]["votes"]
            total = np.asarray(observed[name], dtype=float)
            expect.true(total.ndim == 3, f"{name}: expected (rows, columns, bins), got the shape {total.shape}")
            expect.close(total.sum(axis=(0, 1)), votes.sum(axis=(0, 1)), f"sum over all cells ({name})")

    @subtest("rows before columns, and bins last")
    def order(self, cases, observed):
        expect.shape(
            observed["non-square"],
            (4, 6, 9),
            "cells of a 32 x 48 image",
            mistakes={"Rows and columns are swapped.": (6, 4, 9), "The bins come last.": (9, 4, 6)},
        )
        expect.close(observed["non-square"], _reference_cells(**cases["non-square"]), "cells of a 32 x 48 image")

    @subtest("what does not fill a cell is left out")
    def left_over(self, cases, observed):
        votes = cases["left over"]["votes"]
        expect.close(
            observed["left over"],
            _reference_cells(votes),
            "cells of a 21 x 30 image",
            mistakes={
                "Cells at the right and the lower edge are not full: leave them out.": block_reduce(
                    votes, (8, 8, 1), np.sum
                )
            },
        )

    @subtest("cells of other sizes")
    def sizes(self, cases, observed):
        for name in ("small cells", "odd cells"):
            expect.close(observed[name], _reference_cells(**cases[name]), name, rtol=1e-4)


def _reference_blocks(cells, block_size=2, epsilon=1e-5):
    """L2-Hys by scikit-image's windows and scikit-learn's normalize; epsilon is one more component of each vector."""
    bins = cells.shape[2]
    windows = view_as_windows(np.ascontiguousarray(cells, dtype=float), (block_size, block_size, bins))[:, :, 0]
    vectors = windows.reshape(-1, block_size * block_size * bins)
    more = np.full((len(vectors), 1), float(epsilon))
    for limit in (0.2, np.inf):
        vectors = np.minimum(normalize(np.hstack([vectors, more]))[:, :-1], limit)
    return vectors.reshape(windows.shape)


BLOCK_SHAPES = {
    "Blocks start at every cell, so neighbours overlap.": (2, 3, 2, 2, 9),
    "The bins come last: move the axis.": (3, 5, 9, 2, 2),
    "Keep the axes for now: (rows, columns, block, block, bins).": (3, 5, 36),
}


class NormaliseBlocks(Exercise):
    id = "1.5"
    title = "block normalisation, L2-Hys"
    forbidden = ("skimage.feature.hog",)
    hints = (
        "A block is a small array of 2 x 2 cells; blocks overlap, so a cell appears in up to four of them.",
        "np.lib.stride_tricks.sliding_window_view(cells, (block_size, block_size), axis=(0, 1)) gives all "
        "blocks, with the two axes of the window last; np.moveaxis(..., 2, -1) puts the bins last. Then three"
        " steps: divide by the length, np.minimum with 0.2, divide by the length. (Two loops over rows and "
        "columns are fine too.)",
        "almost code:"
        "\n    blocks = np.moveaxis(sliding_window_view(...), 2, -1)      # (rows, columns, block, block, bins)"
        "\n    length = np.sqrt((blocks**2).sum(axis=(2, 3, 4), keepdims=True) + epsilon**2)"
        "\n    blocks = np.minimum(blocks / length, 0.2)"
        "\n    compute the length again and divide again",
    )

    def inputs(self, rng):
        cells = rng.uniform(size=(4, 6, 9))
        peaked = rng.uniform(0, 0.05, size=(3, 3, 9))
        peaked[1, 1, 4] = 10.0
        blank = np.zeros((4, 3, 9))
        blank[3, 2] = rng.uniform(size=9)
        return {
            "even": {"cells": cells},
            "1000 times brighter": {"cells": 1000 * cells},
            "one strong direction": {"cells": peaked},
            "blank": {"cells": np.zeros((3, 3, 9))},
            "partly blank": {"cells": blank},
            "blocks of three": {"cells": rng.uniform(size=(5, 4, 6)).astype("float32"), "block_size": 3},
            "as weak as epsilon": {"cells": 0.01 * cells, "epsilon": 0.1},
        }

    def reference(self):
        def normalise_blocks(cells, block_size=2, epsilon=1e-5):
            return _reference_blocks(cells, block_size, epsilon)

        return normalise_blocks

    def compare(self, name, case, value):
        cells, block = np.asarray(case["cells"], dtype=float), case.get("block_size", 2)
        windows = view_as_windows(cells, (block, block, cells.shape[2]))[:, :, 0]
        vectors = windows.reshape(-1, windows[0, 0].size)
        each_cell = normalize(np.minimum(normalize(windows.reshape(-1, cells.shape[2])), 0.2)).reshape(windows.shape)
        expect.close(
            value,
            _reference_blocks(cells, block),
            f"normalised blocks ({name})",
            rtol=1e-4,
            mistakes={
                "The values are not cut at 0.2 between the two normalisations.": normalize(vectors).reshape(
                    windows.shape
                ),
                "After cutting at 0.2, normalise once more.": np.minimum(normalize(vectors), 0.2).reshape(
                    windows.shape
                ),
                "The values are cut before the first normalisation: normalise, cut at 0.2, normalise.": normalize(
                    np.minimum(vectors, 0.2)
                ).reshape(windows.shape),
                "np.maximum raises small values to 0.2: np.minimum cuts the large ones.": normalize(
                    np.maximum(normalize(vectors), 0.2)
                ).reshape(windows.shape),
                "You normalised each cell by itself: take the length over the whole block.": each_cell,
                "You divided by the sum (L1): the length is the root of the sum of squares.": normalize(
                    np.minimum(normalize(vectors, norm="l1"), 0.2), norm="l1"
                ).reshape(windows.shape),
                "The axes are in another order: (rows, columns, block, block, bins).": np.moveaxis(
                    _reference_blocks(cells, block), -1, 2
                ),
            },
        )

    @subtest("blocks overlap")
    def overlap(self, cases, observed):
        expect.shape(
            observed["even"],
            (3, 5, 2, 2, 9),
            "blocks of 4 x 6 cells",
            mistakes=BLOCK_SHAPES,
        )

    @subtest("each block has length one")
    def length(self, cases, observed):
        for name in ("even", "one strong direction"):
            got = np.asarray(observed[name], dtype=float)
            expect.true(
                got.ndim == 5, f"expected the axes (rows, columns, block, block, bins), got the shape {got.shape}"
            )
            lengths = np.sqrt((got**2).sum(axis=(2, 3, 4)))
            expect.close(lengths, np.ones(lengths.shape), f"lengths of the blocks ({name})", rtol=1e-4)

    @subtest("the values are those of L2-Hys")
    def values(self, cases, observed):
        self.compare("even", cases["even"], observed["even"])
        self.compare("blocks of three", cases["blocks of three"], observed["blocks of three"])

    @subtest("one strong direction is cut at 0.2")
    def cut(self, cases, observed):
        self.compare("one strong direction", cases["one strong direction"], observed["one strong direction"])

    @subtest("a brighter image gives the same")
    def brighter(self, cases, observed):
        expect.shape(observed["even"], _reference_blocks(**cases["even"]).shape, "normalised blocks")
        expect.close(
            observed["1000 times brighter"], observed["even"], "blocks of an image 1000 times brighter", rtol=1e-4
        )

    @subtest("a blank block stays zero")
    def blank(self, cases, observed):
        for name in ("blank", "partly blank"):
            got = np.asarray(observed[name], dtype=float)
            expect.true(not np.isnan(got).any(), f"{name}: 0 / 0 gives NaN. epsilon in the length prevents it.")
            expect.close(got, _reference_blocks(**cases[name]), f"normalised blocks ({name})", rtol=1e-4)

    @subtest("epsilon tames blocks weaker than itself")
    def weak(self, cases, observed):
        case, got = cases["as weak as epsilon"], np.asarray(observed["as weak as epsilon"], dtype=float)
        expect.shape(got, (3, 5, 2, 2, 9), "blocks of 4 x 6 cells", mistakes=BLOCK_SHAPES)
        energy = block_reduce(got[:1, :1] ** 2, (1, 1, 2, 2, got.shape[-1]), np.sum).item()
        first = (case["cells"][:2, :2] ** 2).sum()
        cut = np.minimum(case["cells"][:2, :2] / np.sqrt(first + 0.01), 0.2)
        after = (cut**2).sum()
        expect.close(
            energy,
            after / (after + 0.01),
            "sum of squares of a block whose length is below epsilon = 0.1",
            rtol=1e-3,
            mistakes={
                "epsilon is squared before it is added: sqrt(sum of squares + epsilon²).": _energy_with_plain_epsilon(
                    case["cells"][:2, :2], 0.1
                ),
                "epsilon is added outside the root: sqrt(sum of squares + epsilon²).": _energy_with_epsilon_outside(
                    case["cells"][:2, :2], 0.1
                ),
                "epsilon has no effect: add epsilon² inside the root.": 1.0,
            },
        )


def _energy_with_plain_epsilon(block, epsilon):
    for limit in (0.2, np.inf):
        block = np.minimum(block / np.sqrt((block**2).sum() + epsilon), limit)
    return (block**2).sum()


def _energy_with_epsilon_outside(block, epsilon):
    for limit in (0.2, np.inf):
        block = np.minimum(block / (np.sqrt((block**2).sum()) + epsilon), limit)
    return (block**2).sum()


def _reference_hog(image, vote=_ring_votes, bins=9, cell_size=8, block_size=2):
    magnitude, orientation = _reference_gradients(image)
    return _reference_blocks(_reference_cells(vote(magnitude, orientation, bins), cell_size), block_size).ravel()


def _exchanged(vote):
    """`vote` called with the orientation in the place of the magnitude."""
    return lambda magnitude, orientation, bins: vote(orientation, magnitude, bins)


EXCHANGED = "Magnitude and orientation are exchanged: gradients returns the magnitude first, and vote takes it first."


class Hog(Exercise):
    id = "1.6"
    title = "the whole descriptor"
    forbidden = ("skimage.feature.hog",)
    hints = (
        "You have written all four steps: this function calls them one after the other.",
        "The function that distributes the votes is the argument `vote`; call it with magnitude, orientation "
        "and bins. Hand bins, cell_size and block_size on to the steps that need them.",
        "almost code:"
        "\n    magnitude, orientation = gradients(image)"
        "\n    votes = vote(magnitude, orientation, bins)"
        "\n    cells = ..."
        "\n    return normalise_blocks(cells, block_size).ravel()",
    )

    def inputs(self, rng):
        image = ndimage.gaussian_filter(rng.normal(size=(32, 48)), 1.5)
        wave = np.sin(_ramp(19.5, (32, 32)) / 2), np.sin(_ramp(20.5, (32, 32)) / 2)
        return {
            "noise": {"image": image},
            "inverted": {"image": -image},
            "brighter": {"image": 50 * image + 300},
            "mirrored": {"image": image[:, ::-1].copy()},
            "wave": {"image": wave[0]},
            "wave, one degree further": {"image": wave[1]},
            "constant": {"image": np.full((24, 24), 7.0)},
            "left over": {"image": rng.normal(size=(37, 29))},
            "hard, noise": {"image": image, "hard": True},
            "hard, uint8": {"image": rng.integers(0, 256, size=(40, 24)).astype("uint8"), "hard": True},
            "hard, other sizes": {
                "image": rng.normal(size=(30, 42)),
                "hard": True,
                "bins": 6,
                "cell_size": 6,
                "block_size": 3,
            },
        }

    def observe(self, answer, cases):
        def call(image, hard=False, **settings):
            return answer(image, vote=_hard_votes, **settings) if hard else answer(image, **settings)

        return {name: run(call, **case) for name, case in cases.items()}

    def reference(self):
        def hog(image, vote=_ring_votes, bins=9, cell_size=8, block_size=2):
            return _reference_hog(image, vote, bins, cell_size, block_size)

        return hog

    @subtest("one number for each bin of each cell of each block")
    def length(self, cases, observed):
        grid = "Keep the axes' order and flatten at the end with ravel()."
        expect.shape(
            observed["noise"], (3 * 5 * 2 * 2 * 9,), "descriptor of a 32 x 48 image", mistakes={grid: (3, 5, 2, 2, 9)}
        )
        expect.shape(observed["left over"], (3 * 2 * 2 * 2 * 9,), "descriptor of a 37 x 29 image")

    @subtest("with hard votes it is scikit-image's descriptor", points=2)
    def library(self, cases, observed):
        for name in ("hard, noise", "hard, uint8", "hard, other sizes"):
            case = cases[name]
            bins, cell, block = case.get("bins", 9), case.get("cell_size", 8), case.get("block_size", 2)
            image = np.asarray(case["image"], dtype=float)
            want = skimage_hog(image, bins, (cell, cell), (block, block), block_norm="L2-Hys")
            swapped = skimage_hog(image.T, bins, (cell, cell), (block, block), block_norm="L2-Hys")
            expect.close(
                observed[name],
                want,
                f"descriptor ({name})",
                rtol=1e-4,
                atol=1e-6,
                mistakes={
                    "`vote` was not used: these are shared votes.": _reference_hog(
                        image, _ring_votes, bins, cell, block
                    ),
                    EXCHANGED: _reference_hog(image, _exchanged(_hard_votes), bins, cell, block),
                    "Rows and columns are swapped.": swapped,
                },
            )

    @subtest("votes are shared when nothing else is said")
    def shared(self, cases, observed):
        expect.close(
            observed["noise"],
            _reference_hog(cases["noise"]["image"]),
            "descriptor with shared votes",
            rtol=1e-4,
            atol=1e-6,
            mistakes={
                "These are hard votes: `vote` is shared_votes by default.": _reference_hog(
                    cases["noise"]["image"], _hard_votes
                ),
                EXCHANGED: _reference_hog(cases["noise"]["image"], _exchanged(_ring_votes)),
            },
        )

    @subtest("contrast inversion changes nothing")
    def inversion(self, cases, observed):
        expect.shape(observed["noise"], (540,), "descriptor")
        expect.close(observed["inverted"], observed["noise"], "descriptor of the inverted image", rtol=1e-4, atol=1e-6)

    @subtest("a brighter image on a brighter sky changes nothing")
    def brighter(self, cases, observed):
        expect.shape(observed["noise"], (540,), "descriptor")
        expect.close(
            observed["brighter"], observed["noise"], "descriptor of 50 times the image plus 300", rtol=1e-3, atol=1e-5
        )

    @subtest("a mirrored image has the mirrored descriptor")
    def mirror(self, cases, observed):
        expect.shape(observed["mirrored"], (540,), "descriptor of the mirrored image")
        back = np.asarray(observed["mirrored"]).reshape(3, 5, 2, 2, 9)[:, ::-1, :, ::-1, ::-1].ravel()
        expect.close(back, observed["noise"], "descriptor of the mirrored image, mirrored back", rtol=1e-4, atol=1e-6)

    @subtest("a turn by one degree changes little")
    def smooth(self, cases, observed):
        before, after = np.asarray(observed["wave"]), np.asarray(observed["wave, one degree further"])
        expect.shape(after, before.shape, "descriptor of the turned wave")
        change = np.sqrt(((after - before) ** 2).sum() / (before**2).sum())
        expect.true(
            change < 0.25,
            f"one degree changed the descriptor by {expect.show(float(change))} of its length: share the votes.",
        )

    @subtest("a constant image gives zeros")
    def constant(self, cases, observed):
        expect.close(observed["constant"], np.zeros(144), "descriptor of a constant image")


class Asymmetry(Exercise):
    id = "1.7"
    title = "asymmetry"
    hints = (
        "Half a turn takes the pixel [row, column] to [-1 - row, -1 - column].",
        "image[::-1, ::-1] is the image after half a turn. Sum the absolute differences, subtract what the "
        "noise adds, divide by the sum of the absolute values.",
        "almost code:"
        "\n    image = np.asarray(image, dtype=float)"
        "\n    difference = np.abs(image - image[::-1, ::-1]).sum()"
        "\n    from_noise = ...      # for all pixels together"
        "\n    return (difference - from_noise) / np.abs(image).sum()",
    )

    def inputs(self, rng):
        image = rng.uniform(1, 3, size=(9, 14))
        one = np.zeros((7, 7))
        one[1, 1], one[1, 2] = 5.0, 2.0
        mirror = rng.uniform(1, 3, size=(6, 5))
        quarter = rng.uniform(1, 3, size=(6, 6))
        two = np.zeros((8, 8))
        two[1, 3] = two[6, 4] = 4.0
        return {
            "point-symmetric": {"image": image + image[::-1, ::-1]},
            "two opposite stars": {"image": two},
            "one star": {"image": one},
            "mirror-symmetric": {"image": mirror + mirror[:, ::-1]},
            "square": {"image": quarter},
            "noise": {"image": rng.normal(0, 2, size=(300, 200)), "sky_noise": 2.0},
            "faint in much noise": {"image": image, "sky_noise": 2.0},
            "galaxy": {"image": image},
            "brighter galaxy": {"image": 7 * image},
            "uint8": {"image": rng.integers(0, 256, size=(5, 6)).astype("uint8")},
        }

    def reference(self):
        def asymmetry(image, sky_noise=0.0):
            image = np.asarray(image, dtype=float)
            turned = np.rot90(image, 2)
            return (np.abs(image - turned).sum() - image.size * 2 * sky_noise / np.sqrt(np.pi)) / np.abs(image).sum()

        return asymmetry

    def want(self, case):
        return self.reference()(**case)

    @subtest("an image that half a turn leaves unchanged has none")
    def symmetric(self, cases, observed):
        for name in ("point-symmetric", "two opposite stars"):
            expect.close(observed[name], 0.0, f"asymmetry ({name})", atol=1e-6)

    @subtest("a star off the centre has asymmetry two")
    def star(self, cases, observed):
        expect.close(
            observed["one star"],
            2.0,
            "asymmetry of one star off the centre",
            mistakes={
                "Without absolute values, differences cancel.": 0.0,
                "Some authors divide by two; here there is no such factor.": 1.0,
                "This is the sum of the differences: divide it by the sum of the absolute values. Are there brackets "
                "around (difference - noise)?": 14.0,
                "These are squares: take absolute values.": 58 / 7,
            },
        )

    @subtest("half a turn, not a mirror or a quarter turn")
    def turn(self, cases, observed):
        for name in ("mirror-symmetric", "square"):
            image = cases[name]["image"]
            mistakes = {
                "This is a mirror image, left and right exchanged.": np.abs(image - image[:, ::-1]).sum() / image.sum(),
                "This is a mirror image, top and bottom exchanged.": np.abs(image - image[::-1]).sum() / image.sum(),
            }
            if name == "square":
                mistakes["This is a quarter turn."] = np.abs(image - np.rot90(image)).sum() / image.sum()
            expect.close(observed[name], self.want(cases[name]), f"asymmetry ({name})", mistakes=mistakes)

    @subtest("noise alone has none once its share is taken off")
    def noise(self, cases, observed):
        for name, what in (
            ("faint in much noise", "asymmetry of a smooth image with sky_noise=2, which is negative"),
            ("noise", "asymmetry of pure noise"),
        ):
            image, sigma = cases[name]["image"], cases[name]["sky_noise"]
            total, raw = np.abs(image).sum(), np.abs(image - image[::-1, ::-1]).sum()
            each = 2 * sigma / np.sqrt(np.pi)
            want = self.want(cases[name])
            number = "A mean difference of 2 sigma / sqrt(pi) comes from every pixel: multiply by their number"
            average = "Two values of the noise differ by 2 sigma / sqrt(pi) on average, not by"
            kept = "The noise may be larger than the difference: keep the negative value"
            mistakes = {
                f"{number}.": (raw - each) / total,
                f"{number}, image.size. len(image) is the number of rows.": (raw - len(image) * each) / total,
                "The share of the noise is not subtracted.": raw / total,
                f"{average} sigma.": (raw - sigma * image.size) / total,
                f"{average} sqrt(2) sigma.": (raw - np.sqrt(2) * sigma * image.size) / total,
                "Only the noise is divided: put brackets around (difference - noise).": raw - each * image.size / total,
                "Divide by the sum of the absolute values: pixels of noise are negative, too.": (
                    (raw - each * image.size) / image.sum()
                ),
                f"{kept}, without abs().": abs(want),
            }
            if not np.allclose(observed["one star"], 0):  # else the differences cancel
                mistakes[f"{kept}, without max(0, ...)."] = max(0.0, want)
            expect.close(observed[name], want, what, rtol=0, atol=1e-4, mistakes=mistakes)

    @subtest("a brighter galaxy has the same asymmetry")
    def brighter(self, cases, observed):
        expect.close(observed["galaxy"], self.want(cases["galaxy"]), "asymmetry of a 9 x 14 image")
        expect.close(observed["brighter galaxy"], observed["galaxy"], "asymmetry of the image times 7")

    @subtest("whole numbers do not wrap around")
    def whole(self, cases, observed):
        expect.close(observed["uint8"], self.want(cases["uint8"]), "asymmetry of a uint8 image", rtol=1e-4)


class Gini(Exercise):
    id = "1.8"
    title = "Gini coefficient"
    hints = (
        "Sort the pixels by their absolute value; the brightest then has the largest weight.",
        "With the n sorted values x and i = 1 ... n: the sum of (2 i - n - 1) x, divided by mean(x) n (n - "
        "1). A galaxy without any light would divide by zero: return 0 for it.",
        "almost code:"
        "\n    x = np.sort(np.abs(np.asarray(values, dtype=float)), axis=None)"
        "\n    n = x.size"
        "\n    i = np.arange(1, n + 1)"
        "\n    if x.sum() == 0: return 0.0"
        "\n    return (...).sum() / (x.mean() * n * (n - 1))",
    )

    def inputs(self, rng):
        one = np.zeros(50)
        one[17] = 3.0
        values = rng.exponential(size=120)
        return {
            "uniform": {"values": np.full((6, 7), 2.5)},
            "one bright pixel": {"values": one},
            "two values": {"values": np.array([1.0, 3.0])},
            "exponential": {"values": values},
            "image": {"values": values.reshape(10, 12)},
            "fainter": {"values": 0.01 * values},
            "with negative values": {"values": rng.normal(size=(9, 8))},
            "no light": {"values": np.zeros(12)},
            "uint8": {"values": rng.integers(0, 256, size=40).astype("uint8")},
        }

    def reference(self):
        def gini(values):
            values = np.abs(np.asarray(values, dtype=float)).ravel()
            return float(pdist(values[:, None]).mean() / (2 * values.mean())) if values.any() else 0.0

        return gini

    def want(self, case):
        return self.reference()(**case)

    @subtest("equal pixels give 0")
    def uniform(self, cases, observed):
        expect.close(observed["uniform"], 0.0, "Gini coefficient of equal pixels", atol=1e-6)

    @subtest("all the light in one pixel gives 1")
    def one(self, cases, observed):
        expect.close(
            observed["one bright pixel"],
            1.0,
            "Gini coefficient of one bright pixel among 50",
            mistakes={
                "Divide by n (n - 1), not by n².": 49 / 50,
                "The values are not sorted: the weights belong to the ranks.": (2 * 18 - 51) / 49,
                "The largest value has the rank n: sort from faint to bright.": -1.0,
                "Ranks run from 1 to n, not from 0.": (2 * 49 - 51) / 49,
            },
        )

    @subtest("it is half the mean difference of two pixels over their mean")
    def oracle(self, cases, observed):
        for name in ("two values", "exponential"):
            expect.close(observed[name], self.want(cases[name]), f"Gini coefficient ({name})")

    @subtest("neither the shape nor the brightness matters")
    def invariant(self, cases, observed):
        expect.close(
            observed["image"],
            self.want(cases["exponential"]),
            "Gini coefficient of the values as an image",
        )
        expect.close(observed["fainter"], observed["exponential"], "Gini coefficient of a fainter image")

    @subtest("negative pixels count by their absolute value")
    def negative(self, cases, observed):
        values = cases["with negative values"]["values"].ravel()
        n = values.size
        weights = 2 * np.arange(1, n + 1) - n - 1
        signed = np.sort(values)
        expect.close(
            observed["with negative values"],
            self.want(cases["with negative values"]),
            "Gini coefficient of noise",
            mistakes={
                "The values were sorted before np.abs: take absolute values first, then sort.": (
                    (weights * np.abs(signed)).sum() / (np.abs(signed).mean() * n * (n - 1))
                ),
                "The values keep their signs: take absolute values before sorting.": (
                    (weights * signed).sum() / (signed.mean() * n * (n - 1))
                ),
            },
        )

    @subtest("an image without light gives 0")
    def dark(self, cases, observed):
        expect.true(
            not np.isnan(np.asarray(observed["no light"], dtype=float)).any(),
            "0 / 0 gives NaN: return 0 when there is no light",
        )
        expect.close(observed["no light"], 0.0, "Gini coefficient without light")

    @subtest("whole numbers do not wrap around")
    def whole(self, cases, observed):
        expect.close(observed["uint8"], self.want(cases["uint8"]), "Gini coefficient of uint8 values")
