"""Who does the grading: this process, processes of this machine, or a Dask cluster, all as executors.

A task is :func:`grade_one`; what it returns is plain data, whatever happens, so that no error is lost on its way
between processes. A :class:`Grader` is kept in each process for the tasks that follow.
"""

import importlib
import multiprocessing
import multiprocessing.util
import os
import signal
import socket
import sys
import threading
import time
import traceback
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from utils.course.errors import CourseError
from utils.course.grading import version
from utils.files import ROOT

START_SECONDS = 10.0  # for a worker that is to be stopped to have started


@dataclass(frozen=True)
class Job:
    """What all tasks of a run have in common, as plain data that can be sent to another machine.

    Parameters
    ----------
    setup : Setup
        For the Grader.
    grader : str
        Where the class of the Grader is: ``"package.module:Name"``.
    course : str
        Version of the course; a worker that has another one refuses. Empty: not compared.
    fingerprint, digest : str
        Of the machine that calibrated, and what came out. A worker on a machine of another fingerprint calibrates
        for itself, and refuses where something else comes out. Empty: not compared.
    """

    setup: object
    grader: str = f"{version.GRADER}:Grader"
    course: str = ""
    fingerprint: str = ""
    digest: str = ""


class Refusal(Exception):
    """A worker will not grade, as its grades would not be comparable; the text says why."""


def grade_one(job, student, data):
    """Grade one submission with this process's Grader.

    Parameters
    ----------
    job : Job
    student : str
    data : bytes
        The notebook.

    Returns
    -------
    dict
        ``{"result": Result}``, or ``{"mend": text}`` where the instructor has to mend something, or
        ``{"refused": text, "worker": name}``, or ``{"error": text, "traceback": text}`` for a fault of the grader.
    """
    with _lock:
        try:
            grader = _grader(job)
        except Refusal as reason:
            return {"refused": str(reason), "worker": _name()}
        except CourseError as error:
            return {"mend": str(error)}
        except Exception as error:
            return _fault(error)
        try:
            return {"result": grader.grade(data) | {"student": student}}
        except Exception as error:
            _close()  # the next submission gets a fresh one
            return _fault(error)


def _fault(error):
    return {"error": f"{type(error).__name__}: {error}"[:500], "traceback": traceback.format_exc()[-4000:]}


def load(path):
    """The object at ``"package.module:Name"``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


# The Grader of this process.


def _files():
    """Fingerprint of all programs of the course as they are on disk."""
    paths = sorted((ROOT / "utils").rglob("*.py"))
    return version.digest([[path.name, path.read_bytes().hex()] for path in paths])


_loaded = _files()  # a Dask worker may have been started long before the course was changed
_lock = threading.Lock()
_open = None  # (job, grader)
_refused = None  # (job, reason)


def _grader(job):
    global _open, _refused
    if _open and _open[0] == job:
        return _open[1]
    if _refused and _refused[0] == job:
        raise Refusal(_refused[1])
    _close()
    try:
        setup = _accepted(job)
    except Refusal as reason:
        _refused = job, str(reason)
        raise
    grader = load(job.grader)(setup)
    _open = job, grader.__enter__()
    return _open[1]


def _accepted(job):
    """The job's setup, with what this machine's own calibration found; a Refusal where that differs."""
    setup = job.setup
    if job.course:
        if not Path(setup.root).is_dir():
            setup = replace(setup, root=ROOT)
        same = version.course_version(setup.root, setup.lab) == job.course
        if _address() and not (same and _files() == _loaded):
            raise Refusal("this worker has another version of the course: bring its copy up to date, and restart it")
        if not same:
            raise Refusal("the course was changed while it was being graded: run the command again")
    if not job.digest or version.fingerprint() == job.fingerprint:
        return setup
    from utils.course.grading.calibrate import calibrate

    try:
        own = calibrate(setup, job.grader)
    except CourseError as error:
        raise Refusal(f"calibration fails on this worker's machine: {error}") from None
    if own.digest != job.digest:
        raise Refusal("what its calibration gives differs from what the grader's own gave: are its packages the same?")
    return own.apply(setup)


def _close():
    """Close this process's Grader, with everything that it has started."""
    global _open
    opened, _open = _open, None
    if opened:
        opened[1].__exit__(None, None, None)


def close_grader():
    """Close this process's Grader, once it is not grading."""
    with _lock:
        _close()


def _address():
    """Where this process is a worker of Dask, its address; else an empty text."""
    if "distributed" in sys.modules:
        from distributed import get_worker

        try:
            return get_worker().address
        except ValueError:  # Dask is loaded, but this is none of its workers
            pass
    return ""


def _name():
    """How this worker is called, in words."""
    return _address() or f"process {os.getpid()} on {socket.gethostname()}"


# Executors. Besides what every executor does, each says how many tasks it has room for and stops everything at once;
# where it can, it ends an overdue task (`kill`), and sends nothing more to a worker that refuses (`refuse`).


class InProcess(Executor):
    """Grades in this process, one after the other, without threads."""

    def room(self):
        return 1

    def submit(self, function, /, *args):
        future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self):
        close_grader()

    def shutdown(self, wait=True, *, cancel_futures=False):
        close_grader()


