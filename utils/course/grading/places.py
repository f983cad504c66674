"""Temporary folders that students' code writes to: with short names, gone afterwards whatever lies in them."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LINUX = sys.platform.startswith("linux")
# Short, as the address of a socket has at most 107 bytes.
_PLACE, _PREFIX = Path("/tmp" if _LINUX else tempfile.gettempdir()), "course-"


class Place:
    """A new temporary folder, ``path``, until :meth:`close`. Those of processes that were killed are removed first."""

    def __init__(self):
        remove_stale()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PLACE))
        self._held = hold(self.path)

    def close(self):
        self._held.close()
        remove(self.path)


def hold(folder):
    """An open file that tells, as long as this process lives, that the folder is in use (Linux)."""
    held = open(folder / "new", "w", encoding="ascii")
    if _LINUX:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / "new").rename(folder / "held")
    return held


def remove_stale():
    """Remove the folders whose process was killed."""
    for path in _PLACE.glob(f"{_PREFIX}*/held") if _LINUX else ():
        try:
            with open(path, "r+", encoding="ascii") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path.parent)
        except OSError:
            continue  # in use, or another user's


def remove(folder):
    """Remove a folder that someone may have made hard to remove: closed, or deeper than a path can be long."""
    if _LINUX:
        for _ in range(3):
            run = subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True, check=False)
            if run.returncode == 0:
                return
            subprocess.run(["chmod", "-R", "u+rwx", "--", str(folder)], capture_output=True, check=False)
            time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)
