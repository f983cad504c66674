"""A tile of the real sky: the Subaru Hyper Suprime-Cam survey, with a catalogue of stars and galaxies."""

import io

import numpy as np
from scipy import ndimage
from skimage import draw

from utils import sky
from utils.datasets.splits import check_sigmas
from utils.files import ROOT, read_verified

PATH = ROOT / "data" / "hsc_tile.npz"
SHA256 = "8e30ef72d734ad28f23680636da72f2937520d55da21a29e8a0277542e4fcf29"
KINDS = ("star", "galaxy")
SHAPE = (1050, 1025, 3)

# A flux of f sky sigmas is stored as STEPS * SOFTENING * arcsinh(f / SOFTENING), rounded: in steps of a quarter of the
# sky noise where light is faint, of 0.03 % where it is bright.
STEPS, SOFTENING = 4, 3500
OFFSET = 2**15 + 128  # keeps codes positive, and those of the sky within one byte
SMOOTHING = 1.0  # standard deviation of the Gaussian by which light is smoothed to find objects' pixels [pixels]


def describe(threshold=1.5):
    """A tile of 2.9 by 2.9 arcmin of the Subaru HSC survey in g, r, i, with 454 objects labelled star or galaxy.

    The whole tile is in ``test``: images (1, 1050, 1025, 3), in units of the sky noise, sky subtracted, bands from blue
    to red; x runs to the right, y along increasing rows. ``train`` and ``validation`` are empty: to train on a part of
    it, cut by ``truth["x"]`` or ``truth["y"]``.

    - ``segmentation`` (1, 1050, 1025) int16: row k of the truth table owns the pixels with value k + 1, nobody those
      with 0. The catalogue's outlines (made by the scarlet deblender) reach far beyond the light that can be seen; an
      object gets the pixels within its outline where the light, smoothed a little, is above ``threshold``, as far as
      they hang together. Where outlines overlap, the object with the nearer centre gets the pixel, distances being
      measured in sizes of the outlines.
    - ``unlabelled`` (1, 1050, 1025) bool: light above ``threshold`` that lies in no outline: bright stars, and many
      faint objects, which the catalogue leaves out. What a detector finds there is neither right nor wrong.
    - ``truth``: field (0), label, kind, magnitude (i band), x, y [pixels], box, area [pixels], flux (sum over the
      object's pixels, in units of the survey's zero point, 27), blendedness (unknown: NaN). Boxes are tight around the
      object's pixels; the catalogue's own are cut-outs of at least 21 pixels. Where no light is above the threshold,
      the area is 0 and the box that of the outline.

    Parameters
    ----------
    threshold : float
        In units of the sky noise of the detection image, see ``sky.detection``. 0: the outlines as they are.

    References
    ----------
    Aihara et al. 2022, PASJ 74, 247 (HSC-SSP, third release); Merz et al. 2023, MNRAS 526, 1122 (catalogue).
    """
    if threshold != 0:
        check_sigmas("threshold", threshold)
    return {
        "class_names": KINDS,
        "bands": ("g", "r", "i"),
        "survey": sky.SURVEYS["HSC tile"],
        "description": (
            "A tile of the Subaru HSC survey (NAOJ / HSC Collaboration), 2.9 by 2.9 arcmin in g, r, i, with 454 "
            "objects labelled star or galaxy. Not all that shines is labelled. Pixels in units of the sky noise, sky "
            "subtracted."
        ),
    }


def make(threshold):
    tile = read()
    flux = tile["flux"] - tile["sky_level"]
    images = (flux / tile["sky_noise"]).astype(np.float32)
    outlines = np.split(tile["vertices"], np.cumsum(tile["outline_length"])[:-1])
    inside = [_pixels_inside(outline) for outline in outlines]
    covered = np.zeros(SHAPE[:2], bool)
    for pixels in inside:
        covered[pixels] = True
    lit = covered if threshold == 0 else ndimage.gaussian_filter(sky.detection(images), SMOOTHING) > threshold
    segmentation = _segmentation(inside, tile["centre"], lit)

    truth = np.zeros(len(inside), sky.OBJECTS)
    truth["label"] = np.arange(1, len(inside) + 1)
    truth["kind"] = np.array(KINDS)[tile["kind"]]
    truth["magnitude"] = tile["magnitude"]
    truth["x"], truth["y"] = tile["centre"].T
    truth["blendedness"] = np.nan
    for row, pixels in zip(truth, inside, strict=True):
        rows, columns = (axis[segmentation[pixels] == row["label"]] for axis in pixels)
        row["area"] = len(rows)
        row["flux"] = flux[rows, columns].sum(axis=0)
        rows, columns = (rows, columns) if len(rows) else pixels
        row["box"] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1

    arrays = {"images": images[None], "segmentation": segmentation[None], "unlabelled": (lit & ~covered)[None]}
    arrays["truth"] = truth
    empty = {f"{split}_{part}": value[:0] for split in ("train", "validation") for part, value in arrays.items()}
    return {**empty, **{f"test_{part}": value for part, value in arrays.items()}}


