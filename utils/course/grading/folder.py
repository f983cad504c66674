"""What a folder of grades needs besides results: the secret seed, and locks against a second command at once."""

import json
import os
import secrets
import socket
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from utils.course.errors import CourseError


def secret_seed(folder, wanted=None):
    """The secret seed of a folder of grades, made at the first call.

    Parameters
    ----------
    folder : pathlib.Path
    wanted : int or None
        A seed to set; None is the one that is there, or a random one. The cases of all checks hang on it.

    Returns
    -------
    int
    """
    path = Path(folder) / "secret.json"
    if wanted is not None and wanted < 0:
        raise CourseError(f"a seed is a whole number from 0 on, got {wanted}")
    if not path.exists():
        _write_secret(path, secrets.randbits(63) if wanted is None else wanted, replace=False)
    seed = _read_secret(path, wanted)
    if wanted is not None and seed != wanted:
        _write_secret(path, wanted, replace=True)
        seed = wanted
    return seed


def _read_secret(path, wanted):
    try:
        seed = json.loads(path.read_bytes())["seed"]
        if type(seed) is int and seed >= 0:
            return seed
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if wanted is not None:
        return None
    raise CourseError(f"{path} is damaged: delete it, or set a seed with --seed (either way everybody is graded anew)")


def _write_secret(path, seed, replace):
    """Write the seed for our eyes only; of several who make it at once, one wins unless told to replace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="secret.", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump({"seed": seed}, file)
        if replace:
            os.replace(name, path)
            return
        try:
            os.link(name, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def locked(folder, name="grade", wait=False, say=print):
    """Hold the lock `name` of a folder; it is given back when the process ends, however it ends.

    Parameters
    ----------
    folder : pathlib.Path
    name : str
    wait : bool
        Wait for whoever holds it; otherwise a CourseError says who does.
    say : callable
        Told where it has to wait, or where the file system has no locks.
    """
    path = Path(folder) / f".{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        told = False
        while not _lock(file, say):
            file.seek(0)
            holder = file.read(200).strip() or "another command"
            if not wait:
                raise CourseError(
                    f"{holder} is grading into {folder} at this moment: wait for it, or name another folder with -o"
                )
            if not told:
                say(f"waiting for {holder}, which works in {folder}")
                told = True
            time.sleep(0.2)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
        file.truncate(0)


def _lock(file, say):
    """Whether the lock could be had; also where the file system has none."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return _lock_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        say(f"the folder's file system has no locks ({error.strerror}): run one command at a time in it")
    return True


def _lock_on_windows(file):
    import msvcrt

    file.seek(1000)  # behind the text, which others read
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
