"""The instructor's page."""

import base64
import hashlib
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.grading_results import DUE, EXERCISES, Page, exercise, result, without
from tests.test_grading_feedback import EVIL
from tests.test_grading_flags import LONG, RENAMED
from utils.course.grading.flags import review_flags
from utils.course.grading.lateness import parse_rule
from utils.course.grading.marks import mark
from utils.course.grading.report import distribution, report_page

TITLE = "Lab 03 · A first CNN"


def report(results, facts=(), warnings=(), forbidden=None, **how):
    entries = [mark(made["student"], how.pop("name", ""), made, EXERCISES, **how) for made in results]
    review = review_flags([e.result for e in entries], "import numpy as np", forbidden=forbidden)
    pages = {entry.student: f"{entry.student}.html" for entry in entries}
    return report_page(entries, EXERCISES, review, pages, TITLE, facts, warnings)


def text(*args, **how):
    return " ".join(Page(report(*args, **how)).text.split())


CLASS = [
    result("ada"),
    result("bob", ["float32"]),
    result("cleo", ["float32", "parameters", "any batch"]),
    without("dora", "missing", "nothing was handed in"),
    without("eve", "failed", "out of memory"),
    without("finn", "unreadable", "it is a PDF"),
]


def test_how_the_class_did_at_a_glance():
    said = text(CLASS)
    assert "6 students 3 graded 7 / 8 median 3 without a grade 0 to review 0 groups alike" in said
    assert "Median 7, mean 6.33 of 8 points; 3 students with a mark." in said


def test_who_has_no_grade_and_why_the_worst_first():
    said = text(CLASS)
    at = [said.index(words) for words in ("eve failed out of memory", "finn unreadable it is a PDF", "dora missing")]
    assert at == sorted(at)
    assert "Everybody's notebook was found, read and graded." in text([result("ada")])


def test_thedistribution_holds_everybody_with_a_mark():
    parsed = Page(report(CLASS))
    (svg,) = parsed.all("svg")
    assert svg["aria-label"].endswith("6–7: 0, 7–8: 2")
    assert "4–5: 1" in svg["aria-label"]
    heights = [float(rect["height"]) for rect in parsed.all("rect")]
    assert len(heights) == 8 and sum(heights) == 180


@pytest.mark.parametrize(
    ("maximum", "edges"),
    [
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (7.5, [0, 1, 2, 3, 4, 5, 6, 7, 7.5]),
        (10, list(range(11))),
        (12, [0, 2, 4, 6, 8, 10, 12]),
        (37, [*range(0, 37, 4), 37]),
        (40, list(range(0, 41, 4))),
    ],
)
def test_the_columns_of_thedistribution_are_whole_points_wide(maximum, edges):
    totals = [*edges, maximum / 2]
    columns = distribution(totals, maximum)
    assert [column["label"] for column in columns] == [f"{a:g}–{b:g}" for a, b in pairwise(edges)]
    for column, (start, end) in zip(columns, pairwise(edges), strict=True):
        assert column["count"] == sum(start <= t < end or t == end == maximum for t in totals)


def test_what_was_too_hard_comes_first_and_is_marked():
    raw = report(CLASS)
    said = " ".join(Page(raw).text.split())
    hardest = said.index("The hardest sub-tests")
    assert said.index("float32", hardest) < said.index("parameters", hardest) < said.index("mean zero", hardest)
    assert "3.1 float32 1 of 3 2 × expected 1, got 2" in said
    assert raw.count('class="number hard"') == 1  # float32: one of three
    easy = report([result("ada"), result("bob", ["float32"])])
    assert 'class="number hard"' not in easy  # a half is not less than a half


def test_sub_tests_are_counted_over_those_who_tried():
    left = exercise("3.10", ["parameters"], "", state="not attempted")
    said = text([result("ada"), result("bob", exercises=[left])])
    assert "3.10 parameters 1 of 1" in said
    assert "3.10 a network 1 1 50 %" in said


def test_a_reason_is_counted_whatever_its_numbers():
    results = [
        result(f"s{i}", exercises=[exercise("3.10", ["parameters"], f"expected 10, got {i}.5. Biases!")])
        for i in range(3)
    ]
    assert "3 × expected 10, got 0.5. Biases!" in text(results)


def test_flags_are_shown_with_the_code_and_its_lines():
    shifty = result("ada", exercises=[exercise("3.1", source="import numpy as n\nn.clip(1)\n")])
    raw = report([shifty, result("bob")], forbidden={"3.1": ("numpy.clip",)})
    parsed = Page(raw)
    assert "3.1 shortcut uses numpy.clip (line 2)" in " ".join(parsed.text.split())
    assert raw.count('class="line marked"') == 1
    assert "1 to review" in " ".join(parsed.text.split())


