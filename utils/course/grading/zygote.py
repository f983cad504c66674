"""A fork server: imports modules once, then forks a process for each order it reads.

Run by path (``python zygote.py '{"preload": ["numpy"], ...}'``), also inside a sandbox where nothing of the course's
tools is visible, hence the standard library alone. It reads orders as lines of JSON and answers by lines of JSON:

* first ``{"ready": true, "missing": {module: error}, "nests": bool, "nesting": "why not"}``;
* an order ``{"id": 1, "target": ..., ...}``, see :func:`run_target`, is answered by ``{"id": 1, "pid": 7}``, then by
  ``{"id": 1, "ready": true}`` once the files that it waits for are there, then by ``{"id": 1, "exit": status}``;
  status is negative for a signal, as in :mod:`subprocess`.

Each order makes two processes: an *attendant*, and its child, which runs the target. Where an order asks for it
(``"enclose"``), the attendant is process 1 of new user, mount, process and IPC namespaces with empty folders for
temporary files: nothing in them can name the fork server, and the end of the attendant is the end of everything in
them. The fork server only ever imports: no TensorFlow op is run here, since a fork after one hangs.
"""

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import platform
import resource
import select
import signal
import struct
import sys
import time
import traceback

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
POLL = 0.003  # seconds between two looks for the files that tell that a target is ready

_libc = ctypes.CDLL(None, use_errno=True)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt in a terminal is for whoever started this
    settings = json.loads(sys.argv[1])
    orders, answers = os.dup(0), os.dup(1)
    redirect(0, os.devnull, os.O_RDONLY)
    os.dup2(2, 1)  # what a module prints while it is imported must not get among the answers
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    sys.path[:0] = settings.get("path", [])
    missing = preload(settings["preload"])
    gc.collect()
    gc.freeze()  # objects that are never looked at stay shared after a fork
    prctl(PR_SET_DUMPABLE, 0)  # a child of the same user can neither trace this process nor read its memory
    Server(orders, answers).run({"ready": True, "missing": missing, **try_nesting(settings.get("enclose"))})


def preload(modules):
    """Import each module; members of modules are passed over. Those that cannot be imported are returned, and why."""
    missing = {}
    for name in modules:
        module, _, member = name.rpartition(".")
        if module in sys.modules and hasattr(sys.modules[module], member):
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {error}"
    return missing


def try_nesting(enclose):
    """Whether a child can be put into namespaces of its own here, by doing so once."""
    if not enclose:
        return {"nests": False, "nesting": "not asked for"}
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            leave_namespaces()
            inner = os.fork()
            if inner == 0:
                renew_mounts(enclose)
                os._exit(0)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
        except OSError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(1)
    os.close(write)
    status = os.waitpid(child, 0)[1]
    with open(read, encoding="utf-8") as pipe:
        reason = pipe.read()
    return {"nests": status == 0, "nesting": reason}


