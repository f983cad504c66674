"""Galaxy10 DECaLS: real galaxies, labelled by volunteers, over the network."""

import numpy as np

from utils.datasets.network import fetch
from utils.datasets.splits import check_whole, stream

URL = "https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5"
SHA256 = "19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571"
TRUTH = np.dtype([("ra", "f8"), ("dec", "f8"), ("redshift", "f4"), ("pixel_scale", "f4")])


def describe(size=64, seed=0):
    """Galaxy10 DECaLS: 17 736 real galaxies in ten classes, labelled by Galaxy Zoo volunteers. 2.5 GB over the network.

    Images are 256-px display pictures, averaged down to ``size``, values 0 to 1, bands from blue to red (g, r, z). One
    in ten galaxies is for validation and one in ten for testing, by ``seed``. Truth: ra, dec [deg], redshift,
    pixel_scale [arcsec].

    References
    ----------
    Leung & Bovy 2019, MNRAS 483, 3255; Walmsley et al. 2022, MNRAS 509, 3966; Dey et al. 2019, AJ 157, 168.
    """
    check_whole("seed", seed, 0)
    check_whole("size", size, 8)
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


def make(size, seed):
    return read_galaxy10(fetch(URL, SHA256), size, seed)


def read_galaxy10(path, size=64, seed=0):
    """Arrays of the three splits, from a file like Galaxy10 DECaLS (HDF5: images, ans, ra, dec, redshift, pxscale)."""
    import h5py

    with h5py.File(path) as file:
        labels = file["ans"][:].astype(np.int64)
        truth = np.zeros(len(labels), TRUTH)
        for column, key in zip(TRUTH.names, ("ra", "dec", "redshift", "pxscale"), strict=True):
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
