"""Marks by hand, lateness, and the sum of both."""

import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.grading_results import DUE, EXERCISES, exercise, result, without
from utils.course.errors import CourseError
from utils.course.grading.lateness import explain, lateness, parse_due, parse_rule, penalty, read_extensions
from utils.course.grading.marks import exercise_table, look, mark
from utils.course.grading.overrides import read_overrides
from utils.course.grading.wording import points

NAMES = {"ada": "ada", "bob": "bob", "ada lovelace": "ada"}


def write(tmp_path, text, name="overrides.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def overrides(tmp_path, text, **how):
    return read_overrides(write(tmp_path, text, **how), NAMES, EXERCISES)


# Marks by hand


def test_an_exercise_and_a_sub_test_are_marked_by_hand(tmp_path):
    found = overrides(
        tmp_path,
        "student,exercise,points,comment\n"
        'ada,3.1,1.5,"nearly, but not quite"\n'
        "bob,3.2 / sums to one,1,\n"
        "Bob,LARGE LOGITS,0.5,\n"
        "Ada Lovelace,Exercise 3.2,4,\n",
    )
    assert [(o.line, o.student, o.exercise, o.subtest, o.points) for o in found] == [
        (2, "ada", "3.1", "", Decimal("1.50")),
        (3, "bob", "3.2", "sums to one", 1),
        (4, "bob", "3.2", "large logits", Decimal("0.50")),
        (5, "ada", "3.2", "", 4),
    ]
    assert found[0].comment == "nearly, but not quite"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("\ufeffstudent;exercise;points;comment\r\nada;3.1;1,5;schön\r\n", "utf-8"),
        ("sep=;\nstudent;exercise;points;comment\nada;3.1;1,5;schön\n", "utf-8"),
        ("student;exercise;points;comment\nada;3.1;1,5;schön\n", "cp1252"),
        ("student\texercise\tpoints\tcomment\nada\t3.1\t1.5\tschön\n", "utf-16"),
        ("\nStudent, EXERCISE ,Points,Comment\n,,,\nada , 3.1 , 1.5 ,schön\n\n", "utf-8"),
    ],
)
def test_a_table_may_come_from_any_spreadsheet(tmp_path, text, encoding):
    (found,) = overrides(tmp_path, text, encoding=encoding)
    assert (found.student, found.exercise, found.points, found.comment) == ("ada", "3.1", Decimal("1.50"), "schön")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("eve,3.1,1", "overrides.csv:2: there is no student 'eve' in the class"),
        ("adda,3.1,1", "did you mean 'ada'?"),
        (",3.1,1", "names no student"),
        ("ada,3.7,1", "there is no exercise or sub-test '3.7'; the exercises are 3.1, 3.2, 3.10"),
        (
            "ada,3.2 / nonsense,1",
            "exercise 3.2 has no sub-test 'nonsense'; it has: sums to one; large logits; any batch",
        ),
        ("ada,3.1,two", "points have to be a number, got 'two'"),
        ("ada,3.1,", "points have to be a number, got ''"),
        ("ada,3.1,nan", "points have to be a number from 0, got nan"),
        ("ada,3.1,-1", "points have to be a number from 0, got -1"),
        ("ada,3.1,2.5", "2.5 points are more than the maximum of 2"),
        ("ada,float32,2", "2 points are more than the maximum of 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, message):
    with pytest.raises(CourseError) as error:
        overrides(tmp_path, f"student,exercise,points\n{line}\n")
    assert message in str(error.value)
    assert str(error.value).startswith("overrides.csv:2: ")


def test_all_bad_lines_are_named_at_once(tmp_path):
    with pytest.raises(CourseError) as error:
        overrides(tmp_path, "student,exercise,points\neve,3.1,1\nada,3.1,1\nada,3.1,x\nada,3.1,2\nada,float32,1\n")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"overrides.csv:{n}" for n in (2, 4, 5, 6)]
    assert "marked in line 3 already" in lines[2] and "marked in line 3 already" in lines[3]


