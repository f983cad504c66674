"""``python -m utils.course grade``, with a Grader that only skims; the last test has the real one."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.grading_fakes import describe_lab
from utils.course.__main__ import main
from utils.course.errors import CourseError
from utils.course.grading import command
from utils.course.grading.command import add_arguments, grade, read_shard
from utils.course.grading.folder import locked
from utils.course.grading.isolation import sandbox_problem
from utils.course.grading.tables import read_table
from utils.course.layout import load_course
from utils.files import ROOT

pytestmark = pytest.mark.alone
SOLUTION = json.loads(next((ROOT / "solutions").glob("00_*.ipynb")).read_bytes())
UNTOUCHED = json.loads(next((ROOT / "labs").glob("00_*.ipynb")).read_bytes())
SKIMMER = "tests.grading_fakes:Skimmer"


def hand_in(folder, student, notebook=SOLUTION):
    """Write a notebook that says whose it is."""
    cell = {"cell_type": "code", "id": "own", "metadata": {}, "source": f"# of {student} .", "outputs": []}
    cells = [
        {**cell, "execution_count": None},
        *({**c, "outputs": []} if "outputs" in c else c for c in notebook["cells"]),
    ]
    folder.mkdir(exist_ok=True)
    (folder / f"{student}.ipynb").write_text(json.dumps(notebook | {"cells": cells}))


class Desk:
    """An instructor at the command line."""

    def __init__(self, folder):
        self.folder, self.grades, self.log = folder, folder / "grades", folder / "log"
        self.log.mkdir()
        for student in ("ada", "ben", "eve", "sam"):
            hand_in(folder / "in", student, UNTOUCHED if student == "ben" else SOLUTION)
        (folder / "in" / "tom.ipynb").write_text("<html>log in</html>")
        (folder / "roster.csv").write_text(
            "username,name\nada,Ada L\nben,Ben K\neve,Eve M\nsam,Sam O\ntom,Tom P\nzoe,Zoe Q\n"
        )

    def arguments(self, *more):
        return [str(self.folder / "in"), "--lab", "00", "-o", str(self.grades), "--isolation", "none", *more]

    def run(self, *more, roster=True):
        """Run the command; (status, what it said)."""
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        roster = ["--roster", str(self.folder / "roster.csv")] if roster else []
        said = []
        options = parser.parse_args(self.arguments("-j", "1", *roster, *more))
        return grade(load_course(), options, SKIMMER, said.append), "\n".join(said)

    def book(self):
        return {row.get("student"): row for row in read_table(self.grades / "grades.csv").rows}

    def calls(self):
        """Student -> how often the Grader was called."""
        students = [path.name.split(".")[0] for path in self.log.iterdir()]
        return {student: students.count(student) for student in sorted(set(students))}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_TEST_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(command, "DESCRIBE", "tests.grading_fakes:describe")
    monkeypatch.setattr(command, "describe_lab", describe_lab)
    return Desk(tmp_path)


EVERYBODY = {"ada": 1, "ben": 1, "eve": 1, "sam": 1}


def test_one_command_gives_everything(desk):
    status, said = desk.run()
    assert status == 0
    book = desk.book()
    assert {student: row.get("status") for student, row in book.items()} == {
        **dict.fromkeys(("ada", "ben", "eve", "sam"), "graded"),
        "tom": "unreadable",
        "zoe": "missing",
    }
    assert {student: book[student].get("total") for student in EVERYBODY} == {
        "ada": "5",
        "ben": "0",
        "eve": "5",
        "sam": "5",
    }
    assert book["ada"].get("name") == "Ada L" and book["ada"].get("file") == "ada.ipynb"
    assert (desk.grades / "report.html").exists() and (desk.grades / "feedback" / "zoe.html").exists()
    lines = said.splitlines()[-5:]
    assert lines[0] == "lab 00: 6 students: 4 graded, 1 missing, 1 unreadable, 0 failed"
    assert lines[1] == "points: mean 3.8, median 5.0, of 5"
    assert lines[3].endswith("feedback") and lines[4].endswith("report.html")
    assert desk.calls() == EVERYBODY


def test_a_second_run_grades_nobody_and_a_changed_notebook_alone(desk):
    desk.run()
    status, said = desk.run()
    assert status == 0 and "0 to grade" in said and "calibrating" not in said
    assert desk.calls() == EVERYBODY
    hand_in(desk.folder / "in", "ben")
    desk.run()
    assert desk.calls() == EVERYBODY | {"ben": 2}
    assert desk.book()["ben"].get("total") == "5"


@pytest.mark.parametrize("change", [("--seed", "5"), ("--skip-training",)])
def test_another_seed_or_mode_grades_everybody_again(desk, change):
    desk.run()
    desk.run(*change)
    assert set(desk.calls().values()) == {2}


def test_marks_by_hand_and_lateness_need_no_new_grade(desk):
    desk.run()
    (desk.grades / "overrides.csv").write_text("student,exercise,points,comment\nben,3.1,2,good idea\n")
    for path in (desk.folder / "in").iterdir():
        os.utime(path, (1.7e9, 1.7e9))
    due = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1.7e9 - 3600))
    desk.run("--due", due, "--late", "20%/day")
    assert desk.calls() == EVERYBODY
    assert desk.book()["ada"].get("total") == "4"
    assert float(desk.book()["ben"].get("total")) > 0


@pytest.mark.parametrize(
    ("file", "line", "options"),
    [
        ("overrides.csv:2: there is no student 'bem'", "student,exercise,points\nbem,3.1,2\n", ()),
        ("overrides.csv:2: 9 points are more", "student,exercise,points\nben,3.1,9\n", ()),
        ("extensions.csv:2: a due date is", "student,due\nben,soon\n", ("--due", "2026-11-20")),
        ("the roster's due date of ben: a due date is", "student,due\n", ("--due", "2026-11-20")),
    ],
)
def test_a_wrong_line_is_told_before_anybody_is_graded(desk, file, line, options):
    desk.grades.mkdir()
    if file.startswith("the roster"):
        (desk.folder / "roster.csv").write_text("username,due\nada,\nben,soon\n")
    else:
        (desk.grades / file.partition(":")[0]).write_text(line)
    with pytest.raises(CourseError, match=re.escape(file)):
        desk.run(*options)
    assert desk.calls() == {} and not (desk.grades / "calibration").exists()


def test_the_report_tells_how_it_was_calibrated_whoever_writes_it(desk):
    for more in ((), ("--merge",)):
        desk.run(*more)
        assert "the solution gets all points, the untouched lab none" in (desk.grades / "report.html").read_text()


def test_what_comes_out_wrong_of_calibration_stops_everything(desk, monkeypatch):
    monkeypatch.setenv("COURSE_TEST_FAULT", "1")
    with pytest.raises(CourseError, match=r"solution does not get all points[^$]*exercise 3.1, “it doubles”"):
        desk.run()
    assert desk.calls() == {}
    assert not (desk.grades / "grades.csv").exists()


# Parts of a class


def test_parts_grade_each_student_once_and_are_merged(desk):
    status, said = desk.run("--shard", "1/3")
    assert status == 0 and "part 1 of 3: 2 done, 0 of them failed" in said
    assert not (desk.grades / "grades.csv").exists()
    status, said = desk.run("--merge")
    assert status == 1 and "not graded yet: ben, eve" in said
    assert desk.book()["ben"].get("status") == "failed" and desk.book()["ada"].get("status") == "graded"
    assert desk.run("--merge", "--partial")[0] == 0
    desk.run("--shard", "3/3")
    desk.run("--shard", "2/3")
    assert desk.calls() == EVERYBODY
    status, said = desk.run("--merge")
    assert status == 0 and "not graded yet" not in said
    assert [row.get("total") for row in desk.book().values()][:4] == ["5", "0", "5", "5"]


def test_more_parts_than_students_do_no_harm(desk):
    status, said = desk.run("--shard", "9/9")
    assert status == 0 and "0 to grade" in said


def test_a_merge_says_where_results_are_of_another_version(desk, monkeypatch):
    desk.run()
    from utils.course.grading import version

    there = version.packages()
    monkeypatch.setattr(version, "packages", lambda: there | {"numpy": "9.9"})
    status, said = desk.run("--merge")
    assert status == 1
    assert f"numpy {there['numpy']} there, 9.9 here" in said


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_part_that_does_not_exist_is_refused(text):
    with pytest.raises(CourseError, match="I from 1 to N"):
        read_shard(text)


# Some students


def test_only_some(desk):
    status, _ = desk.run("--only", "eve")
    assert status == 0
    assert desk.calls() == {"eve": 1}
    assert desk.book()["eve"].get("status") == "graded"
    with pytest.raises(CourseError, match="nobody is called nobody; ids are as in"):
        desk.run("--only", "nobody")


def test_who_was_killed_over_twice_is_tried_again_when_named(desk):
    desk.run("--only", "ada")
    (kept,) = (desk.grades / "results").iterdir()
    kept.unlink()
    (desk.grades / "attempts" / kept.stem).write_bytes(b"..")
    desk.run()
    assert desk.book()["ada"].get("status") == "failed" and desk.calls()["ada"] == 1
    assert "killed 2 times" in desk.book()["ada"].get("reason")
    desk.run("--only", "ada")
    assert desk.book()["ada"].get("status") == "graded" and desk.calls()["ada"] == 2


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--merge", "--shard", "1/2"), "--merge grades nobody"),
        (("--partial",), "--partial goes with --merge"),
        (("--jobs", "0"), "1 or more, got 0"),
        (("--lab", "77"), "there is no lab 77"),
        (("--late", "rubbish"), "--late has to be"),
        (("--due", "yesterday"), "a due date is"),
    ],
)
def test_what_makes_no_sense_is_refused(desk, options, message):
    with pytest.raises(CourseError, match=message):
        desk.run(*options)


def test_a_second_command_at_once_is_turned_away_but_another_part_is_not(desk):
    with locked(desk.grades):
        with pytest.raises(CourseError, match="is grading into"):
            desk.run()
        assert desk.run("--shard", "1/2")[0] == 0
    with locked(desk.grades, "shard-1-of-2"), pytest.raises(CourseError, match="is grading into"):
        desk.run("--shard", "1/2")


def test_the_command_line_says_what_is_wrong(desk, capsys):
    assert main(["grade", *desk.arguments("--shard", "3/2")]) == 1
    assert "I from 1 to N" in capsys.readouterr().err


# Ends


RUN = """
import signal
import sys
from tests import grading_fakes
from utils.course import __main__ as program
from utils.course.grading import command