class Workers(Executor):
    """Processes of this machine, each in a pool of its own: where one dies, it is known which task it had.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count):
        self._slots = [_Slot() for _ in range(count)]

    def room(self):
        return len(self._slots)

    def submit(self, function, /, *args):
        slot = next(slot for slot in self._slots if slot.idle())
        return slot.submit(function, *args)

    def kill(self, future):
        """End the process that works on `future`, and what it has started."""
        for slot in self._slots:
            if slot.future is future:
                slot.kill()

    def stop(self):
        """End all processes at once; they get a few seconds to take down what they have started."""
        for slot in self._slots:
            slot.terminate()
        deadline = time.monotonic() + 10
        for slot in self._slots:
            slot.kill(max(0.0, deadline - time.monotonic()))
        self.shutdown(cancel_futures=True)

    def shutdown(self, wait=True, *, cancel_futures=False):
        for slot in self._slots:
            slot.close(wait, cancel_futures)


class _Slot:
    """A place for one worker process; a dead one is replaced by the next task."""

    def __init__(self):
        self._pool, self._process, self.future = None, None, None

    def idle(self):
        return self.future is None or self.future.done()

    def submit(self, function, *args):
        if self._pool is not None:
            try:
                self.future = self._pool.submit(_task, function, *args)
                return self.future
            except BrokenProcessPool:
                self._pool.shutdown(wait=False)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)
        self._process = self._pool.submit(os.getpid)
        self.future = self._pool.submit(_task, function, *args)
        return self.future

    def _family(self, patience=0.0):
        """Our process, once it has started, and all that it has started, as psutil.Process; empty where it has not."""
        import psutil

        try:
            process = psutil.Process(self._process.result(patience))
            return [process, *process.children(recursive=True)]
        except Exception:  # there is none yet, or not any more
            return []

    def terminate(self):
        import psutil

        for process in self._family(START_SECONDS)[:1]:
            try:
                process.terminate()
            except psutil.Error:
                continue

    def kill(self, patience=0.0):
        import psutil

        family = self._family()
        # Not psutil's wait: it takes the exit status away from multiprocessing, for which the process then never ends.
        for child in multiprocessing.active_children():
            if family and child.pid == family[0].pid:
                child.join(patience)
        for process in family:
            try:
                process.kill()
            except psutil.Error:
                continue

    def close(self, wait, cancel_futures):
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _start_worker():
    """Prepare a worker process: it ends when told to or when its parent does, and leaves nothing running behind it."""
    # Ctrl-C goes to all; the parent decides. Were it SIG_IGN, kernels would inherit it.
    signal.signal(signal.SIGINT, _ignore)
    signal.signal(signal.SIGTERM, _end)
    multiprocessing.util.Finalize(None, _close, exitpriority=100)
    threading.Thread(target=_end_with_parent, daemon=True).start()


_busy = False  # with a task


def _task(function, *arguments):
    """Run a task in a worker process. Told to end, it comes to an end here: the pool would take that for a result."""
    global _busy
    try:
        _busy = True
        return function(*arguments)
    except SystemExit:
        _close()
        os._exit(1)
    finally:
        _busy = False


def _ignore(*_):
    pass


def _end(*_):
    if _busy:  # what the task has opened is closed on the way out
        raise SystemExit(1)
    _close()
    os._exit(1)


def _end_with_parent():
    """Wait for the parent's end; then close the Grader, or kill what it has started where that takes too long."""
    import psutil

    multiprocessing.parent_process().join()
    family = psutil.Process().children(recursive=True)
    closing = threading.Thread(target=_close, daemon=True)
    closing.start()
    closing.join(10)
    for process in family:
        try:
            process.kill()
        except psutil.Error:
            continue
    os._exit(1)


class Cluster(Executor):
    """The workers of a Dask cluster, through ``Client.get_executor()``.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://host:8786``.
    say : callable
        Told about workers that refuse.
    patience : float
        Seconds to wait for a first worker.
    timeout : float
        Seconds to wait for the scheduler.
    """

    def __init__(self, address, say=print, patience=300, timeout=30):
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise CourseError('--dask needs a package: pip install "dask[distributed]"') from None
        try:
            self._client = Client(address, timeout=timeout, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CourseError(f"no Dask scheduler answers at {address} ({error})") from None
        self._executor = self._client.get_executor(pure=False)
        self._address, self._say, self._patience = address, say, patience
        self._refused, self._asked, self._workers, self._deserted = {}, 0.0, [], None

    def room(self):
        """Workers at this moment that do not refuse."""
        if time.monotonic() - self._asked > 1:
            if self._client.status != "running":
                raise CourseError(f"the Dask scheduler at {self._address} is gone; what is graded so far is kept")
            self._workers, self._asked = list(self._client.ncores()), time.monotonic()
        willing = [worker for worker in self._workers if worker not in self._refused]
        if willing:
            self._deserted = None
        elif self._workers:
            raise CourseError("all workers refuse to grade:\n" + "\n".join(sorted(set(self._refused.values()))))
        elif self._deserted is None:
            self._deserted = time.monotonic()
            self._say(f"waiting for workers of the Dask scheduler at {self._address}")
        elif time.monotonic() - self._deserted > self._patience:
            raise CourseError(f"the Dask scheduler at {self._address} has no workers; what is graded so far is kept")
        return len(willing)

    def submit(self, function, /, *args):
        willing = [worker for worker in self._workers if worker not in self._refused]
        where = {"workers": willing, "allow_other_workers": True} if self._refused and willing else {}
        return self._executor.submit(function, *args, **where)

    def refuse(self, worker, reason):
        """Send nothing to a worker any more."""
        if worker not in self._refused:
            self._say(f"the worker {worker} refuses to grade: {reason}")
        self._refused[worker] = f"{worker}: {reason}"

    def stop(self):
        self.shutdown(wait=False)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Forget what is under way; each worker closes its Grader when it has come to an end with it."""
        from distributed import fire_and_forget

        self._executor.shutdown(wait=wait)
        if self._client.status == "running":
            for worker in self._client.ncores():
                fire_and_forget(self._client.submit(close_grader, workers=[worker], pure=False))
        self._client.close()
