"""The gradebook and the tables for Canvas and Moodle, as other programs read them."""

import codecs
import csv
import hashlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.grading_results import DUE, EXERCISES, exercise, result, submission, without
from utils.checks import Exercise, subtest
from utils.course.errors import CourseError
from utils.course.grading.gradebook import canvas_table, feedback_comment, grades_table, moodle_table
from utils.course.grading.lateness import parse_rule
from utils.course.grading.marks import mark
from utils.course.grading.outputs import Options, class_entries, lab_options, write_outputs
from utils.course.grading.overrides import Override
from utils.course.grading.roster import read_roster
from utils.course.grading.tables import harmless, read_table, write_table

OPTIONS = Options("03", exercises=tuple(EXERCISES))
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Notes,Lab 01 (11),Lab 03 (4711),Final Score\n"
    "    Points Possible,,,,,,10,8,(read only)\n"
    '"Lovelace, Ada",101,S1,ada,Mo,x,9,,90\n'
    '"Hopper, Grace",102,S2,grace,Mo,,,,\n'
)
MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    'Participant 7,Ada Lovelace,ada@example.org,Submitted,,100,Yes,"Friday, 20 November 2026, 10:00 PM",-,\n'
    "Participant 8,Grace Hopper,grace@example.org,No submission,,100,Yes,-,-,\n"
)


def rows(path):
    """A table as Excel and pandas take it: with a byte-order mark, as dictionaries."""
    data = path.read_bytes()
    assert data.startswith(codecs.BOM_UTF8)
    return list(csv.DictReader(data.decode("utf-8-sig").splitlines()))


def entry(student, *args, failed=(), **how):
    return mark(student, "", result(student, failed), EXERCISES, *args, **how)


def roster(tmp_path, text):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8")
    return path


def write(tmp_path, results, submissions=(), people=(), options=OPTIONS):
    said = []
    paths = write_outputs(tmp_path / "GRADES", results, submissions, people, options, say=said.append)
    return tmp_path / "GRADES", paths, said


# Tables


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "  =cmd|' /C calc'!A0", "＝1+1", "-A1"]
)
def test_text_that_a_spreadsheet_would_run_is_made_harmless(tmp_path, text):
    assert harmless(text).startswith("'")
    write_table(tmp_path / "t.csv", ["a", "b"], [[text, 1]])
    (row,) = rows(tmp_path / "t.csv")
    assert row["a"].startswith("'")


def test_a_carriage_return_in_front_of_a_formula_is_written_out():
    assert harmless("\r=1+1") == "\\u000d=1+1"


@pytest.mark.parametrize("text", ["Ada", "-", "--", "", "3.1", "a=b", "O'Brien", "王小明"])
def test_other_text_stays_as_it_is(text):
    assert harmless(text) == text


