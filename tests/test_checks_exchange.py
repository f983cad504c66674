"""Plain data to bytes and back: exact for what the checks use, a clear error for anything else."""

import json
import pickle

import numpy as np
import pytest

from tests.test_answers import LABS
from utils.checks import exercises
from utils.checks.exchange import pack, unpack
from utils.checks.handover import hand_over


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, np.ndarray | np.generic):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        float("nan"),
        -float("inf"),
        1 - 2j,
        "Sérsic\n",
        (1, [2, (3,)], {}),
        {"a": {"b": ()}, "array": 1},
        {"tuple": [1]},
        np.float32(0.1),
        np.int64(7),
        np.bool_(True),
        np.arange(6, dtype="int16").reshape(2, 3),
        np.zeros((0, 4), "float32"),
        np.array(["spiral", "elliptical"]),
        np.array(5.0),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array([1 + 2j], "complex64"),
        np.array([True, False]),
    ],
    ids=repr,
)
def test_what_is_packed_comes_back_the_same(value):
    same(unpack(pack(value)), value)


def test_numbers_of_the_other_byte_order_keep_their_values():
    np.testing.assert_array_equal(unpack(pack(np.arange(3, dtype=">i4"))), [0, 1, 2])


def test_what_comes_back_can_be_written_to():
    unpack(pack(np.zeros(3)))[0] = 1


@pytest.mark.parametrize("value", [{1: 2}, object(), b"bytes", np.array([None]), np.datetime64("2020-01-01"), {1, 2}])
def test_anything_else_cannot_be_packed(value):
    with pytest.raises(TypeError, match="cannot be packed"):
        pack(value)


def line(structure, arrays=b""):
    return json.dumps(structure).encode() + b"\n" + arrays


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        b"\n",
        b"[\n",
        pickle.dumps({"a": 1}),
        line({"a": 1, "b": 2}),
        line({"unknown": []}),
        line({"dict": 5}),
        line({"dict": [[1]]}),
        line({"array": ["<f8", [2], 0]}, b"too short"),
        line({"array": ["<f8", [-1], 0]}, b"12345678"),
        line({"array": ["<f8", [1], -8]}, b"12345678"),
        line({"array": ["|O", [1], 0]}, b"12345678"),
        line({"array": ["<f8", [10**9, 10**9], 0]}),
        line({"array": ["nonsense", [1], 0]}),
        line({"array": ["<f8", "ab", 0]}),
        line({"complex": [1]}),
        b"[" * 100_000 + b"\n",
        b"1" * 10_000 + b"\n",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_damaged_or_forged_bytes_are_a_value_error(data):
    with pytest.raises(ValueError):
        unpack(data)


def test_too_many_bytes_are_not_read():
    with pytest.raises(ValueError, match="at most"):
        unpack(pack(np.zeros(1000)), largest=1000)


@pytest.mark.parametrize("lab", LABS)
def test_cases_and_observations_of_every_exercise_survive_the_way(lab):
    for exercise in exercises(lab).values():
        cases = exercise.inputs(np.random.default_rng([7, 1]))
        same(unpack(pack(cases)), cases)
        observed = exercise.observe(exercise.reference(), unpack(pack(cases)))
        verdicts = exercise.judge(unpack(pack(cases)), unpack(pack(observed)))
        assert all(verdict.passed for verdict in verdicts), exercise.id


def test_handing_over_observes_on_the_cases_of_the_folder(tmp_path):
    exercise = next(iter(exercises("00").values()))
    cases = exercise.inputs(np.random.default_rng(1))
    (tmp_path / "cases").write_bytes(pack(cases))
    hand_over(exercise, exercise.reference(), tmp_path)
    observed = unpack((tmp_path / "observed").read_bytes())
    assert all(verdict.passed for verdict in exercise.judge(cases, observed))
