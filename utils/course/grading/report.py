"""The instructor's page: how the class did, what was too hard, and where to look."""

import math
import re
import statistics
from bisect import bisect
from collections import Counter
from itertools import pairwise
from urllib.parse import quote

from utils.course.grading.gradebook import FEEDBACK
from utils.course.grading.marks import look
from utils.course.grading.pages import code, render, script_hash, styles
from utils.course.grading.wording import count, duration, number, visible

COLUMNS = 10  # of the distribution, at most
SIDE_BY_SIDE = 4  # answers of a group that are shown
HARDEST = 8  # sub-tests that are shown at once
TOO_HARD = 50  # percent
LONGEST = 180  # characters of a reason


def report_page(entries, exercises, review, pages, title, facts=(), warnings=()):
    """The instructor's page.

    Parameters
    ----------
    entries : list of Entry
        Of the whole class.
    exercises : list of dict
        As :func:`~utils.course.grading.marks.exercise_table` gives.
    review : Review
    pages : dict of str to str
        Student -> name of the feedback's file.
    title : str
    facts : sequence of (str, str)
        How it was graded: what, and its value.
    warnings : sequence of str
        What the instructor must not miss.

    Returns
    -------
    str
        HTML in one file; its tables are sorted by a click where scripts run, and stand by themselves where they do not.
    """
    students = [_student(entry, review, pages) for entry in entries]
    graded = [entry for entry in entries if entry.status == "graded"]
    totals = [float(entry.total) for entry in entries if entry.settled]
    maximum = max((entry.maximum for entry in entries), default=0)
    columns = distribution(totals, float(maximum))
    attention = [student for student in students if student["entry"].status != "graded"]
    attention.sort(key=lambda s: (["failed", "unreadable", "missing"].index(s["entry"].status), s["entry"].student))
    script = styles("report.js")
    return render(
        "report.html",
        title=title,
        script=script,
        script_hash=script_hash(str(script)),
        summary=_summary(graded),
        warnings=list(warnings) if any("isolation" in text for text in warnings) else [*warnings, *_warnings(graded)],
        students=students,
        graded=len(graded),
        settled=len(totals),
        median=statistics.median(totals) if totals else None,
        mean=statistics.fmean(totals) if totals else None,
        maximum=maximum,
        columns=columns,
        edges=[*(column["from"] for column in columns), number(maximum)],
        spoken=", ".join(f"{column['label']}: {column['count']}" for column in columns),
        attention=attention,
        troubled=any(student["entry"].status != "missing" for student in attention),
        exercises=[_success(exercise, graded) for exercise in exercises],
        subtests=_subtests(exercises, graded),
        hardest=HARDEST,
        flagged=[student for student in students if student["asking"]],
        remarks=[(s["entry"].student, flag) for s in students for flag in s["flags"] if not flag.asks],
        groups=[_group(group, review.groups, entries) for group in review.groups],
        common=review.common,
        any_by_hand=any(entry.by_hand for entry in entries),
        notes=[student for student in students if student["notes"]],
        facts=[*facts, *_facts(graded)],
    )


def _student(entry, review, pages):
    """What the template shows of a student."""
    result, flags = entry.result, review.flags.get(entry.student, ())
    known = entry.status != "failed" or entry.by_hand
    sources = {exercise["id"]: exercise.get("source", "") for exercise in result["exercises"]}
    return {
        "entry": entry,
        "anchor": re.sub(r"[^0-9A-Za-z_-]", lambda found: f".{ord(found[0]):x}", entry.student),
        "page": f"{FEEDBACK}/{quote(pages[entry.student])}",
        "total": number(entry.total) if known else "",
        "cells": [
            {"points": number(e["points"]) if known else "", "look": look(e), "by_hand": bool(e.get("by_hand"))}
            for e in result["exercises"]
        ],
        "late": duration(entry.late.late) if entry.late.late else "",
        "late_seconds": int(entry.late.late.total_seconds()) or "",
        "seconds": f"{result['seconds']:.1f}" if result.get("seconds") else "",
        "flags": flags,
        "asking": sum(flag.asks for flag in flags),
        "review": _review(flags, sources),
        "notes": list(dict.fromkeys([*entry.notes, *_cell_notes(result)])),
    }


def _cell_notes(result):
    return [f"{e['id']}: {e['note']}" for e in result["exercises"] if e.get("note")]


def _review(flags, sources):
    """The flags that ask for a look, by exercise, each with the answer's code."""
    parts = {}
    for flag in flags:
        if flag.asks:
            parts.setdefault(flag.exercise, []).append(flag)
    return [
        {
            "exercise": exercise,
            "kinds": [(kind, [f for f in own if f.kind == kind]) for kind in dict.fromkeys(f.kind for f in own)],
            "code": code(sources[exercise], {line for flag in own for line in flag.lines})
            if sources.get(exercise)
            else "",
        }
        for exercise, own in parts.items()
    ]


def distribution(totals, maximum):
    """Columns of the marks: label, where it begins, number of students, and height in pixels.

    All are equally many whole points wide, but for the last one, which may be narrower; it holds the maximum too.
    """
    if not totals or not maximum:
        return []
    edges = [*range(0, math.ceil(maximum), math.ceil(maximum / COLUMNS)), maximum]
    counts = Counter(min(bisect(edges, total), len(edges) - 1) for total in totals)
    return [
        {
            "label": f"{number(start)}–{number(end)}",
            "from": number(start),
            "count": counts[i],
            "height": round(120 * counts[i] / max(counts.values()), 1),
        }
        for i, (start, end) in enumerate(pairwise(edges), start=1)
    ]


