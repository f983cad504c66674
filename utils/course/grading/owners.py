"""Whose is each file that came back? Told from folders, from the names that learning platforms give, and the roster."""

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import takewhile

from utils.course.grading.roster import Roster, unique_ids, words

NOTEBOOK = re.compile(r"(?P<stem>.*)(?P<ending>\.ipynb(?:\.(?:txt|json))?|\.py)", re.IGNORECASE | re.DOTALL)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)_?.*", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<number>\d+)_(?P<upload>\d{3,})_.+", re.DOTALL)
_WRAPPERS = {"submissions", "submitted", "submission", "students", "class"}
_NO_STUDENT = {"labs", "notebooks", "solutions", "src", "course", "data", "utils", "tests", "figures", "images"}
_LYING_ABOUT = {".csv", ".xlsx", ".xls", ".ods", ".json", ".md", ".txt", ".yml", ".yaml", ".toml", ".log", ".sh", ""}


@dataclass
class Bundle:
    """All files of one student.

    Parameters
    ----------
    key : str
        What keeps students apart while their files are sorted.
    names : list of str
        Ways to say who it is, the surest first.
    shown : str
        A name to be shown; may be empty.
    files : list of File
    notes : list of str
        For the instructor.
    timed : bool
        Whether the times of the files are those when they were handed in.
    flat : bool
        The files lie at the top and are named by the student.
    person : Person or None
        Of the roster.
    student : str
        The id.
    """

    key: str
    names: list
    shown: str = ""
    files: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    timed: bool = True
    flat: bool = False
    person: object = None
    student: str = ""

    def take_in(self, other):
        """Join what is of the same student."""
        self.files += other.files
        self.notes += [note for note in other.notes if note not in self.notes]
        self.timed &= other.timed
        self.flat &= other.flat


def sort_by_student(received, lab, people=()):
    """The files that came back, by student.

    Parameters
    ----------
    received : Received
    lab : Lab
    people : list of Person
        The roster; may be empty.

    Returns
    -------
    list of Bundle
        Also of students with an empty folder; not of those in the roster from whom nothing came.
    """
    roster = Roster(people)
    layout = _Layout(received, roster)
    bundles = {}
    for file in layout.files:
        bundle = _bundle(file, layout, lab)
        if bundle.key in bundles:
            bundles[bundle.key].take_in(bundle)
        else:
            bundles[bundle.key] = bundle
    for folder in layout.empty:
        bundle = _in_folder(folder, layout)
        bundles.setdefault(bundle.key, bundle)
    return _identified(list(bundles.values()), roster)


def _bundle(file, layout, lab):
    """A bundle of this one file."""
    parts = file.path.split("/")
    top = parts[layout.depth] if len(parts) > layout.depth else parts[-1]
    if found := CANVAS.fullmatch(top):
        notes = ["the learning platform marks it as late"] if found["late"] else []
        # The times in the archive are those of its download.
        bundle = Bundle(f"canvas {found['number']}", [found["number"], found["name"]], notes=notes, timed=False)
    elif len(parts) > layout.depth + 1 or MOODLE.fullmatch(top):
        bundle = _in_folder(top, layout)
    else:
        bundle = _flat(file.name, lab)
    bundle.files.append(file)
    return bundle


def _in_folder(top, layout):
    if found := MOODLE.fullmatch(top):
        shown = "" if found["name"] == "Participant" else found["name"]
        return Bundle(f"moodle {found['number']}", [f"Participant {found['number']}", found["name"]], shown)
    name = re.sub(r"\.zip$", "", top, flags=re.IGNORECASE)
    name = unicodedata.normalize("NFC", name.removeprefix(layout.prefix) or name)
    return Bundle(f"name {name}", list(dict.fromkeys([name, top])), timed=top not in layout.clones)


def _flat(file_name, lab):
    """A file named by its student: ``ada_03_first_cnn.ipynb``, ``03_first_cnn_ada.ipynb``, ``ada.ipynb``."""
    found = NOTEBOOK.fullmatch(file_name)
    stem = found["stem"] if found else file_name.rpartition(".")[0] or file_name
    stem = unicodedata.normalize("NFC", stem)
    student = without_lab(stem, lab)
    notes = [] if student else ["the name of the file does not say whose it is"]
    return Bundle(f"name {student or stem}", [student or stem], notes=notes, flat=True)


_COPY = re.compile(r"(?:[-_ ]+copy\d*|[-_ ]?\(\d+\)|[-_ ]+kopie)+$|^(?:copy of |kopie von )", re.IGNORECASE)


def without_lab(stem, lab):
    """What is left of the name of a file without the lab and the marks of a copy: the student's, if it is there.

    Examples
    --------
    >>> from utils.course.source import Lab
    >>> lab = Lab("03", "first_cnn", None)
    >>> [without_lab(stem, lab) for stem in ("ada_lovelace_03_first_cnn (1)", "Lab3-Ada", "03_first_cnn")]
    ['ada_lovelace', 'Ada', '']
    """
    number, topic = int(lab.number), re.escape(lab.topic).replace("_", "[-_ ]?")
    drop = [rf"(?:lab[-_ ]?)?0?{number}[-_ ]+{topic}", rf"lab[-_ ]?0?{number}", topic]
    drop += ["(?:final|solved|done|submission|answers?|v[0-9])"]
    stem = _COPY.sub("", stem)
    for words_of_no_student in drop:
        stem = re.sub(rf"(?<![^\W_]){words_of_no_student}(?![^\W_])", " ", stem, flags=re.IGNORECASE)
    return _COPY.sub("", stem.strip(" -_.")).strip(" -_.")


