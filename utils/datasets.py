"""Named data sets: simulated ones made here and now, real ones from packages or the network.

>>> from utils import datasets
>>> data = datasets.load("morphology", n_train=8, n_validation=4, n_test=4, size=32)
>>> data.train.images.shape, data.train.labels.dtype.kind
((8, 32, 32, 3), 'i')
>>> data.class_names
('elliptical', 'spiral', 'edge-on', 'irregular')

What was made once is kept in ``data/cache`` (or the folder named by ``$COURSE_CACHE``) and read from there the next
time. The name of a cache file holds a hash of the parameters and one of this code, so that nothing stale is read.
"""

import hashlib
import inspect
import json
import math
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils import sky
from utils.files import ROOT, replacing

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    images : (n, size, size, bands) float32
    labels : (n,) integers into ``class_names``, or None where nobody knows
    truth : (n,) structured array, one row an image
    """

    images: np.ndarray
    labels: np.ndarray | None
    truth: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Three splits that share nothing, and what is known of all. ``survey`` is None where no ``sky.Survey`` fits."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple
    bands: tuple
    survey: sky.Survey | None
    description: str


def load(name, **options):
    """A data set by its name.

    Parameters
    ----------
    name : str
        ``morphology``, ``hubble`` or ``galaxy10``.
    **options
        Those of the function of that name below.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        For an unknown name or option, or a value that makes no sense; the text lists what is accepted.
    DownloadError
        Where data over the network cannot be had.
    """
    if name not in _SETS:
        raise ValueError(f"unknown data set {name!r}; there are {', '.join(_SETS)}")
    describe, make = _SETS[name]
    options = _complete(name, describe, options)
    about = describe(**options)
    arrays = _cached(name, options, lambda: make(**options))
    splits = [Split(*(arrays.get(f"{split}_{part}") for part in ("images", "labels", "truth"))) for split in SPLITS]
    return Dataset(*splits, **about)


def _complete(name, describe, options):
    """The options with their defaults; an unknown one is refused."""
    accepted = {key: parameter.default for key, parameter in inspect.signature(describe).parameters.items()}
    unknown = [key for key in options if key not in accepted]
    if unknown:
        known = ", ".join(f"{key}={value!r}" for key, value in accepted.items())
        raise ValueError(f"{name} has no option {', '.join(map(repr, unknown))}; it has {known}")
    return {**accepted, **options}


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def stream(seed, name, split):
    """A generator of random numbers that belongs to one split of one data set and meets no other.

    The names are part of the key of NumPy's ``SeedSequence``, which is made to keep streams apart.

    Examples
    --------
    >>> train, test = stream(0, "morphology", "train"), stream(0, "morphology", "test")
    >>> bool(train.random() == test.random())
    False
    """
    key = (len(name), *name.encode(), *split.encode())
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


# --- morphology -------------------------------------------------------------------------------------------------------


# Limits of the r magnitude, as distances from the survey's depth: bright enough to see all, and too faint to be sure.
BRIGHT, FAINT = 9.5, 4.75


def morphology(n_train=4000, n_validation=1000, n_test=1000, size=64, upright=False, survey="HSC", seed=0):
    """Simulated galaxies of four kinds: elliptical, spiral, edge-on, irregular (the last with mergers).

    Images are in units of the sky noise, bands from blue to red; the truth table has the columns of ``sky.TRUTH``.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Number of galaxies; the kinds are equally frequent.
    size : int
        Side of a stamp [pixels].
    upright : bool
        Lay all galaxies along the x axis. Otherwise they lie as they like.
    survey : str
        Out of ``sky.SURVEYS``. Magnitudes follow its depth.
    seed : int
    """
    for key, value in (("n_train", n_train), ("n_validation", n_validation), ("n_test", n_test), ("seed", seed)):
        _whole(key, value, 0)
    _whole("size", size, 8)
    if not isinstance(survey, str) or survey not in sky.SURVEYS:
        raise ValueError(f"survey must be one of {', '.join(sky.SURVEYS)}; got {survey!r}")
    if not isinstance(upright, (bool, np.bool_)):
        raise ValueError(f"upright must be True or False, got {upright!r}")
    seen_by = sky.SURVEYS[survey]
    bright, faint = _magnitudes(seen_by)
    return {
        "class_names": sky.KINDS,
        "bands": seen_by.bands,
        "survey": seen_by,
        "description": (
            f"Simulated galaxies of four kinds as {survey} sees them ({', '.join(seen_by.bands)}; "
            f'{seen_by.pixel_scale}" pixels), r magnitude {bright:.1f} to {faint:.1f}, '
            f"{'all lying along the x axis' if upright else 'in any orientation'}. Pixels in units of the sky noise."
        ),
    }


def _magnitudes(survey):
    """Bright and faint limit for a survey, from its depth in the band next to r."""
    r = np.argmin(np.abs(np.array(survey.wavelengths) - 620))
    return survey.depth[r] - BRIGHT, survey.depth[r] - FAINT


def _make_morphology(n_train, n_validation, n_test, size, upright, survey, seed):
    seen_by = sky.SURVEYS[survey]
    arrays = {}
    for split, n in zip(SPLITS, (n_train, n_validation, n_test), strict=True):
        draw, noise = stream(seed, "morphology", split).spawn(2)
        truth = sky.draw_galaxies(n, draw, magnitude=_magnitudes(seen_by), upright=bool(upright))
        arrays[f"{split}_images"] = sky.render(truth, seen_by, size, noise)
        arrays[f"{split}_labels"] = np.array([sky.KINDS.index(kind) for kind in truth["kind"]], np.int64)
        arrays[f"{split}_truth"] = truth
    return arrays


# --- a Hubble deep field ----------------------------------------------------------------------------------------------

HUBBLE_TRUTH = np.dtype(
    [
        ("x", "f4"),  # centre of light [pixels of the picture]
        ("y", "f4"),
        ("flux", "f4"),  # sum over the object's pixels of the mean of the bands, in units of the sky noise
        ("area", "i4"),  # pixels above the threshold
        ("ellipticity", "f4"),  # 1 - minor / major axis, from second moments
    ]
)


def hubble(size=64, threshold=4.0, minimum_area=60):
    """Galaxies of the Hubble eXtreme Deep Field, cut out of the picture that ships with scikit-image. No labels.

    The picture (ACS and WFC3; Illingworth et al. 2013, ApJS 209, 6; about 0.14" per pixel) is an 8-bit display picture,
    not a measurement: its brightness is stretched and cut, its blue, green and red are sums of several filters. A few
    of the objects are stars. All stamps are in ``test``; ``train`` and ``validation`` are empty. Bands are ordered from
    blue to red, the sky subtracted, in units of the sky noise, as in ``morphology``. Stamps are cut at the picture's
    own pixels; what lies beyond its edge is filled with zero, the mean of the sky.

    Parameters
    ----------
    size : int
        Side of a stamp [pixels].
    threshold : float
        A pixel of the smoothed picture belongs to an object above so many times the sky noise.
    minimum_area : int
        Smaller objects are left out [pixels].
    """
    _whole("size", size, 8)
    _whole("minimum_area", minimum_area, 1)
    if not (np.isscalar(threshold) and threshold > 0):
        raise ValueError(f"threshold must be a positive number of sky sigmas, got {threshold!r}")
    return {
        "class_names": (),
        "bands": ("blue", "green", "red"),
        "survey": None,
        "description": (
            "Galaxies found in the Hubble eXtreme Deep Field (NASA/ESA, in scikit-image): a display picture, so "
            "brightness is stretched and cut. Bands from blue to red, sky subtracted, in units of the sky noise. "
            "Without labels."
        ),
    }


def _make_hubble(size, threshold, minimum_area):
    from skimage.data import hubble_deep_field

    picture = hubble_deep_field()[..., ::-1].astype(np.float32)  # red, green, blue -> from blue to red
    pixels = (picture - _sky_level(picture)) / _sky_sigma(picture)
    truth = _detect(pixels.mean(axis=-1), threshold, minimum_area)
    empty = {"images": np.zeros((0, size, size, 3), np.float32), "truth": np.zeros(0, HUBBLE_TRUTH)}
    arrays = {f"{split}_{part}": value for split in ("train", "validation") for part, value in empty.items()}
    return {**arrays, "test_images": _cut(pixels, truth, size), "test_truth": truth}


def _sky_level(picture):
    """(bands,) median of each band."""
    return np.median(picture, axis=(0, 1))


def _sky_sigma(picture):
    """(bands,) standard deviation of the sky: that of the pixels below the median, mirrored, which hold no objects."""
    sigmas = []
    for band in np.moveaxis(picture, -1, 0):
        below = band[band <= np.median(band)] - np.median(band)
        sigmas.append(np.sqrt(np.mean(np.square(below))))
    return np.array(sigmas, np.float32)


def _detect(image, threshold, minimum_area):
    """Objects as connected regions above a threshold of the smoothed image, brightest first.

    Where a region has several peaks, a watershed parts it between them.

    Parameters
    ----------
    image : (height, width) array
        The sky at zero.
    threshold : float
        In units of the noise of the smoothed image.
    minimum_area : int
        [pixels]

    Returns
    -------
    (n,) structured array with the columns of ``HUBBLE_TRUTH``
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.measure import regionprops
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(image, 1.5)
    above = smooth > threshold * _sky_sigma(smooth[..., None])[0]
    smoother = ndimage.gaussian_filter(image, 3)
    peaks = np.zeros(image.shape, int)
    at = peak_local_max(smoother, min_distance=6, labels=above.astype(int), exclude_border=False)
    peaks[tuple(at.T)] = np.arange(1, len(at) + 1)
    regions = watershed(-smoother, peaks, mask=above)
    rows = []
    for region in regionprops(regions, intensity_image=np.maximum(image, 0)):
        if region.area < minimum_area or region.intensity_mean == 0:
            continue
        y, x = region.centroid_weighted
        ellipticity = 1 - region.axis_minor_length / region.axis_major_length
        rows.append((x, y, region.intensity_mean * region.area, region.area, ellipticity))
    truth = np.array(rows, HUBBLE_TRUTH)
    return truth[np.argsort(-truth["flux"])]


def _cut(pixels, truth, size):
    """(n, size, size, bands) stamps around the objects; beyond the edge zero."""
    padded = np.pad(pixels, ((size, size), (size, size), (0, 0)))
    stamps = np.empty((len(truth), size, size, pixels.shape[-1]), np.float32)
    for stamp, row in zip(stamps, truth, strict=True):
        top, left = (math.floor(row[axis] - (size - 1) / 2 + 0.5) + size for axis in ("y", "x"))
        stamp[:] = padded[top : top + size, left : left + size]
    return stamps


# --- Galaxy10 DECaLS --------------------------------------------------------------------------------------------------

GALAXY10_URL = "https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5"
GALAXY10_SHA256 = "19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571"
GALAXY10_TRUTH = np.dtype([("ra", "f8"), ("dec", "f8"), ("redshift", "f4"), ("pixel_scale", "f4")])


class DownloadError(OSError):
    """Data over the network could not be had. Nothing broken is left behind."""


def galaxy10(size=64, seed=0):
    """Galaxy10 DECaLS: 17 736 real galaxies in ten classes, labelled by Galaxy Zoo volunteers. 2.5 GB over the network.

    Images are 256-px display pictures, averaged down to ``size``, values 0 to 1, bands from blue to red (g, r, z). One
    in ten galaxies is for validation and one in ten for testing, by ``seed``. Truth: ra, dec [deg], redshift,
    pixel_scale [arcsec].

    References
    ----------
    Leung & Bovy 2019, MNRAS 483, 3255; Walmsley et al. 2022, MNRAS 509, 3966; Dey et al. 2019, AJ 157, 168.
    """
    _whole("seed", seed, 0)
    _whole("size", size, 8)
    if 256 % size:
        raise ValueError(f"size must divide 256, got {size}")
    return {
        "class_names": (
            "disturbed",
            "merging",
            "round smooth",
            "in-between round smooth",
            "cigar-shaped smooth",
            "barred spiral",
            "unbarred tight spiral",
            "unbarred loose spiral",
            "edge-on without bulge",
            "edge-on with bulge",
        ),
        "bands": ("g", "r", "z"),
        "survey": None,
        "description": (
            "Galaxy10 DECaLS: real galaxies of the DESI Legacy Imaging Surveys in ten classes, labelled by the "
            "volunteers of Galaxy Zoo. Display pictures with values from 0 to 1, bands from blue to red."
        ),
    }


def _make_galaxy10(size, seed):
    return read_galaxy10(fetch(GALAXY10_URL, GALAXY10_SHA256), size, seed)


def fetch(url, sha256, folder=None):
    """Path of a file from the network, downloaded unless it is there already, its checksum verified.

    Parameters
    ----------
    url : str
    sha256 : str
        Hexadecimal checksum of the file.
    folder : path, optional
        Where to keep it. Default: the cache.

    Raises
    ------
    DownloadError
        Cut off, wrong checksum, no connection, no space; the text says what to use instead.
    """
    import pooch
    import requests

    folder = folder or cache_folder() or Path(tempfile.mkdtemp(prefix="galaxy-course-"))
    name = url.rsplit("/", 1)[-1]
    try:
        path = pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=folder)
    except requests.exceptions.ChunkedEncodingError as error:
        reason, cause = "the connection was cut off half-way", error
    except requests.exceptions.RequestException as error:
        reason, cause = f"no answer from the server ({type(error).__name__})", error
    except ValueError as error:
        reason, cause = "its checksum is wrong: the file was cut off, or is not the one it was", error
    except OSError as error:
        reason, cause = f"it could not be written ({error.strerror or error})", error
    else:
        return Path(path)
    raise DownloadError(
        f"{name} could not be downloaded: {reason}. Nothing was kept; try again later, or go on without the network: "
        'datasets.load("morphology") needs none.'
    ) from cause


