"""What an answer is worth, found by running it here: for honest code alone, and never for hostile code."""

import ast
import copy
from functools import cache

import numpy as np

from tests.corpus.notebooks import handout
from tests.wrong_answers import wrong_answers
from utils.checks.exercise import exercises, is_untouched
from utils.course.names import names_read
from utils.course.notebook import join

SEEDS = (101, 202)


class Points:
    """The points of sources for the exercises of a lab, each with right answers to the exercises before it.

    Parameters
    ----------
    number : str
        Of the lab.
    """

    def __init__(self, number):
        self.handout, self.exercises = handout(number), exercises(number)
        self.full = {id_: sum(points for _, points, _ in e.subtests(hidden=True)) for id_, e in self.exercises.items()}
        self._checks, self._before = {}, {}
        self.namespace = namespace = {"__name__": "__lab__"}  # in the end: with the solutions of all exercises
        for cell in self.handout.truth["cells"]:
            text, exercise = join(cell["source"]), cell["metadata"].get("exercise")
            if "imports" in cell["metadata"].get("tags", ()):
                exec(text, namespace)
            elif exercise:
                self._before[exercise] = dict(namespace)
                exec(text, namespace)
            elif text.startswith("check("):
                call = ast.parse(text).body[0].value
                self._checks[call.args[0].value] = [compile(ast.Expression(a), "check", "eval") for a in call.args[1:]]

    def of(self, exercise, source):
        """Points of a source; where they differ from seed to seed, a ValueError."""
        try:
            namespace = dict(self._before[exercise])
            exec(source, namespace)
            answers = [eval(argument, namespace) for argument in self._checks[exercise]]
        except Exception:
            return 0
        found = {self._once(self.exercises[exercise], answers, seed) for seed in SEEDS}
        if len(found) > 1:
            raise ValueError(f"what this answer to exercise {exercise} is worth hangs on the seed: {found}")
        return found.pop()

    def _once(self, exercise, answers, seed):
        cases = exercise.inputs(np.random.default_rng(seed))
        observed = exercise.observe(answers[0] if len(answers) == 1 else tuple(answers), copy.deepcopy(cases))
        if is_untouched(observed):
            return 0
        return sum(verdict.points for verdict in exercise.judge(cases, observed, hidden=True) if verdict.passed)


@cache
def points(number):
    """The :class:`Points` of a lab."""
    return Points(number)


# --- wrong answers as the text of a cell


@cache
def wrong_sources(number):
    """Exercise id -> the texts of plausible wrong answers, whose points do not hang on the seed.

    Wrong answers that are no functions of their module, such as those made by another function, are left out. At most
    two for each exercise.
    """
    import importlib
    from pathlib import Path

    module = importlib.import_module(f"tests.wrong_answers.lab{number}")
    parts = _parts(ast.parse(Path(module.__file__).read_text(encoding="utf-8")))
    found = {}
    for wrong in wrong_answers(number):
        sources = found.setdefault(wrong.exercise, [])
        functions = wrong.answer if isinstance(wrong.answer, tuple) else (wrong.answer,)
        if len(sources) == 2 or not all(f.__name__ in parts for f in functions):
            continue
        wanted = [ast.unparse(a) for a in _check_call(number, wrong.exercise).args[1:]]
        wanted = [name.strip() for name in ",".join(wanted).strip("()").split(",")]
        source = _cell(wrong.exercise, dict(zip([f.__name__ for f in functions], wanted, strict=True)), parts)
        try:
            if points(number).of(wrong.exercise, source) < points(number).full[wrong.exercise]:
                sources.append(source)
        except ValueError:
            continue
    return found


def _check_call(number, exercise):
    for cell in handout(number).truth["cells"]:
        if join(cell["source"]).startswith(f'check("{exercise}"'):
            return ast.parse(join(cell["source"])).body[0].value
    raise LookupError(exercise)


def _parts(tree):
    """What a module defines at its top: name -> statement."""
    parts = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            parts[node.targets[0].id] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            parts |= {(alias.asname or alias.name).partition(".")[0]: node for alias in node.names}
    return parts


def _cell(exercise, renamed, parts):
    """An answer cell with these functions, under the names that the exercise asks for, and what they need above."""
    needed, waiting = [], list(renamed)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.append(name)
        node = copy.deepcopy(parts[name])
        node.decorator_list = []
        waiting += sorted(names_read(ast.unparse(node)) & parts.keys())
    helpers = {name: f"_{name}" for name in needed if isinstance(parts[name], (ast.FunctionDef, ast.Assign))}
    texts = []
    for node in dict.fromkeys(sorted((parts[name] for name in needed), key=lambda node: node.lineno)):
        node = _Renamer(helpers | renamed).visit(copy.deepcopy(node))
        texts.append(ast.unparse(node))
    return f"# Exercise {exercise}\n" + "\n\n\n".join(texts)


class _Renamer(ast.NodeTransformer):
    """Gives functions and constants of a module other names, and takes decorators off."""

    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node):
        node.decorator_list = []
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)
