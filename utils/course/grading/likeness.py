"""Answers of a class that are alike beyond chance: the same but for names and layout, or with a few places changed.

An answer is brought to a normal form: imports, docstrings, comments, annotations and prints are dropped, names of the
student's own are numbered, imported names are written out (``np.sum`` and ``from numpy import sum`` are one thing).
Two answers are alike when their normal forms are equal, or when they share :data:`ALIKE` of their runs of
:data:`RUN` words, with all own names taken as one word, so that a new variable changes no more than its surroundings.

Measured on 27 published answers of different people to two exercises of a well-known course (110 to 200 words) and on
some of the labs' exercises. Two answers made apart shared at most 0.50 of their runs (those 27), 0.55 (70 to 110 words)
and 0.60 (30 to 50 words). Copies with three changes (a reordered statement, a new variable, ``x.sum()`` for
``np.sum(x)``, ...) share 0.70 or more in 89 of 100 cases, copies with five in 69. Short answers come out the same by
themselves, so what counts is at least :data:`LEAST` runs that only few in the class have.
"""

import ast
import builtins
import io
import itertools
import tokenize
from collections import Counter
from dataclasses import dataclass

from utils.course.grading.syntax import NotPython, parse
from utils.course.grading.usage import bound_by, imported_names

RUN = 5  # words
ALIKE = 0.7  # share of the runs of both
LEAST = 56  # runs: an answer of 60 words has as many
COMMON = 0.2  # what more than this part of the class has written says nothing about two of them ...
FEW = 5  # ... unless so few have written it

_LAYOUT = {
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.COMMENT,
}
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Form:
    """The normal form of an answer.

    Parameters
    ----------
    text : str
        With own names numbered in the order in which they appear.
    runs : frozenset of tuple
        Runs of words, own names taken as one word.
    """

    text: str
    runs: frozenset


@dataclass(frozen=True)
class Group:
    """Students whose answers to an exercise are alike.

    Parameters
    ----------
    exercise : str
    students : tuple of str
    likeness : float
        Of the least alike pair that holds the group together; 1 where all are the same.
    same : bool
        All the same but for names and layout.
    published : bool
        One of them is the published solution, but for names and layout.
    """

    exercise: str
    students: tuple
    likeness: float
    same: bool
    published: bool


def normal_form(source, imports="", stub=""):
    """The :class:`Form` of an answer, or None where it is not Python or holds nothing.

    Parameters
    ----------
    source : str
        The student's cell.
    imports : str
        Source of the notebook's imports.
    stub : str
        The cell as it is handed out: statements that stand in it too are left out.

    Examples
    --------
    >>> one = normal_form("def f(x):\\n    total = np.sum(x)  # all\\n    return total", "import numpy as np")
    >>> two = normal_form("from numpy import sum\\ndef f(x):\\n    s = sum(x)\\n    return s")
    >>> one == two, one.text
    (True, '_0 = numpy.sum(_1)\\nreturn _0')
    """
    known = imported_names(imports)
    try:
        given = {ast.unparse(s) for s in _statements(stub, known)} if stub else set()
        statements = [s for s in _statements(source, known) if ast.unparse(s) not in given]
        if not statements:
            return None
        text = "\n".join(ast.unparse(s) for s in statements)
        words = _words("\n".join(ast.unparse(_Blind().visit(s)) for s in statements))
    except (NotPython, RecursionError, ValueError, MemoryError, tokenize.TokenError, SyntaxError):
        return None
    return Form(text, frozenset(zip(*(words[i:] for i in range(RUN)), strict=False)))


def _statements(source, known):
    """The statements of a cell that say something, those of its functions in the place of the functions."""
    tree = parse(source).tree
    numbered = _Numbered(known | {n: p for node in ast.walk(tree) for n, p in bound_by(node)})
    statements = []
    for node in tree.body:
        inside = node.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else [node]
        for statement in inside:
            found = numbered.visit(statement)
            if found is not None:
                statements.append(ast.fix_missing_locations(found))
    return statements


