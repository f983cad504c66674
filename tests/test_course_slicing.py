"""Check modules without their judges, references alone, and check modules without what they hide."""

import ast
import functools

import numpy as np
import pytest

from utils.checks import Exercise, exercises
from utils.course.errors import CourseError
from utils.course.slicing import slice_checks, slice_reference, without_hidden
from utils.course.source import find_sources
from utils.files import ROOT

LABS = [lab.number for lab in find_sources()]
EXERCISES = [(lab, exercise_id) for lab in LABS for exercise_id in exercises(lab)]
ORACLES = {  # names that only sub-tests and references need
    "00": ["skimage", "median_abs_deviation", "catalogue", "two_numbers"],
    "01": ["skimage_hog", "block_reduce", "normalize", "pdist", "_ring_votes", "_reference_gradients", "BLOCK_SHAPES"],
    "03": ["_keras_loss", "_small_cnn", "_published_network", "_binned_accuracy", "_ranked_mistakes", "KEEPDIMS"],
}


def source_of(lab):
    return (ROOT / f"utils/checks/lab{lab}.py").read_text(encoding="utf-8")


def run(source):
    """The namespace of a module with this source."""
    namespace = {"__name__": "sliced"}
    exec(compile(source, str(ROOT / "utils/checks/sliced.py"), "exec"), namespace)
    return namespace


@functools.cache
def sliced(lab):
    """The exercises of a lab's slice, by id."""
    classes = [v for v in run(slice_checks(source_of(lab))).values() if isinstance(v, type) and issubclass(v, Exercise)]
    return {c.id: c() for c in classes if hasattr(c, "id")}


def names_in(source):
    """Every name that a module binds or reads, attributes and members included."""
    nodes = list(ast.walk(ast.parse(source)))
    return (
        {n.id for n in nodes if isinstance(n, ast.Name)}
        | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
        | {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        | {a.asname or a.name for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
    )


def observe(exercise, answer, cases):
    """What is observed, networks beginning with the same weights each time."""
    import keras

    keras.utils.set_random_seed(5)
    return exercise.observe(answer, cases)


@pytest.mark.parametrize("lab", LABS)
def test_a_slice_has_the_same_exercises_with_their_hints(lab):
    assert list(sliced(lab)) == list(exercises(lab))
    for exercise_id, exercise in exercises(lab).items():
        cut = sliced(lab)[exercise_id]
        assert (cut.title, cut.hints) == (exercise.title, exercise.hints)


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_cases_and_observations_are_those_of_the_full_module(lab, exercise_id):
    full, cut = exercises(lab)[exercise_id], sliced(lab)[exercise_id]
    for seed in (3, [8, 1]):
        cases = full.inputs(np.random.default_rng(seed))
        np.testing.assert_equal(cut.inputs(np.random.default_rng(seed)), cases)
        np.testing.assert_equal(
            observe(cut, full.reference(), cases),
            observe(full, full.reference(), cases),
        )


@pytest.mark.parametrize("lab", LABS)
def test_nothing_of_the_judge_is_left(lab):
    source = slice_checks(source_of(lab))
    left = names_in(source)
    for exercise in exercises(lab).values():
        tests = {method.__name__ for _, _, method in exercise.subtests(hidden=True)}
        cut = sliced(lab)[exercise.id]
        assert not tests & set(vars(type(cut)))
        assert cut.subtests(hidden=True) == []
        with pytest.raises(TypeError, match="does not define reference"):
            cut.reference()
    assert not left & {"subtest", "expect", "reference", "judge", "mistakes", "want", "Claim", "CLAIMS"}
    assert set(ORACLES.get(lab, ())) <= names_in(source_of(lab))
    assert not left & set(ORACLES.get(lab, ()))
    assert ast.get_docstring(ast.parse(source)) is None


@pytest.mark.parametrize(("lab", "exercise_id"), EXERCISES)
def test_a_sliced_reference_behaves_as_the_full_one(lab, exercise_id):
    full = exercises(lab)[exercise_id]
    source = slice_reference(source_of(lab), exercise_id)
    assert not names_in(source) & {"subtest", "expect", "inputs", "observe", "hints"}
    answer = run(source)["reference"]()
    cases = full.inputs(np.random.default_rng(4))
    np.testing.assert_equal(observe(full, answer, cases), observe(full, full.reference(), cases))
    assert slice_reference(source_of(lab), type(full).__name__) == source


SMALL = '''\
"""Exercises of a lab; the oracle is math.fsum."""

import math, os
import os.path
from math import pi as PI, tau

from utils.checks import Exercise, expect, run, subtest

CLAIMS = {"x": tau}
SIZES = {}
SIZES["small"] = 2
try:
    import json
except ImportError:
    json = None
if True:
    FACTOR = PI


def helper(x):
    return tool(x) * 2


def tool(x):
    return x + len(json.dumps(SIZES))


def oracle(x):
    return math.fsum([x])


class Base(Exercise):
    """Tells of the oracle."""

    WIDTH = 3

    def inputs(self, rng):
        return {"a": {"x": self.size() * self.WIDTH}}

    def size(self):
        return 1

    def reference(self):
        return oracle


class First(Base):
    id = "9.1"
    title = "first"
    hints = ("a", "b", "c")
    START = 10
    TWICE = 2 * START

    def size(self):
        return helper(First.TWICE) * FACTOR

    def observe(self, answer, cases, wrap=staticmethod(run)):
        oracle = 3  # a name of its own
        return super().observe(lambda x: self.twist(answer(x) + oracle), cases)

    @staticmethod
    def twist(value):
        return value

    @subtest("same")
    def same(self, cases, observed):
        expect.close(observed["a"], self.wanted(cases), "x")

    def wanted(self, cases):
        return oracle(**cases["a"])


class Second(Exercise):
    id: str = "9.2"
    title = "second"
    hints = ("a", "b", "c")

    def inputs(self, rng):
        return First().inputs(rng)

    def reference(self):
        return helper
'''


def test_what_is_needed_stays_and_nothing_else():
    source = slice_checks(SMALL)
    names = names_in(source)
    for kept in ("Base", "WIDTH", "size", "START", "TWICE", "twist", "helper", "tool", "SIZES", "json", "FACTOR", "PI"):
        assert kept in names, kept
    assert 'SIZES["small"] = 2' in source
    assert "from math import pi as PI\n" in source
    assert "from utils.checks import Exercise, run\n" in source
    for gone in ("math", "os", "tau", "expect", "subtest", "same", "wanted", "CLAIMS", "reference", "os.path"):
        assert gone not in names, gone
    assert "of the oracle" not in source
    assert "def oracle" not in source
    full, cut = run(SMALL), run(source)
    for name in ("First", "Second"):
        cases = full[name]().inputs(None)
        assert cut[name]().inputs(None) == cases
        np.testing.assert_equal(cut[name]().observe(abs, cases), full[name]().observe(abs, cases))


def test_other_members_can_be_asked_for():
    source = slice_checks(SMALL, methods=("reference",))
    assert {"reference", "oracle", "math"} <= names_in(source)
    assert not {"inputs", "observe", "expect"} & names_in(source)


def test_an_inherited_reference_is_found():
    source = slice_reference(SMALL, "9.1")
    assert run(source)["reference"]()(2.5) == 2.5
    assert "Second" not in source
    assert slice_reference(SMALL, "First") == source


@pytest.mark.parametrize("unknown", ["9.7", "helper", "None"])
def test_an_unknown_exercise_has_no_reference(unknown):
    with pytest.raises(CourseError, match=f"no exercise {unknown} with a reference"):
        slice_reference(SMALL, unknown)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return First().inputs(rng)", "return {'a': self.reference()(2)}", "Second: .* uses `reference`"),
        ("self.size() * self.WIDTH", "self.same()", "First: inputs or observe uses `same`"),
        ("CLAIMS = {", "print('made')\nCLAIMS = {", "line 9 has: print"),
        ("from math import pi as PI, tau", "from math import *", "names what it imports"),
    ],
)
def test_what_cannot_be_kept_apart_is_told(old, new, message):
    assert old in SMALL
    with pytest.raises(CourseError, match=message):
        slice_checks(SMALL.replace(old, new))


