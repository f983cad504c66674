"""Numbers, moments and text of unknown origin, as people read them in tables and pages."""

import re
from datetime import UTC
from decimal import ROUND_HALF_UP, Decimal

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# What cannot be seen, or turns the text around it: control characters, marks of direction and joiners.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def points(value):
    """`value` with at most two decimals, a half rounded up, as Decimal: the course's one rounding rule for marks.

    Examples
    --------
    >>> points(2 / 3), points(1.005), points("4")
    (Decimal('0.67'), Decimal('1.01'), Decimal('4.00'))
    """
    return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def number(value):
    """Points as text, without zeros at the end; nothing for None.

    Examples
    --------
    >>> number(17), number(2.50), number(16.666), number(None)
    ('17', '2.5', '16.67', '')
    """
    if value is None:
        return ""
    text = f"{points(value):f}"
    return text.rstrip("0").rstrip(".")


def duration(span):
    """A timedelta in its two largest units.

    Examples
    --------
    >>> from datetime import timedelta
    >>> duration(timedelta(days=1, hours=2, seconds=3)), duration(timedelta(minutes=35)), duration(timedelta(0))
    ('1 day 2 h', '35 min', '0 s')
    """
    seconds = int(span.total_seconds())
    parts = []
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        parts.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}" if count else "")
    first = next((i for i, part in enumerate(parts) if part), None)
    return "0 s" if first is None else " ".join(part for part in parts[first : first + 2] if part)


def moment(time):
    """A moment with its offset, such as ``2026-11-20 23:59 UTC+01:00``; nothing for None.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> moment(datetime(2026, 11, 20, 23, 59, tzinfo=timezone(timedelta(hours=1))))
    '2026-11-20 23:59 UTC+01:00'
    """
    if time is None:
        return ""
    shown = time.strftime("%Y-%m-%d %H:%M:%S" if time.second else "%Y-%m-%d %H:%M")
    offset = time.utcoffset()
    if offset is None:
        return shown
    return f"{shown} {UTC if not offset else 'UTC' + time.isoformat()[-6:]}"


def count(number_of, what, many=None):
    """``1 student``, ``2 students``; `many` is the plural where it is not an s."""
    return f"{number_of} {what if number_of == 1 else many or what + 's'}"


def sentence(text):
    """`text` with a capital in front and a full stop behind.

    Examples
    --------
    >>> sentence("it is a PDF"), sentence("Really?"), sentence("")
    ('It is a PDF.', 'Really?', '')
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…", ")")) or not text else ".")


def visible(text, most=None):
    """Text of unknown origin, made fit for a file and an honest reading.

    Colours of a terminal are dropped; characters that are not seen or that turn the direction of the text are shown
    as ``\\u202e``; half characters, which no file can hold, too.

    Parameters
    ----------
    text : str
    most : int or None
        Characters to keep; the cut is said at the end.

    Examples
    --------
    >>> visible("\\x1b[31mred\\x1b[0m a\\u202eb")
    'red a\\\\u202eb'
    """
    text = _ANSI.sub("", str(text)).replace("\r\n", "\n")
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    if most is not None and len(text) > most:
        return text[:most] + f" … ({len(text) - most} more characters)"
    return text