def _success(exercise, graded):
    """How an exercise went: students by how they did, and the share of its points that were reached."""
    answers = [e for entry in graded for e in entry.result["exercises"] if e["id"] == exercise["id"]]
    looks = Counter(map(look, answers))
    reached = sum(float(e["points"]) for e in answers)
    most = exercise["max"] * len(answers)
    share = round(100 * reached / most) if most else 0
    return {
        "id": exercise["id"],
        "title": exercise["title"],
        "correct": looks["correct"],
        "open": looks["open"],
        "share": share,
        "hard": bool(most) and share < TOO_HARD,
        "parts": [
            (kind, round(100 * looks[kind] / len(answers), 2))
            for kind in ("correct", "part", "wrong", "open")
            if answers
        ],
        "spoken": ", ".join(
            f"{looks[kind]} {words}"
            for kind, words in (
                ("correct", "correct"),
                ("part", "in part"),
                ("wrong", "not"),
                ("open", "not attempted"),
            )
        ),
    }


def _subtests(exercises, graded):
    """Each sub-test of the lab: how many passed it, of those who attempted the exercise. The hardest first."""
    rows = []
    for exercise in exercises:
        for wanted in exercise["subtests"]:
            found = [
                subtest
                for entry in graded
                for e in entry.result["exercises"]
                if e["id"] == exercise["id"] and e["state"] not in {"not attempted", "missing"}
                for subtest in e["subtests"]
                if subtest["name"] == wanted["name"]
            ]
            passed = sum(subtest["passed"] for subtest in found)
            share = round(100 * passed / len(found)) if found else 100
            reason, times = _most_frequent(s.get("message", "") for s in found if not s["passed"])
            rows.append(
                {
                    "order": len(rows),
                    "exercise": exercise["id"],
                    "name": wanted["name"],
                    "hidden": wanted["hidden"],
                    "passed": passed,
                    "tried": len(found),
                    "share": share,
                    "hard": bool(found) and share < TOO_HARD,
                    "reason": visible(reason, LONGEST),
                    "times": times,
                }
            )
    return sorted(rows, key=lambda row: (row["share"], row["order"]))


def _most_frequent(messages):
    """The most frequent message, numbers not looked at, and how often it came: ("", 0) where there is none."""
    alike = {}
    for message in sorted(filter(None, messages)):
        alike.setdefault(re.sub(r"\d+(?:\.\d+)?", "#", message), []).append(message)
    most = min(alike.values(), key=lambda found: (-len(found), found[0]), default=[])
    return (most[0], len(most)) if most else ("", 0)


def _group(group, groups, entries):
    """What the template shows of a group of answers that are alike."""
    sources = {
        entry.student: next((e["source"] for e in entry.result["exercises"] if e["id"] == group.exercise), "")
        for entry in entries
        if entry.student in group.students
    }
    also = [
        other.exercise
        for other in groups
        if other.exercise != group.exercise and len(set(other.students) & set(group.students)) > 1
    ]
    words = "The same but for names, comments and layout." if group.same else f"Alike to {group.likeness:.0%}."
    if group.published:
        words += " It is the published solution."
    return {
        "exercise": group.exercise,
        "students": group.students,
        "words": words,
        "also": list(dict.fromkeys(also)),
        "codes": [(student, code(sources[student])) for student in group.students[:SIDE_BY_SIDE]],
        "more": max(len(group.students) - SIDE_BY_SIDE, 0),
    }


def _summary(graded):
    isolated = Counter(entry.result.get("isolation") or "unknown" for entry in graded)
    if not graded:
        return ""
    levels = " and ".join(f"{level}" for level, _ in isolated.most_common())
    return f"Graded in isolation: {levels}."


def _warnings(graded):
    unprotected = sum(entry.result.get("isolation") == "none" for entry in graded)
    if unprotected:
        yield (
            f"{count(unprotected, 'submission')} ran without isolation: what they did to this machine is not known. "
            "Install bubblewrap, and grade again."
        )


def _facts(graded):
    """What the results themselves say about the run."""
    if not graded:
        return []
    seconds = [entry.result.get("seconds") or 0 for entry in graded]
    slowest = max(graded, key=lambda entry: (entry.result.get("seconds") or 0, entry.student))
    facts = [
        ("isolation of submissions", _counts(entry.result.get("isolation") or "unknown" for entry in graded)),
        ("kernels", _counts(entry.result.get("kernel") or "unknown" for entry in graded)),
        ("seconds a submission", f"mean {statistics.fmean(seconds):.1f}, all together {sum(seconds):.0f}"),
        ("the slowest", f"{slowest.student}, {slowest.result.get('seconds') or 0:.1f} s"),
    ]
    again = [entry.student for entry in graded if (entry.result.get("runs") or 1) > 1]
    if again:
        facts.append(("run more than once", f"{len(again)}: {', '.join(again[:20])}"))
    return facts


def _counts(names):
    return ", ".join(f"{name}: {times}" for name, times in sorted(Counter(names).items()))
