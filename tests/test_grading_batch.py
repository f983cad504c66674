"""A class is graded: each student exactly once, whatever dies, and nobody twice."""

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import psutil
import pytest

from tests.grading_fakes import GRADER, FakeSetup, calls, submission
from utils.course.errors import CourseError
from utils.course.grading import batch, workers
from utils.course.grading.batch import grade_class, ungraded
from utils.course.grading.folder import locked, secret_seed
from utils.course.grading.progress import Progress
from utils.course.grading.results import Results, blank, identify
from utils.course.grading.version import course_version, differences, used_files
from utils.course.grading.workers import InProcess, Job, Workers
from utils.files import ROOT

pytestmark = pytest.mark.alone


class Class:
    """A class in a temporary folder, graded by the fake Grader."""

    def __init__(self, folder):
        self.log = folder / "log"
        self.log.mkdir()
        self.setup = FakeSetup("03", ROOT, self.log)
        self.said = []
        self.results = Results(folder / "grades", "03", 1, {}, "version 1", {"numpy": "2"}, say=self.said.append)

    def grade(self, submissions, executor=None, again=(), results=None, **setup):
        results = results or self.results
        job = Job(replace(self.setup, **setup), GRADER)
        wanted = ungraded(submissions, results, again)
        with executor or InProcess() as opened, Progress(len(wanted), terminal=False) as progress:
            progress.say = self.said.append
            grade_class(wanted, job, results, opened, progress, again=again)
        return {s.student: results.load(s)["result"] for s in submissions if results.load(s)}

    def calls(self, *students):
        return [calls(self.log, student) for student in students]


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert not multiprocessing.active_children()


@pytest.fixture
def group(tmp_path):
    return Class(tmp_path)


# Each student once


def test_each_student_gets_the_points_of_the_own_notebook(group):
    submissions = [submission(f"s{i}", points=i) for i in range(5)]
    grades = group.grade(submissions, Workers(2))
    assert {student: grade["points"] for student, grade in grades.items()} == {f"s{i}": i for i in range(5)}
    assert all(grade["student"] == student for student, grade in grades.items())
    assert group.calls(*grades) == [1] * 5
    assert not list(group.results.folder.glob("attempts/*"))


def test_a_second_run_grades_nobody_and_a_change_only_whom_it_concerns(group):
    before = [submission("ada", points=1), submission("ben", points=2)]
    group.grade(before)
    group.grade(before)
    assert group.calls("ada", "ben") == [1, 1]
    after = group.grade([submission("ada", points=4), before[1]])
    assert group.calls("ada", "ben") == [2, 1]
    assert after["ada"]["points"] == 4


@pytest.mark.parametrize("change", [{"seed": 2}, {"mode": {"skip_training": True}}, {"course": "version 2"}])
def test_seed_mode_and_version_grade_everybody_again(group, change):
    submissions = [submission("ada")]
    group.grade(submissions)
    group.grade(submissions, results=replace(group.results, **change))
    group.grade(submissions)  # the first result is still there
    assert group.calls("ada") == [2]


def test_students_with_the_same_notebook_have_results_of_their_own(group):
    one, other = submission("ada", name="x"), submission("ben", name="x")
    assert one.data == other.data
    grades = group.grade([one, other])
    assert group.calls("x") == [2]
    assert grades["ben"]["student"] == "ben"


def test_what_cannot_be_read_never_reaches_a_worker(group):
    grades = group.grade([submission("ada"), submission("ben", problem="not a notebook")])
    assert list(grades) == ["ada"]
    assert group.calls("ben") == [0]


def test_a_kept_result_has_the_file_and_the_notes_of_today(group):
    ada = submission("ada")
    grade = group.grade([ada])["ada"]
    renamed = replace(ada, file="later/ada.ipynb", notes=("2 notebooks, the newest is taken",))
    again = group.grade([renamed])["ada"]
    assert group.calls("ada") == [1]
    assert identify(again, renamed)["file"] == "later/ada.ipynb"
    assert identify(again, renamed)["notes"] == ["2 notebooks, the newest is taken"]
    assert grade["points"] == 5


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"result": {"schema": 99}, "final": true}', b"[" * 100_000])
def test_a_damaged_result_is_made_anew_with_a_word(group, damage):
    ada = submission("ada")
    group.grade([ada])
    group.results.path(ada).write_bytes(damage)
    assert group.grade([ada])["ada"]["points"] == 5
    assert group.calls("ada") == [2]
    assert "is damaged" in group.said[0]


