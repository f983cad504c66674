"""Where a student's code runs: what a machine offers to keep it in, and the sandbox that is made of it.

Three levels:

``bwrap``
    A sandbox of Linux namespaces, made by bubblewrap: no network, no other processes, no files but Python, the course's
    copy and the data (all read-only) and a private folder; on top of it the limits below.
``limits``
    Limits of memory, files and processes, and a folder of its own. The code runs as the user who grades, and can read
    and write what the user can.
``none``
    A folder of its own. For debugging.
"""

import functools
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from utils.course.errors import CourseError

LEVELS = ("bwrap", "limits", "none")
ZYGOTE = Path(__file__).with_name("zygote.py")
# Where things are in the sandbox.
COURSE, CACHE, FORK_SERVER = "/course", "/cache", "/zygote.py"
USER = 1000
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "mime.types")
_SYSTEM = ("/usr", "/nix/store", "/gnu/store")
_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_OF_ROOT = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "driver", "asound", "dynamic_debug")
_MADE_ETC = {
    "passwd": f"student:x:{USER}:{USER}:student:/tmp:/bin/sh\n",
    "group": f"student:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
PROBE_SECONDS = 30


@dataclass(frozen=True)
class Isolation:
    """A level, and in one line why it is the one."""

    level: str
    why: str


@dataclass(frozen=True)
class Limits:
    """What a submission may use. None of it holds in level ``none``.

    Parameters
    ----------
    memory : float
        Bytes, of all its processes together; each one alone is held to it by the system, all together by a watchdog.
    file_bytes : float
        The largest file; also the size of ``/tmp`` and ``/dev/shm``, which lie in memory in a sandbox.
    disk : float
        Bytes in its folder.
    files : int
        Files and folders in its folder.
    processes : int
    open_files : int
        In each process.
    """

    memory: float = 4e9
    file_bytes: float = 500e6
    disk: float = 1e9
    files: int = 20_000
    processes: int = 100
    open_files: int = 512

    def of_a_process(self):
        """Names and values for ``setrlimit``: what counts is RLIMIT_DATA, as address space is reserved generously."""
        return {
            "DATA": int(self.memory),
            "FSIZE": int(self.file_bytes),
            "NOFILE": self.open_files,
            "CORE": 0,
            "MEMLOCK": 64 << 10,
            "MSGQUEUE": 0,
            "RTPRIO": 0,
        }


def choose(wanted="auto"):
    """The isolation that this machine offers.

    Parameters
    ----------
    wanted : str
        One of LEVELS; ``"auto"`` is ``"bwrap"`` where it works, else ``"limits"``.

    Returns
    -------
    Isolation

    Raises
    ------
    CourseError
        Where `wanted` does not work here; where ``"auto"`` would run students' code as root without a sandbox.
    """
    if wanted not in ("auto", *LEVELS):
        raise CourseError(f"the isolation is one of auto, {', '.join(LEVELS)}, got {wanted!r}")
    if wanted == "none":
        return Isolation("none", "nothing holds students' code back: asked for")
    if wanted == "limits":
        return Isolation("limits", "students' code runs as this user, with limits of memory and disk: asked for")
    problem = sandbox_problem()
    if not problem:
        why = "tried with Python, which saw no network, no file and no process of this machine"
        return Isolation("bwrap", f"students' code runs in a sandbox (bubblewrap), {why}")
    if wanted == "bwrap":
        raise CourseError(f"the sandbox does not work here: {problem}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        raise CourseError(
            f"the sandbox does not work here ({problem}), and without it students' code would run as root. "
            "Grade as another user, or mend the sandbox, or ask for it: --isolation limits, --isolation none"
        )
    return Isolation("limits", f"students' code runs as this user, with limits of memory and disk: {problem}")


@functools.cache
def sandbox_problem():
    """Why a sandbox can't be had here, or ``""``: found out by running Python in one."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap is a program for Linux, this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed (package bubblewrap)"
    with tempfile.TemporaryDirectory(prefix="course-") as folder:
        slot, course = Path(folder, "slot"), Path(folder, "course")
        slot.mkdir(), course.mkdir()
        (course / "marker").touch()
        command = [*sandbox(slot, course, None, Limits()), sys.executable, "-c", _PROBE, str(slot), __file__]
        try:
            run = subprocess.run(
                command, capture_output=True, env=base_environment(), timeout=PROBE_SECONDS, cwd="/", check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap: {error}"
        error = run.stderr.decode(errors="replace").strip()
        if run.returncode != 0:
            return _explained(error or f"bwrap ended with status {run.returncode}")
        found = json.loads(run.stdout)
    return "; ".join(text for text in found if text)


# Runs in the sandbox; prints what is not as it has to be.
_PROBE = """
import json, os, socket, sys
import zmq
slot, private = sys.argv[1:]
problems = []
if os.path.exists(private):
    problems.append("files of the machine are seen in it")
if os.getpid() != 1:
    problems.append("processes of the machine are seen in it")
try:
    socket.create_connection(("192.0.2.1", 9), timeout=1)
    problems.append("it has a network")
except OSError as error:
    if "unreachable" not in str(error):
        problems.append(f"it may have a network ({error})")
try:
    open("/course/marker", "w")
    problems.append("the course can be written in it")
except OSError:
    pass
for name in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"):
    if os.access(name, os.W_OK):
        problems.append(f"{name} can be written in it")
try:
    open(slot + "/file", "w").close()
except OSError as error:
    problems.append(f"its folder can't be written ({error})")
print(json.dumps(problems))
"""


def _explained(error):
    """What bwrap said, with the remedy where it is a known one."""
    line = error.splitlines()[-1]
    if "uid map" in line or "RTM_NEWADDR" in line or "namespace" in line or "Operation not permitted" in line:
        return (
            f"bwrap says {line!r}: this machine does not let users make namespaces. On Ubuntu, an AppArmor profile for "
            "bwrap allows it (package apparmor-profiles, file bwrap-userns-restrict), in a container, more privileges"
        )
    return f"bwrap says {line!r}"


def base_environment():
    """What every process gets that runs students' code: nothing of who grades."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def sandbox(slot, course, cache, limits):
    """The command that runs another one in a sandbox: append that one.

    Parameters
    ----------
    slot : pathlib.Path
        The folder that can be written; at the same path in the sandbox.
    course : pathlib.Path
        Seen as COURSE.
    cache : pathlib.Path or None
        Data; seen as CACHE.
    limits : Limits

    Returns
    -------
    list of str
    """
    size = ["--size", str(int(limits.file_bytes))] if "--size" in _bwrap_help() else []
    command = [shutil.which("bwrap"), "--unshare-user", "--uid", str(USER), "--gid", str(USER)]
    command += ["--unshare-pid", "--as-pid-1", "--unshare-net", "--unshare-ipc", "--unshare-cgroup-try"]
    command += ["--unshare-uts", "--hostname", "course", "--cap-drop", "ALL", "--die-with-parent", "--new-session"]
    command += ["--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm", *size, "--tmpfs", "/tmp"]
    if os.geteuid() == 0:  # files of the kernel that belong to root could be written without any privilege
        for name in _OF_ROOT:
            command += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    command += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    for path in _SYSTEM:
        command += ["--ro-bind-try", path, path]
    for path in _LINKS:
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind-try", path, path]
    for name in _ETC:
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    made = slot / "etc"
    made.mkdir(exist_ok=True)
    for name, text in _MADE_ETC.items():
        (made / name).write_text(text, encoding="ascii")
        command += ["--ro-bind", str(made / name), f"/etc/{name}"]
    for path in python_folders():
        command += ["--ro-bind", path, path]
    command += ["--ro-bind", str(ZYGOTE), FORK_SERVER, "--ro-bind", str(course), COURSE]
    if cache is not None:
        command += ["--ro-bind", str(cache), CACHE]
    command += ["--bind", str(slot), str(slot), "--ro-bind", str(made), str(made)]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]


@functools.cache
def _bwrap_help():
    return subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False).stdout


def python_folders():
    """Folders that this Python and its packages are in, outer ones first, none within another or within ``/usr``."""
    paths = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sysconfig.get_paths().values()]
    packages = {*site.getsitepackages(), site.getusersitepackages()}
    paths += [path for path in sys.path if path in packages]
    executable = Path(sys.executable)
    paths.append(executable.parent.parent)
    while executable.is_symlink():  # a link to a link …: each one has to be there
        executable = executable.parent / os.readlink(executable)
        paths.append(executable.parent.parent)
    folders = []
    for path in sorted({os.path.abspath(path) for path in paths} | {os.path.realpath(path) for path in paths}):
        if os.path.isdir(path) and not any(_within(path, outer) for outer in ["/usr", *folders]):
            folders.append(path)
    return [path for path in folders if path not in ("/", str(Path.home()))]


def _within(path, outer):
    return path == outer or path.startswith(outer.rstrip("/") + "/")
