"""Files from the network, each verified by its checksum."""

import tempfile
from pathlib import Path

from utils.datasets.cache import cache_folder


class DownloadError(OSError):
    """Data over the network could not be had. Nothing broken is left behind."""


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
