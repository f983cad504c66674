"""Kernels for students' code: started in isolation, watched, and ended with all that they have started.

A :class:`Launcher` holds a fork server (``zygote.py``), in a sandbox of its own or beside the worker, and starts a
:class:`Kernel` at a time. The fork server has imported what every lab needs, so that a kernel is there in a fraction of
a second. Where kernels are not to be forked, the same server starts Python anew for each.
"""

import json
import os
import platform
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

from utils.course.errors import CourseError
from utils.course.grading import family
from utils.course.grading.forks import Zygote
from utils.course.grading.isolation import (
    CACHE,
    COURSE,
    FORK_SERVER,
    ZYGOTE,
    Limits,
    base_environment,
    python_folders,
    sandbox,
)
from utils.course.grading.places import Place, remove

_LINUX = sys.platform.startswith("linux")
PRELOAD = ("numpy", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "ipykernel.kernelapp", "keras")
START_SECONDS = 60  # until a kernel can be talked to
END_SECONDS = 5  # until its end is told of
THREADS = 1000  # of all processes of a kernel together, beyond one for each
COUNT_SECONDS = 0.05 if _LINUX else 0.5  # between two looks of the watchdog of processes
WATCH_SECONDS = 0.1 if _LINUX else 0.5  # and of that of memory and files
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_THREADS += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class Launcher:
    """Starts kernels, one after the other; one for each worker. A context manager.

    Parameters
    ----------
    course : pathlib.Path
        The students' copy of the course, without anything they are not to see.
    isolation : Isolation
    limits : Limits
    fork : bool
        Fork kernels from a process that has imported `preload`; else start Python anew for each.
    preload : sequence of str
    cache : pathlib.Path or None
        Folder of data, which can be read only.
    threads : int or None
        For the numerical libraries of a kernel; None: as many as they like.

    Attributes
    ----------
    forking : bool
        Whether kernels are forked.
    note : str
        Why they are not, where they should have been; modules that could not be imported.
    """

    def __init__(
        self,
        course,
        isolation,
        limits=None,
        fork=True,
        preload=PRELOAD,
        cache=None,
        threads=None,
    ):
        self.course, self.isolation, self.limits = Path(course).resolve(), isolation, limits or Limits()
        self.cache = Path(cache).resolve() if cache else None
        self.forking, self.note = fork and _LINUX, ""
        self._preload, self._threads = tuple(preload), threads
        self._place = Place()
        self._folder = self._place.path
        self._slot = self._folder / "slot"  # what is beside it, no kernel sees
        self._slot.mkdir()
        self._mark = f"COURSE_SLOT={secrets.token_hex(8)}"
        self._count, self._kernel, self._zygote = 0, None, None
        self._fonts = self._folder / "fonts"
        _copy_fonts(self._fonts)
        if _LINUX:
            self._zygote = self._new_zygote()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End everything and leave nothing behind."""
        if self._kernel is not None:
            self._kernel.stop()
        if self._zygote is not None:
            self._zygote.stop()
        self._place.close()

    @property
    def sandboxed(self):
        return self.isolation.level == "bwrap"

    def start(self):
        """Start a kernel; the one before is ended if need be. It can be talked to when this returns.

        Returns
        -------
        Kernel

        Raises
        ------
        CourseError
            Where no kernel can be started.
        """
        if self._kernel is not None:
            self._kernel.stop()
        problem = ""
        for _ in range(3):
            self._kernel = None
            kernel = self._start()
            if kernel is not None and kernel._process.wait_ready(START_SECONDS):
                self._kernel = kernel
                return kernel
            if kernel is not None:
                problem = kernel.printed() or kernel._process.error
                kernel.stop()
            self._discard()
        raise CourseError(f"a kernel can't be started{': ' + problem if problem else ''}")

    def _start(self):
        folder = self._slot / str(self._count)
        self._count += 1
        for name in ("ipc", "scratch/work", "scratch/exchange", "scratch/tmp", "scratch/cache"):
            (folder / name).mkdir(parents=True)
        (folder / "log").touch()
        course = COURSE if self.sandboxed else str(self.course)
        (folder / "scratch/work/course").symlink_to(course)  # where the notebooks look for the course
        for kept in self.cache.iterdir() if self.cache else ():  # what is there is read, what is made is its own
            (folder / "scratch/cache" / kept.name).symlink_to(f"{CACHE if self.sandboxed else self.cache}/{kept.name}")
        _copy_fonts(folder / "scratch/.matplotlib", self._fonts)
        connection, sockets = _write_connection(folder / "ipc")
        arguments = ["-f", str(connection), "--log-level=ERROR", "--HistoryManager.enabled=False"]
        if self.forking and any(name.startswith("matplotlib") for name in self._preload):
            arguments.append("--IPKernelApp.matplotlib=inline")  # pyplot is imported already: it will not see to that
        environment = self._environment(folder / "scratch")
        if not _LINUX:
            process = _Alone(arguments, folder, environment)
            return Kernel(folder, connection, process, process.pid, self)
        zygote = self._ready_zygote()
        order = {"target": "kernel", "arguments": [arguments]}
        if not self.forking:
            order = {"target": "exec", "arguments": [sys.executable, "-m", "ipykernel_launcher", *arguments]}
        if self.sandboxed and zygote.nests:
            keep = [folder / "ipc", folder / "scratch", folder / "scratch/exchange", folder / "log"]
            order["enclose"] = self._enclosure() | {"seal": [str(folder / "ipc")]}
            order["enclose"]["keep"] += [str(path) for path in keep]
        try:
            process = zygote.order(
                **order,
                cwd=str(folder / "scratch/work"),
                environment=environment,
                limits=self._limits("enclose" in order),
                nice=5,
                confine=self.sandboxed,
                output=str(folder / "log"),
                **{"await": sockets},
            )
        except CourseError:
            return None
        return Kernel(folder, connection, process, zygote.pid, self)

    def _limits(self, enclosed):
        """For ``setrlimit``. Where processes are counted by namespace, there is a limit to them and their threads."""
        if self.isolation.level == "none":
            return {}
        version = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
        counted = {"NPROC": self.limits.processes + THREADS} if enclosed and version >= (5, 14) else {}
        return self.limits.of_a_process() | counted

    def _ready_zygote(self):
        """The fork server; a new one where the last was lost or can't be used again."""
        if self._zygote is None or not self._zygote.alive():
            self._discard()
            self._zygote = self._new_zygote()
        self._zygote.wait()
        if self.sandboxed and not self._zygote.nests and self.forking:
            self.forking = False
            self.note = f"kernels are not forked: namespaces can't be nested here ({self._zygote.nesting})"
            self._discard()
            self._zygote = self._new_zygote()
            self._zygote.wait()
        if self._zygote.missing:
            self.note = f"not imported ahead: {', '.join(sorted(self._zygote.missing))}"
        return self._zygote

    def _kernel_ended(self, gone):
        """Give up the fork server where something is left in its sandbox or beside it."""
        if self._zygote is not None:
            used = self.sandboxed and not self._zygote.nests
            if used or not gone or not self._zygote.alive():
                self._discard()

    def _discard(self):
        if self._zygote is not None:
            self._zygote.stop()
        self._zygote = None
        family.end(lambda: family.strays(self._mark, self._folder))

    def _new_zygote(self):
        script, command, home = ZYGOTE, [], self._slot / "server"
        _copy_fonts(home / ".matplotlib", self._fonts)
        if self.sandboxed:
            script, command = FORK_SERVER, sandbox(self._slot, self.course, self.cache, self.limits)
        return Zygote(
            self._preload if self.forking else (),
            environment=self._environment(home),
            command=command,
            script=script,
            enclose=self._enclosure() if self.sandboxed else None,
            log=self._folder / "log",
        )

    def _enclosure(self):
        """New empty file systems for each kernel; a Python that is installed below one of them is kept."""
        size = self.limits.file_bytes
        fresh = {"/tmp": size, "/dev/shm": size}
        return {"fresh": fresh, "keep": [path for path in python_folders() if path.startswith(tuple(fresh))]}

    def _environment(self, scratch):
        """All variables of a kernel with this scratch folder."""
        threads = dict.fromkeys(_THREADS, str(self._threads)) if self._threads else {}
        own = {
            "HOME": str(scratch),
            "IPYTHONDIR": str(scratch / ".ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MPLCONFIGDIR": str(scratch / ".matplotlib"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"),
            "PYTHONPATH": COURSE if self.sandboxed else str(self.course),
            "COURSE_GRADING": str(scratch / "exchange"),
            "COURSE_PROGRESS": str(scratch / "progress.json"),
            "COURSE_RESULTS": str(scratch / "results.json"),
            "COURSE_CACHE": str(scratch / "cache"),
        }
        if not self.sandboxed:
            own["TMPDIR"] = str(scratch / "tmp")
        if sys.platform == "win32":
            own |= {name: os.environ[name] for name in ("SYSTEMROOT", "USERPROFILE") if name in os.environ}
        name, _, value = self._mark.partition("=")
        return base_environment() | own | threads | {name: value}


class Kernel:
    """A kernel that runs; made by :meth:`Launcher.start`.

    Attributes
    ----------
    connection_file : pathlib.Path
        For a client outside of the sandbox.
    scratch : pathlib.Path
        The folder it can write to: ``work`` is its working directory, ``exchange`` the place for messages.
    reason : str
        Once it is dead: why, in words for the student. ``""`` while it lives, and where :meth:`stop` ended it.
    """

    def __init__(self, folder, connection_file, process, ancestor, launcher):
        self._folder, self.connection_file, self.scratch = folder, connection_file, folder / "scratch"
        self._process, self._ancestor, self._launcher = process, ancestor, launcher
        self._verdict, self._stopped, self._seen = None, threading.Event(), {}
        self._watchdogs = []
        if launcher.isolation.level != "none":
            # Two, as a look at the memory of a process waits while it forks, and who forks without end has to be seen.
            for look, seconds in ((self._too_many, COUNT_SECONDS), (self._too_much, WATCH_SECONDS)):
                self._watchdogs.append(threading.Thread(target=self._watch, args=(look, seconds), daemon=True))
                self._watchdogs[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return not (self._process.ended.is_set() or self._verdict or self._stopped.is_set())

    @property
    def reason(self):
        if self._verdict is not None:
            return self._verdict
        return _in_words(self._process.status) if self._process.ended.is_set() else ""

    def printed(self):
        """The end of what the process itself has printed, which no notebook shows: for the instructor."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with open(os.open(self._folder / "log", flags), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4000))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def stop(self):
        """End it and everything that it has started, and remove its folder."""
        if self._stopped.is_set():
            return
        if self.alive():
            self._verdict = ""
        self._stopped.set()
        gone = self._end() and self._process.ended.wait(END_SECONDS)
        for watchdog in self._watchdogs:
            watchdog.join()
        self._launcher._kernel_ended(gone)
        remove(self._folder)

    def _end(self):
        """Kill all its processes; whether none is left."""
        nested = self._launcher.sandboxed and self._launcher._zygote and self._launcher._zygote.nests
        if nested:  # the end of the attendant ends the others, however many they are
            family.end(lambda: family.children(self._ancestor))
        return family.end(lambda: list({*self._members(), *self._strays()}))

    def _members(self, most=family.MOST):
        own = [] if _LINUX or self._process.ended.is_set() else [self._ancestor]
        return [*own, *family.descendants(self._ancestor, most)]

    def _strays(self):
        """Processes that were seen once and have left the family since; in a sandbox there is no way to leave."""
        return [pid for pid, when in list(self._seen.items()) if when is not None and family.started(pid) == when]

    def _watch(self, look, seconds):
        looks = 0
        while not self._stopped.wait(seconds) and not self._process.ended.is_set():
            looks += 1
            if (verdict := look(looks)) and self._verdict is None:
                self._verdict = verdict
                self._end()
                return

    def _too_many(self, looks):
        """In words, whether it has started too many processes; ``""`` where all is well."""
        most = self._launcher.limits.processes
        pids = self._members(most + 1)
        if not self._launcher.sandboxed:
            self._seen |= {pid: family.started(pid) for pid in pids if pid not in self._seen}
        return f"started more than {most} processes" if len(pids) > most else ""

    def _too_much(self, looks):
        """In words, what it uses too much of. Files are counted at every third look."""
        limits = self._launcher.limits
        pids = self._members(limits.processes + 1)
        if family.resident(pids) > limits.memory and family.memory(pids) > limits.memory:
            return f"used more than {limits.memory / 1e9:.1f} GB of memory"
        if looks % 3 == 0:
            try:
                used, files = family.in_folder(self._folder, limits.files)
                used += family.unlinked(pids)
            except OSError:
                return "made folders or processes that can't be looked into"
            if files > limits.files:
                return f"made more than {limits.files} files"
            if used > limits.disk:
                return f"wrote more than {limits.disk / 1e9:.1f} GB to its disk"
        return ""


class _Alone:
    """A kernel's process without a fork server: for systems other than Linux."""

    def __init__(self, arguments, folder, environment):
        with open(folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ipykernel_launcher", *arguments],
                cwd=folder / "scratch/work",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid, self.status, self.error, self.ended = self._process.pid, None, "", threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self):
        self.status = self._process.wait()
        self.ended.set()

    def wait_ready(self, seconds):
        return not self.ended.wait(0.2)  # a client waits for its first answer


def _in_words(status):
    """How a process ended, for a student."""
    if status is None:
        return "ended together with the place it ran in"
    if status < 0:
        names = {signal.SIGSEGV: ", a crash in compiled code", signal.SIGABRT: ", given up by compiled code"}
        return f"was killed by signal {-status}{names.get(-status, '')}"
    return f"ended itself with status {status}" if status else "ended itself"


def _write_connection(folder):
    """A connection file for a kernel, and the files of its sockets (none where it talks by TCP)."""
    path = folder / "kernel.json"
    if not _LINUX:
        from jupyter_client.connect import write_connection_file

        write_connection_file(str(path), key=uuid.uuid4().hex.encode())
        return path, []
    address = folder / "s"
    content = {"transport": "ipc", "ip": str(address), "key": secrets.token_hex(32), "signature_scheme": "hmac-sha256"}
    content |= {name: number for number, name in enumerate(_PORTS, start=1)} | {"kernel_name": "python3"}
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path, [f"{address}-{number}" for number in range(1, len(_PORTS) + 1)]


def _copy_fonts(folder, source=None):
    """Matplotlib's list of fonts, which takes seconds to make; fonts that a sandbox does not show are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None:
        for path in source.glob("fontlist-*.json"):
            shutil.copyfile(path, folder / path.name)
        return
    try:
        from matplotlib import font_manager, get_cachedir
    except ImportError:
        return
    name = f"fontlist-v{font_manager.FontManager.__version__}.json"
    path = Path(get_cachedir(), name)
    if path.is_file():
        fonts = json.loads(path.read_text(encoding="utf-8"))
        for kind in ("ttflist", "afmlist"):
            fonts[kind] = [
                font for font in fonts[kind] if not os.path.isabs(font["fname"]) or font["fname"].startswith("/usr/")
            ]
        (folder / name).write_text(json.dumps(fonts), encoding="utf-8")
