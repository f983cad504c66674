"""The engine of the checks: verdicts, whatever a student's function does."""

import json
import sys

import numpy as np
import pytest

from utils import checks
from utils.checks import Exercise, exercise, expect, notebook, run, subtest
from utils.checks.exercise import Verdict, is_untouched


class Halve(Exercise):
    id = "99.1"
    title = "half of it"
    hints = ("Think of two.", "Divide by it.", "return x / 2")

    def inputs(self, rng):
        return {"array": {"x": rng.normal(size=(3, 4))}, "number": {"x": 3.0}}

    def reference(self):
        return lambda x: np.divide(x, 2)

    @subtest("arrays are halved", points=2)
    def arrays(self, cases, observed):
        x = cases["array"]["x"]
        expect.close(observed["array"], x / 2, "half", mistakes={"This doubles.": 2 * x})

    @subtest("numbers are halved", points=1)
    def numbers(self, cases, observed):
        expect.close(observed["number"], 1.5, "half of 3")


@pytest.fixture
def halve(monkeypatch, tmp_path):
    module = type(sys)("utils.checks.lab99")
    module.Halve = type("Halve", (Halve,), {**vars(Halve), "__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(notebook, "_hints_given", {})
    monkeypatch.setattr(notebook, "_unwritten", {})
    monkeypatch.delenv("COURSE_GRADING", raising=False)
    return module.Halve()


def failing(answer):
    """Names of the sub-tests that `answer` fails, and the text of the first."""
    verdicts = Halve().examine(answer, np.random.default_rng(0))[1]
    return [v.name for v in verdicts if not v.passed], next((v.message for v in verdicts if not v.passed), "")


def test_a_right_answer_passes_every_sub_test():
    assert failing(lambda x: x / 2) == ([], "")


def test_the_untouched_stub_is_not_attempted():
    def stub(x):
        raise NotImplementedError("Exercise 99.1")

    assert Halve().examine(stub, np.random.default_rng(0))[1] is None


def test_an_answer_that_calls_an_open_exercise_only_sometimes_is_attempted():
    def half_done(x):
        if np.ndim(x):
            return x / 2
        raise NotImplementedError("Exercise 99.2")

    names, message = failing(half_done)
    assert names == ["numbers are halved"]
    assert "Exercise 99.2" in message


def test_another_not_implemented_error_is_an_error_of_the_answer():
    def answer(x):
        raise NotImplementedError("not for arrays")

    assert "NotImplementedError: not for arrays" in failing(answer)[1]


def in_place(x):
    if isinstance(x, np.ndarray):
        x /= 2
    else:
        x = x / 2
    return x


def endless(x):
    return endless(x)


def generator(x):
    yield x


def prints(x):
    print(x / 2)


class Surprise(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def unreadable(x):
    raise Surprise


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda x: sys.exit(1), "a function must not end the program"),
        (in_place, "changed `x` in place"),
        (endless, "RecursionError: the function calls itself without end"),
        (generator, "a generator object"),
        (lambda x: map(abs, [x]), "a map object"),
        (prints, "returned None but printed"),
        (unreadable, "an exception without a readable text"),
        (lambda x: None, "got None. Does the function end with a return?"),
        (lambda x: "half", "expected numbers, got 'half'"),
        (lambda x: {1, 2}, "returned a set"),
        (lambda x: np.array([1, None]), "array of object"),
        (lambda x: x * np.nan, "12 of 12 values are NaN"),
        (lambda x: np.ones(5), "expected shape (3, 4), got (5,)"),
        (lambda x: x * 2, "This doubles."),
        (lambda: 0, "unexpected keyword argument"),
        (3.0, "expected a function, got float"),
        (lambda x: [[[[[[[[[[1]]]]]]]]]], "nested more than eight deep"),
    ],
)
def test_whatever_an_answer_does_becomes_a_readable_verdict(answer, text):
    names, message = failing(answer)
    assert "arrays are halved" in names
    assert text in message
    assert "/" not in message.replace("1 / 0", "").replace("x / 2", "")  # no path of this machine


def test_a_list_that_holds_itself_is_a_verdict():
    loop = []
    loop.append(loop)
    assert "nested" in failing(lambda x: loop)[1]


def test_the_message_shows_the_line_of_the_student():
    def answer(x):
        y = x + 1
        return y.nonsense

    assert "return y.nonsense" in failing(answer)[1]


def test_one_failing_case_costs_only_its_own_sub_test():
    def answer(x):
        if np.ndim(x) == 0:
            raise ValueError("no numbers, please")
        return x / 2

    assert failing(answer)[0] == ["numbers are halved"]


def test_a_keyboard_interrupt_reaches_the_student():
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(answer, x=1)


