"""Who is in the class: the roster, as learning platforms export it, and which of its students a name means."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from utils.course.errors import CourseError
from utils.course.grading.tables import read_table

# What columns are called, in the order in which they are taken for the student's id.
_IDS = (
    ("student id", "student number", "matriculation number", "matriculation", "id number"),
    ("username", "user name", "user", "login", "login id", "sis login id", "netid"),
    ("sis user id", "sis id", "sis"),
    ("id", "identifier"),
    ("github username", "github", "github id"),
)
_NAME = ("name", "full name", "display name", "student name")
_FIRST, _LAST = ("first name", "given name", "firstname"), ("last name", "surname", "family name", "lastname")
_EMAIL = ("email", "e-mail", "email address", "e-mail address", "mail")
_SUBMITTED = ("submitted", "submission time", "submitted at", "last modified (submission)")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
)
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


@dataclass(frozen=True)
class Person:
    """A student of the class.

    Parameters
    ----------
    student : str
        The id, safe as the name of a file and unique.
    name : str
        To be shown, such as ``"Ada Lovelace"``; may be empty.
    submitted : datetime or None
        Where the roster says when the student handed in.
    aliases : tuple of str
        Ids, login names and addresses that mean this student, as the roster has them.
    row : dict
        The roster's own line: column -> text.
    """

    student: str
    name: str
    submitted: datetime | None = None
    aliases: tuple[str, ...] = ()
    row: dict = field(default_factory=dict, compare=False)


def read_roster(path):
    """The students of a roster, a CSV file; columns are recognised by their names, in any order and case.

    Parameters
    ----------
    path : str or pathlib.Path
        Such as the gradebook that Canvas exports, Moodle's grading worksheet, the roster of GitHub Classroom, or a
        table with the columns id, name, email.

    Returns
    -------
    list of Person

    Raises
    ------
    CourseError
        Where no column says who a student is, or one id stands there twice.
    """
    table = read_table(path)
    columns = _columns(table)
    people, lines = [], {}
    for row in table.rows:
        name = _display_name(row, columns)
        keys = [row.get(column) for column in columns["ids"] if row.get(column)]
        if name in ("Points Possible", "Student, Test", "Test Student"):  # lines that Canvas adds
            continue
        if not keys and not row.get(columns["email"]) and not name:
            continue
        key = keys[0] if keys else row.get(columns["email"]) or name
        if key.casefold() in lines:
            raise CourseError(f"{table.name}:{row.line}: {key} stands in line {lines[key.casefold()]} already")
        lines[key.casefold()] = row.line
        aliases = [*keys, row.get(columns["email"])]
        submitted = read_moment(row.get(columns["submitted"]))
        people.append(Person(key, name, submitted, tuple(alias for alias in aliases if alias), row.values))
    ids = unique_ids([person.student for person in people])
    return [Person(ids[p.student], p.name, p.submitted, p.aliases, p.row) for p in people]


def _columns(table):
    """The columns by what they tell. Canvas calls the column of the names ``Student``, others that of the ids."""
    canvas = table.column("student") and table.column("sis user id", "sis login id", "section")
    ids = [table.column(*names) for names in _IDS]
    name = table.column(*_NAME)
    if canvas:
        name, ids = table.column("student"), [table.column("sis login id"), *ids]
    else:
        ids = [table.column("student"), *ids]
    first, last = table.column(*_FIRST), table.column(*_LAST)
    found = {
        "ids": list(dict.fromkeys(column for column in ids if column)),
        "names": [name] if name else [column for column in (first, last) if column],
        "email": table.column(*_EMAIL),
        "submitted": table.column(*_SUBMITTED),
    }
    if not (found["ids"] or found["names"] or found["email"]):
        raise CourseError(
            f"{table.name} has the columns {', '.join(table.columns)}; none of them says who a student is: "
            "wanted are id, name and email"
        )
    return found


def _display_name(row, columns):
    name = " ".join(row.get(column) for column in columns["names"]).strip()
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma and first.strip() and "," not in first else name


_MOMENTS = (
    "%A, %d %B %Y, %I:%M %p",
    "%A, %d %B %Y, %H:%M",
    "%d %B %Y, %I:%M %p",
    "%d %B %Y, %H:%M",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%d %H:%M:%S %Z",
    "%Y-%m-%d %H:%M:%S.%f %Z",
)


def read_moment(text):
    """A moment out of a table, with its time zone (this machine's where none is said); None where there is none.

    Examples
    --------
    >>> read_moment("2026-11-20T23:59:00+01:00").isoformat()
    '2026-11-20T23:59:00+01:00'
    >>> read_moment("Friday, 20 November 2026, 11:59 PM").replace(tzinfo=None).isoformat()
    '2026-11-20T23:59:00'
    >>> read_moment("-") is None
    True
    """
    text = " ".join(text.split())
    found = None
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        for form in _MOMENTS:
            try:
                found = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if found is None:
        return None
    return found if found.tzinfo else found.astimezone()


def words(name):
    """The words of a name, small and without accents.

    Examples
    --------
    >>> words("Søren O'Brien-Núñez")
    ('soren', 'o', 'brien', 'nunez')
    """
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS).casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(re.findall(r"[^\W_]+", plain))


def safe_id(name):
    """`name` as the name of a file on every system, at most 60 characters; accents fall, other scripts stay.

    Examples
    --------
    >>> safe_id("Ada Lovelace"), safe_id("../Zoë Müller"), safe_id("con"), safe_id("王小明"), safe_id("=1+1")
    ('Ada_Lovelace', 'Zoe_Muller', 'con_', '王小明', '1+1')
    """
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = unicodedata.normalize("NFC", "".join(letter for letter in plain if not unicodedata.combining(letter)))
    plain = re.sub(r"[^\w.@+-]+", "_", plain)[:60].strip("._-+@") or "student"
    return f"{plain}_" if plain.partition(".")[0].casefold() in _DEVICES else plain


def unique_ids(names, taken=()):
    """A safe id for each name. Where names collapse into one, those that are not the id itself get a stable suffix.

    Parameters
    ----------
    names : iterable of str
    taken : iterable of str
        Ids that are given already.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> unique_ids(["ada", "Bob X", "bob_x"])
    {'ada': 'ada', 'Bob X': 'Bob_X-17d759', 'bob_x': 'bob_x'}
    """
    taken = {identity.casefold() for identity in taken}
    rivals = {}
    for name in dict.fromkeys(names):
        rivals.setdefault(safe_id(name).casefold(), []).append(name)
    ids = {}
    for identity, claims in rivals.items():
        as_they_are = [name for name in claims if safe_id(name) == name]
        for name in claims:
            free = identity not in taken and (len(claims) == 1 or as_they_are == [name])
            suffix = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
            ids[name] = safe_id(name) if free else f"{safe_id(name)}-{suffix}"
    return ids


class Roster:
    """Finds the student that a folder's or file's name means.

    Parameters
    ----------
    people : list of Person
    """

    def __init__(self, people):
        self.people = people
        self._exact = {}
        for person in people:
            for key in self._keys(person):
                self._exact.setdefault(key, set()).add(person.student)
        self._by_id = {person.student: person for person in people}

    @staticmethod
    def _keys(person):
        """Ways to write a student: ids, addresses, the name's words in either order, joined or not."""
        for alias in (person.student, *person.aliases):
            if alias:
                yield alias.casefold()
                yield words(alias)
                if "@" in alias:
                    yield alias.partition("@")[0].casefold()
                    yield words(alias.partition("@")[0])
        own = words(person.name)
        for turn in range(len(own)):
            yield own[turn:] + own[:turn]
            yield ("".join(own[turn:] + own[:turn]),)
        if own:
            yield tuple(sorted(own))

    def exact(self, *names):
        """The student that one of these names means, as it stands in the roster; None where it is none or several."""
        for name in names:
            own = words(name)
            for key in (name.casefold().strip(), own, tuple(sorted(own))):
                if key and len(found := self._exact.get(key, ())) == 1:
                    return self._by_id[next(iter(found))]
        return None

    def partly(self, *names):
        """The one student whose name has all words of one of these names; None where it is none or several."""
        for name in names:
            own = {word for word in words(name) if not word.isdigit()}
            found = [person for person in self.people if own and own <= set(words(person.name))]
            if len(found) == 1:
                return found[0]
        return None