class _Numbered(ast.NodeTransformer):
    """Drops what says nothing, writes imported names out and numbers the student's own."""

    def __init__(self, known):
        self.known, self.numbers = known, {}

    def number(self, name):
        return f"_{self.numbers.setdefault(name, len(self.numbers))}"

    def visit(self, node):
        for field in ("annotation", "returns", "type_comment"):
            if getattr(node, field, None) is not None and not isinstance(node, ast.AnnAssign):
                setattr(node, field, None)
        return super().visit(node)

    def generic_visit(self, node):
        node = super().generic_visit(node)
        if isinstance(getattr(node, "body", None), list) and not node.body:
            node.body = [ast.Pass()]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)) and node.name:
            node.name = self.number(node.name)
        return node

    def visit_Import(self, node):
        return None

    visit_ImportFrom = visit_Pass = visit_Global = visit_Nonlocal = visit_Import

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Constant):
            return None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"print", "display"}:
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value))

    def visit_Name(self, node):
        if node.id in self.known:
            return ast.Name(self.known[node.id], node.ctx)
        return node if node.id in _BUILTINS else ast.Name(self.number(node.id), node.ctx)

    def visit_arg(self, node):
        node.arg = self.number(node.arg)
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, float) and node.value.is_integer():
            return ast.Constant(int(node.value))
        return ast.Constant(node.value)


class _Blind(ast.NodeTransformer):
    """Own names, which are numbered already, become one word."""

    def generic_visit(self, node):
        node = super().generic_visit(node)
        for field in ("id", "arg", "name"):
            if (name := getattr(node, field, None)) and isinstance(name, str) and name[0] == "_" and name[1:].isdigit():
                setattr(node, field, "_")
        return node


def _words(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type not in _LAYOUT]


def likeness(one, two):
    """Share of the runs of two forms that both have, from 0 to 1."""
    return len(one.runs & two.runs) / len(one.runs | two.runs) if one.runs | two.runs else 0.0


def alike(answers, exercise="", imports="", stub="", published=""):
    """Groups of students whose answers to an exercise are alike beyond chance.

    Parameters
    ----------
    answers : dict of str to str
        Student -> source.
    exercise : str
        Its id.
    imports, stub : str
        See :func:`normal_form`.
    published : str
        The published solution's cell.

    Returns
    -------
    groups : list of Group
        The largest likeness first.
    as_published : list of str
        Students whose answer is the published solution, but for names and layout.
    common : Group or None
        Those who have written the most frequent answer, where they are too many to say anything about two of them.
    """
    forms = {}
    for student in sorted(answers):
        form = normal_form(answers[student], imports, stub)
        if form is not None:
            forms[student] = form
    many = max(FEW, COMMON * len(forms))
    solution = normal_form(published, imports, stub) if published else None
    writers = {}
    for student, form in forms.items():
        writers.setdefault(form, []).append(student)
    frequency = Counter()
    for form, students in writers.items():
        frequency.update(dict.fromkeys(form.runs, len(students)))
    rare = {form: frozenset(run for run in form.runs if frequency[run] <= many) for form in writers}

    links = [(form, form, 1.0) for form, who in writers.items() if len(who) > 1 and len(rare[form]) >= LEAST]
    candidates = [form for form in writers if len(rare[form]) >= LEAST]
    for one, two in itertools.combinations(candidates, 2):
        sizes = sorted((len(one.runs), len(two.runs)))
        if sizes[0] >= ALIKE * sizes[1] and len(rare[one] & rare[two]) >= LEAST * ALIKE:
            found = likeness(one, two)
            if found >= ALIKE:
                links.append((one, two, found))
    groups = [
        Group(
            exercise,
            tuple(sorted(student for form in members for student in writers[form])),
            least,
            same=len(members) == 1,
            published=solution is not None and any(form.text == solution.text for form in members),
        )
        for members, least in _linked(links)
    ]
    as_published = [
        student
        for student, form in forms.items()
        if solution is not None and form.text == solution.text and len(rare[form]) >= LEAST
    ]
    ordered = sorted(groups, key=lambda group: (-group.likeness, group.students))
    return ordered, sorted(as_published), _common(writers, many, exercise, solution)


def _common(writers, many, exercise, solution):
    """The group of the most frequent answer that is long enough, where more than `many` have written it."""
    long = [form for form in writers if len(form.runs) >= LEAST and len(writers[form]) > many]
    if not long:
        return None
    form = min(long, key=lambda form: (-len(writers[form]), form.text))
    published = solution is not None and form.text == solution.text
    return Group(exercise, tuple(sorted(writers[form])), 1.0, same=True, published=published)


def _linked(links):
    """Sets of forms that hang together, each with the weakest link in it."""
    parts = []
    for one, two, strength in links:
        touched = [part for part in parts if one in part[0] or two in part[0]]
        merged = {one, two}.union(*(part[0] for part in touched))
        weakest = min([strength, *(part[1] for part in touched)])
        parts = [part for part in parts if part not in touched] + [(merged, weakest)]
    return parts
