"""What students' code can see and reach in the sandbox, tried by absolute paths, and how a level is chosen."""

import errno
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from utils.course.errors import CourseError
from utils.course.grading import isolation
from utils.course.grading.isolation import Isolation, Limits, choose, python_folders, sandbox, sandbox_problem
from utils.files import ROOT

pytestmark = pytest.mark.alone
needs_sandbox = pytest.mark.skipif(bool(sandbox_problem()), reason=f"no sandbox here: {sandbox_problem()}")


@pytest.fixture
def inside(tmp_path):
    """Runs Python code in a sandbox: what it prints."""
    slot, course = tmp_path / "slot", tmp_path / "course"
    slot.mkdir(), course.mkdir()
    (course / "lesson.txt").write_text("a lesson")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/data.txt").write_text("data")

    def run(code, *arguments):
        command = [*sandbox(slot, course, tmp_path / "cache", Limits(file_bytes=5e6)), sys.executable, "-c", code]
        done = subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, env=isolation.base_environment()
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.slot, run.course = slot, course
    return run


READ = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read()
        print(path)
    except OSError:
        pass
"""


@needs_sandbox
def test_the_sandbox_shows_the_course_and_the_data(inside):
    assert inside(READ, "/course/lesson.txt", "/cache/data.txt").split() == ["/course/lesson.txt", "/cache/data.txt"]


@needs_sandbox
def test_files_of_the_machine_are_not_readable(inside, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    private = [ROOT / "README.md", ROOT / "solutions", ROOT / "utils", ROOT / ".git", secret, inside.course]
    private += [path for path in Path.home().iterdir() if os.access(path, os.R_OK)]
    private += ["/etc/shadow", "/etc/hostname", "/var", "/run", "/boot", "/proc/1/root/boot", "/sys/class"]
    private = [path for path in private if os.path.lexists(path)]
    allowed = {outer for folder in python_folders() for outer in (folder, *map(str, Path(folder).parents))}
    private = [path for path in private if str(path) not in allowed]
    assert len(private) > 5
    outside = subprocess.run([sys.executable, "-c", READ, *map(str, private)], capture_output=True, text=True)
    assert str(secret) in outside.stdout.split() and str(ROOT / "README.md") in outside.stdout.split()
    assert inside(READ, *private).split() == []


@needs_sandbox
def test_only_python_is_seen_of_the_folders_around_it(inside):
    """Mounting a folder makes its parents: they must hold nothing else."""
    code = "import os, sys\nfor path in sys.argv[1:]:\n    print(*(path + '/' + name for name in os.listdir(path)))"
    folders = python_folders()
    parents = {str(parent) for folder in folders for parent in Path(folder).parents} - {"/"}
    parents -= {parent for parent in parents if parent.startswith("/usr")}
    seen = inside(code, *parents).split() if parents else []
    slot = str(inside.slot)
    allowed = {*folders, *parents, slot, *map(str, Path(slot).parents)}
    assert set(seen) <= allowed


WRITE = """
import os, sys
for path in sys.argv[1:]:
    try:
        if os.path.isdir(path):
            path += "/written"
        os.close(os.open(path, os.O_WRONLY | (0 if os.path.exists(path) else os.O_CREAT)))
        print(path)
    except OSError:
        pass
"""


@needs_sandbox
def test_nothing_but_the_slot_and_temporary_folders_can_be_written(inside):
    places = ["/", "/course", "/course/lesson.txt", "/cache", "/cache/data.txt", "/zygote.py", "/etc", "/etc/passwd"]
    places += ["/dev", "/usr", "/usr/bin", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys", "/home"]
    places += [*python_folders(), sys.executable, os.path.realpath(sys.executable), os.__file__, inside.slot / "etc"]
    assert inside(WRITE, *places, "/tmp", "/dev/shm", inside.slot).split() == [
        "/tmp/written",
        "/dev/shm/written",
        f"{inside.slot}/written",
    ]


@needs_sandbox
def test_temporary_folders_have_a_size(inside):
    code = "try:\n    open('/tmp/big', 'wb').write(bytes(6_000_000))\nexcept OSError as error:\n    print(error.errno)"
    if "--size" not in isolation._bwrap_help():
        pytest.skip("this bwrap has no --size")
    assert int(inside(code)) == errno.ENOSPC


CONNECT = """
import errno, socket, sys
def attempt(family, address):
    try:
        socket.socket(family).connect(address)
        return "connected"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(socket.AF_INET, ("192.0.2.1", 80)), attempt(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))),
      attempt(socket.AF_UNIX, chr(0) + sys.argv[2]))