def test_a_result_under_another_students_name_is_not_taken(group):
    ada, ben = submission("ada", points=5), submission("ben", points=0)
    group.grade([ada, ben])
    os.replace(group.results.path(ada), group.results.path(ben))
    assert group.grade([ada, ben])["ben"]["points"] == 0
    assert "belongs to another" in group.said[0]


def test_text_that_no_encoding_knows_is_kept(group):
    ada = submission("ada")
    group.results.save(ada, blank(ada, "03", "failed", "half a character: \ud800"))
    assert group.results.load(ada)["result"]["reason"].endswith("\ud800")


def test_any_executor_fits(group):
    submissions = [submission(f"s{i}", points=i) for i in range(4)]
    grades = group.grade(submissions, ThreadPoolExecutor(3))
    assert [grade["points"] for grade in grades.values()] == [0, 1, 2, 3]


# What dies


def test_a_worker_that_dies_costs_nobody_a_grade(group):
    submissions = [submission("bad", die=1), *(submission(f"s{i}", sleep=0.2) for i in range(4))]
    grades = group.grade(submissions, Workers(2))
    assert {grade["status"] for grade in grades.values()} == {"graded"}
    assert group.calls("bad", "s0", "s1", "s2", "s3") == [2, 1, 1, 1, 1]
    assert "bad: ended the process that graded it; it is graded again, alone" in group.said


def test_who_ends_every_worker_fails_and_the_others_do_not(group):
    submissions = [submission("bad", die=9), *(submission(f"s{i}") for i in range(3))]
    grades = group.grade(submissions, Workers(2))
    assert grades.pop("bad") | {"status": "failed", "points": 0} == group.results.load(submissions[0])["result"]
    assert {grade["status"] for grade in grades.values()} == {"graded"}
    assert group.calls("bad") == [3]
    assert "ended the process that graded it, each time" in group.results.load(submissions[0])["result"]["reason"]


def test_who_failed_is_tried_once_more_by_the_next_run(group):
    bad = submission("bad", die=4)
    assert group.grade([bad], Workers(1))["bad"]["status"] == "failed"
    assert group.grade([bad], Workers(1))["bad"]["status"] == "failed"
    assert group.calls("bad") == [4]
    assert group.grade([bad], Workers(1))["bad"]["status"] == "graded"


def test_a_grader_that_stops_once_is_asked_again(group):
    grades = group.grade([submission("ada", **{"raise": 1}), submission("ben", mend=1), submission("eve")])
    assert {grade["status"] for grade in grades.values()} == {"graded"}
    assert group.calls("ada", "ben") == [2, 2]


def test_a_grader_that_always_stops_fails_that_student_alone(group):
    grades = group.grade([submission("ada", **{"raise": 9}), submission("eve")])
    assert grades["ada"]["status"] == "failed"
    assert "not the student's fault: OSError: no space left" in grades["ada"]["reason"]
    assert "Traceback" in "".join(group.said)
    assert grades["eve"]["status"] == "graded"


def test_a_grader_that_stops_at_everybody_ends_the_run(group):
    submissions = [submission(f"s{i}", **{"raise": 9}) for i in range(6)]
    with pytest.raises(CourseError, match=r"stops at every submission[^$]*no space left"):
        group.grade(submissions)
    assert not list(group.results.folder.glob("attempts/*"))


def test_what_the_instructor_has_to_mend_ends_the_run(group):
    with pytest.raises(CourseError, match="no sandbox"):
        group.grade([submission("ada")], Workers(2), behaviour="cannot start")
    assert not list(group.results.folder.glob("results/*"))


def test_a_worker_far_beyond_its_time_is_ended(group, monkeypatch):
    monkeypatch.setattr(batch, "START_SECONDS", 1.5)
    monkeypatch.setattr(batch, "MOST_DEATHS", 0)
    submissions = [submission("slow", sleep=60), submission("ada")]
    grades = group.grade(submissions, Workers(2), submission_seconds=1.0)
    assert grades["slow"]["status"] == "failed"
    assert grades["ada"]["status"] == "graded"


@pytest.mark.parametrize(("task", "most"), [(0, 5), (60, 30)], ids=["idle", "starting"])
def test_workers_are_stopped_at_once(task, most):
    executor = Workers(2)
    futures = [executor.submit(time.sleep, task) for _ in range(2)]
    if not task:
        wait(futures)
    begin = time.monotonic()
    executor.stop()
    assert time.monotonic() - begin < most
    assert not multiprocessing.active_children()