def test_tensors_come_back_as_arrays():
    keras = pytest.importorskip("keras")
    value = run(lambda: keras.ops.ones((2, 3)))["value"]
    assert isinstance(value, np.ndarray)
    assert value.shape == (2, 3)


def test_observations_are_plain_and_the_judge_never_meets_the_answer():
    halve, rng = Halve(), np.random.default_rng(1)
    cases = halve.inputs(rng)
    observed = halve.observe(lambda x: x / 2, cases)
    copied = json.loads(json.dumps(observed, default=lambda a: a.tolist()))
    assert all(v.passed for v in halve.judge(cases, copied))
    assert not is_untouched(observed)


def test_a_sub_test_that_breaks_on_odd_data_is_not_passed():
    class Odd(Halve):
        @subtest("first of the rows")
        def arrays(self, cases, observed):
            expect.true(observed["number"]["missing"], "never")

    verdict = Odd().judge({}, {"number": {"value": 3, "problem": None, "printed": ""}})[0]
    assert not verdict.passed
    assert "could not be compared" in verdict.message


def test_warnings_of_an_oracle_are_not_shown(recwarn):
    class Warns(Halve):
        @subtest("warns")
        def arrays(self, cases, observed):
            expect.true(np.isnan(np.log(np.float64(-1))), "log of -1 is NaN")

    assert Warns().judge({}, {})[0].passed
    assert not recwarn.list


def test_check_prints_the_three_states(halve, capsys):
    def stub(x):
        raise NotImplementedError("Exercise 99.1")

    checks.check("99.1", stub)
    assert "not attempted, 0 of 3 points" in capsys.readouterr().out
    checks.check("99.1", lambda x: 2 * x)
    out = capsys.readouterr().out
    assert "not yet, 0 of 3 points" in out
    assert "✘ 0/2 arrays are halved" in out
    assert 'hint("99.1")' in out
    checks.check("99.1", lambda x: x / 2)
    assert capsys.readouterr().out == (
        "Exercise 99.1 · half of it: correct, 3 of 3 points\n  ✔ 2/2 arrays are halved\n  ✔ 1/1 numbers are halved\n"
    )


def test_check_says_the_same_twice(halve, capsys):
    for _ in range(2):
        checks.check("99.1", lambda x: np.round(x, 1))
    first, second = np.array_split(capsys.readouterr().out.splitlines(), 2)
    assert list(first) == list(second)


def test_the_same_reason_is_given_once_and_prints_are_shown(halve, capsys):
    def fails(x):
        print("x has type", type(x).__name__)
        raise ValueError("no")

    checks.check("99.1", fails)
    out = capsys.readouterr().out
    assert out.count("ValueError: no") == 1
    assert "for the same reason" in out
    assert "In the case 'array' your function printed:\n      x has type ndarray" in out


def test_a_value_instead_of_the_function_is_told(halve, capsys):
    checks.check("99.1", 0.5)
    assert "by its name without brackets" in capsys.readouterr().out


def test_too_few_or_too_many_functions_are_told(halve, capsys):
    for answers in ((), (abs, abs)):
        checks.check("99.1", *answers)
        assert "called with each function of the exercise" in capsys.readouterr().out


def test_a_renamed_argument_is_told(halve, capsys):
    checks.check("99.1", lambda y: y / 2)
    assert "Keep the names of the arguments" in capsys.readouterr().out


def test_trying_something_else_loses_nothing(halve, capsys):
    checks.check("99.1", lambda x: x / 2)
    checks.check("99.1", lambda x: x)
    capsys.readouterr()
    checks.progress("99")
    assert "3 of 3 points" in capsys.readouterr().out


def test_hints_go_one_level_each_time(halve, capsys):
    for _ in range(4):
        checks.hint("99.1")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"Hint {level} of 3 for exercise 99.1" for level in (1, 2, 3, 3)]


def test_the_reference_works_earns_nothing_and_is_not_handed_out_when_graded(halve, capsys, monkeypatch):
    stand_in = checks.reference("99.1")
    assert stand_in(4) == 2
    checks.check("99.1", stand_in)
    assert "earns no points" in capsys.readouterr().out
    monkeypatch.setenv("COURSE_GRADING", "1")
    with pytest.raises(RuntimeError, match="while a notebook is graded"):
        checks.reference("99.1")


