"""Source extraction by libraries, in one form: what is found, where, and with how much light."""

import numpy as np
import pytest

from utils import extraction, sky

METHODS = pytest.mark.parametrize("find", [extraction.sep_sources, extraction.photutils_sources])


def blob(x, y, flux, width=2.0, shape=(48, 64)):
    """A Gaussian galaxy of known light."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return flux * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2)) / (2 * np.pi * width**2)


@METHODS
def test_a_lone_galaxy_is_found_where_it_is_with_its_light(find):
    noise = np.random.default_rng(0).normal(size=(48, 64))
    found = find(blob(40.3, 17.6, 2000) + noise)
    assert len(found.table) == 1
    row = found.table[0]
    assert (row["x"], row["y"]) == pytest.approx((40.3, 17.6), abs=0.1)
    assert row["kron_flux"] == pytest.approx(2000, rel=0.06)
    assert 1500 < row["flux"] < 2000
    assert row["area"] == np.sum(found.segmentation == 1)


@METHODS
def test_boxes_and_owners_agree(find):
    truth = sky.draw_galaxies(4, np.random.default_rng(3), magnitude=(19, 21))
    for stamp in sky.render(truth, sky.SURVEYS["HSC"], 64, np.random.default_rng(4)):
        found = find(stamp.sum(axis=-1) / np.sqrt(3))
        assert set(np.unique(found.segmentation)) == set(range(len(found.table) + 1))
        for label, row in enumerate(found.table, 1):
            y, x = np.nonzero(found.segmentation == label)
            assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == tuple(row[["x0", "y0", "x1", "y1"]])
            assert row["flux"] == pytest.approx(
                (stamp.sum(axis=-1) / np.sqrt(3))[found.segmentation == label].sum(), rel=1e-3
            )


@METHODS
def test_two_galaxies_are_cut_apart_and_without_deblending_are_not(find):
    image = blob(24, 24, 3000) + blob(36, 24, 2000)
    assert len(find(image, contrast=0.005).table) == 2
    assert len(find(image, contrast=1.0).table) == 1


@METHODS
def test_noise_alone_holds_no_galaxies(find):
    noise = np.random.default_rng(1).normal(size=(300, 300))
    found = find(noise)
    assert len(found.table) == 0
    assert found.table.dtype == extraction.TABLE
    assert found.segmentation.shape == (300, 300)
    assert not found.segmentation.any()


@METHODS
def test_any_numbers_and_any_order_of_axes_will_do(find):
    image = blob(30, 20, 3000)
    expected = find(image).table
    for other in (image.astype(np.float32), image.astype(">f8"), np.asfortranarray(image)):
        np.testing.assert_allclose(find(other).table["kron_flux"], expected["kron_flux"], rtol=1e-4)


@METHODS
def test_missing_pixels_are_left_out(find):
    image = blob(30, 20, 3000)
    image[5:8, 50:60] = np.nan
    image[40, 10] = np.inf
    assert len(find(image).table) == 1


@METHODS
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros((4, 5, 3))}, r"image must be \(height, width\)"),
        ({"threshold": 0}, "threshold must be positive"),
        ({"minimum_area": 0}, "minimum_area"),
        ({"contrast": 2}, "contrast must be a share"),
    ],
)
def test_what_makes_no_sense_is_said(find, arguments, message):
    with pytest.raises(ValueError, match=message):
        find(**({"image": np.zeros((8, 8))} | arguments))