def test_workers_close_their_grader_in_the_end(group):
    executor = Workers(2)
    group.grade([submission("ada", sleep=0.3), submission("ben", sleep=0.3)], executor)
    deadline = time.monotonic() + 5
    while len(list(group.log.glob("closed-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(group.log.glob("closed-*"))) == 2


# Attempts


def test_who_was_under_way_when_the_grader_was_killed_comes_last_and_alone(group):
    submissions = [submission(student, sleep=0.2) for student in ("ada", "ben", "eve")]
    group.results.begin(submissions[0])
    order = []
    executor = InProcess()
    submit = executor.submit
    executor.submit = lambda function, job, student, data: order.append(student) or submit(function, job, student, data)
    grades = group.grade(submissions, executor)
    assert order == ["ben", "eve", "ada"]
    assert grades["ada"]["status"] == "graded"
    assert group.results.attempts(submissions[0]) == 0


def test_who_was_under_way_twice_is_not_tried_again_unless_named(group):
    submissions = [submission("ada"), submission("ben")]
    for _ in range(2):
        group.results.begin(submissions[0])
    grades = group.grade(submissions)
    assert "killed 2 times" in grades["ada"]["reason"]
    assert group.grade(submissions)["ada"]["status"] == "failed"
    assert group.calls("ada", "ben") == [0, 1]
    assert group.grade(submissions, again={"ada"})["ada"]["status"] == "graded"


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt; where tests run in a shell's background, it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_no_attempt_and_no_process(group):
    submissions = [submission("ada"), *(submission(f"s{i}", sleep=30) for i in range(3))]
    executor = Workers(2)

    def interrupt():
        while not list(group.log.glob("s*")):
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        group.grade(submissions, executor)
    assert time.monotonic() - begin < 15
    assert not list(group.results.folder.glob("attempts/*"))
    processes = [int(path.name.split(".")[2]) for path in group.log.glob("s*")]
    assert processes
    assert not any(psutil.pid_exists(process) for process in processes)


RUN = """
import sys
from pathlib import Path
from tests.test_grading_batch import Class
from tests.grading_fakes import submission
from utils.course.grading.workers import InProcess, Workers

if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    (folder / "log").rmdir() if not list((folder / "log").iterdir()) else (folder / "log").rename(folder / "old")
    group = Class(folder)
    for path in (folder / "old").iterdir() if (folder / "old").exists() else ():
        path.rename(folder / "log" / path.name)
    submissions = [submission(f"s{i}", sleep=0.3) for i in range(8)]
    group.grade(submissions, Workers(count) if count else InProcess())
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 2], ids=["one process", "two workers"])
def test_after_kill_9_the_same_command_goes_on(group, tmp_path, count):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    command = [sys.executable, str(script), str(tmp_path), str(count)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while len(list(group.results.folder.glob("results/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    children = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = len(list(group.results.folder.glob("results/*.json")))
    marked = list(group.results.folder.glob("attempts/*"))
    assert 3 <= kept < 8
    assert 1 <= len(marked) <= max(1, count)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive, "workers outlive the grader"
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 0
    assert len(list(group.results.folder.glob("results/*.json"))) == 8
    assert not list(group.results.folder.glob("attempts/*"))
    # Nobody who had a result was graded again.
    assert sum(group.calls(*(f"s{i}" for i in range(8)))) <= 8 + max(1, count)


# The folder


def test_the_secret_seed_is_made_once_and_for_our_eyes_only(tmp_path):
    seed = secret_seed(tmp_path)
    assert secret_seed(tmp_path) == seed
    assert secret_seed(tmp_path / "other") != seed
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600


def test_the_secret_seed_can_be_set(tmp_path):
    secret_seed(tmp_path)
    assert secret_seed(tmp_path, 7) == 7
    assert secret_seed(tmp_path) == 7
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600
    with pytest.raises(CourseError, match="from 0 on"):
        secret_seed(tmp_path, -1)


def test_many_who_make_the_seed_at_once_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: secret_seed(tmp_path), range(24)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"seed": "x"}', '{"seed": true}', "[]"])
def test_a_damaged_secret_is_told_about_and_can_be_set(tmp_path, text):
    (tmp_path / "secret.json").write_text(text)
    with pytest.raises(CourseError, match="damaged: delete it, or set a seed"):
        secret_seed(tmp_path)
    assert secret_seed(tmp_path, 3) == secret_seed(tmp_path) == 3


def test_a_second_command_in_the_folder_is_turned_away(tmp_path):
    with locked(tmp_path):
        with pytest.raises(CourseError, match=rf"process {os.getpid()} on .* is grading into"), locked(tmp_path):
            pass
        with locked(tmp_path, "grade-1-of-2"):
            pass
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_command_is_free(tmp_path):
    code = "import sys, time; from utils.course.grading.folder import locked; from pathlib import Path\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(CourseError, match=f"process {holder.pid} "), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_old_temporary_files_are_swept_up_and_new_ones_are_not(group):
    folder = group.results.folder / "results"
    folder.mkdir(parents=True)
    for name in ("old.part", "new.part"):
        (folder / name).touch()
    os.utime(folder / "old.part", (0, 0))
    group.results.tidy()
    assert [path.name for path in folder.iterdir()] == ["new.part"]


# Versions


def course(root):
    """A course of two labs in the folder `root`."""
    cells = [
        {"cell_type": "code", "id": "imports", "metadata": {}, "source": ["from utils import sky"], "outputs": []},
        {"cell_type": "markdown", "id": "prose", "metadata": {}, "source": ["prose"]},
    ]
    files = {
        "utils/__init__.py": "",
        "utils/sky.py": "from utils.deep import stars",
        "utils/deep.py": "",
        "utils/unused.py": "",
        "utils/checks/__init__.py": "",
        "utils/checks/lab01.py": "",
        "utils/checks/lab03.py": "def late():\n    import utils.late",
        "utils/late.py": "",
        "utils/course/grading/grader.py": 'START = "utils.course.grading.plugin"\nSERVER = "server.py"',
        "utils/course/grading/plugin.py": "",
        "utils/course/grading/server.py": "",
        "utils/course/grading/report.py": "",
        "labs/03_cnn.ipynb": json.dumps({"cells": cells}),
        "solutions/03_cnn.ipynb": json.dumps({"cells": cells}),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return cells


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("utils/sky.py", True),
        ("utils/deep.py", True),
        ("utils/late.py", True),
        ("utils/checks/__init__.py", True),
        ("utils/checks/lab03.py", True),
        ("utils/course/grading/plugin.py", True),
        ("utils/course/grading/server.py", True),
        ("utils/unused.py", False),
        ("utils/checks/lab01.py", False),
        ("utils/course/grading/report.py", False),
    ],
)
def test_the_version_hangs_on_what_grading_imports(tmp_path, name, matters):
    course(tmp_path)
    before = course_version(tmp_path, "03")
    with open(tmp_path / name, "a") as file:
        file.write("\n# changed\n")
    assert (course_version(tmp_path, "03") != before) == matters


def test_the_version_hangs_on_code_and_checked_outputs(tmp_path):
    cells = course(tmp_path)
    path = tmp_path / "solutions" / "03_cnn.ipynb"

    def version():
        path.write_text(json.dumps({"cells": cells}))
        return course_version(tmp_path, "03")

    seen = [version()]
    cells[1]["source"] = ["other prose"]
    cells[0]["outputs"] = ["a figure"]
    assert version() == seen[0]
    cells[0]["metadata"] = {"tags": ["nbval-check-output"]}
    seen.append(version())
    cells[0]["outputs"] = ["another output"]
    seen.append(version())
    cells[0]["source"] = ["from utils import sky, late"]
    seen.append(version())
    assert len(set(seen)) == 4


def test_the_real_version_holds_what_is_started_as_a_program():
    names = {path.name for path in used_files(ROOT, ["utils.course.grading.grader", "utils.checks.lab03"])}
    assert {"grader.py", "plugin.py", "zygote.py", "kernels.py", "judging.py", "lab03.py", "exercise.py"} <= names
    assert not {"lab01.py", "batch.py", "feedback.py", "gradebook.py", "__main__.py"} & names


def test_a_lab_that_does_not_exist_is_said(tmp_path):
    course(tmp_path)
    with pytest.raises(CourseError, match=r"no notebook solutions/07_"):
        course_version(tmp_path, "07")


def test_differences_are_named():
    assert differences({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == "b 2 there, 3 here"


# Progress


def test_progress_says_a_line_now_and_then(capsys):
    with Progress(4, terminal=False, every=0) as progress:
        progress.step()
        time.sleep(0.01)
        progress.tick()
    assert capsys.readouterr().err == "1 of 4 graded, about 0 s left\n"


def test_a_worker_refuses_a_job_of_another_version(group):
    outcome = workers.grade_one(Job(group.setup, GRADER, course="another"), "ada", b"{}")
    assert "the course was changed while it was being graded" in outcome["refused"]