def test_the_solution_is_shown_where_it_is_present(halve, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    checks.solution("99.1")
    assert "no solution of exercise 99.1" in capsys.readouterr().out
    (tmp_path / "solutions").mkdir()
    cell = {"metadata": {"exercise": "99.1"}, "source": ["# Exercise 99.1\n", "def halve(x): ..."]}
    (tmp_path / "solutions" / "99_halves.ipynb").write_text(json.dumps({"cells": [cell]}))
    checks.solution("99.1")
    assert "def halve(x)" in capsys.readouterr().out


def test_progress_counts_and_an_untouched_stub_erases_nothing(halve, capsys):
    def stub(x):
        raise NotImplementedError("Exercise 99.1")

    checks.check("99.1", lambda x: x / 2)
    checks.check("99.1", stub)
    capsys.readouterr()
    checks.progress("99")
    assert capsys.readouterr().out.splitlines() == [
        "Lab 99: 1 of 1 exercises correct, 3 of 3 points",
        "  ✔ 99.1 half of it: correct, 3 of 3",
    ]


@pytest.mark.parametrize("damage", ["{", "[1, 2]", '{"99.1": 3}', ""])
def test_a_damaged_progress_file_is_kept_aside_and_started_anew(halve, capsys, tmp_path, damage):
    path = tmp_path / "progress.json"
    path.write_text(damage)
    checks.check("99.1", lambda x: x / 2)
    assert "was damaged" in capsys.readouterr().out
    assert (tmp_path / "progress.json.damaged").read_text() == damage
    assert json.loads(path.read_text())["99.1"]["points"] == 3


def test_progress_lives_in_memory_where_nothing_can_be_written(halve, capsys, monkeypatch):
    def refuse(path, text):
        raise PermissionError("read-only")

    monkeypatch.setattr(notebook, "write_text", refuse)
    checks.check("99.1", lambda x: x / 2)
    capsys.readouterr()
    checks.progress("99")
    assert "3 of 3 points" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong_id", "text"),
    [("1", "lab and number"), ("one.two", "lab and number"), ("99.7", "has the exercises 99.1"), ("98.1", "no lab")],
)
def test_an_unknown_exercise_gets_a_clear_error(halve, wrong_id, text):
    with pytest.raises(ValueError, match=text):
        exercise.find(wrong_id)


class TestExpect:
    def test_close_tells_shape_nan_and_value_apart(self):
        expect.close([1, 2], [1, 2], "x")
        for got, text in [
            ([1, 2, 3], "expected shape"),
            ([1, np.nan], "1 of 2 values are NaN"),
            ([1, 3], "got \\[1, 3\\]"),
        ]:
            with pytest.raises(expect.NotYet, match=text):
                expect.close(got, [1, 2], "x")

    def test_close_names_the_first_difference_of_a_large_array(self):
        got = np.zeros((5, 5))
        got[2, 3] = 7
        with pytest.raises(expect.NotYet, match=r"expected 0 at \[2, 3\], got 7; 1 of 25 values differ"):
            expect.close(got, np.zeros((5, 5)), "x")

    def test_numbers_that_look_the_same_get_more_digits(self):
        with pytest.raises(expect.NotYet, match=r"expected 0\.90196, got 0\.90204"):
            expect.close(0.90204, 0.90196, "x")

    def test_a_mistake_of_another_shape_is_recognised(self):
        with pytest.raises(expect.NotYet, match="transposed"):
            expect.close(np.ones((2, 3)), np.ones((3, 2)), "x", mistakes={"This is transposed.": np.ones((2, 3))})

    def test_equal_does_not_take_true_for_one(self):
        expect.equal(True, True, "x")
        expect.equal(2, 2.0, "x")
        expect.equal([1, 2], np.array([1, 2]), "x")
        for got, want in [(1, True), (True, 1), ("a", "b"), ([1, 2], [1]), ([[1], [1, 2]], [1, 2]), (None, 0)]:
            with pytest.raises(expect.NotYet):
                expect.equal(got, want, "x")

    def test_shape_takes_none_for_any_length(self):
        expect.shape(np.ones((4, 7)), (4, None), "x")
        with pytest.raises(expect.NotYet, match=r"expected shape \(any,\), got \(4, 7\)"):
            expect.shape(np.ones((4, 7)), (None,), "x")

    def test_between_refuses_nan(self):
        expect.between([0, 1], 0, 1, "x")
        with pytest.raises(expect.NotYet, match="got nan"):
            expect.between([0, np.nan], 0, 1, "x")


class Hides(Halve):
    arrays = Halve.arrays

    @subtest("an odd number too", points=3, hidden=True)
    def odd(self, cases, observed):
        expect.true(False, "never")


def test_a_hidden_sub_test_counts_when_graded_alone():
    hides = Hides()
    observed, verdicts = hides.examine(hides.reference(), hides.default_rng())
    assert all(v.passed and not v.hidden for v in verdicts)
    judged = hides.judge(hides.inputs(hides.default_rng()), observed, hidden=True)
    assert [v for v in judged if v.hidden] == [Verdict("an odd number too", False, 3, "never", hidden=True)]
    assert hides.points == sum(v.points for v in verdicts) == 2