def test_a_whole_exercise_behind_its_sub_test_is_a_contradiction(tmp_path):
    with pytest.raises(CourseError, match=r":3: a sub-test of 3\.1 of ada is marked in line 2 already"):
        overrides(tmp_path, "student,exercise,points\nada,float32,1\nada,3.1,1\n")


def test_a_sub_test_that_several_exercises_have_needs_its_exercise(tmp_path):
    twice = [EXERCISES[0], {**EXERCISES[0], "id": "3.3"}]
    path = write(tmp_path, "student,exercise,points\nada,float32,1\n")
    with pytest.raises(CourseError, match=r"write 3\.1 / float32"):
        read_overrides(path, NAMES, twice)


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(CourseError, match="no column 'student' and no column 'points'"):
        overrides(tmp_path, "who,exercise,mark it\nada,3.1,1\n")
    with pytest.raises(CourseError, match="is empty"):
        overrides(tmp_path, "\n")


def test_marks_by_hand_replace_points_and_are_summed(tmp_path):
    given = overrides(
        tmp_path, "student,exercise,points,comment\nada,3.1,1.5,half\nada,any batch,1,\nbob,3.2,4,not ada's\n"
    )
    entry = mark("ada", "", result("ada", failed=["float32", "any batch"]), EXERCISES, given)
    assert [e["points"] for e in entry.result["exercises"]] == [Decimal("1.5"), 4, 2]
    assert entry.total == Decimal("7.5")
    assert entry.by_hand == ["3.1", "3.2"]
    assert entry.result["exercises"][0]["comments"] == ["half"]
    assert [s["passed"] for s in entry.result["exercises"][1]["subtests"]] == [True, True, True]
    assert entry.result["exercises"][0]["by_hand"] is True


def test_marking_leaves_the_result_as_it_was(tmp_path):
    given = overrides(tmp_path, "student,exercise,points\nada,3.1,0\nada,any batch,0\n")
    before, kept = result("ada"), result("ada")
    first = mark("ada", "", before, EXERCISES, given)
    assert before == kept
    assert mark("ada", "", before, EXERCISES, given).total == first.total == 5


def test_a_missing_notebook_can_be_marked_by_hand(tmp_path):
    given = overrides(tmp_path, "student,exercise,points\nada,3.1,2\nada,sums to one,1.5\n")
    entry = mark("ada", "", without("ada", "missing"), EXERCISES, given)
    assert entry.total == Decimal("3.5") and entry.maximum == 8
    assert entry.settled
    assert not mark("ada", "", without("ada", "missing"), EXERCISES).settled


def test_the_exercises_of_a_lab_come_from_its_results_in_order():
    table = exercise_table([without("bob", "missing"), result("ada")])
    assert table == EXERCISES
    assert [e["id"] for e in table] == ["3.1", "3.2", "3.10"]


def test_the_sum_is_that_of_the_exercises_whatever_the_result_says():
    assert mark("ada", "", result("ada", points=999), EXERCISES).total == 8


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (exercise("3.1"), "correct"),
        (exercise("3.1", ["float32"]), "part"),
        (exercise("3.10", ["parameters"]), "wrong"),
        (exercise("3.10", ["parameters"], state="not attempted"), "open"),
    ],
)
def test_how_an_exercise_went_at_a_glance(made, expected):
    assert look(made) == expected


# Lateness


