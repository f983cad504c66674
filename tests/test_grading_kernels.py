"""Kernels for students' code: they answer, share nothing, and whatever code does, all of it is gone afterwards.

Code that is hostile to the machine runs in the sandbox alone.
"""

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from jupyter_client import BlockingKernelClient

from utils.course.errors import CourseError
from utils.course.grading import family, kernels
from utils.course.grading.isolation import Isolation, Limits, sandbox_problem
from utils.course.grading.kernels import END_SECONDS, Launcher, Zygote
from utils.files import ROOT

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork server and sandbox are for Linux")
pytestmark = [pytest.mark.alone, on_linux]
needs_sandbox = pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")
LEVELS = [pytest.param("bwrap", marks=needs_sandbox), "limits", "none"]
QUICK = ("numpy", "ipykernel.kernelapp")
SMALL = Limits(memory=700e6, file_bytes=20e6, disk=60e6, files=300, processes=40, open_files=128)


OPEN = []  # clients


@pytest.fixture(autouse=True)
def closed():
    """A client that a failing test has left open would be waited for without end, whenever its memory is freed."""
    yield
    for client in list(OPEN):
        client.close()


class Client:
    """Talks to a kernel from outside."""

    def __init__(self, kernel):
        self.kernel, self.client = kernel, BlockingKernelClient()
        self.client.load_connection_file(str(kernel.connection_file))
        self.client.start_channels(hb=False)
        OPEN.append(self)
        self.subscribe()

    def subscribe(self, seconds=5):
        """Wait until the kernel's messages arrive here: what it says before is lost, and its end of work with it."""
        deadline = time.monotonic() + seconds
        while self.kernel.alive() and time.monotonic() < deadline:
            self.client.kernel_info()
            try:
                return self.client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                continue

    def close(self):
        if self in OPEN:
            OPEN.remove(self)
            self.client.stop_channels()
            self.client.context.destroy(linger=0)

    def send(self, code):
        return self.client.execute(textwrap.dedent(code), store_history=False, stop_on_error=False)

    def run(self, code, seconds=20):
        """What the code prints; an error or the kernel's end is raised."""
        return self.listen(self.send(code), seconds)

    def listen(self, message, seconds):
        printed, deadline = [], time.monotonic() + seconds
        while True:
            try:
                reply = self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                assert self.kernel.alive(), f"the kernel {self.kernel.reason}"
                assert time.monotonic() < deadline, "no answer"
                continue
            content = reply["content"]
            if reply["parent_header"].get("msg_id") != message:
                continue
            if reply["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])
            elif reply["msg_type"] == "execute_result":
                printed.append(content["data"]["text/plain"])
            elif reply["msg_type"] == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            elif reply["msg_type"] == "status" and content["execution_state"] == "idle":
                return "".join(printed).strip()


def run(kernel, code, seconds=20):
    client = Client(kernel)
    try:
        return client.run(code, seconds)
    finally:
        client.close()


def send(kernel, code):
    """Have code run that no answer is expected from."""
    client = Client(kernel)
    client.send(code)
    return client


def attack(kernel, code, seconds=2):
    """Have code run until it is through, the kernel is dead, or for some time."""
    client = Client(kernel)
    try:
        client.listen(client.send(code), seconds)
    except (AssertionError, RuntimeError):
        pass
    finally:
        client.close()


def dead(kernel, seconds=15):
    deadline = time.monotonic() + seconds
    while kernel.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not kernel.alive()


def stopped_quickly(kernel):
    """Whether a kernel ends without its end having to be waited for in vain."""
    begin = time.monotonic()
    kernel.stop()
    return time.monotonic() - begin < 0.9 * END_SECONDS


def living(mark):
    """Processes that carry a mark in their environment or on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (mark in str(process.environ()) or mark in str(process.cmdline())):
                found.append(process)
        except psutil.Error:
            continue
    return found


def mark(launcher):
    """What all processes of a launcher carry in their environment."""
    return launcher._mark.partition("=")[2]


def started(mark, number=1, seconds=10):
    deadline = time.monotonic() + seconds
    while len(living(mark)) < number and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(living(mark)) == number


def gone(mark, seconds=2):
    deadline = time.monotonic() + seconds
    while living(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not living(mark)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (folder / "utils").mkdir()
    (folder / "utils/__init__.py").touch()
    (folder / "utils/lab.py").write_text("name = 'the copy'\n")
    return folder


@pytest.fixture(scope="module")
def launchers(course):
    """A launcher for each level, kept for the module."""
    made = {}

    def launcher(level, fork=True):
        if (level, fork) not in made:
            made[level, fork] = Launcher(course, Isolation(level, ""), SMALL, fork=fork, preload=QUICK)
        return made[level, fork]

    yield launcher
    for one in made.values():
        one.close()
        assert gone(mark(one)), "something is left running"
        assert not one._folder.exists()


@pytest.fixture
def sandboxed(launchers):
    if sandbox_problem():
        pytest.skip(f"no sandbox here: {sandbox_problem()}")
    return launchers("bwrap")


@pytest.fixture
def limited(launchers):
    return launchers("limits")


def works(launcher):
    with launcher.start() as kernel:
        return run(kernel, "print(6 * 7)") == "42"


# --- kernels that behave ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.parametrize("level", LEVELS)
def test_a_kernel_answers(launchers, level, fork):
    launcher = launchers(level, fork)
    with launcher.start() as kernel:
        assert run(kernel, "1 + 1") == "2"
        assert kernel.alive() and kernel.reason == "" and launcher.forking == fork
        assert run(kernel, "import sys; print('numpy' in sys.modules)") == str(fork)
    assert not kernel.alive() and kernel.reason == "" and not kernel.scratch.exists()


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.parametrize("level", LEVELS[:2])
def test_a_kernel_has_its_folders_and_finds_the_course(launchers, level, fork):
    with launchers(level, fork).start() as kernel:
        found = run(
            kernel,
            """
            import os, sys, utils.lab
            from pathlib import Path
            here = Path.cwd()
            Path(os.environ["COURSE_GRADING"], "observed").write_text("seen")
            print(utils.lab.name, (here / "course/utils/lab.py").is_file(), here, Path.home(), sys.argv[0][-22:])
            """,
        ).split()
        assert found[:2] + found[2:3] == ["the", "copy", "True"]
        assert found[3:5] == [str(kernel.scratch / "work"), str(kernel.scratch)]
        assert (kernel.scratch / "exchange/observed").read_text() == "seen"


@pytest.mark.parametrize("fork", [True, False])
def test_nothing_of_the_environment_gets_in(course, monkeypatch, fork):
    monkeypatch.setenv("COURSE_TEST_SECRET", "hush-hush")
    monkeypatch.setenv("COURSE_CACHE", "/where/the/grader/keeps/data")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    level = "limits" if sandbox_problem() else "bwrap"
    with Launcher(course, Isolation(level, ""), fork=fork, preload=QUICK[1:], threads=3) as launcher:
        found = json.loads(run(launcher.start(), "import os, json; print(json.dumps(dict(os.environ)))"))
        own = run(launcher._kernel, "print(open('/proc/self/environ').read())")
    assert "hush-hush" not in str(found) and "hush-hush" not in own
    assert found["PYTHONHASHSEED"] == "0" and found["OMP_NUM_THREADS"] == "3" and found["LANG"] == "C.UTF-8"
    assert found["COURSE_CACHE"].startswith(found["HOME"]) and found["KERAS_BACKEND"] == "jax"
    assert not set(found) & {"USER", "SHELL", "VIRTUAL_ENV", "SSH_AUTH_SOCK"}


@pytest.mark.parametrize("level", LEVELS[:2])
def test_kernels_in_a_row_share_nothing(launchers, level):
    leave = """
        import numpy, os, utils.lab
        numpy.left, utils.lab.left, os.environ["LEFT"] = 1, 1, "1"
        for place in ("/tmp", "/dev/shm", os.environ["HOME"], os.environ["COURSE_GRADING"]):
            open(place + "/left-behind", "w").write("here")
        numpy.random.seed(1)
    """
    look = """
        import glob, numpy, os, utils.lab
        print(hasattr(numpy, "left"), hasattr(utils.lab, "left"), "LEFT" in os.environ, glob.glob("/tmp/left-behind"),
              glob.glob("/dev/shm/left-behind"), glob.glob("/tmp/**/left-behind", recursive=True))
    """
    launcher = launchers(level)
    if level != "bwrap":  # there the machine's own /tmp is written to
        leave, look = (
            leave.replace('"/tmp", "/dev/shm", ', ""),
            look.replace('glob.glob("/tmp/**/', 'glob.glob("../**/'),
        )
    first = launcher.start()
    run(first, leave)
    second = launcher.start()
    assert not first.alive() and not first.scratch.exists()
    assert run(second, look) == "False False False [] [] []"
    second.stop()


@pytest.mark.parametrize("fork", [True, False])
def test_kernels_draw_different_numbers(launchers, fork):
    """A fork must not inherit the state of the random numbers of the process it is forked from."""
    code = "import numpy, random; print(numpy.random.rand(), random.random())"
    drawn = set()
    for _ in range(2):
        with launchers("limits", fork).start() as kernel:
            drawn |= set(run(kernel, code).split())
    assert len(drawn) == 4


def test_a_forked_kernel_looks_like_a_fresh_one(launchers):
    """What code could trip over: where modules are found, limits, signals, variables, open files."""
    look = """
        import json, os, resource, signal, sys
        found = {
            "path": sys.path, "encoding": [sys.stdout.encoding, sys.getfilesystemencoding()], "hash": hash("abc"),
            "limits": [resource.getrlimit(getattr(resource, n)) for n in sorted(dir(resource)) if n[:6] == "RLIMIT"],
            "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17, 25)],
            "leader": os.getpgid(0) == os.getpid(),
            "variables": {n: v.replace(os.environ["HOME"], "") for n, v in os.environ.items() if n != "COURSE_SLOT"},
            "open": len(os.listdir("/proc/self/fd")), "umask": os.umask(0o22), "main": "__file__" in globals(),
        }
        print(json.dumps(found))
    """
    found = []
    for fork in (True, False):
        with launchers("limits", fork).start() as kernel:
            found.append(json.loads(run(kernel, look)))
    assert found[0] == found[1]


def test_an_interrupt_reaches_the_cell_and_the_kernel_goes_on(limited):
    with limited.start() as kernel:
        client = send(kernel, "import time\ntime.sleep(60)")
        time.sleep(0.5)
        client.client.control_channel.send(client.client.session.msg("interrupt_request", {}))
        assert client.run("print('on')", seconds=10) == "on"
        client.close()


def test_figures_are_inline_and_fonts_are_known(launchers):
    with launchers("bwrap" if not sandbox_problem() else "limits", False).start() as kernel:
        begin = time.monotonic()
        run(
            kernel,
            "import matplotlib.pyplot as plt, matplotlib as m; plt.plot([1]); plt.show(); print(m.get_backend())",
        )
        fonts = list((kernel.scratch / ".matplotlib").glob("fontlist-*.json"))
        assert len(fonts) == 1 and fonts[0].stat().st_mtime < time.time() - (time.monotonic() - begin)


# --- kernels that do not ----------------------------------------------------------------------------------------------


def cases(table, quick):
    """The names in a table; all but those named in `quick` are for the long run of the tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in table]