def test_numbers_and_what_no_file_can_hold(tmp_path):
    write_table(
        tmp_path / "t.csv", ["a"], [[Decimal("2.50")], [-1], [None], ["half \ud800 a\u202eb\x00"], ['a,"b"\nc']]
    )
    read = [row["a"] for row in csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8-sig", newline=""))]
    assert read[:4] == ["2.5", "-1", "", "half \\ud800 a\\u202eb\\u0000"]
    assert read[4] == 'a,"b"\nc'


def test_a_table_that_is_read_knows_its_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\nStudent_ID,b\n"two\nlines",1\n,\n3,4,5\n')
    table = read_table(path)
    assert [(row.line, row.get("b")) for row in table.rows] == [(3, "1"), (6, "4")]
    assert table.column("nothing", "student id") == "Student_ID"


@pytest.mark.parametrize("data", [b"", b"\n \n", b'a,b\n"' + b"x" * 200_000])
def test_what_is_no_table_is_said(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=r"t\.csv"):
        read_table(path)
    with pytest.raises(CourseError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


# grades.csv


def test_a_row_of_the_gradebook(tmp_path):
    late = submission("ada", DUE + timedelta(hours=1), name="Ada Lovelace", notes=("renamed",))
    options = replace(OPTIONS, due=DUE, rule=parse_rule("10%/day"))
    folder, _, _ = write(tmp_path, [result("ada", ["float32"])], [late], options=options)
    (row,) = rows(folder / "grades.csv")
    assert row == {
        "student": "ada",
        "name": "Ada Lovelace",
        "status": "graded",
        "exercise 3.1": "1",
        "exercise 3.2": "4",
        "exercise 3.10": "2",
        "points": "7",
        "late penalty": "0.7",
        "total": "6.3",
        "maximum": "8",
        "percent": "78.75",
        "submitted": "2026-11-21 00:00 UTC",
        "late by": "1 h",
        "marked by hand": "",
        "to review": "0",
        "flags": "",
        "reason": "",
        "notes": "renamed",
        "file": "ada/03_first_cnn.ipynb",
        "feedback": "feedback/ada.html",
    }


def test_every_student_has_exactly_one_row_whatever_happens(tmp_path):
    results = [
        result("bob"),
        without("cleo", "unreadable", "not a notebook"),
        without("dora", "failed", "out of memory"),
        result("nobody-knows"),
        result("Ada"),
    ]
    submissions = [
        submission("bob"),
        submission("cleo"),
        submission("dora"),
        submission("eve", file="", data=None, problem="nothing was handed in"),
        submission("finn", data=None, problem="the file is larger than 20 MB"),
        submission("gus"),
    ]
    people = read_roster(roster(tmp_path, "id,name\nada,Ada Lovelace\nbob,Bob\nhal,Hal\n"))
    folder, paths, _ = write(tmp_path, results, submissions, people)
    table = rows(folder / "grades.csv")
    expected = {
        **dict.fromkeys(("Ada", "bob", "nobody-knows"), "graded"),
        **dict.fromkeys(("ada", "eve", "hal"), "missing"),
        **dict.fromkeys(("cleo", "finn"), "unreadable"),
        **dict.fromkeys(("dora", "gus"), "failed"),
    }
    assert [row["student"] for row in table] == sorted(expected)
    assert {row["student"]: row["status"] for row in table} == expected
    totals = {row["student"]: row["total"] for row in table}
    assert totals["dora"] == totals["gus"] == ""  # nothing is known of them
    assert totals["cleo"] == totals["eve"] == "0"
    pages = {row["feedback"].casefold() for row in table}
    assert len(pages) == len(table)  # also where a disk knows no upper case
    assert all((folder / row["feedback"]).is_file() for row in table)
    assert all(path.is_file() for path in paths)


def test_names_cannot_leave_the_folder_or_run_in_a_spreadsheet(tmp_path):
    folder, paths, _ = write(tmp_path, [result("../../evil"), result("=1+1", exercises=[])])
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in paths)
    assert {row["student"] for row in rows(folder / "grades.csv")} == {"'=1+1", "../../evil"}


def test_a_class_without_any_grade_has_a_gradebook_too(tmp_path):
    folder, _, _ = write(tmp_path, [], [submission("ada", data=None, problem="empty")], options=Options("03"))
    (row,) = rows(folder / "grades.csv")
    assert (row["status"], row["total"], row["percent"]) == ("unreadable", "0", "")


def test_the_outputs_are_the_same_bytes_for_the_same_inputs(tmp_path):
    def digests(order):
        results = [result("ada"), result("bob", ["float32"]), without("cleo", "missing")]
        folder, paths, _ = write(tmp_path / str(order), results[::order])
        return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}

    assert digests(1) == digests(-1)
    assert len(digests(1)) == 5


def test_bad_overrides_stop_everything_before_anything_is_written(tmp_path):
    given = tmp_path / "overrides.csv"
    given.write_text("student,exercise,points\nada,3.1,99\n")
    with pytest.raises(CourseError, match=r"overrides\.csv:2: 99 points are more"):
        write(tmp_path, [result("ada")], options=replace(OPTIONS, overrides=given))
    assert not (tmp_path / "GRADES").exists()


