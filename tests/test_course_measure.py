"""Running labs: values over seeds, seconds and memory, and the skeleton of a new lab."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.course_example import BODY, make_course, write_source
from utils.course import build as building
from utils.course.__main__ import main
from utils.course.errors import CourseError
from utils.course.layout import load_course
from utils.course.measure import claims_table, load_claims, measure, summary
from utils.course.new import new_lab
from utils.course.source import find_sources, read_cells
from utils.course.timing import time_labs
from utils.files import ROOT
from utils.results import Claim, prediction_band

OTHER = {"11": {"kept": {"values": [1]}}}


@pytest.fixture
def course(tmp_path):
    course = make_course(tmp_path)
    (course.root / "data" / "expected.json").write_text(json.dumps(OTHER), encoding="utf-8")
    return course


def expected(course):
    return json.loads((course.root / "data" / "expected.json").read_text(encoding="utf-8"))


def test_a_lab_is_run_for_each_seed_and_its_values_are_kept(course):
    said = []
    assert measure(course, "3", [0, 1, 4], say=said.append)
    kept = expected(course)
    assert {"11": kept["11"]} == OTHER
    half = kept["03"]["half"]
    assert half["values"] == pytest.approx([21.0, 21.1, 21.4])
    assert half["band"] == list(prediction_band(half["values"]))
    assert half["holds"]
    assert half["seconds"] > 0
    assert half["statement"] == "half of the answer"
    assert half["target"] == "20 .. 25"
    assert kept["03"]["seed_times_two"]["values"] == [0, 2, 8]
    assert [line.partition(":")[0] for line in said[:3]] == [f"lab 03, seed {seed}" for seed in (0, 1, 4)]
    assert "| half of the answer | 20 .. 25 |" in said[3]
    text = (course.root / "data" / "expected.json").read_text(encoding="utf-8")
    assert text == json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_a_summary_holds_what_the_design_names():
    entry = summary({"a": Claim("a statement", ">= 0.95")}, {"a": [0.93, 0.95]}, 12.34)["a"]
    assert set(entry) == {"statement", "target", "values", "mean", "std", "band", "holds", "seconds"}
    assert entry["mean"] == pytest.approx(0.94)
    assert entry["std"] == pytest.approx(0.0141421356)
    assert not entry["holds"]
    assert entry["seconds"] == 12.3
    assert claims_table({"a": entry}).splitlines()[2].endswith("| NO    |")


def test_a_claim_that_does_not_hold_is_written_and_ends_with_one(course, capsys):
    path = course.root / "utils" / "checks" / "lab03.py"
    path.write_text(path.read_text(encoding="utf-8").replace("20 .. 25", ">= 30"), encoding="utf-8")
    assert main(["--root", str(course.root), "measure", "--all", "--seeds", "0", "1"]) == 1
    assert "NO" in capsys.readouterr().out
    assert expected(course)["03"]["half"]["holds"] is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("half=double(21)", "other=double(21)", r"lab 03, seed 0: half was not recorded"),
        ("lab.seed / 10", "(1 if lab.seed == 0 else math.inf)", r"lab 03, seed 1: half is not a finite number"),
        ("half=double(21)", "more=1, half=double(21)", r"lab 03, seed 0: more is recorded but not among .* CLAIMS"),
        ("print(double(1))", "print(1 / (1 - lab.seed))", r"with seed 1: solutions/03_doubling.py:\d+ \(cell 8\)"),
    ],
    ids=["missing", "infinite", "unknown", "failing"],
)
def test_what_goes_wrong_names_the_seed_and_writes_nothing(course, old, new, message):
    write_source(course, lambda t: t.replace(old, new, 1))
    with pytest.raises(CourseError, match=message):
        measure(course, "03", [0, 1], say=str)
    assert expected(course) == OTHER


def test_a_band_needs_two_different_seeds(course):
    for seeds in ([0], [1, 1]):
        with pytest.raises(CourseError, match="at least two different seeds"):
            measure(course, "03", seeds)


def test_a_lab_without_claims_is_named(course):
    (course.root / "utils" / "checks" / "lab03.py").write_text("", encoding="utf-8")
    with pytest.raises(CourseError, match=r"lab 03 claims nothing: utils/checks/lab03.py has no CLAIMS"):
        measure(course, "03", [0, 1])
    (course.root / "utils" / "checks" / "lab03.py").unlink()
    assert load_claims(course, find_sources(course.root)[0]) == {}


def test_damaged_results_are_not_written_over(course):
    (course.root / "data" / "expected.json").write_text("{", encoding="utf-8")
    with pytest.raises(CourseError, match=r"data/expected.json is no JSON"):
        measure(course, "03", [0, 1], say=str)


def test_labs_to_measure_are_named(course, capsys):
    for arguments in ([], ["3", "--all"]):
        assert main(["--root", str(course.root), "measure", *arguments]) == 1
        assert capsys.readouterr().err == "name the labs to measure, or say --all\n"


BUSY = """
# %%
import subprocess
import sys
import time

block = bytearray(150_000_000)
start = time.process_time()
while time.process_time() - start < 0.3:
    pass
