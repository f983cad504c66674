"""Run a notebook in a kernel of its own: its outputs, what it recorded, and what it cost."""

import copy
import json
import os
import re
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from utils.course.clean import Cleaner
from utils.course.errors import CourseError, SourceError
from utils.course.notebook import join, split

CELL_TIMEOUT = 900  # seconds
_INLINE = "module://matplotlib_inline.backend_inline"


@dataclass(frozen=True)
class Run:
    """A notebook that has been run.

    Parameters
    ----------
    notebook : dict
        With cleaned outputs.
    results : dict
        What ``utils.results.record`` was handed: lab -> claim -> value.
    progress : dict
        What the checks found: exercise id -> ``{"state", "points"}``.
    cpu_seconds, wall_seconds : float
        User and system time of the kernel and its children; time from the kernel's start to the last cell's end.
    peak_bytes : int
        Largest memory of the kernel and its children together.
    """

    notebook: dict
    results: dict
    progress: dict
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def run_lab(course, lab, cells, notebook, seed=0, folder=None, allow_errors=False):
    """Run a lab's `notebook`, in a fresh kernel that leaves no trace in the user's own state.

    Parameters
    ----------
    course : Course
    lab : Lab
    cells : list of Cell
        Of the source: errors name them.
    notebook : dict
        As :func:`~utils.course.notebook.solution_notebook` makes it.
    seed : int
        The lab's seed.
    folder : pathlib.Path or None
        Where the notebook runs; None is ``solutions/``.
    allow_errors : bool
        Run the cells that follow a failing one, and leave its error among the outputs.

    Returns
    -------
    Run

    Raises
    ------
    CourseError
        Where a cell fails (unless errors are allowed), takes too long, or the kernel dies.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    node = nbformat.from_dict(copy.deepcopy(notebook))
    for cell in node.cells:
        cell.source = join(cell.source)
    current = {"index": 0}
    with tempfile.TemporaryDirectory(prefix="course-") as scratch:
        temporary, meter = Path(scratch), _Meter()
        client = NotebookClient(
            node,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            allow_errors=allow_errors,
            extra_arguments=["--log-level=ERROR"],  # no word about transport: the kernel is on this machine
            resources={"metadata": {"path": str(folder or course.solutions)}},
            on_notebook_start=lambda notebook: meter.start(client.km.provisioner.pid),
            on_cell_start=lambda cell, cell_index: current.update(index=cell_index),
            on_cell_executed=lambda **_: meter.measure(),
        )
        try:
            client.execute(env=os.environ | environment(temporary, seed))
        except CellExecutionError:
            raise _failed(course, lab, cells, node, current["index"], temporary) from None
        except CellTimeoutError:
            raise _stopped(lab, cells, current["index"], f"still ran after {CELL_TIMEOUT} seconds") from None
        except DeadKernelError:
            raise _stopped(lab, cells, current["index"], "ended the kernel (out of memory, perhaps)") from None
        finally:
            meter.stop()
        _add_outputs(notebook := copy.deepcopy(notebook), node, Cleaner(course.root, temporary))
        return Run(
            notebook,
            _read_json(temporary / "results.json"),
            _read_json(temporary / "progress.json"),
            meter.cpu_seconds,
            meter.wall_seconds,
            meter.peak_bytes,
        )


def environment(temporary, seed=0):
    """Variables for a process that runs a lab: its seed, and a folder for what it would leave behind."""
    return {
        "COURSE_SEED": str(seed),
        "COURSE_PROGRESS": str(temporary / "progress.json"),
        "COURSE_RESULTS": str(temporary / "results.json"),
        "IPYTHONDIR": str(temporary / "ipython"),
        "MPLBACKEND": _INLINE,
        "PYTHONHASHSEED": "0",
    }


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _add_outputs(notebook, node, cleaner):
    """Put the outputs of the run into the notebook, texts as lists of lines."""
    for cell, ran in zip(notebook["cells"], node.cells, strict=True):
        if cell["cell_type"] == "code":
            cell["execution_count"] = ran.execution_count
            cell["outputs"] = [_in_lines(output) for output in cleaner.outputs(json.loads(json.dumps(ran.outputs)))]


def _in_lines(output):
    if "text" in output:
        return output | {"text": split(output["text"])}
    if "data" in output:
        data = output["data"]
        return output | {"data": {k: split(v) if isinstance(v, str) else v for k, v in data.items()}}
    return output


def _stopped(lab, cells, index, what):
    cell = cells[index]
    return SourceError(lab.path, cell.line, f"the cell {what}", cell)


def _failed(course, lab, cells, node, index, temporary):
    """The error of a failing cell, with the line of the source and the cleaned traceback."""
    cell, ran = cells[index], node.cells[index]
    errors = [output for output in ran.outputs if output.output_type == "error"]
    if not errors:
        return CourseError(f"{lab.path.name}, {cell.label}: the cell failed without a word")
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(errors[-1].traceback))
    inside = re.findall(rf"Cell In\[{ran.execution_count}\], line (\d+)", traceback)
    line = cell.line + int(inside[0]) - 1 if inside else cell.line
    text = Cleaner(course.root, temporary).text(traceback)
    message = f"the cell fails with {errors[-1].ename}: {errors[-1].evalue}\n{text}"
    return SourceError(lab.path, line, message, cell)


def _memory(process, alone):
    """Bytes of a process; with others, on Linux, shared pages are divided among those who share them, as after a fork.

    To divide them, the system walks through all pages of the process and holds it up meanwhile; with ten measurements
    a second that takes a tenth of a core.
    """
    if alone:
        return process.memory_info().rss
    information = process.memory_full_info()
    return getattr(information, "pss", information.rss)


class _Meter:
    """Watches a process and its children from a thread: CPU seconds, wall seconds, peak memory."""

    def __init__(self, interval=0.1):
        self.cpu_seconds, self.peak_bytes, self.wall_seconds = 0.0, 0, 0.0
        self._interval, self._done, self._thread, self._lock = interval, threading.Event(), None, threading.Lock()

    def start(self, process_id):
        import psutil

        self._process = psutil.Process(process_id)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self):
        self._done.set()
        if self._thread:
            self._thread.join()

    def _watch(self):
        while not self._done.wait(self._interval):
            self.measure()

    def measure(self):
        """Take the sum over the process and all its children, those that have ended included."""
        import psutil

        cpu, memory = 0.0, 0
        try:
            times = self._process.cpu_times()
            cpu += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            self.wall_seconds = time.time() - self._process.create_time()
            family = [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return
        for process in family:
            try:
                times = process.cpu_times()
                cpu += times.user + times.system
                memory += _memory(process, alone=len(family) == 1)
            except psutil.Error:
                continue
        with self._lock:
            self.cpu_seconds, self.peak_bytes = max(self.cpu_seconds, cpu), max(self.peak_bytes, memory)