@pytest.mark.parametrize(
    ("rule", "late", "percent"),
    [
        ("10%/day", timedelta(0), 0),
        ("10%/day", timedelta(seconds=1), 10),
        ("10%/day", timedelta(days=1), 10),
        ("10%/day", timedelta(days=1, seconds=1), 20),
        ("10%/day", timedelta(days=40), 100),
        ("10%/day, at most 50%", timedelta(days=40), 50),
        ("10%/day after 15min, at most 50%", timedelta(minutes=15), 0),
        ("10%/day after 15min, at most 50%", timedelta(minutes=16), 10),
        ("10%/day after 15min, at most 50%", timedelta(days=1, minutes=15), 10),
        ("10%/day after 15min, at most 50%", timedelta(days=1, minutes=16), 20),
        ("10 % per day, max 30%, grace 1 hour", timedelta(days=9), 30),
        ("5%/2 hours", timedelta(hours=3), 10),
        ("0.5%/h", timedelta(hours=3), Decimal("1.5")),
        ("20%", timedelta(minutes=1), 20),
        ("20% after 15 min", timedelta(minutes=15), 0),
        ("20%", timedelta(days=100), 20),
        ("none", timedelta(days=100), 0),
        ("", timedelta(days=100), 0),
        ("10%/day", timedelta(days=-3), 0),
    ],
)
def test_what_being_late_takes_off(rule, late, percent):
    assert lateness(DUE, DUE + late, parse_rule(rule)).percent == percent


@pytest.mark.parametrize(
    "text", ["10", "ten percent", "10%/fortnight", "10%/day at least 5%", "110%", "10%/day, at most 200%", "10%/0 days"]
)
def test_a_rule_that_is_not_understood_is_said(text):
    with pytest.raises(CourseError, match="--late"):
        parse_rule(text)


def test_nothing_is_late_without_both_moments():
    rule = parse_rule("10%/day")
    assert lateness(None, DUE, rule).percent == lateness(DUE, None, rule).percent == 0