def read_galaxy10(path, size=64, seed=0):
    """Arrays of the three splits, from a file like Galaxy10 DECaLS (HDF5: images, ans, ra, dec, redshift, pxscale)."""
    import h5py

    with h5py.File(path) as file:
        labels = file["ans"][:].astype(np.int64)
        truth = np.zeros(len(labels), GALAXY10_TRUTH)
        for column, key in zip(GALAXY10_TRUTH.names, ("ra", "dec", "redshift", "pxscale"), strict=True):
            truth[column] = file[key][:]
        images = np.empty((len(labels), size, size, 3), np.float32)
        for start in range(0, len(labels), 256):
            block = file["images"][start : start + 256][..., ::-1]  # red, green, blue -> from blue to red
            step = block.shape[1] // size
            cells = block.reshape(len(block), size, step, size, step, 3)
            images[start : start + 256] = cells.mean(axis=(2, 4), dtype=np.float32) / 255
    order = stream(seed, "galaxy10", "order").permutation(len(labels))
    tenth = len(labels) // 10
    chosen = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    arrays = {}
    for split, rows in chosen.items():
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[rows], labels[rows]
        arrays[f"{split}_truth"] = truth[rows]
    return arrays


_SETS = {
    "morphology": (morphology, _make_morphology),
    "hubble": (hubble, _make_hubble),
    "galaxy10": (galaxy10, _make_galaxy10),
}


