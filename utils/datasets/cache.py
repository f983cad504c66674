"""The cache of data sets: what was made once is kept, and made again where it is damaged or its code has changed."""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from utils import sky
from utils.datasets import splits
from utils.files import ROOT, replacing

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


def code_version(module):
    """Hash of the code that makes a data set: its module, that of the splits, and ``utils/sky``."""
    digest = hashlib.sha256()
    for path in (Path(module.__file__), Path(splits.__file__), *sorted(Path(sky.__file__).parent.glob("*.py"))):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def cached(name, module, options):
    """Arrays from the cache; else made by the module's ``make``, and kept.

    Parameters
    ----------
    name : str
        Of the data set.
    module : module
    options : dict

    Returns
    -------
    dict of str to array
    """
    folder = cache_folder()
    if folder is None:
        return module.make(**options)
    plain = json.dumps(options, sort_keys=True, default=lambda value: value.item())
    stem = f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"
    path = folder / f"{stem}-{code_version(module)}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            if all(f"{split}_{part}" in arrays for split in splits.SPLITS for part in ("images", "truth")):
                return arrays
            raise KeyError("a split is missing")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            print(f"datasets: the cache file {path.name} is damaged and is made again")
    arrays = module.make(**options)
    try:
        with replacing(path) as part, open(part, "wb") as file:
            np.savez(file, **arrays)
        for stale in folder.glob(f"{stem}-*.npz"):
            if stale != path:
                stale.unlink(missing_ok=True)
    except OSError as error:
        _tell(f"datasets: {path.name} could not be kept ({error.strerror or error}); it is made anew each time")
    return arrays