def test_lateness_is_counted_in_real_time_across_zones_and_changed_clocks():
    rule = parse_rule("10%/day")
    berlin = ZoneInfo("Europe/Berlin")
    due = datetime(2026, 10, 24, 23, 30, tzinfo=berlin)  # in the night to the 25th clocks go back by an hour
    same_wall = datetime(2026, 10, 25, 23, 30, tzinfo=berlin)
    assert lateness(due, same_wall, rule).late == timedelta(hours=25)
    assert lateness(due, same_wall, rule).percent == 20
    elsewhere = datetime(2026, 11, 20, 18, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert lateness(DUE, elsewhere, rule).late == timedelta(0)


def test_the_penalty_is_of_the_points_or_of_the_maximum_and_never_takes_more_than_there_is():
    late = DUE + timedelta(days=2)
    of_points, of_maximum = parse_rule("10%/day"), parse_rule("10%/day of the maximum")
    assert penalty(lateness(DUE, late, of_points), of_points, Decimal(5), 8) == Decimal("1.00")
    assert penalty(lateness(DUE, late, of_maximum), of_maximum, Decimal(5), 8) == Decimal("1.60")
    assert penalty(lateness(DUE, late, of_maximum), of_maximum, Decimal(1), 8) == Decimal("1.00")


def test_the_penalty_is_rounded_once_a_half_up():
    rule = parse_rule("0.5%")
    assert penalty(lateness(DUE, DUE + timedelta(1), rule), rule, Decimal(1), 1) == Decimal("0.01")
    assert points(2.675) == Decimal("2.68")


def test_the_penalty_is_in_the_entry_and_is_the_same_each_time():
    rule = parse_rule("10%/day after 15min, at most 50%")
    entries = [
        mark("ada", "", result("ada"), EXERCISES, submitted=DUE + timedelta(hours=30), due=DUE, rule=rule)
        for _ in range(2)
    ]
    assert entries[0] == entries[1]
    assert (entries[0].reached, entries[0].penalty, entries[0].total) == (8, Decimal("1.60"), Decimal("6.40"))
    assert entries[0].late_words == (
        "Handed in 1 day 6 h after it was due (2026-11-20 23:00 UTC). The rule: 10 % of the points for each day begun, "
        "after 15 min of grace, at most 50 %. That is 20 %, and takes 1.6 points off."
    )


def test_lateness_without_cost_is_said_too():
    rule = parse_rule("10%/day after 15min")
    grace = lateness(DUE, DUE + timedelta(minutes=5), rule)
    assert "within the 15 min of grace" in explain(grace, rule, DUE, 0)
    assert "no points are taken off" in explain(lateness(DUE, DUE + timedelta(5), None), None, DUE, 0)
    assert explain(lateness(DUE, DUE, rule), rule, DUE, 0) == ""


def test_an_unknown_time_costs_nothing_and_is_noted():
    entry = mark("ada", "", result("ada"), EXERCISES, submitted=None, due=DUE, rule=parse_rule("10%/day"))
    assert entry.penalty == 0
    assert "not known" in entry.notes[0]


def test_an_extension_takes_the_place_of_the_due_date():
    rule, late = parse_rule("10%/day"), DUE + timedelta(days=2)
    entry = mark(
        "ada", "", result("ada"), EXERCISES, submitted=late, due=DUE, extension=DUE + timedelta(days=3), rule=rule
    )
    assert entry.penalty == 0 and entry.extended and entry.late_words == ""


# Due dates


def test_a_due_date_with_its_zone():
    assert parse_due("2026-11-20T23:59Z") == (datetime(2026, 11, 20, 23, 59, tzinfo=UTC), "")
    when, note = parse_due("2026-11-20 23:59 Europe/Berlin")
    assert (when.isoformat(), note) == ("2026-11-20T23:59:00+01:00", "")


def test_a_due_date_without_a_zone_is_of_this_machine_and_said(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("this system has one time zone")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        when, note = parse_due("2026-07-01 12:00")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert when.astimezone(UTC).hour == 16
    assert note == "2026-07-01 12:00 names no time zone: it is taken as 2026-07-01 12:00 UTC-04:00"


def test_a_day_alone_is_due_at_its_end():
    when, note = parse_due("2026-11-20", zone=UTC)
    assert when == datetime(2026, 11, 21, tzinfo=UTC)
    assert "the end of that day, 2026-11-21 00:00 UTC" in note


@pytest.mark.parametrize(
    "text", ["tomorrow", "20.11.2026", "2026-13-01", "9999-12-31", "2026-11-20 12:00+01:00 UTC", ""]
)
def test_a_due_date_that_is_none_is_said(text):
    with pytest.raises(CourseError, match="due date"):
        parse_due(text)


def test_a_zone_that_is_none_is_said():
    with pytest.raises(CourseError, match="no time zone 'Europe/Nowhere'"):
        parse_due("2026-11-20 12:00 Europe/Nowhere")


def test_extensions_from_a_file_go_before_those_of_the_roster(tmp_path):
    path = write(tmp_path, "student;due\nAda Lovelace;+2 days\n", "extensions.csv")
    found = read_extensions(DUE, NAMES, path, {"ada": "2026-11-30 12:00Z", "bob": "2026-11-21T12:00Z"})
    assert found == {"ada": DUE + timedelta(days=2), "bob": datetime(2026, 11, 21, 12, tzinfo=UTC)}
    assert read_extensions(None, NAMES, path, {"bob": "nonsense"}) == {}


def test_bad_extensions_are_named_all_at_once(tmp_path):
    path = write(
        tmp_path,
        "student,due\neve,+1 day\nada,soon\nada,2026-11-20 22:00Z\nbob,+1 day\nbob,+2 days\n",
        "extensions.csv",
    )
    with pytest.raises(CourseError) as error:
        read_extensions(DUE, NAMES, path, {"bob": "later"})
    lines = str(error.value).splitlines()
    assert lines[0].startswith("the roster's due date of bob: a due date is such as")
    assert [line.split(": ")[0] for line in lines[1:]] == [f"extensions.csv:{n}" for n in (2, 3, 4, 6)]
    assert "ada has an extension in line 3 already" in lines[3]
    with pytest.raises(CourseError, match="is before the due date of all"):
        read_extensions(DUE, NAMES, None, {"bob": "2026-11-20 22:00Z"})