"""


@needs_sandbox
def test_the_network_and_this_machine_are_out_of_reach(inside):
    name = f"course-{secrets.token_hex(8)}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{name}")
        local.listen()
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        assert inside(CONNECT, port, name).split() == ["ENETUNREACH", "ECONNREFUSED", "ECONNREFUSED"]


@needs_sandbox
def test_other_processes_are_not_seen(inside):
    code = "import os; print(*[name for name in os.listdir('/proc') if name.isdigit()], os.getpid())"
    assert inside(code).split() == ["1", "1"]


@needs_sandbox
def test_nothing_of_the_environment_gets_in(inside, monkeypatch):
    monkeypatch.setenv("COURSE_TEST_SECRET", "hush")
    printed = inside("import os; print(dict(os.environ), open('/proc/self/environ').read())")
    assert "hush" not in printed and "LANG" in printed


@needs_sandbox
def test_a_user_without_privileges_and_with_a_name(inside):
    code = "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_name, socket.gethostname())"
    assert inside(f"import socket\n{code}").split() == ["student", "course"]
    status = inside("print(open('/proc/self/status').read())")
    assert "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status


# --- the choice -------------------------------------------------------------------------------------------------------


@needs_sandbox
def test_the_sandbox_is_chosen_where_it_works():
    assert choose().level == choose("bwrap").level == "bwrap"
    assert "sandbox" in choose().why


@pytest.mark.parametrize("level", ["limits", "none"])
def test_a_lower_level_is_had_for_the_asking(level):
    chosen = choose(level)
    assert isinstance(chosen, Isolation) and chosen.level == level and "asked for" in chosen.why


def test_an_unknown_level_is_refused():
    with pytest.raises(CourseError, match=r"auto, bwrap, limits, none, got 'docker'"):
        choose("docker")


@pytest.fixture
def without_bwrap(monkeypatch):
    monkeypatch.setattr(isolation, "sandbox_problem", lambda: "the program bwrap is not installed")


def test_without_a_sandbox_there_are_limits(without_bwrap, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    chosen = choose()
    assert chosen.level == "limits" and "not installed" in chosen.why


def test_root_without_a_sandbox_has_to_ask(without_bwrap, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    with pytest.raises(CourseError, match=r"as root.*--isolation limits"):
        choose()
    assert choose("limits").level == "limits"


def test_a_sandbox_that_does_not_work_is_not_had_for_the_asking(without_bwrap):
    with pytest.raises(CourseError, match="not installed"):
        choose("bwrap")


@pytest.fixture
def fake_bwrap(tmp_path, monkeypatch):
    """Puts a program called bwrap first in the path."""
    if not sys.platform.startswith("linux"):
        pytest.skip("bwrap is a program for Linux")

    def install(script):
        program = tmp_path / "bwrap"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        sandbox_problem.cache_clear(), isolation._bwrap_help.cache_clear()
        return program

    yield install
    monkeypatch.undo()
    sandbox_problem.cache_clear(), isolation._bwrap_help.cache_clear()


def test_a_bwrap_that_is_refused_namespaces_is_told_with_the_remedy(fake_bwrap):
    fake_bwrap("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    assert "uid map" in sandbox_problem() and "AppArmor" in sandbox_problem()


def test_a_bwrap_that_isolates_nothing_is_found_out(fake_bwrap):
    """It runs the command, but outside: the probe must see that."""
    fake_bwrap('while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    for found in ("files of the machine are seen in it", "processes of the machine are seen in it"):
        assert found in sandbox_problem()


def test_a_missing_bwrap_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sandbox_problem.cache_clear()
    try:
        assert "bwrap" in sandbox_problem()
    finally:
        monkeypatch.undo()
        sandbox_problem.cache_clear()


def test_limits_are_those_of_the_system():
    limits = Limits(memory=1e9, file_bytes=2e6, open_files=99).of_a_process()
    assert limits["DATA"] == 10**9 and limits["FSIZE"] == 2 * 10**6 and limits["NOFILE"] == 99 and limits["CORE"] == 0


def test_the_folders_of_python_hold_its_packages():
    folders = python_folders()
    for needed in (os.__file__, pytest.__file__, sys.executable, os.path.realpath(sys.executable)):
        assert any(isolation._within(needed, folder) for folder in [*folders, "/usr"])
    assert str(ROOT) not in folders and str(Path.home()) not in folders