# What is run, and the reason that is given.
DEADLY = {
    "os._exit": ("import os; os._exit(3)", "ended itself with status 3"),
    "a clean exit": ("import os; os._exit(0)", "ended itself"),
    "a segmentation fault": ("import ctypes; ctypes.string_at(0)", "was killed by signal 11, a crash in compiled code"),
    "a signal to itself": ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    "an abort": ("import os; os.abort()", "was killed by signal 6, given up by compiled code"),
    "memory of several processes": (
        """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                break
        held = bytearray(b"x") * 250_000_000
        time.sleep(60)
        """,
        "used more than 0.7 GB of memory",
    ),
    "many processes": (
        """
        import os, time
        for _ in range(6):
            os.fork()
        time.sleep(60)
        """,
        "started more than 40 processes",
    ),
    "memory that is shared": (
        """
        import mmap
        shared = mmap.mmap(-1, 3_000_000_000)
        for i in range(0, len(shared), 4096):
            shared[i] = 1
        """,
        "used more than 0.7 GB of memory",
    ),
    "memory in files": (
        """
        import os, time
        for i in range(100):
            os.write(os.memfd_create("held"), bytes(10_000_000))
        time.sleep(60)
        """,
        "wrote more than 0.1 GB to its disk",
    ),
    "a large disk": (
        """
        for i in range(100):
            open(f"file{i}", "wb").write(bytes(10_000_000))
        """,
        "wrote more than 0.1 GB to its disk",
    ),
    "files without a name": (
        """
        import os, time
        opened = []
        for i in range(100):
            opened.append(open("file", "wb", buffering=0))
            opened[-1].write(bytes(10_000_000))
            os.unlink("file")
        time.sleep(60)
        """,
        "wrote more than 0.1 GB to its disk",
    ),
    "many files": (
        """
        for i in range(100_000):
            open(f"file{i}", "w")
        """,
        "made more than 300 files",
    ),
    "a folder too deep": (
        """
        import os, time
        for i in range(100):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        time.sleep(60)
        """,
        "made folders or processes that can't be looked into",
    ),
}