def test_flags_of_one_kind_share_a_line():
    raw = report([result("ada", exercises=[exercise("3.1", source="import os, gc\nos.abort()\ngc.collect()\n")])])
    said = " ".join(Page(raw).text.split())
    assert "3.1 introspection uses os.abort (line 2); uses gc.collect (line 3)" in said
    assert raw.count('class="badge asks"') == 1


def test_answers_that_are_alike_stand_side_by_side():
    def twins(source):
        return [exercise("3.1", source=source), exercise("3.2", source=source.replace("zeros", "empty"))]

    said = text([result("ada", exercises=twins(LONG)), result("bob", exercises=twins(RENAMED)), result("cleo")])
    assert "2 groups alike" in said
    assert "3.1: ada, bob The same but for names, comments and layout. Also alike in 3.2." in said
    assert said.count("def cell_sums(v, k: int = 8):") == 4  # twice by itself, twice beside ada's


def test_what_many_have_written_is_told_and_flags_nobody():
    results = [result(f"s{i}", exercises=[exercise("3.1", source=LONG)]) for i in range(7)]
    said = text(results)
    assert "Exercise 3.1: 7 students wrote the same s0, s1" in said
    assert "0 to review 0 groups alike" in said


def test_every_student_has_a_row_that_leads_to_the_feedback():
    parsed = Page(report(CLASS))
    rows = [a["id"] for a in parsed.all("tr") if a.get("id", "").startswith("student-")]
    assert rows == [f"student-{name}" for name in ("ada", "bob", "cleo", "dora", "eve", "finn")]
    assert {a["href"] for a in parsed.all("a") if a["href"].startswith("feedback/")} == {
        f"feedback/{made['student']}.html" for made in CLASS
    }


def test_lateness_notes_and_how_it_was_graded():
    made = result("ada", exercises=[exercise("3.1", note="put together from 2 cells")])
    said = text(
        [made],
        facts=[("calibration", "solution 8 of 8")],
        warnings=["the kernels were not forked"],
        submitted=DUE + timedelta(hours=1),
        due=DUE,
        rule=parse_rule("10%/day"),
        notes=["renamed: recognised by its content"],
    )
    assert "1 h (−0.2)" in said
    assert "ada renamed: recognised by its content; 3.1: put together from 2 cells" in said
    assert "calibration solution 8 of 8" in said
    assert "isolation of submissions bwrap: 1" in said
    assert "Mind: the kernels were not forked" in said


def test_grading_without_isolation_cannot_be_overlooked():
    raw = report([result("ada", isolation="none"), result("bob")])
    assert "1 submission ran without isolation" in raw
    assert raw.index("ran without isolation") < raw.index('class="tiles"')
    assert "ran without isolation" not in report([result("ada")])
    told = report([result("ada", isolation="none")], warnings=["Run without any isolation."])
    assert told.count("without any isolation") == 1 and "ran without isolation" not in told


def test_an_empty_class_has_a_report():
    said = text([])
    assert "0 students" in said and "There is no mark yet." in said
    assert "There is no mark yet." in text([without("ada", "missing")])


def test_everything_that_a_student_can_write_is_escaped():
    evil = exercise("3.1", ["float32"], EVIL, source=f"import os\n{EVIL}", note=EVIL)
    made = result("ada", exercises=[evil], notes=[EVIL], file=EVIL)
    bad = without(EVIL, "failed", EVIL)
    bad["file"] = EVIL
    entries = [mark(m["student"], EVIL, m, EXERCISES, notes=[EVIL]) for m in (made, bad)]
    review = review_flags([e.result for e in entries])
    pages = {"ada": "ada.html", EVIL: "x.html"}
    raw = report_page(entries, EXERCISES, review, pages, TITLE, [("a", EVIL)], [EVIL])
    parsed = Page(raw)
    parsed.assert_harmless()
    assert len(parsed.all("script")) == 1 and "alert" not in parsed.scripts
    assert parsed.all("img") == []


def test_only_the_pages_own_script_may_run():
    raw = report(CLASS)
    parsed = Page(raw)
    parsed.assert_harmless()
    own = base64.b64encode(hashlib.sha256(parsed.scripts.encode()).digest()).decode()
    (policy,) = [m["content"] for m in parsed.all("meta") if m.get("http-equiv")]
    assert f"script-src 'sha256-{own}'" in policy
    assert "http:" not in raw and "https:" not in raw


def test_links_within_the_page_lead_somewhere():
    shifty = result("ada b", exercises=[exercise("3.1", source="import os\n")])
    for made in (CLASS, [shifty], [result("ada")]):
        parsed = Page(report(made))
        ids = {attributes.get("id") for _, attributes in parsed.tags}
        assert {a["href"][1:] for a in parsed.all("a") if a["href"].startswith("#")} <= ids
