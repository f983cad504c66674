"""A process and all that it has started: who they are, what they use, and how to end them.

On Linux everything is read from ``/proc``, ten times a second and more; elsewhere psutil is asked, which is slower and
has not been tried with students' code.
"""

import os
import signal
import stat
import sys
import time
from pathlib import Path

import psutil

_LINUX = sys.platform.startswith("linux")
_LISTED = Path(f"/proc/self/task/{os.getpid()}/children").exists()
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
MOST = 5000  # processes that are looked at


def descendants(pid, most=MOST):
    """Process ids of all that `pid` and its children have started and that still live; about `most` of them at most.

    Processes may be started faster than they are counted.
    """
    if not _LISTED:
        try:
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        except psutil.Error:
            return []
    found, waiting = [], [pid]
    while waiting and len(found) < most:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def children(pid):
    """Process ids of the children of `pid` (Linux)."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def resident(pids):
    """Bytes of memory in use; pages that several processes share count for each of them: an upper bound, quickly."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid):
    if not _LINUX:
        try:
            return psutil.Process(pid).memory_info().rss
        except psutil.Error:
            return 0
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def memory(pids):
    """Bytes of memory in use; pages that several processes share are divided among those who share them."""
    return sum(_proportional(pid) for pid in pids)


def _proportional(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident(pid)  # hidden from us, or not told by this system


def unlinked(pids):
    """Bytes of the files that the processes hold open and that are in no folder any more: these fill a disk unseen.

    Raises
    ------
    PermissionError
        Where a process hides what it has opened, as one does whose program can be run but not read.
    """
    files = {}
    for pid in pids if _LINUX else ():
        try:
            opened = os.listdir(f"/proc/{pid}/fd")
        except OSError as error:
            if isinstance(error, PermissionError) and _resident(pid):  # one that has ended is closed to us too
                raise
            continue
        for descriptor in opened:
            try:
                found = os.stat(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                files[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(files.values())


def in_folder(folder, most):
    """Bytes on disk and number of entries below a folder.

    Raises
    ------
    OSError
        Where something can't be looked at: a folder that is closed, or too deep.
    """
    total, entries, waiting = 0, 0, [str(folder)]
    while waiting and entries <= most:
        try:
            with os.scandir(waiting.pop()) as listing:
                for entry in listing:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        found = entry.stat(follow_symlinks=False)
                        total += getattr(found, "st_blocks", found.st_size / 512) * 512
                    if entries > most:
                        break
        except FileNotFoundError:
            continue  # gone meanwhile
    return total, entries


def started(pid):
    """When a process was started, in a unit of the system's own; None where there is none."""
    if not _LINUX:
        try:
            return psutil.Process(pid).create_time()
        except psutil.Error:
            return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError):
        return None


def strays(mark, folder):
    """Process ids of those whose environment held the text `mark` at their start, or that work in `folder` (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*") if _LINUX else ():
        try:
            if mark.encode() in (path / "environ").read_bytes() or os.readlink(path / "cwd").startswith(f"{folder}/"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def end(find, seconds=5.0):
    """Kill the processes that `find()` lists, again and again until it lists none; whether that was reached."""
    deadline = time.monotonic() + seconds
    while pids := find():
        for pid in pids:
            kill(pid)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.003)
    return True


def kill(pid):
    if pid <= 1 or pid == os.getpid():  # 0 and -1 would be groups
        return
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
