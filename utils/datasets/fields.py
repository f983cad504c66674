"""Simulated fields of many stars and galaxies, every pixel's owner known."""

import numpy as np

from utils import sky
from utils.datasets.splits import SPLITS, check_sigmas, check_simulated, check_whole, stream

CLASSES = ("spheroid", "disc", "irregular", "point source", "background")
LEAST = 5  # an object that owns fewer pixels is left out of the truth
CHUNK = 64  # fields drawn at a time
TRUTH = np.dtype([*sky.OBJECTS.descr, ("radius_arcsec", "f4"), ("axis_ratio", "f4"), ("bulge_fraction", "f4")])


def describe(
    survey="HSC tile",
    n_train=400,
    n_validation=100,
    n_test=100,
    size=128,
    magnitude=None,
    crowding=1,
    crowded=24.0,
    threshold=1.5,
    seed=0,
):
    """Simulated fields of stars and galaxies, in number, size and colour about as on the real sky.

    Most objects of the sky are too faint to be worth a box. A detector that is to learn from few fields can have more
    of the bright ones, with ``crowding``: of 128 pixels, a field of "HSC tile" has about 4 with i < 24.

    - ``images`` (n, size, size, bands), in units of the sky noise, bands from blue to red;
    - ``segmentation`` (n, size, size) int16: label of the object with most light in a pixel, 0 where no object's light
      is above the threshold;
    - ``truth``: one table for all fields, one row an object that owns at least ``LEAST`` pixels: field (row of
      ``images``), label, kind (one of ``sky.KINDS``, or star), magnitude (i, or the band next to it), x, y, box, area,
      flux, blendedness, see ``sky.OBJECTS``, and radius_arcsec, axis_ratio, bulge_fraction. Box and area are those of
      the object's own light above the threshold, whoever shines brighter there. Fainter objects are in the images, but
      not in the truth.

    ``fields.class_shares`` makes soft labels for each pixel of it.

    Parameters
    ----------
    survey : str
        Out of ``sky.SURVEYS``.
    n_train, n_validation, n_test : int
        Number of fields.
    size : int
        Side of a field [pixels].
    magnitude : (float, float), optional
        Bright and faint limit of the i magnitude. Default: 18 to 0.75 brighter than the survey's depth.
    crowding : int
        How many times as many objects as on the sky there are down to ``crowded``.
    crowded : float
        An i magnitude between the limits. Without effect where ``crowding`` is 1.
    threshold : float
        In units of the sky noise of the detection image, see ``sky.detection``.
    seed : int
    """
    check_simulated(survey, n_train, n_validation, n_test, size, seed)
    if magnitude is not None:
        sky.check_limits(magnitude)
    check_whole("crowding", crowding, 1)
    check_sigmas("threshold", threshold)
    seen_by = sky.SURVEYS[survey]
    bright, faint = magnitude or _magnitudes(seen_by)
    if crowding > 1 and not bright < crowded <= faint:
        raise ValueError(f"crowded must be a magnitude between the limits, {bright} and {faint}, got {crowded!r}")
    denser = f"{crowding} times as many down to {crowded:.1f}, " if crowding > 1 else ""
    return {
        "class_names": CLASSES,
        "bands": seen_by.bands,
        "survey": seen_by,
        "description": (
            f"Simulated fields of stars and galaxies as {survey} sees them ({', '.join(seen_by.bands)}; "
            f'{seen_by.pixel_scale}" pixels), i magnitude {bright:.1f} to {faint:.1f}, {denser}the owner of '
            "every pixel known. Pixels in units of the sky noise."
        ),
    }


def _magnitudes(survey):
    """Bright and faint limit for a survey, from its depth in the band next to i."""
    return 18.0, survey.depth[survey.nearest_band(770)] - 0.75


def make(survey, n_train, n_validation, n_test, size, magnitude, crowding, crowded, threshold, seed):
    seen_by = sky.SURVEYS[survey]
    bright, faint = magnitude or _magnitudes(seen_by)
    limits = [(bright, faint)] + [(bright, crowded)] * (crowding - 1)
    arrays = {}
    for split, n in zip(SPLITS, (n_train, n_validation, n_test), strict=True):
        draw, noise = stream(seed, "fields", split).spawn(2)
        images = np.empty((n, size, size, len(seen_by.bands)), np.float32)
        segmentation = np.empty((n, size, size), np.int16)
        tables = [np.zeros(0, TRUTH)]
        for start in range(0, n, CHUNK):
            there = [
                np.concatenate([sky.draw_field(size, seen_by, draw, pair) for pair in limits])
                for _ in range(start, min(start + CHUNK, n))
            ]
            seen = sky.render_fields(there, seen_by, size, noise, threshold)
            for number, (truth, field) in enumerate(zip(there, seen, strict=True), start=start):
                images[number] = field.image
                segmentation[number], table = _visible(truth, field)
                table["field"] = number
                tables.append(table)
        arrays[f"{split}_images"], arrays[f"{split}_segmentation"] = images, segmentation
        arrays[f"{split}_truth"] = np.concatenate(tables)
    return arrays


def _visible(truth, field):
    """Segmentation map and truth table of the objects that own enough pixels, labelled anew from 1."""
    owned = np.bincount(field.segmentation.ravel(), minlength=len(truth) + 1)[1:]
    kept = np.flatnonzero(owned >= LEAST)
    table = np.zeros(len(kept), TRUTH)
    for name in TRUTH.names:
        table[name] = (field.objects if name in sky.OBJECTS.names else truth)[name][kept]
    label = np.zeros(len(truth) + 1, np.int16)
    label[kept + 1] = table["label"] = np.arange(1, len(kept) + 1)
    return label[field.segmentation], table


def class_shares(segmentation, truth):
    """Soft labels for each pixel: to what share its owner is a spheroid, a disc, irregular or a point source.

    A spiral or edge-on galaxy is a spheroid to the share of its bulge, and else a disc. As in Morpheus, all pixels of
    an object have the same shares, and background is what belongs to nobody.

    Parameters
    ----------
    segmentation : (n, size, size) int array
        Of the data set "fields".
    truth : structured array
        The table that goes with it: ``field`` counts the maps from 0.

    Returns
    -------
    (n, size, size, 5) float16 array
        In the order of ``CLASSES``; the sum is one.

    References
    ----------
    Hausen & Robertson 2020, ApJS 248, 20 (Morpheus).

    Examples
    --------
    >>> truth = np.zeros(1, TRUTH)
    >>> truth["label"], truth["kind"], truth["bulge_fraction"] = 1, "spiral", 0.25
    >>> class_shares(np.array([[[0, 1]]]), truth)[0, 0].tolist()
    [[0.0, 0.0, 0.0, 0.0, 1.0], [0.25, 0.75, 0.0, 0.0, 0.0]]
    """
    kind = truth["kind"]
    shares = np.zeros((len(truth), len(CLASSES)), np.float16)
    disc = np.isin(kind, ("spiral", "edge-on"))
    shares[:, 0] = np.where(disc, truth["bulge_fraction"], kind == "elliptical")
    shares[:, 1] = np.where(disc, 1 - truth["bulge_fraction"], 0)
    shares[:, 2], shares[:, 3] = kind == "irregular", kind == "star"
    pixels = np.empty((*segmentation.shape, len(CLASSES)), np.float16)
    for number, owner in enumerate(segmentation):
        rows = truth["field"] == number
        table = np.zeros((owner.max(initial=0) + 1, len(CLASSES)), np.float16)
        table[0, -1] = 1
        table[truth["label"][rows]] = shares[rows]
        pixels[number] = table[owner]
    return pixels
