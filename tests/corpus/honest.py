"""Honest hand-ins: right, half right, blank, and each exercise alone wrong."""

from tests.corpus.handin import HandIn, expected
from tests.corpus.notebooks import to_bytes
from tests.corpus.points import points, wrong_sources
from utils.course.notebook import split


def honest(handout):
    """The honest hand-ins of a class: list of HandIn."""
    number, exercises, solutions = handout.lab.number, handout.exercises, handout.solutions
    marks = points(number)
    wrong = {e: wrong_sources(number).get(e) or [handout.filled(e, "return None")] for e in exercises}
    found = []

    def add(name, what, changes=None, notebook=None, worth=None):
        """A notebook with all exercises solved but for the changes."""
        changes = changes or {}
        earned = dict(marks.full)
        for exercise, source in changes.items():
            earned[exercise] = 0 if source is None else marks.of(exercise, source)
        earned |= worth or {}
        data = to_bytes(notebook or handout.solved(changes))
        found.append(HandIn(expected(name, "honest", what, earned), {handout.file_name: data}))

    add("right", "all exercises solved")
    add("blank", "the notebook as it was handed out", dict.fromkeys(exercises))
    add("first-half", "the first half solved, the rest open", dict.fromkeys(exercises[len(exercises) // 2 :]))
    add("every-other", "every other exercise open", dict.fromkeys(exercises[::2]))
    for exercise in exercises:
        name = f"wrong-{exercise.replace('.', '-')}"
        add(name, f"exercise {exercise} alone wrong", {exercise: wrong[exercise][0]})
    add("all-wrong", "a plausible mistake in every exercise", {e: wrong[e][-1] for e in exercises})

    first, last = exercises[0], exercises[-1]
    add("raises", "a function that ends with an error", {first: handout.filled(first, 'raise ValueError("no idea")')})
    add("returns-nothing", "functions without a return", {e: handout.filled(e, "x = 1") for e in exercises})
    add("syntax", "a cell that is not Python", {first: solutions[first] + "\nreturn )"}, worth={first: 0})
    add("unknown-name", "a name that is defined nowhere", {last: handout.filled(last, "return not_defined_anywhere")})
    add(
        "renamed-function",
        "a function under another name",
        {first: f"# Exercise {first}\ndef my_answer(x):\n    return x"},
    )
    add("prints", "prints while it works", {e: _with_line(solutions[e], 'print("here I am", 42)') for e in exercises})
    add("warns", "warns while it works", {first: _with_line(solutions[first], 'import warnings; warnings.warn("hm")')})
    add("own-helper", "a helper and an import in the answer's cell", {first: _with_helper(solutions[first])})
    add("changes-input", "works on its input in place", {first: _in_place(solutions[first])})

    notebook = handout.solved({first: None})
    names = [
        line.partition("(")[0].removeprefix("def ") for line in solutions[first].splitlines() if line[:4] == "def "
    ]
    extra = f'{", ".join(names)} = reference("{first}")'
    at = next(i for i, cell in enumerate(notebook["cells"]) if cell["metadata"].get("exercise") == first)
    notebook["cells"].insert(at + 1, _code(extra))
    add("reference", "went on with the reference", {first: None}, notebook=notebook)
    return found


def _code(source):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "added",
        "metadata": {},
        "outputs": [],
        "source": split(source),
    }


def _with_line(source, line):
    """A line at the start of the body of each function, behind its docstring."""
    lines, quotes = [], 0
    for text in source.splitlines():
        lines.append(text)
        if '"""' in text and text.startswith('    """'):
            quotes += text.count('"""')
            if quotes % 2 == 0:
                lines.append(f"    {line}")
    return "\n".join(lines)


def _with_helper(source):
    first, _, rest = source.partition("\n")
    helper = (
        "import math as own_math\n\n\ndef own_helper(x):\n    return own_math.floor(x)\n\n\nassert own_helper(2.5) == 2"
    )
    return f"{first}\n{helper}\n\n\n{rest}"


def _in_place(source):
    """The first function sets the first number of each array that it is given to 7, after its own work."""
    name = next(line for line in source.splitlines() if line.startswith("def ")).partition("(")[0].removeprefix("def ")
    return (
        f"{source}\n\n\n_unspoilt = {name}\n\n\ndef {name}(*args, **kwargs):\n    value = _unspoilt(*args, **kwargs)\n"
        "    for given in [*args, *kwargs.values()]:\n        if hasattr(given, 'flat') and given.size:\n"
        "            given.flat[0] = 7\n    return value"
    )