HIDING = SMALL.replace(
    "    def wanted(self, cases):",
    """    @subtest("secretly the same", points=2, hidden=True)
    def secret(self, cases, observed):
        expect.equal(observed["a"], self.of_secret(SECRET) + oracle(1), "x")
        self.reference(), self.inputs(None), self.same

    def of_secret(self, x):
        return os.path.join(x)

    def wanted(self, cases):""",
).replace("CLAIMS", "SECRET = 5\nCLAIMS")


def test_a_hidden_sub_test_goes_with_what_served_it_alone():
    source = without_hidden(HIDING)
    assert names_in(HIDING) - names_in(source) == {
        "secret",
        "of_secret",
        "SECRET",
        "os.path",
        "os",
        "path",
        "join",
        "equal",
    }
    assert source.startswith('"""Exercises of a lab; the oracle is math.fsum."""\n\n')
    assert "secret" not in source.lower()
    first = run(source)["First"]()
    assert [name for name, _, _ in first.subtests(hidden=True)] == ["same"]
    assert len(run(HIDING)["First"]().subtests(hidden=True)) == 2
    observed = {"a": {"value": first.inputs(None)["a"]["x"], "problem": None, "printed": ""}}
    assert [v.passed for v in first.judge(first.inputs(None), observed)] == [True]
    assert "secret" not in slice_checks(HIDING).lower()


@pytest.mark.parametrize("written", ["points=2, hidden=False", "2, False", "points=2"])
def test_what_is_not_hidden_stays(written):
    source = HIDING.replace("points=2, hidden=True", written)
    assert without_hidden(source) == source


def test_hidden_by_position_is_hidden_too():
    assert "secret" not in without_hidden(HIDING.replace("points=2, hidden=True", "2, True")).lower()


def test_what_cannot_be_hidden_is_told():
    with pytest.raises(CourseError, match="hidden is spelt out"):
        without_hidden(HIDING.replace("hidden=True", "hidden=bool(CLAIMS)"))
    with pytest.raises(CourseError, match="First: something else uses the hidden sub-test `secret`"):
        without_hidden(HIDING.replace("self.wanted(cases)", "self.secret(cases)"))


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_that_hides_nothing_stays_as_it_is(lab):
    if "hidden=True" not in source_of(lab):
        assert without_hidden(source_of(lab)) == source_of(lab)
