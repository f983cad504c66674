"""Make ``data/hsc_tile.npz`` from the test data of the package deepdisc 0.1.1.

Fetch and unpack the package's source distribution, then run, from the repository,
``python -m utils.datasets.hsc_tile FOLDER`` with the unpacked folder. The same input gives the same bytes, as long as
NumPy and zlib write alike; the numbers in the file are the same in any case.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from utils.datasets import hsc
from utils.files import replacing

INSIDE = "tests/deepdisc/test_data/hsc"


def derive(folder):
    """What the file holds, from the unpacked source distribution.

    Parameters
    ----------
    folder : path
        With ``tests/deepdisc/test_data/hsc`` in it.

    Returns
    -------
    dict of str to array
    """
    folder = Path(folder) / INSIDE
    if not folder.is_dir():
        raise FileNotFoundError(f"no {INSIDE} in the folder; unpack deepdisc-0.1.1.tar.gz and give the folder it makes")
    bands = [fits.getdata(folder / f"{band}-10054-0,2-c1_scarlet_img.fits") for band in "GRI"]
    flux = np.stack(bands, axis=-1).astype(float)
    level, noise = (value.round(6) for value in hsc.empty_sky(flux)[:2])  # so that they are the same on each machine
    low, high = hsc.encode(flux, noise)
    objects = json.loads((folder / "single_test.json").read_text())[0]["annotations"]
    outlines = [np.array(thing["segmentation"][0]).reshape(-1, 2) for thing in objects]
    cuts = np.array([thing["bbox"] for thing in objects])  # x, y, width, height; the source is in the middle
    return {
        "low": low,
        "high": high,
        "sky_level": level,
        "sky_noise": noise,
        "kind": np.array([thing["category_id"] for thing in objects], np.uint8),
        "magnitude": np.array([thing["imag"] for thing in objects], np.float32),
        "centre": (cuts[:, :2] + cuts[:, 2:] // 2).astype(np.int16),
        "outline_length": np.array([len(outline) for outline in outlines], np.int16),
        "vertices": np.concatenate(outlines).astype(np.int16),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="the unpacked source distribution of deepdisc 0.1.1")
    arrays = derive(parser.parse_args().folder)
    with replacing(hsc.PATH) as part, open(part, "wb") as file:
        np.savez_compressed(file, **arrays)
    raw = hsc.PATH.read_bytes()
    print(f"data/{hsc.PATH.name}: {len(raw)} bytes, SHA-256 {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
