"""One run of a notebook through nbval, in a process of its own, in a kernel that the grader owns.

The process (:mod:`utils.course.grading.plugin`) asks before each cell what to do, and reports behind it. It may end or
hang over what the student's kernel sends it: that is noticed here, and tells which cell did it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Listener
from pathlib import Path

from utils.course.grading.forks import Zygote
from utils.course.notebook import dumps
from utils.files import ROOT

PRELOAD = ("utils.course.grading.plugin", "pytest", "nbval.plugin", "nbformat", "nbformat.v4", "jsonschema")
START = 60.0  # seconds for the process to call
GRACE = 1.0  # seconds for a kernel's end to be noticed when the process has ended first
_PLUGIN = "utils.course.grading.plugin"


@dataclass(frozen=True)
class Gone:
    """A run that did not reach its end.

    Parameters
    ----------
    cell : str or None
        Id of the cell that was running; None where none was yet.
    reason : str
        In words: "ended itself with status 1".
    late : bool
        The time for the whole submission was up.
    """

    cell: str | None
    reason: str
    late: bool = False


class Sessions:
    """Runs notebooks, one at a time. A context manager.

    Parameters
    ----------
    fork : bool
        Fork the processes from one that has imported nbval; else start Python anew for each.
    """

    def __init__(self, fork=True):
        self._folder = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp" if os.path.isdir("/tmp") else None))
        self._key = os.urandom(32)
        address = str(self._folder / "s") if os.name == "posix" else ("127.0.0.1", 0)
        self._listener = Listener(address, "AF_UNIX" if os.name == "posix" else "AF_INET", authkey=self._key)
        self._listener._listener._socket.settimeout(START)  # a process that ends before it calls must not be awaited
        self._zygote = Zygote(PRELOAD, path=[ROOT]) if fork else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        if self._zygote:
            self._zygote.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, cells, kernel, leader, deadline):
        """Run a notebook.

        Parameters
        ----------
        cells : list of (str, str)
            Id and source of each cell.
        kernel : Kernel
        leader : object
            ``before(cell)`` gives ``{"run": bool, "seconds": float}``; ``after(cell, report)`` gives
            ``{"inject": source or None, "seconds": float}``, what is to be run behind the cell. A report has
            ``state`` (``"ok"``, ``"error"``, ``"timeout"``, ``"skipped"``), ``seconds``, ``error`` and ``outputs``.
        deadline : float
            For the whole run, on the clock of ``time.monotonic``.

        Returns
        -------
        Gone or None
            None where the run has reached its end.
        """
        path = self._folder / "submission.ipynb"
        path.write_text(dumps(_notebook(cells)), encoding="utf-8", errors="replace")  # half a surrogate pair
        process = self._start(path, kernel.connection_file)
        channel = None
        try:
            channel = self._listener.accept()
            return self._lead(channel, kernel, leader, deadline)
        except TimeoutError:
            return Gone(None, "nbval did not start")
        finally:
            process.kill()
            process.wait()
            if channel is not None:
                channel.close()

    def _start(self, path, connection_file):
        arguments = {
            "path": str(path),
            "connection_file": str(connection_file),
            "address": self._listener.address,
            "key": self._key.hex(),
        }
        if self._zygote:
            return self._zygote.call(f"{_PLUGIN}:main", arguments, cwd=self._folder)
        process = subprocess.Popen(
            [sys.executable, "-m", _PLUGIN],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process.stdin.write(json.dumps(arguments).encode() + b"\n")
        process.stdin.close()
        return process

    def _lead(self, channel, kernel, leader, deadline):
        running = None
        while True:
            try:
                if not channel.poll(0.05):
                    if not kernel.alive():
                        return Gone(running, kernel.reason)
                    if time.monotonic() > deadline:
                        return Gone(running, "the time for the whole submission was up", late=True)
                    continue
                said = json.loads(channel.recv_bytes())
                event = said.pop("event")
                if event == "end":
                    return None if running else Gone(None, "nbval could not read the notebook")
                if event == "gone":
                    return self._after_the_end(running, kernel, said["reason"])
                cell = said.pop("id")
                if event == "before":
                    running = cell
                    answer = leader.before(cell)
                else:
                    answer = leader.after(cell, said)
                channel.send_bytes(json.dumps(answer).encode())
            except (EOFError, OSError):
                return self._after_the_end(running, kernel, "put out more than could be read")

    def _after_the_end(self, running, kernel, reason):
        """The process has ended or given up: because of the kernel's end, where there was one."""
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline:
            if not kernel.alive():
                return Gone(running, kernel.reason)
            time.sleep(0.02)
        return Gone(running, reason)


def _notebook(cells):
    """A notebook of code alone."""
    return {
        "cells": [
            {"cell_type": "code", "id": id_, "metadata": {}, "source": source, "outputs": [], "execution_count": None}
            for id_, source in cells
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