# --- the cache --------------------------------------------------------------------------------------------------------

_told = set()


def _tell(text):
    """Say a thing once."""
    if text not in _told:
        _told.add(text)
        print(text)


def cache_folder():
    """Where files are kept: ``$COURSE_CACHE``, else ``data/cache``; where one cannot write, a folder of the user's own.

    Returns
    -------
    Path or None
        None where nothing can be written at all.
    """
    chosen = os.environ.get("COURSE_CACHE")
    first = Path(chosen).expanduser() if chosen else ROOT / "data" / "cache"
    if _writable(first):
        return first
    name = "$COURSE_CACHE" if chosen else "data/cache"
    for parent in (Path(os.path.expanduser("~")) / ".cache", Path(tempfile.gettempdir())):
        folder = parent / f"galaxy-course-{getattr(os, 'getuid', int)()}"
        if _writable(folder):
            _tell(f"datasets: {name} cannot be written, so data are kept in your own cache folder ({folder.name})")
            return folder
    _tell(f"datasets: {name} cannot be written, so data are made anew each time")
    return None


def _writable(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def code_version():
    """Hash of the code that makes the data: this file and ``utils/sky``."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted(Path(sky.__file__).parent.glob("*.py"))):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def _cached(name, options, make):
    """Arrays from the cache; else made, and kept."""
    folder = cache_folder()
    if folder is None:
        return make()
    plain = json.dumps(options, sort_keys=True, default=lambda value: value.item())
    stem = f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"
    path = folder / f"{stem}-{code_version()}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            if all(f"{split}_{part}" in arrays for split in SPLITS for part in ("images", "truth")):
                return arrays
            raise KeyError("a split is missing")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            print(f"datasets: the cache file {path.name} is damaged and is made again")
    arrays = make()
    try:
        with replacing(path) as part, open(part, "wb") as file:
            np.savez(file, **arrays)
        for stale in folder.glob(f"{stem}-*.npz"):
            if stale != path:
                stale.unlink(missing_ok=True)
    except OSError as error:
        _tell(f"datasets: {path.name} could not be kept ({error.strerror or error}); it is made anew each time")
    return arrays
