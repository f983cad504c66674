"""A fork server, seen from the process that gives it orders; ``zygote.py`` is the other side."""

import json
import os
import subprocess
import sys
import threading

from utils.course.errors import CourseError
from utils.course.grading import family
from utils.course.grading.isolation import ZYGOTE

SERVER_SECONDS = 180  # until a fork server has imported everything


class Zygote:
    """A fork server, and the orders given to it.

    Parameters
    ----------
    preload : sequence of str
        Modules to import before anything is forked.
    path : sequence of str
        Put in front of Python's search path, for the modules.
    environment : dict or None
        Of the server; None is this process's own.
    command : sequence of str
        Runs the server in a sandbox; empty: no sandbox.
    script : str
        Where ``zygote.py`` is seen.
    enclose : dict or None
        What namespaces for each process would need; found out is whether they can be had.
    log : pathlib.Path or None
        Takes what the server prints.

    Attributes
    ----------
    missing : dict
        Modules that could not be imported, and why.
    nests : bool
        Whether each process can get namespaces of its own.
    """

    def __init__(self, preload=(), path=(), environment=None, command=(), script=ZYGOTE, enclose=None, log=None):
        settings = {"preload": list(preload), "path": list(map(str, path)), "enclose": enclose}
        self._command = [*command, sys.executable, "-P", str(script), json.dumps(settings)]
        self._sandboxed, self._environment, self._log = bool(command), environment, log
        self._spawned, self._greeted, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._orders, self._next, self._error, self._server = {}, 1, None, None
        self.missing, self.nests, self.nesting = {}, False, ""
        # The system ends the server when the thread that has started it ends, so that thread stays.
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        try:
            with open(self._log or os.devnull, "ab") as log:
                self._server = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self._environment
                )
            self._spawned.set()
            for line in self._server.stdout:
                self._hear(json.loads(line))
        except (OSError, ValueError) as error:
            self._error = str(error)
        finally:
            self._spawned.set()
            if self._server is not None:
                self._server.kill()
                self._server.wait()
                self._server.stdout.close()
            with self._lock:
                self._error = self._error or "ended"
                orders = list(self._orders.values())
            self._greeted.set()
            for process in orders:
                process._hear({"error": "the fork server has ended"})
                process._hear({"exit": None})

    def _hear(self, message):
        if "id" in message:
            with self._lock:
                process = self._orders.pop(message["id"]) if "exit" in message else self._orders.get(message["id"])
            if process is not None:
                process._hear(message)
        else:
            self.missing, self.nests, self.nesting = message["missing"], message["nests"], message["nesting"]
            self._greeted.set()

    def alive(self):
        """Whether orders are taken."""
        return self._error is None

    def wait(self, seconds=SERVER_SECONDS):
        """Wait until everything is imported; CourseError where the server ends or takes too long."""
        if not self._greeted.wait(seconds):
            self.stop()
            raise CourseError(f"the fork server is not ready after {seconds} seconds{self._printed()}")
        if not self.alive():
            raise CourseError(f"the fork server does not start{self._printed()}")

    def _printed(self):
        text = self._log.read_text(encoding="utf-8", errors="replace").strip() if self._log else ""
        return f": {text[-2000:]}" if text else ""

    @property
    def pid(self):
        """The server's process id, as this process sees it."""
        if not self._sandboxed:
            return self._server.pid
        return next(iter(family.descendants(self._server.pid)), self._server.pid)

    def order(self, **order):
        """Have a process forked; see ``zygote.py`` for what can be ordered.

        Returns
        -------
        Process

        Raises
        ------
        CourseError
            Where the server has ended.
        """
        self.wait()
        process = Process()
        with self._lock:
            order["id"], self._next = self._next, self._next + 1
            self._orders[order["id"]] = process
            try:
                self._server.stdin.write(json.dumps(order).encode() + b"\n")
                self._server.stdin.flush()
            except OSError:
                raise CourseError(f"the fork server has ended{self._printed()}") from None
        return process

    def call(self, function, arguments, cwd, output=None):
        """Call a function in a fork with this process's environment; outside of a sandbox.

        Parameters
        ----------
        function : str
            ``"module:name"``. What it returns is the status, None is 0.
        arguments : dict
            Keywords; what JSON can carry.
        cwd : pathlib.Path
            The fork's folder.
        output : pathlib.Path or None
            The file that takes what it prints; None: nothing does.

        Returns
        -------
        Process
        """
        return self.order(
            target="call",
            arguments=[function, arguments],
            cwd=str(cwd),
            environment=dict(os.environ),
            output=str(output) if output else None,
        )

    def stop(self):
        """End the server and all that it has forked."""
        self._spawned.wait()
        if self._server is not None and self._server.poll() is None:
            pid = self.pid
            family.end(lambda: family.descendants(pid))
            self._server.kill()
        self._thread.join()


class Process:
    """A process that a fork server has forked.

    Attributes
    ----------
    pid : int or None
        Of its attendant, as the fork server counts: the machine's own number where there is no sandbox.
    ready, ended : threading.Event
    status : int or None
        After its end, as in :mod:`subprocess`; None where the fork server has ended.
    error : str
        What went wrong with starting it.
    """

    def __init__(self):
        self.pid, self.status, self.error = None, None, ""
        self.ready, self.ended, self._changed = threading.Event(), threading.Event(), threading.Condition()

    def _hear(self, message):
        with self._changed:
            self.pid = message.get("pid", self.pid)
            self.error = message.get("error", self.error)
            if message.get("ready"):
                self.ready.set()
            if "exit" in message or ("error" in message and self.pid is None):
                self.status = message.get("exit")
                self.ended.set()
            self._changed.notify_all()

    def wait_ready(self, seconds):
        """Wait until it is ready or ended; whether it is ready."""
        with self._changed:
            self._changed.wait_for(lambda: self.ready.is_set() or self.ended.is_set(), seconds)
        return self.ready.is_set() and not self.ended.is_set()

    def wait(self, seconds=None):
        """Wait for its end; whether it has ended."""
        return self.ended.wait(seconds)

    def alive(self):
        return not self.ended.is_set()

    def kill(self):
        """End it and its children (outside of a sandbox)."""
        with self._changed:
            self._changed.wait_for(lambda: self.pid is not None or self.ended.is_set(), 5)
        if self.pid is not None and self.alive():
            pid = self.pid
            family.end(lambda: family.descendants(pid) if self.alive() else [])
            if not self.ended.wait(2):  # its attendant, which tells of its end, has been stopped
                family.kill(pid)
        self.ended.wait(5)
