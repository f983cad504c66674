"""Say "do exercise 1.4 first" where Python would say "name 'features' is not defined".

A cell that calls an exercise which is not written yet stops with NotImplementedError, and whatever it would have
assigned is missing from then on. :func:`explain_missing_names` makes the notebook remember these names, and shows the
later NameError as what it is: the same exercise, still open.
"""

import ast
import re

_handler = None


def explain_missing_names():
    """Install the explanation in the running IPython; does nothing outside IPython or when called again."""
    global _handler
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return
    shell = get_ipython()
    if shell is None or _handler is not None:
        return
    _handler = MissingNames()
    shell.set_custom_exc((NameError, NotImplementedError), _handler.show)
    shell.events.register("post_run_cell", _handler.after_cell)


class MissingNames:
    """Names that a stopped cell would have assigned, and the exercise at which it stopped."""

    def __init__(self):
        self.waiting_for = {}
        self.just_explained = None

    def show(self, shell, kind, error, trace, tb_offset=None):
        """Show an error; in one line, as NotImplementedError, where an open exercise is the reason."""
        exercise = self.waiting_for.get(getattr(error, "name", None))
        if exercise is not None:
            self.just_explained = exercise
            text = (
                f"{exercise} comes first: `{error.name}` is made by a cell above that stopped there. "
                "Once the exercise is written, run that cell again."
            )
        elif kind is NotImplementedError and re.fullmatch(r"Exercise \d+\.\d+", str(error)):
            text = f"{error} is still to be written. {_way_on(str(error).split()[1])}".strip()
        else:
            lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
            shell._showtraceback(kind, error, lines)
            return lines
        lines = [f"NotImplementedError: {text}"]
        shell._showtraceback(NotImplementedError, NotImplementedError(text), lines)
        return lines

    def after_cell(self, result):
        """Remember what a stopped cell left undone; forget it once a cell has run."""
        try:
            names = assigned_names(result.info.raw_cell or "")
        except SyntaxError:  # magics, shell commands, or a slip of the pen
            return
        explained, self.just_explained = self.just_explained, None
        error = result.error_in_exec
        if error is None:
            exercise = None
        elif isinstance(error, NotImplementedError) and str(error).startswith("Exercise "):
            exercise = str(error).split(" comes first")[0]
        else:
            exercise = explained
        for name in names:
            if exercise is None:
                self.waiting_for.pop(name, None)
            else:
                self.waiting_for[name] = exercise


def _way_on(exercise_id):
    """What helps with an open exercise; a copy of the course without judges has no references either."""
    from utils.checks.exercise import find

    try:
        judged = find(exercise_id).subtests()
    except ValueError:
        return ""
    if judged:
        return f'To go on without it: give its function reference("{exercise_id}").'
    return f'hint("{exercise_id}") helps, one step at a time.'


def assigned_names(source):
    """Names that the top level of a cell binds.

    Examples
    --------
    >>> sorted(assigned_names("import numpy as np\\nx, y = f(z)\\nfor i in range(3):\\n    total = i"))
    ['i', 'np', 'total', 'x', 'y']
    """
    names = set()

    def collect(node):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            return
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        for child in ast.iter_child_nodes(node):
            collect(child)

    collect(ast.parse(source))
    return names
