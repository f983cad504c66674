"""A lab's source: ``solutions/NN_topic.py``, in Jupytext's percent format.

The format, as far as labs need it::

    # %% [markdown] tags=["answer"]
    # Prose, each line behind a `#`.

    # %% exercise="1.2"
    # Exercise 1.2
    def double(x): ...

A line of code that starts with ``# %name`` or ``# !command`` is a magic, and loses its ``#`` in the notebook.
"""

import ast
import json
import linecache
import re
from dataclasses import dataclass
from pathlib import Path

from utils.course.errors import CourseError, SourceError
from utils.course.marks import cut
from utils.files import ROOT

_NAME = re.compile(r"(\d\d)_([a-z0-9]+(?:_[a-z0-9]+)*)")
_MARKER = re.compile(r"# %%(?:\s(.*))?")
_OPTION = re.compile(r"\s*([A-Za-z_]+)=")
_MAGIC = re.compile(r"# (%{1,2}[A-Za-z].*|!.*)")


@dataclass(frozen=True)
class Cell:
    """One cell of a source.

    Parameters
    ----------
    kind : str
        ``"code"`` or ``"markdown"``.
    text : str
        As it will stand in the notebook.
    number : int
        Its place in the source, from 1.
    line : int
        The line of the file where `text` starts, from 1.
    exercise : str or None
        Id of the exercise that the cell holds.
    tags : tuple of str
    """

    kind: str
    text: str
    number: int
    line: int
    exercise: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def label(self):
        """The cell in words: ``cell 7, exercise 1.2``."""
        what = f"exercise {self.exercise}" if self.exercise else f"check {self.check}" if self.check else ""
        return f"cell {self.number}" + (f", {what}" if what else "")

    @property
    def check(self):
        """Id of the exercise that the cell checks, or None where it does not call ``check("…", …)``."""
        call = self.check_call
        return call.args[0].value if call else None

    @property
    def check_call(self):
        """The call of ``check`` with a literal id at the cell's top level, as ast.Call; None where there is none."""
        if self.kind != "code" or "check(" not in self.text:
            return None
        try:
            statements = ast.parse(self.text).body
        except SyntaxError:
            return None
        return next((s.value for s in statements if isinstance(s, ast.Expr) and _is_check(s.value)), None)


def _is_check(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "check"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    )


@dataclass(frozen=True)
class Lab:
    """A lab's number, its topic, and where its source is."""

    number: str
    topic: str
    path: Path

    @property
    def name(self):
        """``NN_topic``, the name of its notebooks."""
        return f"{self.number}_{self.topic}"

    @property
    def exercise_prefix(self):
        """What the ids of its exercises start with: ``"3."`` for lab ``"03"``."""
        return f"{int(self.number)}."


def find_sources(root=ROOT):
    """All labs of the course in `root`, in order of their numbers: list of :class:`Lab`."""
    found = []
    for path in sorted((Path(root) / "solutions").glob("*.py")):
        name = _NAME.fullmatch(path.stem)
        if not name:
            raise CourseError(f"solutions/{path.name}: a lab's source is named NN_topic.py, such as 03_first_cnn.py")
        if found and found[-1].number == name[1]:
            raise CourseError(f"two labs have the number {name[1]}: {found[-1].path.name} and {path.name}")
        found.append(Lab(name[1], name[2], path))
    return found


def select_labs(numbers, root=ROOT):
    """The labs with these numbers (``"3"`` and ``"03"`` are the same); all of them where `numbers` is empty."""
    labs = {lab.number: lab for lab in find_sources(root)}
    wanted = [f"{int(n):02d}" if str(n).isdigit() else str(n) for n in numbers]
    for number in wanted:
        if number not in labs:
            raise CourseError(f"there is no lab {number}; there are: {', '.join(labs) or 'none'}")
    return [labs[number] for number in dict.fromkeys(wanted)] if wanted else list(labs.values())


def read_cells(path, text=None):
    """The cells of a source.

    Parameters
    ----------
    path : pathlib.Path
        The source, named in errors.
    text : str or None
        What to read in place of the file's content.

    Returns
    -------
    list of Cell
    """
    path = Path(path)
    lines = (path.read_text(encoding="utf-8") if text is None else text).splitlines()
    starts = [i for i, line in enumerate(lines) if _MARKER.fullmatch(line.rstrip())]
    first = starts[0] if starts else len(lines)
    preamble = "\n".join(lines[:first]).strip()
    if preamble and not re.fullmatch(r"# ---\n(#.*\n)*# ---", preamble):
        raise SourceError(path, 1, "text before the first cell: a cell starts with a line `# %%`")
    if not starts:
        raise SourceError(path, 1, "no cells: a cell starts with a line `# %%` or `# %% [markdown]`")
    return [
        _cell(path, number, lines, start, end)
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True), 1)
    ]