# --- what stands around the students' names --------------------------------------------------------------------------


class _Layout:
    """How deep the students' folders lie, and what stands before a student's name in them."""

    def __init__(self, received, roster):
        self.files = received.files
        if "submitted" in received.folders:  # a whole course of nbgrader
            self.files = [file for file in self.files if file.folders[:1] == ("submitted",)]
        self.depth = self._depth(roster)
        before = {file.folders[: self.depth] for file in self.files}
        outer = "/".join(next(iter(before))) + "/" if self.depth and len(before) == 1 else ""
        tops = {outer + file.folders[self.depth] for file in self.files if len(file.folders) > self.depth}
        clones = {top for top in tops if top in received.repositories or f"{top}/labs" in received.folders}
        clones = {top.removeprefix(outer) for top in clones}
        self.prefix = _prefix(clones) if len(clones) > 1 else ""
        if not self.prefix and outer.endswith("-submissions/"):
            self.prefix = outer.split("/")[-2].removesuffix("submissions")
        self.clones = {top.removeprefix(outer) for top in tops if top in received.repositories}
        held = {folder for file in received.files for folder in _above(file.path)}
        self.empty = sorted(
            folder.removeprefix(outer)
            for folder in received.folders - held
            if folder.startswith(outer) and "/" not in folder.removeprefix(outer)
        )

    def _depth(self, roster):
        """How many folders lie around those of the students."""
        depth = self._wrapped()
        if not roster.people:
            return depth
        known = {}
        for deeper in range(depth, depth + 3):  # sections or tutorial groups may lie around them
            places = {file.folders[: deeper + 1] for file in self.files if len(file.folders) > deeper}
            known[deeper] = sum(roster.exact(place[-1]) is not None for place in places)
        return max(known, key=lambda deeper: (known[deeper], -deeper))

    def _wrapped(self):
        """How many folders hold everything: those of an archive, not the one folder of the one student."""
        depth = 0
        while True:
            names = {file.folders[depth] if len(file.folders) > depth else None for file in self.files}
            if len(names) != 1 or None in names:
                return depth
            (name,) = names
            inner = [file.path.split("/")[depth + 1] for file in self.files]
            students = {part for file, part in zip(self.files, inner, strict=True) if len(file.folders) > depth + 1}
            from_platform = any(MOODLE.fullmatch(part) or CANVAS.fullmatch(part) for part in inner)
            alone = any(NOTEBOOK.fullmatch(part) for part in inner) or len(students - _NO_STUDENT) < 2
            called_so = not _WRAPPERS.isdisjoint(words(name)[-1:])
            if MOODLE.fullmatch(name) or (alone and not from_platform and not called_so):
                return depth
            depth += 1


def _above(path):
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _prefix(names):
    """``assignment-``, which all of these names begin with."""
    shared = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    head, dash, _ = "".join(letters[0] for letters in shared).rpartition("-")
    return head + dash


# --- ids -------------------------------------------------------------------------------------------------------------


def _identified(bundles, roster):
    """The bundles with their ids; those of one student of the roster become one."""
    for bundle in bundles:
        bundle.person = roster.exact(*bundle.names)
    known = {bundle.person.student for bundle in bundles if bundle.person}
    bundles = [bundle for bundle in bundles if bundle.person or _is_handed_in(bundle)]
    for bundle in bundles:
        if not roster.people or bundle.person:
            continue
        guess = roster.partly(*bundle.names)
        if guess and guess.student not in known:
            known.add(guess.student)
            bundle.person = guess
            bundle.notes.append(f"taken for {guess.name} of the roster, by a part of the name")
        else:
            bundle.notes.append("not in the roster, or several are called so")
    students = {}
    for bundle in bundles:
        key = f"roster {bundle.person.student}" if bundle.person else bundle.key
        if key in students:
            students[key].take_in(bundle)
        else:
            students[key] = bundle
    strangers = [bundle for bundle in students.values() if not bundle.person]
    labels = _labels(strangers)
    ids = unique_ids(labels.values(), taken=[person.student for person in roster.people])
    for bundle in students.values():
        if bundle.person:
            bundle.student, bundle.shown = bundle.person.student, bundle.person.name or bundle.shown
        else:
            bundle.student = ids[labels[bundle.key]]
    return list(students.values())


def _is_handed_in(bundle):
    """A roster, a read-me or an archive's log at the top is nobody's submission."""
    endings = [file.name[file.name.rfind(".") :].lower() if "." in file.name else "" for file in bundle.files]
    return not bundle.flat or any(
        ending not in _LYING_ABOUT or file.problem for ending, file in zip(endings, bundle.files, strict=True)
    )


def _labels(bundles):
    """A name for each student whom no roster names, with the platform's number where two are called the same."""
    plain = {
        bundle.key: bundle.shown or bundle.names[-1 if bundle.key.startswith("canvas ") else 0] for bundle in bundles
    }
    labels = {}
    for key, label in plain.items():
        if not key.startswith("name ") and sum(other == label for other in plain.values()) > 1:
            label = f"{label} {key.rpartition(' ')[2]}"
        labels[key] = label if label not in labels.values() else f"{label} {key}"
    return labels