@pytest.mark.parametrize("level", [LEVELS[0], pytest.param("limits", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", cases(DEADLY, ["os._exit", "many processes", "memory that is shared", "many files"]))
def test_deadly_code_ends_its_kernel_alone_and_says_why(launchers, level, what):
    code, reason = DEADLY[what]
    launcher = launchers(level)
    kernel = launcher.start()
    client = send(kernel, code)
    assert dead(kernel), "still there"
    assert kernel.reason == reason
    assert stopped_quickly(kernel) and not kernel.scratch.parent.exists()
    client.close()
    assert kernel.reason == reason
    assert works(launcher)


@pytest.mark.skipif(os.geteuid() == 0, reason="root sees everything")
def test_a_process_that_hides_what_it_opens_is_ended(sandboxed):
    """A program that can be run and not read is hidden from its own user too."""
    kernel = sandboxed.start()
    attack(
        kernel, "import os, shutil; shutil.copy('/bin/sleep', 's'); os.chmod('s', 0o111); os.execv('s', ['s', '60'])"
    )
    assert dead(kernel) and kernel.reason == "made folders or processes that can't be looked into"
    kernel.stop()


def test_memory_of_one_process_is_an_error_in_the_cell(limited):
    with limited.start() as kernel:
        with pytest.raises(RuntimeError, match="MemoryError"):
            run(kernel, "import numpy; numpy.ones(100_000_000)")
        assert run(kernel, "print('on')") == "on"


def test_a_file_that_is_too_large_is_an_error_in_the_cell(limited):
    with limited.start() as kernel:
        with pytest.raises(RuntimeError, match="File too large"):
            run(kernel, "open('large', 'wb').write(bytes(30_000_000))")
        assert run(kernel, "print('on')") == "on"


def test_no_limits_where_none_are_wanted(launchers):
    with launchers("none").start() as kernel:
        assert run(kernel, "import numpy; print(numpy.ones(100_000_000).sum())") == "100000000.0"


# In the sandbox only. Some of it ends the kernel, some does nothing at all. MARK is an argument to find a process by.
HOSTILE = {
    "kill the parent": "import os; os.kill(os.getppid(), 9)",
    "kill everything": "import os; os.kill(-1, 9)",
    "stop everything": "import os; os.kill(-1, 19)",
    "kill process 1": """
        import os
        for number in (15, 9, 19, 11):
            os.kill(1, number)
    """,
    "kill all that is listed": """
        import os
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    os.kill(int(name), 9)
                except OSError:
                    pass
    """,
    "a bomb": """
        import mmap, os, time
        forks = mmap.mmap(-1, 1 << 16)  # a bomb that runs out, should nobody stop it
        while (made := int.from_bytes(forks[:4], "little")) < 400:
            forks[:4] = (made + 1).to_bytes(4, "little")
            os.fork()
        time.sleep(20)
    """,
    "a bomb that ignores errors": """
        import mmap, os, time
        forks = mmap.mmap(-1, 1 << 16)
        while (made := int.from_bytes(forks[:4], "little")) < 400:
            forks[:4] = (made + 1).to_bytes(4, "little")
            try:
                os.fork()
            except OSError:
                pass
        time.sleep(20)
    """,
    "daemons": """
        import os, time
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execve("/bin/sleep", ["sleep", "MARK"], {})
                os._exit(0)
    """,
    "threads": """
        import threading, time
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(600,)).start()
    """,
    "signals ignored": """
        import signal, time
        for number in (1, 2, 3, 15):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(60)
    """,
    "the interpreter held": "import ctypes; ctypes.PyDLL(None).sleep(60)",
    "closed folders": """
        import os
        os.makedirs("a/b")
        os.chmod("a", 0)
        os.chmod(os.environ["HOME"], 0)
    """,
    "every descriptor closed": "import os; os.closerange(0, 100)",
    "a full temporary folder": """
        try:
            for i in range(10):
                open(f"/tmp/{i}", "wb").write(bytes(19_000_000))
        except OSError:
            pass
    """,
    "limits lowered": """
        import resource
        for name in ("CPU", "NOFILE", "DATA", "AS", "STACK"):
            for pid in (1, 0):
                try:
                    resource.prlimit(pid, getattr(resource, "RLIMIT_" + name), (1, 1))
                except OSError:
                    pass
    """,
}


@pytest.mark.parametrize("what", cases(HOSTILE, ["kill all that is listed", "a bomb", "daemons", "closed folders"]))
def test_hostile_code_harms_no_one_else(sandboxed, what):
    """Nor does it cost the fork server: nothing in a kernel's namespaces can name it."""
    token = str(secrets.randbelow(10**9) + 10**9)
    server = sandboxed._ready_zygote()
    kernel = sandboxed.start()
    attack(kernel, HOSTILE[what].replace("MARK", token))
    if "bomb" in what:
        assert dead(kernel) and kernel.reason == "started more than 40 processes"
    if what == "daemons":
        assert started(token, 5)
    assert stopped_quickly(kernel) and not kernel.scratch.parent.exists()
    assert not living(token)
    assert works(sandboxed) and sandboxed._zygote is server


def test_daemons_are_ended_without_a_sandbox_too(limited):
    """They keep neither the session nor the parent nor the environment of the kernel."""
    token = str(secrets.randbelow(10**9) + 10**9)
    kernel = limited.start()
    run(kernel, HOSTILE["daemons"].replace("MARK", token))
    assert started(token, 5)
    assert stopped_quickly(kernel) and not living(token)


@pytest.mark.parametrize("who", ["parent", "grandparent"])
def test_a_kernel_without_a_sandbox_may_kill_those_above_it(limited, who):
    """The worker is none of them."""
    kernel, token = limited.start(), str(secrets.randbelow(10**9) + 10**9)
    run(kernel, HOSTILE["daemons"].replace("MARK", token))
    assert "zygote" in " ".join(psutil.Process(limited._zygote.pid).cmdline())
    client = send(
        kernel,
        f"""
        import os, time
        if {who == "parent"}:
            os.kill(os.getppid(), 9)
        else:
            os.kill({limited._zygote.pid}, 9)
        time.sleep(60)
        """,
    )
    assert dead(kernel) and kernel.reason
    assert stopped_quickly(kernel) and not living(token)
    client.close()
    assert works(limited)


# --- what a kernel in the sandbox can reach ---------------------------------------------------------------------------


def test_other_students_and_the_machine_are_not_readable(sandboxed, course, tmp_path):
    (tmp_path / "secret").write_text("secret")
    with Launcher(course, Isolation("bwrap", ""), SMALL, preload=QUICK) as other, other.start() as neighbour:
        (neighbour.scratch / "work/answer.txt").write_text("42")
        places = [neighbour.scratch / "work/answer.txt", neighbour.connection_file, other._folder, tmp_path / "secret"]
        places += [course / "utils/lab.py", ROOT / "README.md", ROOT / "utils/course", "/root/.bashrc", "/etc/shadow"]
        assert all(os.path.exists(path) for path in places[:7])
        code = f"""
            import os, sys
            for path in {list(map(str, places))}:
                try:
                    os.listdir(path) if os.path.isdir(path) else open(path).read()
                    print(path)
                except OSError:
                    pass
            # a Python that is installed below /tmp is seen there
            print([name for name in os.listdir("/tmp") if "/tmp/" + name not in sys.prefix],
                  sorted(os.listdir(os.path.dirname(os.environ["HOME"]))))
        """
        with sandboxed.start() as kernel:
            assert run(kernel, code) == f"{[sandboxed._folder.name]} ['ipc', 'log', 'scratch']"


def test_the_course_python_and_the_sockets_are_not_writable(sandboxed):
    with sandboxed.start() as kernel:
        code = f"""
            import os, sys
            here = os.path.dirname({str(kernel.connection_file)!r})
            attempts = dict(
                course=lambda: open("/course/utils/lab.py", "a"),
                link=lambda: open("course/utils/lab.py", "a"),
                python=lambda: open(os.__file__, "a"),
                packages=lambda: open(sys.modules["numpy"].__file__, "a"),
                server=lambda: open("/zygote.py", "a"),
                root=lambda: os.mkdir("/new"),
                socket=lambda: os.unlink(here + "/s-1"),
                sockets=lambda: os.rename(here, here + "2"),
                exchange=lambda: os.rename(os.environ["COURSE_GRADING"], "moved"),
                scratch=lambda: os.rmdir(os.environ["COURSE_GRADING"]),
                mount=lambda: os.listdir("/proc/1/root/root"),
            )
            for name, attempt in attempts.items():
                try:
                    attempt()
                    print(name)
                except OSError:
                    pass
            print("done")
        """
        assert run(kernel, code) == "done"
        assert run(kernel, "open('mine', 'w').write('x'); print('written')") == "written"


def test_capabilities_namespaces_and_tracing_are_refused(sandboxed):
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def errno(result):
            return 0 if result >= 0 else ctypes.get_errno()
        print(errno(libc.unshare(0x10000000)), errno(libc.ptrace(16, os.getppid(), 0, 0)),
              errno(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)), errno(libc.shmget(0, 4096, 0o1600)),
              errno(libc.syscall(435, 0, 0)), errno(libc.syscall(250, 0, -3, 0)))
        status = open("/proc/self/status").read()
        lines = dict(line.split(":") for line in status.splitlines() if line.startswith(("CapEff", "CapBnd", "NoNew")))
        print([value.strip() for value in lines.values()])
    """
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of the calls are those of x86_64")
    with sandboxed.start() as kernel:
        first, second = run(kernel, code).splitlines()
        assert first.split() == ["1", "1", "1", "1", "38", "1"]  # EPERM, and for clone3 ENOSYS
        assert second == "['0000000000000000', '0000000000000000', '1']"


def test_the_fork_server_is_not_even_seen(sandboxed):
    """A kernel sees itself and its attendant."""
    code = """
        import os
        seen = [name for name in os.listdir("/proc") if name.isdigit() and os.path.exists(f"/proc/{name}/stat")]
        parent = open("/proc/self/stat").read().rpartition(")")[2].split()[1]
        print(sorted(seen) == sorted([os.readlink("/proc/self"), parent]))
    """
    with sandboxed.start() as kernel:
        assert run(kernel, code) == "True"


class Unnested(Zygote):
    """A fork server on a machine where namespaces can't be nested."""

    nests = property(lambda self: False, lambda self, value: None)


@pytest.fixture
def unnested(course, monkeypatch):
    if sandbox_problem():
        pytest.skip(f"no sandbox here: {sandbox_problem()}")
    monkeypatch.setattr(kernels, "Zygote", Unnested)
    with Launcher(course, Isolation("bwrap", ""), SMALL, preload=QUICK) as launcher:
        yield launcher


def test_where_namespaces_cannot_be_nested_each_kernel_has_a_sandbox(unnested):
    with unnested.start() as kernel:
        run(kernel, "open('/tmp/left-behind', 'w').write('x'); open('/dev/shm/left-behind', 'w').write('x')")
        server = unnested._zygote
    assert not unnested.forking and "nested" in unnested.note
    with unnested.start() as kernel:
        assert unnested._zygote is not server
        assert run(kernel, "import os; print(os.listdir('/dev/shm'), os.path.exists('/tmp/left-behind'))") == "[] False"


def test_the_fork_server_in_the_same_namespace_keeps_its_memory_to_itself(unnested):
    """It is process 1 there: no signal ends it, and it is not to be traced or read."""
    code = """
        import os
        assert b"zygote" in open("/proc/1/cmdline", "rb").read()
        for name in ("mem", "environ", "maps", "fd/3", "fd/4", "fd/5", "root/tmp", "cwd/tmp"):
            try:
                os.close(os.open("/proc/1/" + name, os.O_RDONLY))
                print(name)
            except OSError:
                pass
        for number in (9, 15, 19, 11):
            os.kill(1, number)
        print("alive", os.path.exists("/proc/1"))
    """
    with unnested.start() as kernel:
        assert run(kernel, code) == "alive True"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["kill everything", "a bomb", "daemons", "kill the parent", "limits lowered"])
def test_hostile_code_in_a_sandbox_of_its_own(unnested, what):
    token = str(secrets.randbelow(10**9) + 10**9)
    kernel = unnested.start()
    attack(kernel, HOSTILE[what].replace("MARK", token))
    assert stopped_quickly(kernel) and not living(token)
    assert works(unnested)


# --- the worker's end, and the fork server by itself ------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS[:2])
def test_nothing_outlives_a_worker_that_is_killed(course, level):
    code = f"""
        import time
        from utils.course.grading.isolation import Isolation
        from utils.course.grading.kernels import Launcher
        launcher = Launcher({str(course)!r}, Isolation({level!r}, ""), preload={QUICK!r})
        launcher.start()
        print(launcher._mark.partition("=")[2], launcher._folder, flush=True)
        time.sleep(60)
    """
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    token, folder = worker.stdout.readline().split()
    assert living(token)
    worker.kill()
    worker.communicate()
    assert gone(token) and os.path.exists(folder)
    Launcher(course, Isolation("none", ""), preload=()).close()
    assert not os.path.exists(folder)  # swept up by the next


def test_a_course_that_is_missing_is_an_error_not_a_wait(tmp_path):
    if sandbox_problem():
        pytest.skip(f"no sandbox here: {sandbox_problem()}")
    with Launcher(tmp_path / "nowhere", Isolation("bwrap", ""), preload=()) as launcher:
        with pytest.raises(CourseError, match="nowhere"):
            launcher.start()


def test_a_module_that_is_missing_is_noted(course):
    with Launcher(course, Isolation("limits", ""), preload=("no_such_module", "ipykernel.kernelapp")) as launcher:
        assert works(launcher)
        assert "no_such_module" in launcher.note


@pytest.fixture(scope="module")
def zygote():
    server = Zygote(("json",))
    yield server
    server.stop()
    assert not server.alive()


def test_a_call_has_a_status_an_output_and_a_folder(zygote, tmp_path):
    called = zygote.call("os:_exit", {"status": 3}, tmp_path)
    assert called.wait(5) and called.status == 3 and not called.alive()
    called = zygote.call("os:system", {"command": "pwd"}, tmp_path, output=tmp_path / "o")
    assert called.wait(5) and called.status == 0
    assert (tmp_path / "o").read_text() == f"{tmp_path}\n"


def test_a_call_that_fails_says_so_in_its_output(zygote, tmp_path):
    called = zygote.call("no_such_module:function", {}, tmp_path, output=tmp_path / "out")
    assert called.wait(5) and called.status == 1
    assert "no_such_module" in (tmp_path / "out").read_text()


def test_calls_run_beside_each_other_and_are_killed(zygote, tmp_path):
    token = str(secrets.randbelow(10**9) + 10**9)
    calls = [zygote.call("subprocess:run", {"args": ["sleep", token]}, tmp_path) for _ in range(2)]
    assert started(token, 2)
    calls[0].kill()
    assert not calls[0].alive() and calls[0].status == -signal.SIGKILL
    assert len(living(token)) == 1 and calls[1].alive()
    calls[1].kill()
    assert not living(token)


@pytest.mark.slow
def test_other_systems_have_a_kernel_too(course, monkeypatch):
    """No fork server, no files of Linux: tried here as far as that goes."""
    monkeypatch.setattr(kernels, "_LINUX", False)
    monkeypatch.setattr(family, "_LINUX", False)
    monkeypatch.setattr(family, "_LISTED", False)
    token = str(secrets.randbelow(10**9) + 10**9)
    with Launcher(course, Isolation("limits", ""), SMALL) as launcher:
        with launcher.start() as kernel:
            assert not launcher.forking and run(kernel, "import utils.lab; print(utils.lab.name)") == "the copy"
            run(kernel, f"import subprocess; subprocess.Popen(['sleep', '{token}'])")
            assert started(token)
            assert stopped_quickly(kernel) and not living(token) and not kernel.scratch.exists()
        kernel = launcher.start()
        attack(kernel, "held = bytearray(b'x') * 900_000_000\nimport time; time.sleep(60)")
        assert dead(kernel) and kernel.reason == "used more than 0.7 GB of memory"
        kernel = launcher.start()
        attack(kernel, "import os; os._exit(3)")
        assert dead(kernel) and kernel.reason == "ended itself with status 3"


# --- figures that the watchdog goes by --------------------------------------------------------------------------------


def test_the_family_of_a_process_and_its_memory():
    code = """if True:
        import subprocess, time
        held = bytearray(b"x") * 50_000_000
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        child = int(process.stdout.readline())
        assert family.descendants(process.pid) == [child]
        assert 50e6 < family.memory([process.pid]) <= family.resident([process.pid]) * 1.05
        process.kill()
    family.kill(child)


def test_a_folder_is_measured(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(bytes(100_000))
    (tmp_path / "link").symlink_to("/usr")
    used, entries = family.in_folder(tmp_path, 100)
    assert 100_000 <= used < 120_000 and entries == 4
    assert family.in_folder(tmp_path, 2)[1] == 3


@pytest.mark.slow
def test_a_forked_kernel_trains_as_a_fresh_one_does(course):
    code = """
        import keras, numpy
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
                                  keras.layers.Dense(1)])
        model.compile("adam", "mse")
        x = numpy.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype("float32")
        losses = model.fit(x, x.sum((1, 2, 3)), epochs=3, verbose=0).history["loss"]
        print(*(f"{loss:.6g}" for loss in losses))
    """
    level = "limits" if sandbox_problem() else "bwrap"
    found = []
    for fork, times in ((True, 2), (False, 1)):
        with Launcher(course, Isolation(level, ""), fork=fork, threads=1) as launcher:
            for _ in range(times):
                with launcher.start() as kernel:
                    found.append(run(kernel, code, seconds=60))
    assert len(found[0].split()) == 3 and len(set(found)) == 1