work = "import time\\nwhile time.process_time() < 0.4: pass"
subprocess.run([sys.executable, "-c", work], check=True)
time.sleep(0.3)
"""


def test_time_counts_the_kernel_its_children_and_its_memory(course):
    write_source(course, body=BODY + BUSY)
    said = []
    time_labs(course, say=said.append)
    header, _, row = said[0].splitlines()
    assert header == "| lab         | CPU seconds | wall seconds | peak memory (GB) |"
    name, cpu, wall, memory = (cell.strip() for cell in row.strip("|").split("|"))
    assert name == "03_doubling"
    assert 0.7 <= float(cpu) < 10
    assert float(wall) >= 1.0
    assert 0.18 < float(memory) < 1
    assert not list(course.root.rglob("*.ipynb"))


@pytest.fixture
def new_course(course):
    """A course with the lab 07 that `new` has written; returns (course, what was said)."""
    (course.root / "tests" / "wrong_answers").mkdir(parents=True)
    said = []
    new_lab(course, "7", "batch_norm", say=said.append)
    return course, said


def test_a_new_lab_has_a_source_checks_and_wrong_answers(new_course):
    course, said = new_course
    assert said[:3] == [
        "solutions/07_batch_norm.py: written",
        "utils/checks/lab07.py: written",
        "tests/wrong_answers/lab07.py: written",
    ]
    text = (course.solutions / "07_batch_norm.py").read_text(encoding="utf-8")
    for part in (
        "# # 07 · Batch norm",
        "**Question:**",
        "minutes of work",
        "**Papers:**",
        "**Predict:**",
        "## Take away",
    ):
        assert part in text
    building.build(course, ["7"], student_only=True, say=str)
    assert "raise NotImplementedError" in (course.labs / "07_batch_norm.ipynb").read_text(encoding="utf-8")


def test_a_new_lab_builds_and_passes_with_the_courses_own_engine(new_course):
    from tests.wrong_answers import WrongAnswer
    from utils.checks import Exercise
    from utils.course.source import exercise_namespace

    course, _ = new_course
    module, collected = {}, []
    exec((course.root / "utils/checks/lab07.py").read_text(encoding="utf-8"), module)
    (exercise,) = (
        c() for c in module.values() if isinstance(c, type) and issubclass(c, Exercise) and c is not Exercise
    )
    answers = {}
    for stub in (False, True):
        path = course.solutions / "07_batch_norm.py"
        answers[stub] = exercise_namespace(path, stub=stub)["7.1"]
    assert all(v.passed for v in exercise.examine(answers[False], exercise.default_rng())[1])
    assert all(v.passed for v in exercise.examine(exercise.reference(), exercise.default_rng())[1])
    assert exercise.examine(answers[True], exercise.default_rng())[1] is None

    def wrong(name, rejected_by):
        return lambda answer: collected.append(WrongAnswer(name, rejected_by, answer, answer.__name__))

    text = (course.root / "tests/wrong_answers/lab07.py").read_text(encoding="utf-8")
    exec(text.replace("from tests.wrong_answers import wrong", ""), {"wrong": wrong})
    assert len(collected) == 4
    for answer in collected:
        verdicts = exercise.examine(answer.answer, exercise.default_rng())[1]
        assert answer.rejected_by in [v.name for v in verdicts if not v.passed], answer.name
    claims = load_claims(course, find_sources(course.root)[1])
    assert list(claims) == ["flux_ratio"]
    assert all(isinstance(claim, Claim) for claim in claims.values())


@pytest.mark.slow
def test_a_new_lab_runs_in_a_copy_of_the_course(tmp_path):
    for name in ("utils", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name in ("labs", "solutions", "data"):
        (tmp_path / name).mkdir()
    course = load_course(tmp_path)
    new_lab(course, "97", "tried_out", say=str)
    building.build(course, ["97"], say=str)
    assert building.check(course) == []


@pytest.mark.parametrize(
    ("number", "topic", "message"),
    [
        ("3", "other", r"there is a lab 03 already: solutions/03_doubling.py"),
        ("100", "other", "one or two digits, got '100'"),
        ("x", "other", "one or two digits, got 'x'"),
        ("7", "Batch Norm", "lower-case words joined by underscores"),
        ("8", "other", r"utils/checks/lab08.py is there already"),
    ],
)
def test_new_refuses_what_is_taken_or_misnamed(course, number, topic, message):
    taken = course.root / "utils" / "checks" / "lab08.py"
    taken.write_text("mine", encoding="utf-8")
    with pytest.raises(CourseError, match=message):
        new_lab(course, number, topic, say=str)
    assert taken.read_text(encoding="utf-8") == "mine"
    assert [path.name for path in course.solutions.iterdir()] == ["03_doubling.py"]


def test_the_skeleton_needs_no_formatting(new_course):
    pytest.importorskip("ruff")
    course, _ = new_course
    shutil.copy(ROOT / "pyproject.toml", course.root)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=course.root, capture_output=True, text=True
        )
        assert "07" not in done.stdout, done.stdout


def test_cells_of_the_skeleton_are_in_order(new_course):
    cells = read_cells(new_course[0].solutions / "07_batch_norm.py")
    assert [cell.label for cell in cells if cell.exercise or cell.check] == [
        "cell 6, exercise 7.1",
        "cell 7, check 7.1",
    ]
