"""Wrong answers to the exercises of lab 00."""

import numpy as np
import scipy.ndimage

from tests.wrong_answers import wrong

# --- 0.1 to_grey


@wrong("0.1", rejected_by="bright pixels do not wrap around")
def adds_uint8(picture):
    return (picture[..., 0] + picture[..., 1] + picture[..., 2]) / 3 / 255


@wrong("0.1", rejected_by="each colour counts the same, and white is 1")
def forgets_255(picture):
    return picture.mean(axis=2)


@wrong("0.1", rejected_by="each colour counts the same, and white is 1")
def weights_of_the_eye(picture):
    return picture @ np.array([0.2125, 0.7154, 0.0721]) / 255


@wrong("0.1", rejected_by="one number for each pixel")
def averages_rows(picture):
    return picture.mean(axis=0) / 255


@wrong("0.1", rejected_by="each colour counts the same, and white is 1")
def divides_by_the_maximum(picture):
    grey = picture.mean(axis=2)
    return grey / grey.max()


# --- 0.2 stretch


@wrong("0.2", rejected_by="0 stays at 0 and 1 stays at 1")
def not_normalised(grey, softening):
    return np.arcsinh(grey / softening)


@wrong("0.2", rejected_by="a very large softening changes nothing")
def a_logarithm(grey, softening):
    return np.log1p(np.abs(grey)) / np.log(2)


@wrong("0.2", rejected_by="0 stays at 0 and 1 stays at 1")
def softening_upside_down(grey, softening):
    return np.arcsinh(grey * softening) / np.arcsinh(1 / softening)


@wrong("0.2", rejected_by="negative pixels, which noise makes, keep their sign and size")
def clips_the_noise(grey, softening):
    return np.arcsinh(np.clip(grey, 0, 1) / softening) / np.arcsinh(1 / softening)


@wrong("0.2", rejected_by="a whole picture, pixel by pixel")
def scales_by_the_brightest(grey, softening):
    stretched = np.arcsinh(grey / softening)
    return stretched / np.max(stretched)


@wrong("0.2", rejected_by="a whole picture, pixel by pixel")
def divides_behind_the_bracket(grey, softening):
    return np.arcsinh(grey) / softening / np.arcsinh(1 / softening)


# --- 0.3 sky_level_and_noise


@wrong("0.3", rejected_by="sources hardly touch either")
def mean_and_standard_deviation(grey):
    return grey.mean(), grey.std()


@wrong("0.3", rejected_by="for Gaussian noise it is the standard deviation")
def without_the_factor(grey):
    level = np.median(grey)
    return level, np.median(np.abs(grey - level))


@wrong("0.3", rejected_by="for Gaussian noise it is the standard deviation")
def without_absolute_values(grey):
    level = np.median(grey)
    return level, 1.4826 * np.median(grey - level)


@wrong("0.3", rejected_by="level and noise, in this order")
def noise_first(grey):
    level = np.median(grey)
    return 1.4826 * np.median(np.abs(grey - level)), level


@wrong("0.3", rejected_by="for Gaussian noise it is the standard deviation")
def row_by_row(grey):
    level = np.median(grey, axis=1)
    return level, 1.4826 * np.median(np.abs(grey - level[:, None]), axis=1)


@wrong("0.3", rejected_by="sources hardly touch either")
def mean_deviation(grey):
    level = np.median(grey)
    return level, 1.2533 * np.mean(np.abs(grey - level))


# --- 0.4 detect


def _groups(grey, level, noise, n_sigma, smallest, structure=None):
    labels, n = scipy.ndimage.label(grey > level + n_sigma * noise, structure)
    groups = (np.nonzero(labels == number) for number in range(1, n + 1))
    return [(y, x) for y, x in groups if len(x) >= smallest]


def _sorted(rows):
    rows = np.array(rows).reshape(-1, 3)
    return rows[np.argsort(-rows[:, 2])]