class Server:
    """Reads orders, forks, and answers, until the orders end.

    Parameters
    ----------
    orders, answers : int
        File descriptors.
    """

    def __init__(self, orders, answers):
        self.orders, self.answers = orders, answers
        self.attendants = {}  # process -> id of its order
        self.reports = {}  # descriptor that an attendant writes to -> id of its order
        self.statuses = {}  # id -> what the attendant told of its target's end
        self.wake, self.alarm = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.alarm, warn_on_full_buffer=False)

    def run(self, greeting):
        self.answer(greeting)
        text = b""
        while True:
            readable, _, _ = select.select([self.orders, self.wake, *self.reports], [], [])
            for report in [descriptor for descriptor in readable if descriptor in self.reports]:
                self.listen(report)
            if self.wake in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
            self.reap()
            if self.orders in readable:
                data = os.read(self.orders, 1 << 16)
                if not data:
                    os._exit(0)
                *lines, text = (text + data).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))

    def answer(self, message):
        os.write(self.answers, json.dumps(message).encode() + b"\n")

    def obey(self, order):
        try:
            read, write = os.pipe()
            pid = fork_attendant(order, write, [self.orders, self.answers, self.wake, self.alarm, *self.reports, read])
        except OSError as error:
            os.close(read), os.close(write)
            self.answer({"id": order["id"], "error": str(error)})
            return
        os.close(write)
        self.reports[read] = order["id"]
        self.attendants[pid] = order["id"]
        self.answer({"id": order["id"], "pid": pid})

    def listen(self, report):
        """Read what an attendant has to say: ``ready``, ``error`` and a text, or ``exit`` and a status."""
        data = os.read(report, 4096)
        for line in data.decode(errors="replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "ready":
                self.answer({"id": self.reports[report], "ready": True})
            elif word == "exit":
                self.statuses[self.reports[report]] = int(rest)
            elif word == "error":
                self.answer({"id": self.reports[report], "error": rest})
        if not data:
            os.close(report)
            del self.reports[report]

    def reap(self):
        """Take leave of every process that has ended, those that lost their parent included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.attendants:
                identity = self.attendants.pop(pid)
                for report in [descriptor for descriptor, of in self.reports.items() if of == identity]:
                    if select.select([report], [], [], 0)[0]:
                        self.listen(report)
                status = self.statuses.pop(identity, os.waitstatus_to_exitcode(status))
                self.answer({"id": identity, "exit": status})


def fork_attendant(order, report, close):
    """Fork the attendant of `order`; its process id.

    In new namespaces it takes one more process to get there: a process that leaves its namespaces stays in the old
    process namespace, only its children are in the new one. It ends at once, so that its child becomes ours.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for descriptor in [read, *close]:
                os.close(descriptor)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if order.get("enclose"):
                leave_namespaces()
                inner = os.fork()
                if inner:
                    os.write(write, str(inner).encode())
                    os._exit(0)
            else:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # who ends the fork server ends it too
                os.write(write, str(os.getpid()).encode())
            os.close(write)
            attend(order, report)
        except BaseException as error:
            os.write(write, f"error {type(error).__name__}: {error}".encode())
        finally:
            os._exit(1)
    os.close(write)
    with open(read, "rb") as pipe:
        told = pipe.read().decode(errors="replace")
    if told.startswith("error") or not told:
        os.waitpid(child, 0)
        raise OSError(told or "the fork ended without a word")
    if order.get("enclose"):
        os.waitpid(child, 0)
    return int(told)


def attend(order, report):
    """Start the target of `order` in a child, tell when it is ready, and how it ended. Does not return."""
    try:
        os.setsid()
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 1)
        seal = []
        if enclose := order.get("enclose"):
            renew_mounts(enclose)
            seal = enclose.get("seal", [])
        target = os.fork()
        if target == 0:
            os.close(report)
            run_target(order)
        redirect(1, os.devnull, os.O_WRONLY), redirect(2, os.devnull, os.O_WRONLY)
        awaited = order.get("await", [])
        while True:
            if awaited and all(os.path.exists(path) for path in awaited):
                for path in seal:
                    make_read_only(path)
                drop_capabilities()
                os.write(report, b"ready\n")
                awaited = []
            pid, status = os.waitpid(-1, os.WNOHANG if awaited else 0)
            if pid == target:
                end_children()
                os.write(report, f"exit {os.waitstatus_to_exitcode(status)}\n".encode())
                os._exit(0)
            if pid == 0:
                time.sleep(POLL)
    except BaseException as error:
        os.write(report, f"error {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(1)


def end_children():
    """Kill what a target has left behind, which is this process's own by now."""
    with contextlib.suppress(OSError, ChildProcessError):
        while True:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                left = [int(word) for word in file.read().split()]
            if not left:
                return
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def run_target(order):
    """Become the process that `order` asks for. Does not return.

    Parameters
    ----------
    order : dict
        ``target`` and its ``arguments``: ``"kernel"`` [its command line], ``"call"`` ["module:name", keywords], or
        ``"exec"`` with a command line of another program; ``cwd`` and ``environment``. There may be ``output``, a file
        for what is printed; ``await``, files that tell that it is ready; ``limits`` for ``setrlimit``, and with them
        ``nice``; ``confine``: refuse system calls; ``enclose``: namespaces, see :func:`renew_mounts`.
    """
    status = 1
    try:
        os.setsid()
        redirect(0, os.devnull, os.O_RDONLY)
        for descriptor in (1, 2):
            redirect(descriptor, order.get("output") or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        prctl(PR_SET_DUMPABLE, 1)
        if not order.get("enclose"):
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a target that kills its attendant goes with it
        set_limits(order)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["cwd"])
        if order.get("limits"):
            if order.get("enclose"):
                drop_capabilities()
            prctl(PR_SET_NO_NEW_PRIVS, 1)
        if order.get("confine"):
            refuse_calls()
        if order["target"] == "exec":
            os.execve(order["arguments"][0], order["arguments"], os.environ)
        reseed()
        status = TARGETS[order["target"]](*order["arguments"]) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status & 255)


def run_kernel(arguments):
    """A Jupyter kernel, as ``python -m ipykernel_launcher`` starts it."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *arguments]
    packages = [i for i, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages"))]
    sys.path.insert(packages[0] if packages else 0, "")  # IPython does so where Python was started without -P
    IPKernelApp.launch_instance(arguments)


def run_call(name, arguments):
    """A function ``module:name`` with a dict of arguments; what it returns is the status."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(**arguments)


TARGETS = {"kernel": run_kernel, "call": run_call}