def _cell(path, number, lines, start, end):
    """The cell whose marker is ``lines[start]`` and that ends before ``lines[end]``."""
    kind, options = _marker(path, start + 1, lines[start])
    first = start + 1
    while first < end and not lines[first].strip():
        first += 1
    while end > first and not lines[end - 1].strip():
        end -= 1
    if first == end:
        raise SourceError(path, start + 1, f"cell {number} is empty")
    body = lines[first:end]
    if kind == "markdown":
        for offset, line in enumerate(body):
            if not line.startswith("#"):
                raise SourceError(
                    path, first + offset + 1, f"cell {number} is prose: each of its lines starts with `#`"
                )
        body = [line[2:] if line.startswith("# ") else line[1:] for line in body]
    else:
        body = [_MAGIC.sub(r"\1", line) if _MAGIC.fullmatch(line) else line for line in body]
    return Cell(kind, "\n".join(body), number, first + 1, options.get("exercise"), tuple(options.get("tags", ())))


def _marker(path, line, text):
    """Kind and options of a cell from its marker."""
    rest = (_MARKER.fullmatch(text.rstrip())[1] or "").strip()
    kind = "code"
    if rest.startswith("["):
        word, _, rest = rest.partition("]")
        kind = word[1:]
        if kind != "markdown":
            raise SourceError(path, line, f"a cell is code (`# %%`) or prose (`# %% [markdown]`), got [{kind}]")
    options, decoder, position = {}, json.JSONDecoder(), 0
    while rest[position:].strip():
        found = _OPTION.match(rest, position)
        try:
            value, position = decoder.raw_decode(rest, found.end())
        except (AttributeError, ValueError):
            wanted = '`exercise="1.2"` or `tags=["setup"]`'
            raise SourceError(path, line, f"{rest[position:].strip()!r} in a cell's marker: wanted {wanted}") from None
        options[found[1]] = value
    if unknown := options.keys() - {"exercise", "tags"}:
        raise SourceError(path, line, f"a cell's marker names exercise and tags only, got {', '.join(sorted(unknown))}")
    if "exercise" in options and not isinstance(options["exercise"], str):
        raise SourceError(path, line, f'an exercise is named by a text, such as "1.2", got {options["exercise"]!r}')
    tags = options.get("tags", [])
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise SourceError(path, line, f'tags are a list of texts, such as ["setup"], got {tags!r}')
    return kind, options


def exercise_namespace(path, stub=False):
    """What the exercises of a lab pass to their checks.

    Runs the imports cell and the exercise cells in order, and nothing else of the lab.

    Parameters
    ----------
    path : pathlib.Path
        The source of the lab.
    stub : bool
        Run the student's cells, which raise NotImplementedError, in place of the solution's.

    Returns
    -------
    dict
        Exercise id -> what stands behind the id in ``check("1.2", …)``; a tuple where that is more than one thing.
    """
    path = Path(path)
    namespace, answers, exercise = {"__name__": "__lab__"}, {}, None
    for cell in read_cells(path):
        if "imports" in cell.tags:
            _execute(path, cell, cell.text, namespace)
        elif cell.exercise:
            exercise = cell
            _execute(path, cell, cut(path, cell) if stub else cell.text, namespace, "-stub" if stub else "")
        elif exercise and cell.check == exercise.exercise:
            answers[cell.check] = _checked(path, cell, namespace)
    return answers


def _execute(path, cell, text, namespace, suffix=""):
    """Run a cell's code so that tracebacks show the source's own file, line and text."""
    filename = f"{path}{suffix}"
    padded = "\n" * (cell.line - 1) + text
    if suffix:
        filename += f"-{cell.exercise}"
        linecache.cache[filename] = (len(padded), None, padded.splitlines(keepends=True), filename)
    exec(compile(padded, filename, "exec"), namespace)


def _checked(path, cell, namespace):
    values = []
    for argument in cell.check_call.args[1:]:
        try:
            values.append(eval(compile(ast.Expression(argument), str(path), "eval"), namespace))
        except NameError as error:
            message = f"{error}: a check gets only what the imports cell and the exercise cells define"
            raise SourceError(path, cell.line, message, cell) from None
    return values[0] if len(values) == 1 else tuple(values)