def test_overrides_extensions_and_the_roster_meet(tmp_path):
    (tmp_path / "overrides.csv").write_text("student,exercise,points\nada@example.org,3.1,0\n")
    (tmp_path / "extensions.csv").write_text("student,due\nBob Builder,+3 days\n")
    people = read_roster(
        roster(
            tmp_path,
            "id,name,email,due\nada,Ada Lovelace,ada@example.org,2026-11-22T23:00Z\nbob,Bob Builder,,\ncleo,Cleo,,\n",
        )
    )
    options = replace(
        OPTIONS,
        due=DUE,
        rule=parse_rule("50%/day"),
        overrides=tmp_path / "overrides.csv",
        extensions=tmp_path / "extensions.csv",
    )
    late = [submission(student, DUE + timedelta(hours=47)) for student in ("ada", "bob", "cleo")]
    entries, _ = class_entries([result(s) for s in ("ada", "bob", "cleo")], late, people, options)
    assert [(e.student, e.total, e.extended) for e in entries] == [
        ("ada", 6, True),
        ("bob", 8, True),
        ("cleo", 0, False),
    ]


def test_a_name_that_two_students_share_means_neither(tmp_path):
    (tmp_path / "overrides.csv").write_text("student,exercise,points\nAda,3.1,0\n")
    people = read_roster(roster(tmp_path, "id,name\na1,Ada\na2,Ada\n"))
    with pytest.raises(CourseError, match="there is no student 'Ada'"):
        class_entries([], [], people, replace(OPTIONS, overrides=tmp_path / "overrides.csv"))


def test_flags_stand_in_the_gradebook(tmp_path):
    shifty = result("ada", exercises=[exercise("3.1", source="import os\nos.environ\n")])
    folder, _, _ = write(tmp_path, [shifty])
    (row,) = rows(folder / "grades.csv")
    assert row["to review"] == "1"
    assert "3.1 introspection: uses os.environ" in row["flags"]


def test_the_options_of_a_lab_come_from_its_notebook_and_its_exercises():
    class Double(Exercise):
        id, title, hints, forbidden = "3.1", "doubling", ("", "", ""), ("numpy.add",)

        @subtest("two", points=2)
        def two(self, cases, observed):
            pass

        @subtest("three", hidden=True)
        def three(self, cases, observed):
            pass

    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["x"]},
        {"cell_type": "code", "metadata": {"tags": ["imports"]}, "source": ["import numpy as np\n", "import math"]},
        {"cell_type": "code", "metadata": {"exercise": "3.1"}, "source": ["def double(x): ..."]},
    ]
    options = lab_options("03", "Doubling", {"cells": cells}, {"3.1": "stub"}, {"3.1": Double()}, facts=(("a", "b"),))
    assert options.title == "Lab 03 · Doubling"
    assert options.imports == "import numpy as np\nimport math"
    assert options.solutions == {"3.1": "def double(x): ..."}
    assert options.forbidden == {"3.1": ("numpy.add",)}
    cells[0]["source"] = ["# 03 · Twice: a story\n", "# no"]
    assert lab_options("03", "Doubling", {"cells": cells}, {}, {}).title == "Lab 03 · Twice: a story"
    assert options.exercises[0]["max"] == 3
    assert [s["hidden"] for s in options.exercises[0]["subtests"]] == [False, True]


# Canvas


def test_canvas_gets_its_own_columns_and_the_marks(tmp_path):
    people = read_roster(roster(tmp_path, CANVAS))
    folder, _, said = write(tmp_path, [result("ada", ["float32"]), without("grace", "missing")], (), people)
    text = (folder / "canvas.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,Lab 03 (4711)",
        "    Points Possible,,,,,8",
        '"Lovelace, Ada",101,S1,ada,Mo,7',
        '"Hopper, Grace",102,S2,grace,Mo,',
    ]
    assert [line for line in said if "canvas" in line] == []