def read():
    """What ``data/hsc_tile.npz`` holds, its checksum verified.

    Returns
    -------
    dict of str to array
        flux (1050, 1025, 3), in units of the zero point, 27; sky_level and sky_noise (3,), in the same units; kind (n,)
        into ``KINDS``; magnitude (n,) in i; centre (n, 2) x and y; outline_length (n,) and vertices (their sum, 2), x
        and y: the catalogue's outlines, which may reach beyond the edge.

    Raises
    ------
    OSError
        Where the file is missing or damaged; the text says how to get it back.
    """
    cure = "`git checkout -- data/hsc_tile.npz` brings it back; data/README.md says how it is made"
    raw = read_verified(PATH, SHA256, cure)
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        tile = {key: file[key] for key in file.files}
    tile["flux"] = decode(tile.pop("low"), tile.pop("high"), tile["sky_noise"])
    return tile


def encode(flux, sky_noise):
    """Low and high bytes, (height, width, bands) uint8 each, of the code of each pixel.

    Examples
    --------
    >>> flux = np.array([[[-1.0, 0.0, 10.0]]])
    >>> decode(*encode(flux, np.ones(3)), np.ones(3)).round(3) + 0.0
    array([[[-1.,  0., 10.]]])
    """
    code = np.rint(STEPS * SOFTENING * np.arcsinh(flux / sky_noise / SOFTENING)).astype(int) + OFFSET
    return (code & 255).astype(np.uint8), (code >> 8).astype(np.uint8)


def decode(low, high, sky_noise):
    """(height, width, bands) fluxes from their codes: the inverse of ``encode`` but for rounding."""
    code = low.astype(int) + 256 * high.astype(int) - OFFSET
    return np.sinh(code / (STEPS * SOFTENING)) * SOFTENING * sky_noise


def empty_sky(images):
    """Level and noise of the sky in each band, from pixels far from any light.

    Parameters
    ----------
    images : (height, width, bands) array

    Returns
    -------
    level, noise : (bands,) arrays
        Mean and standard deviation.
    free : (height, width) bool
        The pixels used.
    """
    middle = np.median(images, axis=(0, 1))
    below = np.minimum(images - middle, 0)  # as many pixels as above, and without light
    noise = np.sqrt(2 * np.mean(np.square(below), axis=(0, 1)))
    smooth = ndimage.gaussian_filter(sky.detection((images - middle) / noise), 2)
    free = ~ndimage.binary_dilation(smooth > 0.4, iterations=8)
    return images[free].mean(axis=0), images[free].std(axis=0), free


def _pixels_inside(outline):
    """Rows and columns of the pixels of the tile that lie within an outline, or on it."""
    columns, rows = outline.T
    inside = [draw.polygon(rows, columns, SHAPE[:2]), draw.polygon_perimeter(rows, columns, SHAPE[:2])]
    return tuple(np.unique(np.concatenate(inside, axis=1), axis=1))


def _segmentation(inside, centre, lit):
    """(height, width) int16 map of the objects' pixels: those within an outline, lit, and hanging together.

    Where outlines overlap, the nearer centre counts, in units of the root of each outline's area.
    """
    nearest = np.full(SHAPE[:2], np.inf)
    owner = np.zeros(SHAPE[:2], np.int16)
    for label, (pixels, (x, y)) in enumerate(zip(inside, centre, strict=True), start=1):
        distance = np.hypot(pixels[0] - y, pixels[1] - x) / np.sqrt(len(pixels[0]))
        closer = lit[pixels] & (distance < nearest[pixels])
        mine = pixels[0][closer], pixels[1][closer]
        owner[mine], nearest[mine] = label, distance[closer]
    for label, box in enumerate(ndimage.find_objects(owner, len(inside)), start=1):
        if box is None:
            continue
        parts, count = ndimage.label(owner[box] == label)
        if count > 1:
            x, y = centre[label - 1]
            distance = [np.hypot(box[0].start + r - y, box[1].start + c - x).min() for r, c in _each(parts, count)]
            owner[box][(parts > 0) & (parts != 1 + np.argmin(distance))] = 0
    return owner


def _each(parts, count):
    """Rows and columns of each of the labelled parts."""
    return [np.nonzero(parts == part) for part in range(1, count + 1)]
