"""Due dates, extensions, and the penalty for being late."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from utils.course.errors import CourseError
from utils.course.grading.overrides import find_student
from utils.course.grading.tables import read_table
from utils.course.grading.wording import duration, moment, number, points

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_SPAN = r"(\d+(?:\.\d+)?)?\s*(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")\b"
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*%(?:\s*(?:/|per|each|every)\s*" + _SPAN + ")?")
_GRACE = re.compile(r"(?:after|grace(?: of)?)\s+" + _SPAN)
_MOST = re.compile(r"(?:at most|up to|max\.?|maximum)\s+(\d+(?:\.\d+)?)\s*%")
_OF_MAXIMUM = re.compile(r"of the (?:maximum|max)")
_OF_POINTS = re.compile(r"of the points")


@dataclass(frozen=True)
class LateRule:
    """What being late costs.

    Parameters
    ----------
    percent : Decimal
        For each period that has begun.
    period : timedelta or None
        None: once, however late. A day is 24 hours.
    grace : timedelta
        So much later is not late, and periods are counted from there.
    most : Decimal
        No more than so many percent.
    of_maximum : bool
        Percent of the maximum of the lab, not of the points that the student has.
    """

    percent: Decimal
    period: timedelta | None = timedelta(days=1)
    grace: timedelta = timedelta(0)
    most: Decimal = Decimal(100)
    of_maximum: bool = False

    def __str__(self):
        of = "maximum" if self.of_maximum else "points"
        text = f"{number(self.percent)} % of the {of}"
        if self.period is not None:
            text += f" for each {_period(self.period)} begun"
        if self.grace:
            text += f", after {duration(self.grace)} of grace"
        if self.most < 100:
            text += f", at most {number(self.most)} %"
        return text


def parse_rule(text):
    """What ``--late`` says, or None for ``"none"``.

    Examples
    --------
    >>> print(parse_rule("10%/day"))
    10 % of the points for each day begun
    >>> print(parse_rule("5% per 2 hours after 15min, at most 50%"))
    5 % of the points for each 2 h begun, after 15 min of grace, at most 50 %
    >>> print(parse_rule("20% of the maximum"), parse_rule("none"))
    20 % of the maximum None
    """
    rest = " ".join((text or "none").casefold().split())
    if rest in {"none", "no", "0", "0%"}:
        return None
    found = {}
    # The longer clauses first: "at most 50%" holds a percentage, too.
    for name, pattern in (
        ("most", _MOST),
        ("grace", _GRACE),
        ("of maximum", _OF_MAXIMUM),
        ("of points", _OF_POINTS),
        ("rate", _RATE),
    ):
        if match := pattern.search(rest):
            found[name] = match
            rest = rest[: match.start()] + " " + rest[match.end() :]
    if "rate" not in found or rest.strip(" ,;"):
        raise CourseError(
            f"--late has to be such as '10%/day', '10%/day after 15min, at most 50%', '20%' or 'none', got {text!r}"
        )
    percent = Decimal(found["rate"][1])
    most = Decimal(found["most"][1]) if "most" in found else Decimal(100)
    if percent > 100 or most > 100:
        raise CourseError(f"--late cannot take more than 100 %, got {text!r}")
    period = _span(found["rate"][2], found["rate"][3]) if found["rate"][3] else None
    if period is not None and not period:
        raise CourseError(f"--late needs a period longer than nothing, got {text!r}")
    grace = _span(found["grace"][1], found["grace"][2]) if "grace" in found else timedelta(0)
    return LateRule(percent, period, grace, most, "of maximum" in found)


def _span(amount, unit):
    return float(amount or 1) * _UNITS[unit]


def _period(period):
    """``day`` for one day, ``2 h`` for two hours."""
    words = {timedelta(weeks=1): "week", timedelta(days=1): "day", timedelta(hours=1): "hour"}
    return words.get(period) or duration(period)


@dataclass(frozen=True)
class Lateness:
    """How late a submission is, and what that takes off.

    Parameters
    ----------
    late : timedelta
        After the due date; 0 where it is in time, or where one of the two moments is not known.
    periods : int
        Those that have begun after the grace.
    percent : Decimal
        What is taken off.
    """

    late: timedelta = timedelta(0)
    periods: int = 0
    percent: Decimal = Decimal(0)


def lateness(due, submitted, rule):
    """How late `submitted` is, by `rule`: a function of these three alone.

    Parameters
    ----------
    due, submitted : datetime or None
        With their time zones. Without one of them nothing is late.
    rule : LateRule or None

    Returns
    -------
    Lateness

    Examples
    --------
    >>> due = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    >>> late = lateness(due, due + timedelta(hours=25), parse_rule("10%/day"))
    >>> late.periods, int(late.percent)
    (2, 20)
    """
    if due is None or submitted is None:
        return Lateness()
    # Both in UTC: subtracting two times of one zone ignores that its clocks may have been changed in between.
    late = submitted.astimezone(UTC) - due.astimezone(UTC)
    if late <= timedelta(0):
        return Lateness()
    if rule is None or late <= rule.grace:
        return Lateness(late)
    periods = 1 if rule.period is None else -((rule.grace - late) // rule.period)
    return Lateness(late, periods, min(rule.percent * periods, rule.most, Decimal(100)))


def penalty(late, rule, reached, maximum):
    """Points that being late takes off, from 0 to `reached`, to two decimals.

    Parameters
    ----------
    late : Lateness
    rule : LateRule or None
    reached, maximum : Decimal or int
        The sum of the points, and the most that it could be.
    """
    if rule is None:
        return Decimal("0.00")
    base = Decimal(str(maximum if rule.of_maximum else reached))
    return min(points(base * late.percent / 100), points(reached))


def explain(late, rule, due, taken):
    """The penalty in words, for the student; nothing for a submission in time."""
    if not late.late:
        return ""
    text = f"Handed in {duration(late.late)} after it was due ({moment(due)})"
    if rule is None:
        return f"{text}; no points are taken off."
    if not late.percent:
        return f"{text}, which is within the {duration(rule.grace)} of grace; no points are taken off."
    return f"{text}. The rule: {rule}. That is {number(late.percent)} %, and takes {number(taken)} points off."


def parse_due(text, zone=None):
    """The moment that ``--due`` names, and a word about how it was read.

    Parameters
    ----------
    text : str
        ISO 8601: ``2026-11-20T23:59+01:00``, ``2026-11-20 23:59``, ``2026-11-20 23:59 Europe/Berlin``; a day alone is
        due at its end.
    zone : datetime.tzinfo or None
        The zone of a time that names none; None is the zone of this machine.

    Returns
    -------
    moment : datetime
        With its time zone.
    note : str
        Empty where the text named a zone.

    Examples
    --------
    >>> parse_due("2026-11-20 23:59+01:00")
    (datetime.datetime(2026, 11, 20, 23, 59, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600))), '')
    """
    words = text.strip()
    named = re.search(r"\s([A-Za-z]+(?:/[A-Za-z_+-]+)+|UTC|GMT)$", words)
    if named:
        words = words[: named.start()]
        try:
            zone = ZoneInfo(named[1])
        except (KeyError, ValueError, OSError):
            raise CourseError(f"there is no time zone {named[1]!r} on this machine: write +01:00 or the like") from None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", words):
            moment_ = datetime.combine(date.fromisoformat(words) + timedelta(days=1), time(0))
            end = "the end of that day"
        else:
            moment_, end = datetime.fromisoformat(words), ""
    except (ValueError, OverflowError):
        raise CourseError(
            f"a due date is such as '2026-11-20T23:59' or '2026-11-20 23:59+01:00', got {text!r}"
        ) from None
    if moment_.tzinfo is not None:
        if named:
            raise CourseError(f"a due date has one time zone, got {text!r}")
        return moment_, ""
    moment_ = moment_.replace(tzinfo=zone) if zone is not None else moment_.astimezone()
    moment_ = moment_.astimezone(timezone(moment_.utcoffset()))  # adding days must not lose or gain an hour
    if named:
        return moment_, f"{text} is taken as {end}" if end else ""
    taken = f"{end}, {moment(moment_)}" if end else moment(moment_)
    return moment_, f"{text} names no time zone: it is taken as {taken}"


def read_extensions(due, names, path=None, roster=None, zone=None):
    """Due dates of single students: a CSV file with the columns ``student`` and ``due``; the roster's column ``due``.

    ``due`` is a moment, as for :func:`parse_due`, or a span to add to the due date of all: ``+2 days``. The file's
    lines go before the roster's.

    Parameters
    ----------
    due : datetime or None
        Of all. Where it is None nothing is late, and nothing is read.
    names : dict of str to str
        What a student may be called, in lower case -> student.
    path : pathlib.Path or None
    roster : dict of str to str, or None
        Student -> what stands in the roster's column ``due``; may be empty.
    zone : datetime.tzinfo or None
        See :func:`parse_due`.

    Returns
    -------
    dict of str to datetime

    Raises
    ------
    CourseError
        Names the lines whose student or date cannot be understood, or whose date lies before the due date of all.
    """
    if due is None:
        return {}
    extended, problems, first = {}, [], {}
    for student, text in (roster or {}).items():
        try:
            if text.strip():
                extended[student] = _extension(text, due, zone)
        except (ValueError, CourseError) as error:
            problems.append(f"the roster's due date of {student}: {error}")
    if path is not None:
        table = read_table(path)
        student_column, due_column = table.column("student", "student id", "id", "login"), table.column("due")
        if student_column is None or due_column is None:
            raise CourseError(f"{table.name} needs the columns student and due")
        for row in table.rows:
            try:
                student = find_student(row.get(student_column), names)
                if student in first:
                    raise ValueError(f"{student} has an extension in line {first[student]} already")
                first[student] = row.line
                extended[student] = _extension(row.get(due_column), due, zone)
            except (ValueError, CourseError) as error:
                problems.append(f"{table.name}:{row.line}: {error}")
    if problems:
        raise CourseError("\n".join(problems))
    return extended


def _extension(text, due, zone):
    if span := re.fullmatch(r"\+\s*" + _SPAN, text.strip().casefold()):
        return due + _span(*span.groups())
    until, _ = parse_due(text, zone)
    if until < due:
        raise ValueError(f"{text} is before the due date of all, {moment(due)}")
    return until
