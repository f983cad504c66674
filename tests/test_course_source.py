"""The source of a lab: how it is read, what is wrong with it, what its exercises pass to the checks."""

import jupytext
import pytest

from tests.course_example import BODY, header, make_course, write_source
from utils.course.build import checked_cells
from utils.course.errors import CourseError
from utils.course.marks import cut
from utils.course.source import exercise_namespace, find_sources, read_cells, select_labs


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


def lab(course):
    return find_sources(course.root)[0]


def line_of(path, text, which=0):
    """Number, from 1, of a line that holds `text`."""
    return [n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line][which]


def complaint(course, change):
    """(path, what is said) of a source that has been changed."""
    path = write_source(course, change)
    with pytest.raises(CourseError) as caught:
        checked_cells(course, lab(course))
    return path, str(caught.value)


def replace(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new, 1)

    return change


BEGIN, END = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"
CHECK = '# %% tags=["nbval-check-output"]\ncheck("3.1", double)\n'
SECRET = "    half_of_the_result = math.fsum([x])\n"

# name: change, text that stands in the line that is named, what the message says
BAD = {
    "no end mark": (replace(END, ""), "BEGIN SOLUTION", "`### BEGIN SOLUTION` without `### END SOLUTION` below it"),
    "no begin mark": (replace(BEGIN, ""), "END SOLUTION", "`### END SOLUTION` without `### BEGIN SOLUTION` above it"),
    "nested marks": (
        replace(SECRET, BEGIN + SECRET),
        ("BEGIN SOLUTION", 1),
        "inside the solution of line",
    ),
    "misspelt mark": (replace("### BEGIN", "## Begin"), "## Begin", "got `## Begin SOLUTION`"),
    "no solution": (
        lambda t: t.replace(BEGIN, "").replace(END, ""),
        "# Exercise 3.1",
        "no solution: put `### BEGIN SOLUTION`",
    ),
    "marks outside a function": (
        replace("def double", "### BEGIN SOLUTION\nfactor = 2\n### END SOLUTION\n\n\ndef double"),
        "BEGIN SOLUTION",
        "outside a function",
    ),
    "marks around a function": (
        lambda t: (
            t.replace(BEGIN, "")
            .replace(END, "### END SOLUTION\n")
            .replace("def double", "### BEGIN SOLUTION\ndef double")
        ),
        "BEGIN SOLUTION",
        "outside a function",
    ),
    "marks in another cell": (
        replace("print(double(1))", "def again():\n    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION"),
        ("BEGIN SOLUTION", 1),
        "solution marks belong into an exercise cell",
    ),
    "marks in prose": (
        replace("# Write a function that doubles.", "# ### BEGIN SOLUTION\n# ### END SOLUTION"),
        "# ### BEGIN SOLUTION",
        "solution marks belong into an exercise cell",
    ),
    "empty solution": (
        lambda t: t.replace(SECRET, "").replace("    return half_of_the_result + half_of_the_result\n", ""),
        "BEGIN SOLUTION",
        "nothing stands between the solution marks",
    ),
    "marks of different depth": (
        replace(END, "        ### END SOLUTION\n"),
        "BEGIN SOLUTION",
        "indented differently",
    ),
    "a statement cut in two": (
        lambda t: t.replace(END, "").replace("math.fsum([x])", "math.fsum(\n    ### END SOLUTION\n    [x])"),
        "BEGIN SOLUTION",
        "a statement starts between the solution marks and ends after them",
    ),
    "no check": (replace(CHECK, ""), "# Exercise 3.1", "exercise 3.1 has no check"),
    "check of another id": (
        replace('check("3.1", double)', 'check("3.2", double)'),
        'check("3.2"',
        "the check is of 3.2, the exercise above it is 3.1",
    ),
    "two checks": (lambda t: t + "\n" + CHECK, ('check("3.1"', 1), "has a check already, in line"),
    "check not below its exercise": (
        replace(CHECK, "# %% [markdown]\n# Now check.\n\n" + CHECK),
        'check("3.1"',
        "stands not right below its exercise",
    ),
    "exercise whose check is elsewhere": (
        replace(CHECK, "# %% [markdown]\n# Now check.\n\n" + CHECK),
        "# Exercise 3.1",
        "it stands in line",
    ),
    "check without exercise": (
        lambda t: t + '\n# %% tags=["nbval-check-output"]\ncheck("3.7", double)\n',
        'check("3.7"',
        "the check of 3.7 belongs to no exercise",
    ),
    "check that passes nothing": (replace('check("3.1", double)', 'check("3.1")'), 'check("3.1"', "passes nothing"),
    "check of a computed id": (
        replace('check("3.1", double)', 'check(f"3.{1}", double)'),
        'check(f"3.',
        "with the id spelt out",
    ),
    "check without its tag": (replace(CHECK, CHECK.replace("nbval-check-output", "x")), 'check("3.1"', "lacks tags="),
    "two calls in a check cell": (
        replace('check("3.1", double)', 'check("3.1", double)\nprint(1)'),
        'check("3.1"',
        "a check cell holds one call",
    ),
    "id of another lab": (lambda t: t.replace("3.1", "4.1"), "# Exercise 4.1", "belongs to another lab"),
    "id that jumps": (lambda t: t.replace("3.1", "3.2"), "# Exercise 3.2", "comes where 3.1 is due"),
    "id that repeats": (
        lambda t: t + '\n# %% exercise="3.1"\n# Exercise 3.1\ndef f():\n' + BEGIN + "    pass\n" + END,
        ("# Exercise 3.1", 1),
        "is there already, in line",
    ),
    "id that is none": (replace('exercise="3.1"', 'exercise="first"'), "# Exercise 3.1", "named by lab and number"),
    "first line": (replace("# Exercise 3.1\n", "# exercise 3.1\n"), "# exercise 3.1", "the first line of the cell is"),
    "exercise in prose": (
        replace("# %% [markdown]\n# ## Doubling", '# %% [markdown] exercise="3.1"\n# ## Doubling'),
        "# ## Doubling",
        "an exercise is a code cell",
    ),
    "solution in prose": (
        replace("# Write a function that doubles.", "# Hint: `half_of_the_result=math.fsum( [x] )`"),
        "# Hint:",
        "the solution of exercise 3.1 shows in the student's notebook",
    ),
    "solution in another cell": (
        replace("print(double(1))", "x = 1\nhalf_of_the_result = math.fsum(\n    [x],\n)"),
        ("half_of_the_result = math.fsum(", 1),
        "the solution of exercise 3.1 shows in the student's notebook",
    ),
    "solution in its own docstring": (
        replace('"""Twice x, e.g. 42 for 21."""', '"""return half_of_the_result + half_of_the_result"""'),
        '"""return half_of_the_result',
        "the solution of exercise 3.1 shows in the student's notebook",
    ),
    "no set-up cell": (replace('# %% tags=["setup"]', "# %%"), "# %% [markdown]", "a set-up cell is missing"),
    "no imports cell": (replace('tags=["imports"]', 'tags=["other"]'), "# %% [markdown]", "an imports cell is missing"),
    "two imports cells": (
        lambda t: t + '\n# %% tags=["imports"]\nimport cmath\n',
        "import cmath",
        "an imports cell is there already",
    ),
    "imports come later": (
        replace('# %% tags=["imports"]', '# %%\nprint(1)\n\n# %% tags=["imports"]'),
        "import math",
        "right after the set-up cell",
    ),
    "set-up cell that differs": (
        replace('"--depth", "1"', '"--depth", "2"'),
        '"--depth", "2"',
        'the set-up cell differs from the course\'s, wanted:     subprocess.run(["git", "clone", "-q", "--depth", "1"',
    ),
    "set-up cell of another lab": (replace('lab.start("03")', 'lab.start("04")'), "lab.start", 'lab.start("03")'),
    "badge of another lab": (
        replace("labs/03_doubling.ipynb", "labs/04_other.ipynb"),
        "# # 03 · Doubling",
        "no badge that opens https://colab.research.google.com/github/someone/tiny-course/blob/main/labs/03_doubling",
    ),
    "link to a lab that is not there": (
        replace(
            "# Write a function",
            "# See https://colab.research.google.com/github/someone/tiny-course/blob/main/labs/09_x.ipynb\n# Write",
        ),
        "09_x.ipynb",
        "opens no lab of this course",
    ),
    "header without its question": (
        replace("**Question:**", "Question:"),
        "# # 03 · Doubling",
        "a lab's header has `# NN · title`, `**Question:** …`",
    ),
    "no header": (lambda t: t[t.index("# %% tags=") :], "# Set-up:", "the first cell is the header"),
    "not Python": (replace("print(double(1))", "print(double(1)"), "print(double(1)\n".strip(), "was never closed"),
    "unknown name": (
        replace(SECRET, SECRET + "    half_of_the_result = offset\n"),
        "half_of_the_result = offset",
        "`offset` is defined neither in the imports cell nor in this or an earlier exercise",
    ),
    "text before the first cell": (lambda t: "import os\n" + t, "import os", "text before the first cell"),
    "empty cell": (lambda t: t + '\n# %% tags=["x"]\n\n# %%\nprint(2)\n', 'tags=["x"]', "is empty"),
    "prose without its mark": (
        replace("# Write a function that doubles.", "Write a function that doubles."),
        "Write a function that doubles.",
        "each of its lines starts with `#`",
    ),
    "unknown kind": (replace("# %% [markdown]\n# ## D", "# %% [raw]\n# ## D"), "# %% [raw]", "got [raw]"),
    "unknown option": (replace('exercise="3.1"', 'excercise="3.1"'), "excercise", "got excercise"),
    "option that cannot be read": (replace('exercise="3.1"', "exercise=3.1.2"), "exercise=", "in a cell's marker"),
    "exercise that is a number": (replace('exercise="3.1"', "exercise=3.1"), "exercise=", "named by a text"),
    "tags that are no list": (replace('tags=["answer"]', 'tags="answer"'), 'tags="answer"', "tags are a list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_is_named_by_file_line_and_fault(course, name):
    change, text, message = BAD[name]
    path, said = complaint(course, change)
    text, which = text if isinstance(text, tuple) else (text, 0)
    lines = said.splitlines()
    place = f"solutions/03_doubling.py:{line_of(path, text, which)}"
    assert any(line.startswith((place + ":", place + " (cell")) and message in line for line in lines), said


def test_a_complaint_names_the_cell_and_its_exercise(course):
    _, said = complaint(course, replace("# Exercise 3.1\n", "# Exercise 3.2\n"))
    assert "(cell 5, exercise 3.1)" in said


def test_all_faults_are_listed_at_once(course):
    _, said = complaint(course, lambda t: t.replace("# Exercise 3.1\n", "#\n").replace('check("3.1"', 'check("3.9"'))
    assert "the first line of the cell" in said
    assert "the check is of 3.9" in said


def test_a_solution_may_be_repeated_where_the_source_says_so(course):
    change = replace("# %%\nprint(double(1))", f'# %% tags=["may-repeat-solution"]\nx = 1\n{SECRET.strip()}')
    write_source(course, change)
    assert checked_cells(course, lab(course))


NETWORK = """
# %% exercise="3.2"
# Exercise 3.2
def network(layers):
    ### BEGIN SOLUTION
    inputs = layers.Input(shape=(64, 64, 3), name="image")
    x = layers.Conv2D(32, 3, activation="relu")(inputs)
    x = layers.Flatten(name="one_long_vector")(x)
    return layers.Model(inputs, layers.Dense(10)(x), name="small")
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("3.2", network)

# %%
layers = None
if layers:
    inputs = layers.Input(shape=(64, 64, 3), name="image")
    x = layers.Conv2D(32, 3, activation="relu")(inputs)
"""


def test_a_layer_may_stand_in_two_networks_but_not_a_whole_network(course):
    write_source(course, body=BODY + NETWORK)
    assert checked_cells(course, lab(course))
    write_source(course, body=BODY + NETWORK + '    x = layers.Flatten(name="one_long_vector")(x)\n')
    with pytest.raises(CourseError) as caught:
        checked_cells(course, lab(course))
    assert str(caught.value).count("the solution of exercise 3.2 shows in the student's notebook") == 3


def test_a_sound_source_passes(course):
    assert len(checked_cells(course, lab(course))) == 10


def test_several_solutions_in_one_cell_are_cut_at_their_depth(course):
    body = BODY.replace(
        "# Exercise 3.1\n",
        "# Exercise 3.1\nclass Pair:\n    def both(self):\n        ### BEGIN SOLUTION\n        return 2\n"
        "        ### END SOLUTION\n\n\n",
    )
    path = write_source(course, body=body)
    text = cut(path, checked_cells(course, lab(course))[4])
    assert '    def both(self):\n        raise NotImplementedError("Exercise 3.1")\n' in text
    assert text.endswith('for 21."""\n    raise NotImplementedError("Exercise 3.1")')
    assert "SOLUTION" not in text


def test_marks_within_a_string_are_no_marks(course):
    text = '    shown = """\n### BEGIN SOLUTION\n"""\n'
    path = write_source(course, replace(BEGIN, text + BEGIN))
    assert text in cut(path, checked_cells(course, lab(course))[4])


@pytest.mark.parametrize("source", [None, *find_sources()], ids=lambda s: s.name if s else "example")
def test_cells_are_those_that_jupytext_reads(course, source):
    text = source.path.read_text(encoding="utf-8") if source else header(course) + BODY + "\n# %%\n# %timeit 1\n# !ls\n"
    theirs = jupytext.reads(text, fmt="py:percent").cells
    ours = read_cells(course.solutions / "03_doubling.py", text)
    assert [(c.kind, c.text, c.exercise, list(c.tags)) for c in ours] == [
        (c.cell_type, c.source.strip("\n"), c.metadata.get("exercise"), c.metadata.get("tags", [])) for c in theirs
    ]


def test_a_line_number_is_that_of_the_file(course):
    path = write_source(course)
    lines = path.read_text(encoding="utf-8").splitlines()
    for cell in read_cells(path):
        first = cell.text.splitlines()[0]
        assert lines[cell.line - 1] == (first if cell.kind == "code" else f"# {first}")


def test_exercise_namespace_gives_what_the_check_gets(course):
    path = write_source(course)
    assert exercise_namespace(path)["3.1"](21) == 42
    with pytest.raises(NotImplementedError, match=r"Exercise 3\.1"):
        exercise_namespace(path, stub=True)["3.1"](21)


def test_exercise_namespace_gives_a_tuple_as_it_is_written(course):
    path = write_source(course, replace('check("3.1", double)', 'check("3.1", (double, double(4)))'))
    function, value = exercise_namespace(path)["3.1"]
    assert (function(1), value) == (2, 8)


def test_exercise_namespace_runs_no_other_cell(course):
    path = write_source(course, replace("print(double(1))", "raise SystemExit"))
    assert list(exercise_namespace(path)) == ["3.1"]


def test_exercise_namespace_says_when_a_check_asks_for_more(course):
    path = write_source(course, replace('check("3.1", double)', 'check("3.1", model)'))
    with pytest.raises(CourseError, match=r"03_doubling.py:\d+ .*a check gets only what the imports cell"):
        exercise_namespace(path)


def test_tracebacks_show_the_line_of_the_source(course):
    path = write_source(course, replace(SECRET, "    half_of_the_result = 1 / 0\n"))
    with pytest.raises(ZeroDivisionError) as caught:
        exercise_namespace(path)["3.1"](1)
    assert caught.traceback[-1].lineno + 1 == line_of(path, "1 / 0")
    assert str(caught.traceback[-1].path) == str(path)


def test_labs_are_selected_by_number(course):
    assert [found.name for found in select_labs(["3", "03"], course.root)] == ["03_doubling"]
    with pytest.raises(CourseError, match="there is no lab 07; there are: 03"):
        select_labs(["7"], course.root)


def test_sources_have_a_name_and_a_number_of_their_own(course):
    write_source(course, name="03_other")
    with pytest.raises(CourseError, match=r"two labs have the number 03: 03_doubling.py and 03_other.py"):
        find_sources(course.root)
    (course.solutions / "03_other.py").rename(course.solutions / "Other.py")
    with pytest.raises(CourseError, match=r"solutions/Other.py: a lab's source is named NN_topic.py"):
        find_sources(course.root)
