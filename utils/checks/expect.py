"""Comparisons for sub-tests: each returns nothing when all is well and raises :class:`NotYet` with a readable text.

The texts are the same on every machine: few digits, no paths, no timings. A comparison may be told the values that
well-known mistakes produce (``mistakes={"what went wrong": value}``); when the answer equals one of these, the text
names the mistake.
"""

import numpy as np


class NotYet(Exception):
    """A sub-test is not passed; the text says what was expected, what came and, where known, which mistake it is."""


def close(got, want, what, rtol=1e-5, atol=1e-7, mistakes=None):
    """Numbers equal within ``atol + rtol * |want|``, and of the same shape.

    Parameters
    ----------
    got : array_like or None
        What the student's function returned.
    want : array_like
        What the oracle says.
    what : str
        The name of the quantity in the message.
    mistakes : dict of str to array_like
        Values that known mistakes produce, by the sentence that explains each.

    Examples
    --------
    >>> close([1.0, 2.0], [1.0, 2.0], "slope")
    >>> close(2.0, 1.0, "slope", mistakes={"Divide the difference by two.": 2.0})
    Traceback (most recent call last):
    ...
    utils.checks.expect.NotYet: slope: expected 1, got 2. Divide the difference by two.
    """
    got, want = _numbers(got, what), np.asarray(want)
    if got.shape == want.shape and np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True):
        return
    reason = _recognise(got, mistakes, lambda wrong: np.allclose(got, wrong, rtol=rtol, atol=atol, equal_nan=True))
    if got.shape != want.shape:
        raise NotYet(f"{what}: expected shape {want.shape}, got {got.shape}.{reason}")
    if np.isnan(got).any() and not np.isnan(want).any():
        raise NotYet(f"{what}: {int(np.isnan(got).sum())} of {got.size} values are NaN.{reason}")
    raise NotYet(
        f"{what}: {_difference(got, want, ~np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True))}{reason}"
    )


def equal(got, want, what, mistakes=None):
    """The same value: numbers, strings, lists, or arrays of integers."""
    if _same(got, want):
        return
    reason = _recognise(got, mistakes, lambda wrong: _same(got, wrong))
    raise NotYet(f"{what}: expected {show(want)}, got {show(got)}.{reason}")


def shape(got, want, what, mistakes=None):
    """An array of shape `want`; None in `want` stands for any length."""
    got = _numbers(got, what).shape
    if len(got) == len(want) and all(w is None or g == w for g, w in zip(got, want, strict=True)):
        return
    reason = _recognise(got, mistakes, lambda wrong: got == tuple(wrong))
    wanted = "(" + ", ".join("any" if w is None else str(w) for w in want) + ("," if len(want) == 1 else "") + ")"
    raise NotYet(f"{what}: expected shape {wanted}, got {got}.{reason}")


def between(got, low, high, what):
    """Every number from `low` to `high`, both included; NaN never is."""
    got = _numbers(got, what)
    if not np.all((got >= low) & (got <= high)):
        bad = got if got.ndim == 0 else got[~((got >= low) & (got <= high))].ravel()[0]
        raise NotYet(f"{what}: expected from {show(low)} to {show(high)}, got {show(bad)}.")


def true(condition, message):
    """`condition` holds; otherwise `message` is what the student reads."""
    if not condition:
        raise NotYet(message)


def show(value, limit=6):
    """A value as short text with few digits, the same on every machine.

    Examples
    --------
    >>> show(0.1234567), show([1, 2.5]), show("left")
    ('0.1235', '[1, 2.5]', "'left'")
    >>> import numpy as np
    >>> show(np.zeros((30, 40)))
    'an array of shape (30, 40)'
    """
    if value is None or isinstance(value, (str, bool, np.bool_)):
        text = repr(value) if not isinstance(value, np.bool_) else str(bool(value))
        return text if len(text) <= 80 else text[:77] + "..."
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    if isinstance(value, dict):
        inner = ", ".join(f"{key!r}: {show(item)}" for key, item in list(value.items())[:limit])
        return "{" + inner + (", ..." if len(value) > limit else "") + "}"
    if isinstance(value, (list, tuple)) and len(value) > limit:
        return f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(show(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    array = np.asarray(value)
    if array.ndim == 0:
        return show(array.item())
    return show(array.tolist()) if array.size <= limit else f"an array of shape {array.shape}"


def _numbers(got, what):
    if got is None:
        raise NotYet(f"{what}: got None. Does the function end with a return?")
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "biufc":
            raise TypeError
    except (TypeError, ValueError):
        raise NotYet(f"{what}: expected numbers, got {show(got)}.") from None
    return array


def _same(got, want):
    if isinstance(want, (np.ndarray, list, tuple)) and isinstance(got, (np.ndarray, list, tuple)):
        try:
            return np.array_equal(np.asarray(got), np.asarray(want))
        except ValueError:
            return False
    if isinstance(want, bool) or isinstance(got, (bool, np.bool_)):
        return isinstance(want, (bool, np.bool_)) and isinstance(got, (bool, np.bool_)) and bool(got) == bool(want)
    try:
        return bool(got == want)
    except ValueError:
        return False


def _recognise(got, mistakes, equals):
    for sentence, wrong in (mistakes or {}).items():
        try:
            if np.shape(got) == np.shape(wrong) and equals(wrong):
                return f" {sentence}"
        except (TypeError, ValueError):
            continue
    return ""


def _difference(got, want, differs):
    if got.size <= 6 and show(want) != show(got):
        return f"expected {show(want)}, got {show(got)}."
    where = tuple(int(i) for i in np.argwhere(differs)[0])
    place = f" at [{', '.join(str(i) for i in where)}]" if where else ""
    expected, came = _distinct(want[where].item(), got[where].item())
    return f"expected {expected}{place}, got {came}; {int(differs.sum())} of {got.size} values differ."


def _distinct(want, got):
    """Two numbers with as many digits as it takes to tell them apart."""
    texts = show(want), show(got)
    for digits in range(5, 17):
        if texts[0] != texts[1]:
            break
        texts = f"{want:.{digits}g}", f"{got:.{digits}g}"
    return texts
