"""Recording what a lab measured, and the table that sets it beside other runs."""

import json

import numpy as np
import pytest
from scipy import stats

from utils import results
from utils.results import Claim, prediction_band


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(results, "_recorded", {})
    monkeypatch.delenv("COURSE_RESULTS", raising=False)


@pytest.mark.parametrize(
    ("target", "good", "bad"),
    [(">= 0.95", 0.95, 0.94), ("<= 3", 3, 3.01), ("== 5", 5, 6), ("0.6 .. 0.8", 0.7, 0.81), ("<= 1e-10", 1e-11, 1e-9)],
)
def test_targets(target, good, bad):
    claim = Claim("something", target)
    assert claim.holds(good)
    assert not claim.holds(bad)
    assert not claim.holds(float("nan"))


def test_a_claim_without_target_holds_unless_it_is_nan():
    assert Claim("something").holds(-3)
    assert not Claim("something").holds(float("nan"))


@pytest.mark.parametrize("target", ["about 3", "> 3", "3", "1 .. 2 .. 3", ""])
def test_a_bad_target_gets_a_clear_error(target):
    with pytest.raises(ValueError, match="a target is written"):
        Claim("something", target)


@pytest.mark.parametrize("n", [2, 5, 10])
def test_prediction_band_is_that_of_the_t_distribution(n):
    values = list(np.random.default_rng(n).normal(3, 0.1, n))
    low, high = stats.t.interval(0.99, n - 1, np.mean(values), np.std(values, ddof=1) * np.sqrt(1 + 1 / n))
    assert prediction_band(values) == pytest.approx((low, high), rel=1e-3)


def test_a_band_ends_at_the_limits_of_the_claim():
    low, high = Claim("accuracy", limits=results.SHARE).band([0.99, 0.95, 1.0, 0.97, 0.98])
    assert 0 < low < 0.95
    assert high == 1.0
    assert Claim("difference").band([0.99, 0.95, 1.0, 0.97, 0.98])[1] > 1


def test_prediction_band_covers_the_next_seed():
    draws = np.random.default_rng(0).normal(size=(2000, 6))
    inside = [low <= d[5] <= high for d in draws for low, high in [prediction_band(list(d[:5]))]]
    assert np.mean(inside) == pytest.approx(0.99, abs=0.01)


def test_one_seed_is_no_band():
    with pytest.raises(ValueError, match="at least two seeds"):
        prediction_band([0.5])


def test_record_writes_where_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "results.json"))
    results.record("03", accuracy=np.float32(0.5), weights=10)
    results.record("03", error=0.25)
    assert json.loads((tmp_path / "results.json").read_text()) == {
        "03": {"accuracy": 0.5, "error": 0.25, "weights": 10}
    }


def test_record_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="accuracy must be a number, got 'high'"):
        results.record("03", accuracy="high")


def test_table_marks_what_lies_in_the_band_and_what_does_not(tmp_path, capsys):
    entry = {"statement": "accuracy", "target": ">= 0.9", "values": [0.9, 0.92], "mean": 0.91, "band": [0.85, 0.97]}
    path = tmp_path / "expected.json"
    path.write_text(json.dumps({"03": {"good": entry, "bad": entry, "missing": entry}}))
    results.record("03", good=0.9, bad=0.5)
    results.table("03", path)
    good, bad, missing = capsys.readouterr().out.split("\n\n")[1:]
    assert "yours 0.9 · over 2 seeds 0.91, band 0.85 to 0.97 · aim >= 0.9 · ✔" in good
    assert "outside the band" in bad
    assert "not measured" in missing
