"""The folder that a graded kernel and the grader share: cases go in, observations come out.

The student's code can write to the folder, and put links or pipes where files are expected. So the grader holds on to
the folder itself, follows no link, and reads nothing but files of a bounded size.
"""

import os
import stat

from utils.checks.exchange import LARGEST

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Mailbox:
    """The shared folder, held from before the student's code runs.

    Parameters
    ----------
    folder : pathlib.Path
    """

    def __init__(self, folder):
        self._folder = folder
        self._held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) if os.supports_dir_fd else None

    def put(self, data):
        """Lay `data` out as ``cases``, and take away what was observed before; an OSError where that cannot be."""
        for name in ("cases", "observed"):
            try:
                os.unlink(*self._at(name)[0], **self._at(name)[1])
            except FileNotFoundError:
                pass
        with self._open("cases", os.O_WRONLY | os.O_CREAT | os.O_EXCL, "wb") as file:
            file.write(data)

    def take(self):
        """The bytes of ``observed``; a ValueError in words where there are none that can be taken."""
        try:
            with self._open("observed", os.O_RDONLY, "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise ValueError("nothing was handed over")
                if found.st_size > LARGEST:
                    raise ValueError(f"the answer returned {found.st_size / 1e6:.0f} MB of data, far too much")
                return file.read(LARGEST)
        except OSError:
            raise ValueError("nothing was handed over") from None

    def close(self):
        if self._held is not None:
            os.close(self._held)

    def _at(self, name):
        if self._held is None:
            return (self._folder / name,), {}
        return (name,), {"dir_fd": self._held}

    def _open(self, name, flags, mode):
        (path,), where = self._at(name)
        return os.fdopen(os.open(path, flags | _NO_LINKS, 0o644, **where), mode)
