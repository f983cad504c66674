"""Data sets of many objects: the real tile and simulated fields; and how like the tile the fields are."""

import hashlib
import shutil

import numpy as np
import pytest
from scipy import ndimage, optimize

from utils import datasets, sky
from utils.datasets import fields, hsc, hsc_tile
from utils.files import ROOT

SURVEY = sky.SURVEYS["HSC tile"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of these tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def tile():
    return datasets.load("hsc").test


@pytest.fixture(scope="module")
def stored():
    return hsc.read()


@pytest.fixture(scope="module")
def field():
    """A simulated field as large as the tile."""
    rng = np.random.default_rng(1)
    return sky.render_field(sky.draw_field(1037, SURVEY, rng, magnitude=(18, 27)), SURVEY, 1037, rng)


# --- the file of the tile -------------------------------------------------------------------------------------------


def test_what_hsc_gives(tile):
    data = datasets.load("hsc")
    assert data.survey is SURVEY and data.bands == ("g", "r", "i") and data.class_names == ("star", "galaxy")
    assert tile.images.shape == (1, 1050, 1025, 3) and tile.images.dtype == np.float32 and tile.labels is None
    assert tile.segmentation.shape == tile.unlabelled.shape == (1, 1050, 1025)
    assert len(data.train.truth) == 0 and data.validation.images.shape == (0, 1050, 1025, 3)
    assert np.unique(tile.truth["kind"], return_counts=True)[1].tolist() == [421, 33]
    magnitude = tile.truth["magnitude"]
    assert 17.1 < magnitude.min() < 17.3 and 26 < magnitude.max() < 26.2


def test_the_file_is_small_and_what_its_readme_says():
    assert hsc.PATH.stat().st_size < 2.3e6
    assert hashlib.sha256(hsc.PATH.read_bytes()).hexdigest() == hsc.SHA256
    assert hsc.SHA256 in (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_a_missing_or_damaged_file_is_named_with_the_way_on(monkeypatch, tmp_path):
    path = tmp_path / "hsc_tile.npz"
    monkeypatch.setattr(hsc, "PATH", path)
    with pytest.raises(
        FileNotFoundError, match=r"hsc_tile.npz cannot be read \(No such file .* `git checkout -- data/hsc_tile.npz`"
    ):
        hsc.read()
    path.write_bytes((ROOT / "data" / "hsc_tile.npz").read_bytes()[:-1])
    with pytest.raises(OSError, match=r"hsc_tile.npz is damaged: its checksum .* `git checkout"):
        hsc.read()


def test_rounding_is_far_below_the_noise():
    noise = np.array([0.0126, 0.0176, 0.0229])
    sigmas = np.concatenate([np.linspace(-5, 100, 20001), np.geomspace(100, 14500, 2000)])
    flux = sigmas[:, None, None] * noise
    error = np.abs(hsc.decode(*hsc.encode(flux, noise), noise) - flux) / noise
    assert error[sigmas < 100].max() < 0.126 and np.sqrt(np.mean(error[sigmas < 5] ** 2)) < 0.075
    assert error.max() < 0.55


def test_the_file_is_made_alike_each_time(stored, tmp_path):
    """Back to the format of the package, from what is stored, and here again: nothing changes but by rounding."""
    from astropy.io import fits

    folder = tmp_path / hsc_tile.INSIDE
    folder.mkdir(parents=True)
    for band, name in enumerate("GRI"):
        path = folder / f"{name}-10054-0,2-c1_scarlet_img.fits"
        fits.writeto(path, stored["flux"][..., band].astype(np.float32))
    outlines = np.split(stored["vertices"], np.cumsum(stored["outline_length"])[:-1])
    rows = zip(stored["kind"], stored["magnitude"], stored["centre"], outlines, strict=True)
    things = [
        f'{{"bbox": [{x - 10}, {y - 10}, 21, 21], "segmentation": [{outline.ravel().tolist()}], '
        f'"category_id": {kind}, "imag": {magnitude}}}'
        for kind, magnitude, (x, y), outline in rows
    ]
    (folder / "single_test.json").write_text(f'[{{"annotations": [{", ".join(things)}]}}]')
    made = hsc_tile.derive(tmp_path)
    for key in ("kind", "magnitude", "centre", "outline_length", "vertices"):
        assert np.array_equal(made[key], stored[key]), key
    assert made["sky_noise"] == pytest.approx(stored["sky_noise"], rel=0.005)
    again = hsc.decode(made["low"], made["high"], made["sky_noise"]) / stored["sky_noise"]
    assert np.abs(again - stored["flux"] / stored["sky_noise"]).max() < 1
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match=r"unpack deepdisc-0.1.1.tar.gz"):
        hsc_tile.derive(tmp_path)


# --- labels of the tile ---------------------------------------------------------------------------------------------


def test_outlines_lie_on_the_light(stored, tile):
    """Turned over, swapped or moved, they would not."""
    shine = ndimage.gaussian_filter(sky.detection(tile.images[0]), 1)
    x, y = stored["centre"].T
    inner = (x > 20) & (x < 1004) & (y > 20) & (y < 1029)
    x, y = x[inner], y[inner]
    right = np.median(shine[y, x])
    for rows, columns in ((1049 - y, x), (y, 1024 - x), (x, y - 5), (y + 6, x), (y - 6, x), (y, x + 6), (y, x - 6)):
        assert np.median(shine[rows, columns]) < 0.5 * right
    assert right > 5 and np.mean(shine[y, x] > hsc.describe.__defaults__[0]) > 0.99
    places = [
        ndimage.center_of_mass(np.maximum(shine[b - 3 : b + 4, a - 3 : a + 4], 0)) for a, b in zip(x, y, strict=True)
    ]
    assert np.median(places, axis=0) == pytest.approx([3, 3], abs=0.05)


def test_boxes_are_tight_and_inside(tile):
    segmentation = tile.segmentation[0]
    places = ndimage.find_objects(segmentation)
    for row, (down, right) in zip(tile.truth, places, strict=True):
        assert row["box"].tolist() == [right.start, down.start, right.stop, down.stop]
        assert row["area"] == (segmentation[down, right] == row["label"]).sum() > 0
        assert ndimage.label(segmentation[down, right] == row["label"])[1] == 1
    assert tile.truth["box"].min() >= 0
    assert tile.truth["box"][:, 2].max() <= 1025 and tile.truth["box"][:, 3].max() <= 1050


def test_light_that_nobody_labelled(tile):
    assert not np.any(tile.unlabelled & (tile.segmentation > 0))
    assert 0.05 < tile.unlabelled.mean() < 0.1
    bright = tile.images[0].max(axis=-1) > 2000  # saturated stars
    assert (tile.unlabelled[0] & bright).sum() > 0.5 * bright.sum()


def test_outlines_as_they_are(stored):
    whole = datasets.load("hsc", threshold=0).test
    assert not whole.unlabelled.any() and whole.truth["area"].min() > 0
    covered = np.zeros((1050, 1025), bool)
    for outline in np.split(stored["vertices"], np.cumsum(stored["outline_length"])[:-1]):
        covered[hsc._pixels_inside(outline)] = True
    assert np.mean((whole.segmentation[0] > 0) == covered) > 0.995  # but for pieces cut off by another's outline


@pytest.mark.parametrize("threshold", [-1, "1", True, np.nan])
def test_a_threshold_that_is_none(threshold):
    with pytest.raises(ValueError, match="threshold must be a positive number of sky sigmas, got"):
        datasets.load("hsc", threshold=threshold)


# --- the survey of the tile -----------------------------------------------------------------------------------------


def stars(stored):
    """Position and magnitude of stars of the catalogue that are bright and far from others."""
    x, y = stored["centre"].T.astype(float)
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + 1e9 * np.eye(len(x))
    chosen = (
        (stored["kind"] == 0) & (stored["magnitude"] > 19.2) & (stored["magnitude"] < 22) & (apart.min(axis=1) > 18)
    )
    chosen &= (x > 20) & (x < 1004) & (y > 20) & (y < 1029)
    return x[chosen].astype(int), y[chosen].astype(int), stored["magnitude"][chosen]


def measure_star(image, x, y):
    """FWHM [pixels] and flux of a Moffat profile with a slope of its own, fitted to each band."""
    rows, columns = np.mgrid[-12:13, -12:13]
    results = []
    for cut in np.moveaxis(image[y - 12 : y + 13, x - 12 : x + 13].astype(float), -1, 0):

        def residual(p, cut=cut):
            squared = (np.square(columns - p[3]) + np.square(rows - p[4])) / p[1] ** 2
            return ((p[0] * (1 + squared) ** -p[2] + p[5] - cut) / np.sqrt(1 + np.square(0.02 * cut))).ravel()

        peak, alpha, beta = optimize.least_squares(residual, [cut.max(), 3, 2.5, 0, 0, 0], loss="soft_l1").x[:3]
        results.append((2 * abs(alpha) * np.sqrt(2 ** (1 / beta) - 1), np.pi * alpha**2 * peak / (beta - 1)))
    return np.array(results).T


def test_psf_and_zero_point_of_the_survey_are_those_of_the_tile(stored, tile):
    x, y, magnitude = stars(stored)
    assert len(x) >= 10
    real = np.array([measure_star(tile.images[0], *place) for place in zip(x, y, strict=True)])
    truth = sky.empty_truth(len(x))
    truth["kind"], truth["magnitude"] = "star", magnitude
    truth["x_arcsec"], truth["y_arcsec"] = (x - 524) * SURVEY.pixel_scale, (y - 524) * SURVEY.pixel_scale
    image = sky.render_field(truth, SURVEY, 1049, np.random.default_rng(0)).image
    ours = np.array([measure_star(image, *place) for place in zip(x, y, strict=True)])
    fwhm, theirs = np.median(ours[:, 0], axis=0), np.median(real[:, 0], axis=0)
    assert fwhm == pytest.approx(theirs, rel=0.03)
    assert theirs * SURVEY.pixel_scale == pytest.approx([0.76, 0.63, 0.55], abs=0.02)
    zero_point = magnitude + 2.5 * np.log10(real[:, 1, 2] * SURVEY.sky_noise[2])
    assert np.median(zero_point) == pytest.approx(SURVEY.zero_point, abs=0.03)


def test_sky_of_the_survey_is_that_of_the_tile(stored, tile, field):
    assert SURVEY.sky_noise == pytest.approx(stored["sky_noise"], rel=0.01)
    for image in (tile.images[0], field.image):
        level, noise, free = hsc.empty_sky(image)
        assert np.abs(level).max() < 0.03 and noise == pytest.approx(1, abs=0.02)
        values = np.where(free[..., None], image - level, np.nan)
        for shifted in (values[1:], values[:, 1:]):  # neighbours: weakly correlated on the tile, not at all in ours
            together = values[: shifted.shape[0], : shifted.shape[1]] * shifted
            assert np.all(np.nanmean(together, axis=(0, 1)) < 0.12)


def test_the_simulated_sky_is_like_the_real_one(tile, field):
    """Numbers, sizes and colours of what shines, found in the same way in both, by i magnitude."""

    def regions(image):
        label, n = ndimage.label(ndimage.gaussian_filter(sky.detection(image), 1) > 1.5)
        index = np.arange(1, n + 1)
        area = np.bincount(label.ravel())[1:]
        flux = np.stack([ndimage.sum_labels(band, label, index) for band in np.moveaxis(image, -1, 0)], axis=-1)
        kept = (area >= 5) & np.all(flux > 0, axis=1)
        return area[kept], SURVEY.zero_point - 2.5 * np.log10(flux[kept] * SURVEY.sky_noise)

    (real_area, real), (our_area, ours) = regions(tile.images[0]), regions(field.image)
    for magnitude in (23, 24, 25, 26):
        there, here = (np.floor(table[:, 2]) == magnitude for table in (real, ours))
        assert here.sum() == pytest.approx(there.sum(), rel=0.4), magnitude
        assert np.median(our_area[here]) == pytest.approx(np.median(real_area[there]), rel=0.25), magnitude
        colours = [np.median(table[rows, 0] - table[rows, 1]) for table, rows in ((real, there), (ours, here))]
        assert colours[0] == pytest.approx(colours[1], abs=0.2), magnitude


# --- fields ---------------------------------------------------------------------------------------------------------

FEW = {"n_train": 5, "n_validation": 2, "n_test": 3, "size": 64}


def test_what_fields_gives():
    data = datasets.load("fields", **FEW)
    assert data.survey is SURVEY and data.class_names == fields.CLASSES
    train = data.train
    assert train.images.shape == (5, 64, 64, 3) and train.images.dtype == np.float32
    assert train.segmentation.shape == (5, 64, 64) and train.segmentation.dtype == np.int16
    assert set(train.truth["field"]) <= set(range(5)) and set(train.truth["kind"]) <= {*sky.KINDS, "star"}
    for number, segmentation in enumerate(train.segmentation):
        rows = train.truth[train.truth["field"] == number]
        assert rows["label"].tolist() == list(range(1, len(rows) + 1))
        for row in rows:
            x0, y0, x1, y1 = row["box"]
            own = segmentation == row["label"]
            assert fields.LEAST <= own.sum() <= row["area"] <= (x1 - x0) * (y1 - y0)
            assert own[y0:y1, x0:x1].sum() == own.sum() and 0 <= min(x0, y0) and max(x1, y1) <= 64
        assert segmentation.max() == len(rows)
    lit, dark = (train.images[where].mean() for where in (train.segmentation > 0, train.segmentation == 0))
    assert lit > 2 and dark < 0.2


def test_fields_of_splits_and_seeds():
    one, again, other = (datasets.load("fields", **FEW, seed=seed) for seed in (0, 0, 1))
    assert one.train.images.tobytes() == again.train.images.tobytes() != other.train.images.tobytes()
    rows = [row.tobytes() for split in datasets.SPLITS for row in getattr(one, split).truth["flux"]]
    assert len(set(rows)) == len(rows)
    fewer = datasets.load("fields", **{**FEW, "n_train": 2})
    assert fewer.test.images.tobytes() == one.test.images.tobytes()
    none = datasets.load("fields", n_train=0, n_validation=0, n_test=0)
    assert none.train.images.shape == (0, 128, 128, 3) and len(none.test.truth) == 0


def test_other_surveys_see_fields_too():
    data = datasets.load("fields", **FEW, survey="SDSS")
    assert data.survey is sky.SURVEYS["SDSS"] and data.train.truth["magnitude"].max(initial=0) < 22


def test_class_shares():
    data = datasets.load("fields", **FEW)
    truth, segmentation = data.train.truth, data.train.segmentation
    shares = fields.class_shares(segmentation, truth)
    assert shares.shape == (5, 64, 64, 5) and shares.dtype == np.float16
    assert shares.sum(axis=-1) == pytest.approx(1, abs=1e-3)
    assert np.array_equal(shares[..., 4] == 1, segmentation == 0)
    for row in truth:
        mine = shares[row["field"]][segmentation[row["field"]] == row["label"]][0]
        expected = {"elliptical": [1, 0, 0, 0, 0], "irregular": [0, 0, 1, 0, 0], "star": [0, 0, 0, 1, 0]}
        bulge = row["bulge_fraction"]
        assert mine == pytest.approx(expected.get(row["kind"], [bulge, 1 - bulge, 0, 0, 0]), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("fields", {"survey": "LSST"}, "survey must be one of SDSS"),
        ("fields", {"magnitude": (26, 18)}, "magnitude must be .bright limit, faint limit."),
        ("fields", {"threshold": 0}, "threshold must be a positive number of sky sigmas, got 0"),
        ("fields", {"crowding": 0}, "crowding must be a whole number of at least 1, got 0"),
        (
            "fields",
            {"crowding": 2, "crowded": 17},
            "crowded must be a magnitude between the limits, 18",
        ),
        ("fields", {"size": 4}, "size must be a whole number of at least 8, got 4"),
    ],
)
def test_mistakes_are_named(name, options, text):
    with pytest.raises(ValueError, match=text):
        datasets.load(name, **options)


def test_crowded_fields_hold_several_times_as_many_bright_objects():
    options = {"n_train": 40, "n_validation": 0, "n_test": 0, "size": 64, "seed": 3}
    usual, dense = (datasets.load("fields", **options, crowding=crowding).train for crowding in (1, 6))
    below, above = (
        [((low < data.truth["magnitude"]) & (data.truth["magnitude"] < high)).sum() for data in (usual, dense)]
        for low, high in ((18, 24), (24.2, 25.5))
    )
    assert 4 * below[0] < below[1] < 8 * below[0]
    assert 0.7 * above[0] < above[1] < 1.3 * above[0]
    for row in dense.truth[:50]:
        assert (dense.segmentation[row["field"]] == row["label"]).sum() >= fields.LEAST