def set_limits(order):
    """Limits of memory, files and the like; a priority below the watchdog's; the first that goes when memory ends."""
    for name, value in order.get("limits", {}).items():
        with contextlib.suppress(ValueError, OSError):  # not above what this process itself may
            kind = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    if order.get("limits"):
        os.nice(order.get("nice", 0))
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("800")


def reseed():
    """Random numbers that a fork does not share with its sisters; Python's own ``random`` sees to itself."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(int.from_bytes(os.urandom(4), "little"))


def redirect(descriptor, path, flags):
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, descriptor, inheritable=True)
    if opened != descriptor:
        os.close(opened)


# --- namespaces -------------------------------------------------------------------------------------------------------


def leave_namespaces():
    """New user, mount, IPC and (for the next child) process namespaces; the user keeps its number."""
    user, group = os.getuid(), os.getgid()
    prctl(PR_SET_DUMPABLE, 1)  # or the files below belong to root
    for attempt in range(100):
        if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID) == 0:
            break
        number = ctypes.get_errno()
        if number != errno.ENOSPC or attempt == 99:  # the namespaces of the one before may not be gone yet
            raise OSError(number, f"unshare: {os.strerror(number)}")
        time.sleep(0.01)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def renew_mounts(enclose):
    """Empty folders in place of those that an earlier process could have written to.

    Parameters
    ----------
    enclose : dict
        ``"fresh"``: path -> bytes, new file systems in memory; ``"keep"``: what lies in one of them and is wanted.
    """
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    kept = {path: os.open(path, os.O_PATH) for path in enclose.get("keep", [])}
    for path, size in enclose["fresh"].items():
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, f"size={int(size)},nr_inodes=50000,mode=1777")
    for path, opened in kept.items():
        if os.path.isdir(f"/proc/self/fd/{opened}"):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        mount(f"/proc/self/fd/{opened}", path, None, MS_BIND | MS_REC)
        os.close(opened)
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError:  # refused where a part of the old one is covered; that one stays, without the fork server
        mount("tmpfs", "/proc/1", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=555")


def mount(source, target, kind, flags, options=None):
    encoded = [text.encode() if text is not None else None for text in (source, target, kind)]
    if _libc.mount(*encoded, ctypes.c_ulong(flags), options.encode() if options else None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")


def make_read_only(path):
    flags = os.statvfs(path).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)  # these can't be taken away, and must be named
    mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


def drop_capabilities():
    """Give up, for good, what this process may do in the namespaces that it has made."""
    for capability in range(64):
        prctl(PR_CAPBSET_DROP, capability)
    _libc.prctl(PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    header = struct.pack("Ii", 0x20080522, 0)  # version 3: two sets of 32 capabilities each, of this process
    if hasattr(_libc, "capset") and _libc.capset(header, struct.pack("6I", *[0] * 6)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


# --- system calls that no lab needs -----------------------------------------------------------------------------------

# Name -> number on x86_64 and aarch64: namespaces and mounts, other processes' memory, keys, shared memory of System V
# (which no one would count), and interfaces of the kernel with a history of holes.
REFUSED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265),
}
CLONE, CLONE3 = (56, 220), (435, 435)
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
NEW_NAMESPACES = 0x7E020000  # among the flags of clone
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO


def refuse_calls():
    """Let the system calls of REFUSED fail with EPERM in this process and all that it starts (a seccomp filter)."""
    if platform.machine() not in ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    program = b"".join(struct.pack("HBBI", *line) for line in filter_program(*ARCHITECTURES[platform.machine()]))
    buffer = ctypes.create_string_buffer(program)
    pointer = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    if _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.create_string_buffer(pointer), 0, 0) != 0:
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):  # this system has none; the sandbox does not depend on it
            raise OSError(number, f"seccomp: {os.strerror(number)}")


def filter_program(column, architecture):
    """The filter, as lines (code, jump if true, jump if false, constant)."""
    lines = [
        (LOAD, 0, 0, 4),  # the architecture: others of the same machine count their calls differently
        (JUMP_IF_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
        (LOAD, 0, 0, 0),  # the number of the call
        (JUMP_IF_AT_LEAST, 0, 1, 0x40000000),  # the numbers of x32
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
        (JUMP_IF_EQUAL, 0, 1, CLONE3[column]),  # its flags can't be seen; without it the C library takes clone
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
    ]
    for numbers in REFUSED.values():
        lines += [(JUMP_IF_EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    return [
        *lines,
        (JUMP_IF_EQUAL, 0, 3, CLONE[column]),
        (LOAD, 0, 0, 16),  # the first argument: the flags
        (JUMP_IF_ANY_BIT, 0, 1, NEW_NAMESPACES),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def prctl(option, value=0):
    if hasattr(_libc, "prctl"):
        _libc.prctl(option, ctypes.c_ulong(int(value)), 0, 0, 0)


if __name__ == "__main__":
    main()
