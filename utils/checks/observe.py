"""Run a student's function and keep what happened as plain data.

:func:`run` never raises because of what the function does. Its outcome is a dictionary

``value``
    what came back, as plain data: None, bool, int, float, str, arrays, and lists and dictionaries of these;
``problem``
    None, or ``{"kind", "message"}`` with a text for the student;
``printed``
    the end of what the function printed.
"""

import contextlib
import copy
import io
import linecache
import re
import sys
import sysconfig
import types
import warnings
from pathlib import Path

import numpy as np

NOT_ATTEMPTED = "not attempted"
LARGEST = 200_000_000  # bytes of one returned array
OURS = str(Path(__file__).resolve().parents[1])
_OF_TENSORFLOW = re.compile(
    r"\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]( name:\s?\S*)?"
)  # its inner names, of no use to a student
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def run(function, *args, **kwargs):
    """Call ``function(*args, **kwargs)`` on copies of its arguments and return the outcome.

    Parameters
    ----------
    function : callable
        The student's answer, or a function of the check that calls it.
    *args, **kwargs
        Plain data; the function gets copies, and is told when it changed one of them in place.

    Returns
    -------
    dict
        ``value``, ``problem``, ``printed``: see the module's docstring.

    Examples
    --------
    >>> run(lambda x: 2 * x, 21)["value"]
    42
    >>> run(lambda x: 1 / x, 0)["problem"]["kind"]
    'exception'
    """
    if not callable(function):
        return _outcome(problem=("wrong type", f"expected a function, got {type(function).__name__}"))
    given = copy.deepcopy((args, kwargs))
    printed = io.StringIO()
    value, problem = None, None
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = plain(function(*given[0], **given[1]))
    except KeyboardInterrupt:
        raise
    except NotPlain as error:
        problem = ("wrong type", str(error))
    except NotImplementedError as error:
        problem = (NOT_ATTEMPTED, str(error)) if str(error).startswith("Exercise ") else _describe(error)
    except BaseException as error:  # whatever a student's function does becomes a verdict
        problem = _describe(error)
    if problem is None and (changed := _changed((args, kwargs), given)):
        problem = ("changed input", f"the function changed {changed} in place: work on a copy, or make a new array")
    return _outcome(value, problem, printed.getvalue())


class NotPlain(Exception):
    """A value that cannot be judged because it is not numbers, text, arrays, or lists and dictionaries of these."""


def plain(value, depth=0):
    """`value` as plain data: tensors become arrays, tuples lists; raises :class:`NotPlain` for anything else."""
    if depth > 8:
        raise NotPlain("the function returned lists nested more than eight deep")
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray) and _is_tensor(value):
        value = sys.modules["keras"].ops.convert_to_numpy(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufcU":
            raise NotPlain(f"the function returned an array of {value.dtype.name}: rows of different lengths?")
        if value.nbytes > LARGEST:
            raise NotPlain(f"the function returned an array of shape {value.shape}, far larger than it should be")
        return np.array(value)
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (types.GeneratorType, map, filter, zip, range)):
        raise NotPlain(f"the function returned a {type(value).__name__} object: return a list or an array")
    raise NotPlain(f"the function returned a {type(value).__name__}, which cannot be compared with numbers")


class Observations(dict):
    """Outcomes by case; ``observed["case"]`` is the value, and raises the readable verdict where there is none."""

    def __getitem__(self, case):
        from utils.checks.expect import NotYet

        if case not in self:
            raise NotYet(f"nothing was observed for the case {case!r}")
        outcome = super().__getitem__(case)
        if outcome["problem"]:
            raise NotYet(f"in the case {case!r}: {outcome['problem']['message']}")
        if outcome["value"] is None and outcome["printed"]:
            raise NotYet(f"in the case {case!r}: the function returned None but printed something: return it instead")
        return outcome["value"]


def _outcome(value=None, problem=None, printed=""):
    return {
        "value": value,
        "problem": None if problem is None else {"kind": problem[0], "message": problem[1]},
        "printed": printed[-2000:],
    }


def _is_tensor(value):
    keras = sys.modules.get("keras")
    return keras is not None and keras.ops.is_tensor(value)


def _describe(error):
    """The exception in words, with the line of the student's own code that it came from."""
    name = type(error).__name__
    try:
        text = _OF_TENSORFLOW.sub("", " ".join(str(error).split()))
    except Exception:
        text = "(an exception without a readable text)"
    if isinstance(error, RecursionError):
        text = "the function calls itself without end"
    if isinstance(error, SystemExit):
        text = "a function must not end the program"
    text = text if len(text) <= 300 else text[:297] + "..."
    message = f"{name}: {text}" if text else name
    if line := _own_line(error):
        message += f"\nin your line {line[0]}: {line[1]}"
    elif isinstance(error, TypeError) and "unexpected keyword argument" in text:
        message += "\nKeep the names of the arguments as the exercise has them."
    return "exception", message


def _own_line(error):
    """(number, text) of the deepest line that is neither the course's nor an installed package's."""
    found, trace = None, error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if not filename.startswith((OURS, *INSTALLED)) and not filename.startswith("<frozen"):
            text = linecache.getline(filename, trace.tb_lineno).strip()
            if text:
                found = trace.tb_lineno, text
        trace = trace.tb_next
    return found


def _changed(before, after):
    """Name of the first argument that is no longer what it was, or None."""
    named_before = [*(("an argument", value) for value in before[0]), *before[1].items()]
    named_after = [*(("an argument", value) for value in after[0]), *after[1].items()]
    for (name, old), (_, new) in zip(named_before, named_after, strict=True):
        if not _identical(old, new):
            return f"`{name}`" if name != "an argument" else name
    return None


def _identical(old, new):
    if isinstance(old, np.ndarray):
        return (
            isinstance(new, np.ndarray)
            and old.shape == new.shape
            and np.array_equal(old, new, equal_nan=old.dtype.kind in "fc")
        )
    if isinstance(old, (list, tuple)):
        return len(old) == len(new) and all(_identical(a, b) for a, b in zip(old, new, strict=True))
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_identical(old[key], new[key]) for key in old)
    if isinstance(old, (bool, int, float, complex, str)):
        return old == new or old != old
    return True