@wrong("0.4", rejected_by="the example of the docstring: x, y, flux, in this order")
def row_before_column(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest)
    return _sorted([(y.mean(), x.mean(), np.sum(grey[y, x] - level)) for y, x in groups])


@wrong("0.4", rejected_by="a field with noise, the brightest object first")
def sky_in_the_flux(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest)
    return _sorted([(x.mean(), y.mean(), grey[y, x].sum()) for y, x in groups])


@wrong("0.4", rejected_by="a field with noise, the brightest object first")
def in_order_of_discovery(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest)
    return np.array([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups]).reshape(-1, 3)


@wrong("0.4", rejected_by="exactly the smallest size is kept, less is dropped")
def drops_the_smallest(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest + 1)
    return _sorted([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups])


@wrong("0.4", rejected_by="pixels that meet at a corner alone belong to two objects")
def joins_corners(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest, structure=np.ones((3, 3)))
    return _sorted([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups])


@wrong("0.4", rejected_by="threshold and smallest size are taken from the arguments")
def always_five_sigma(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, 5.0, smallest)
    return _sorted([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups])


@wrong("0.4", rejected_by="an empty picture gives an empty list with three columns")
def fails_on_an_empty_picture(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest)
    rows = np.array([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups])
    return rows[np.argsort(-rows[:, 2])]


@wrong("0.4", rejected_by="the example of the docstring: x, y, flux, in this order")
def takes_the_sky_for_an_object(grey, level, noise, n_sigma=5.0, smallest=10):
    labels, n = scipy.ndimage.label(grey > level + n_sigma * noise)
    groups = (np.nonzero(labels == number) for number in range(n + 1))
    return _sorted([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups if len(x) >= smallest])


@wrong("0.4", rejected_by="a field with noise, the brightest object first")
def forgets_the_level(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, 0.0, noise, n_sigma, smallest)
    return _sorted([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups])


@wrong("0.4", rejected_by="a field with noise, the brightest object first")
def sorts_the_columns_apart(grey, level, noise, n_sigma=5.0, smallest=10):
    groups = _groups(grey, level, noise, n_sigma, smallest)
    rows = np.array([(x.mean(), y.mean(), np.sum(grey[y, x] - level)) for y, x in groups]).reshape(-1, 3)
    return -np.sort(-rows, axis=0)


# --- 0.5 cut_stamp


@wrong("0.5", rejected_by="inside the picture: rows are y, columns are x")
def x_is_the_row(picture, x, y, size):
    half = size // 2
    padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2))
    row, column = round(x), round(y)
    return padded[row : row + size, column : column + size]


@wrong("0.5", rejected_by="beyond the edge there are zeros")
def slices_without_care(picture, x, y, size):
    half = size // 2
    row, column = round(y), round(x)
    return picture[row - half : row + half + 1, column - half : column + half + 1]


@wrong("0.5", rejected_by="positions are rounded to the nearest pixel")
def rounds_down(picture, x, y, size):
    half = size // 2
    padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2))
    return padded[int(y) : int(y) + size, int(x) : int(x) + size]


@wrong("0.5", rejected_by="beyond the edge there are zeros")
def repeats_the_edge(picture, x, y, size):
    half = size // 2
    padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2), mode="edge")
    row, column = round(y), round(x)
    return padded[row : row + size, column : column + size]


@wrong("0.5", rejected_by="inside the picture: rows are y, columns are x")
def one_pixel_off(picture, x, y, size):
    half = size // 2
    padded = np.pad(picture, [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2))
    row, column = round(y) + 1, round(x) + 1
    return padded[row : row + size, column : column + size]


@wrong("0.5", rejected_by="the stamp has the picture's type of number")
def always_float(picture, x, y, size):
    half = size // 2
    padded = np.pad(picture.astype(float), [(half, half), (half, half)] + [(0, 0)] * (picture.ndim - 2))
    row, column = round(y), round(x)
    return padded[row : row + size, column : column + size]