command.DESCRIBE = "tests.grading_fakes:describe"
grade = command.grade
command.grade = lambda course, options: grade(course, options, "tests.grading_fakes:Skimmer")
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it at first
    sys.exit(program.main(["grade", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "jobs"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2"), (signal.SIGKILL, "2")], ids=lambda value: str(value)
)
def test_a_command_that_is_ended_goes_on_where_it_was(desk, sent, jobs):
    script = desk.folder / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COURSE_TEST_SLEEP": "1"}
    line = [sys.executable, str(script), *desk.arguments("-j", jobs)]
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((desk.grades / "results").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)  # the next one is under way
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    said, _ = process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive
    before = desk.calls()
    if sent != signal.SIGKILL:
        assert process.returncode == 130
        assert "of 4 are graded and kept; the same command goes on from there" in said
        assert not list((desk.grades / "attempts").iterdir())
    done = {path.name.rpartition("-")[0] for path in (desk.grades / "results").glob("*.json")}
    assert 1 <= len(done) < 4
    again = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert "4 graded" in again.stdout
    assert all(desk.calls()[student] == before[student] for student in done), "what had a result was graded again"


@pytest.mark.slow
def test_a_class_is_graded_for_real(tmp_path):
    """The real Grader, two workers, lab 00: right, half right, blank, broken, missing; then kernels are gone."""
    for student in ("ada", "half"):
        hand_in(tmp_path / "in", student)
    half = json.loads((tmp_path / "in" / "half.ipynb").read_text())
    for cell in half["cells"]:
        if cell["metadata"].get("exercise") == "0.2":
            cell["source"] = "# Exercise 0.2\ndef stretch(*arguments, **more):\n    return None\n"
    (tmp_path / "in" / "half.ipynb").write_text(json.dumps(half))
    hand_in(tmp_path / "in", "blank", UNTOUCHED)
    (tmp_path / "in" / "broken.ipynb").write_text("{")
    level = "limits" if sandbox_problem() else "bwrap"
    course = tmp_path / "course"  # a copy, that nobody works on in the meantime
    for part in ("utils", "solutions", "labs"):
        shutil.copytree(ROOT / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", course)
    line = [sys.executable, "-m", "utils.course", "grade", str(tmp_path / "in"), "--lab", "00", "-j", "2"]
    line += ["-o", str(tmp_path / "out"), "--skip-training", "--isolation", level]
    run = subprocess.run(line, cwd=course, capture_output=True, text=True, timeout=400, check=False)
    assert run.returncode == 0, run.stderr
    book = {row.get("student"): row for row in read_table(tmp_path / "out" / "grades.csv").rows}
    assert book["ada"].get("total") == book["ada"].get("maximum")
    assert 0 < float(book["half"].get("total")) < float(book["ada"].get("total"))
    assert book["half"].get("exercise 0.2") == "0"
    assert (book["blank"].get("status"), book["blank"].get("total")) == ("graded", "0")
    assert book["broken"].get("status") == "unreadable"
    assert not [line for line in map(_line, psutil.process_iter()) if str(tmp_path) in line]


def _line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
