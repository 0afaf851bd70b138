"""Phantoms, whose truth is known, through the whole program: are its conclusions right as often as they should be?"""

import pytest

import calibration

AT_LEAST = {
    "onsets within one checkpoint": 0.95,
    "thresholds exact": 0.95,
    "dips along time found": 0.95,
    "dips along space found": 0.95,
    "verdicts right": 0.90,
}
AT_MOST = {
    "never planted, called present": 0.05,
    "dips along time that are none": 0.05,
    "dips along space that are none": 0.05,
}


def rate(results, what):
    assert results[what], f"nothing to judge: {what}"
    return sum(results[what]) / len(results[what])


def check(results):
    print(calibration.table(results))
    for what, bound in AT_LEAST.items():
        assert rate(results, what) >= bound, what
    for what, bound in AT_MOST.items():
        assert rate(results, what) <= bound, what


def test_two_phantoms_and_two_of_nothing(tmp_path):
    results = calibration.judge_all(tmp_path, range(1, 3), range(1, 3))
    check(results)
    assert rate(results, "null curves with an emergence") == 0


@pytest.mark.long
def test_twenty_four_phantoms_and_a_hundred_of_nothing(tmp_path):
    results = calibration.judge_all(tmp_path, range(1, 25), range(1, 101))
    check(results)
    assert 0.92 <= rate(results, "truth in the 95 % interval") <= 0.98
    # Where nothing is there, a false discovery rate of 5 % is the chance of any call.
    assert rate(results, "null curves with an emergence") <= 0.05