def test_canvas_is_offered_a_new_assignment_where_it_has_none(tmp_path):
    people = read_roster(roster(tmp_path, CANVAS.replace("Lab 03 (4711)", "Lab 30 (4711)")))
    columns, _ = canvas_table([entry("ada")], people, "03")
    assert columns[-1] == "Lab 03"


def test_a_roster_that_is_not_from_canvas_or_moodle_is_said(tmp_path):
    people = read_roster(roster(tmp_path, "id,name\nada,Ada\n"))
    folder, paths, said = write(tmp_path, [result("ada")], (), people)
    assert not (folder / "canvas.csv").exists() and not (folder / "moodle.csv").exists()
    assert [line.split(":")[0] for line in said] == ["canvas.csv is not written", "moodle.csv is not written"]
    assert {path.name for path in paths} == {"grades.csv", "ada.html", "report.html"}


def test_a_table_of_an_earlier_run_does_not_stay(tmp_path):
    folder, _, _ = write(tmp_path, [result("ada")], (), read_roster(roster(tmp_path, CANVAS)))
    assert (folder / "canvas.csv").exists()
    write(tmp_path, [result("ada")])
    assert not (folder / "canvas.csv").exists()


# Moodle


def test_moodles_worksheet_is_filled_in_on_its_own_scale(tmp_path):
    people = read_roster(roster(tmp_path, MOODLE))
    ada, grace = (person.student for person in people)
    folder, _, _ = write(tmp_path, [result(ada, ["float32"]), without(grace, "unreadable")], (), people)
    first, second = rows(folder / "moodle.csv")
    assert list(first) == next(csv.reader([MOODLE.splitlines()[0]]))
    assert (first["Identifier"], first["Grade"], first["Maximum Grade"]) == ("Participant 7", "87.5", "100")
    assert first["Last modified (grade)"] == "-"
    assert first["Feedback comments"].startswith("7 of 8 points.<br>3.1 normalise: 1/2.")
    assert (second["Grade"], second["Feedback comments"]) == ("", "")


def test_addresses_are_enough_for_moodles_import(tmp_path):
    people = read_roster(roster(tmp_path, "name,email\nAda,ada@example.org\nBob,bob@example.org\nCleo,\n"))
    columns, table = moodle_table([entry(people[0].student)], people)
    assert columns == ["Email address", "Grade", "Feedback comments"]
    assert [row[:2] for row in table] == [["ada@example.org", 8], ["bob@example.org", None]]


def test_feedback_in_a_few_words_is_escaped():
    by_hand = Override(2, "ada", "3.1", "", Decimal(1), "see <script>alert(1)</script>")
    late = entry("ada", [by_hand], submitted=DUE + timedelta(days=1), due=DUE, rule=parse_rule("10%/day"))
    comment = feedback_comment(late)
    assert "<script" not in comment and "&lt;script&gt;" in comment
    assert comment.startswith("6.3 of 8 points.")
    assert "takes 0.7 points off" in comment


def test_a_mark_by_hand_for_a_missing_notebook_is_exported(tmp_path):
    people = read_roster(roster(tmp_path, CANVAS))
    by_hand = Override(2, "grace", "3.1", "", Decimal(1), "")
    entries = [entry("ada"), mark("grace", "", without("grace", "missing"), EXERCISES, [by_hand])]
    _, table = canvas_table(entries, people, "03")
    assert [row[-1] for row in table] == [8, 8, 1]


def test_the_columns_of_ten_and_more_exercises_do_not_look_like_numbers():
    columns, _ = grades_table([entry("ada")], EXERCISES, {}, {"ada": "ada.html"})
    assert "exercise 3.10" in columns and "exercise 3.1" in columns
