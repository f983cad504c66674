"""Where the course's files are, how to write one whole or not at all, and how to read one that must not change."""

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def replacing(path):
    """A temporary path beside `path` to write to; it takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    path : pathlib.Path
        The file to write. Missing folders are made.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_verified(path, sha256, cure):
    """The bytes of a file that is known by its checksum.

    Parameters
    ----------
    path : pathlib.Path
    sha256 : str
        In hexadecimal digits.
    cure : str
        How to get the file back; it ends the text of an error.

    Raises
    ------
    OSError
        Where the file cannot be read, or holds something else.

    Examples
    --------
    >>> read_verified(ROOT / "LICENSE", "0" * 64, "fetch it anew")
    Traceback (most recent call last):
    ...
    OSError: LICENSE is damaged: its checksum is not the one it was made with; fetch it anew
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise type(error)(f"{path.name} cannot be read ({error.strerror or error}); {cure}") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise OSError(f"{path.name} is damaged: its checksum is not the one it was made with; {cure}")
    return raw


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path, text):
    """Write `text` as UTF-8 with Unix line ends to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
