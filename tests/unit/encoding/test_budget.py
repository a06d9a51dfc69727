"""Memory is planned, and refused, before work starts."""

import subprocess
import sys

import numpy as np
import pytest

from brainalign.encoding import EncodingPlan, encode
from brainalign.encoding.budget import SMALLEST_BLOCK, Budget
from brainalign.errors import InputError


def budget(limit):
    return Budget(limit, fixed=1000, system=(500, 400, 300), workspace=2000, panel_column=10, block_column=20)


def test_without_a_limit_everything_is_held():
    assert budget(None).keeps_systems
    panel, block = budget(None).widths(50)
    assert panel == 50
    assert block >= 50


def test_a_limit_is_kept_by_what_is_held_at_once():
    for limit in (4200, 4500, 5000, 10_000):
        made = budget(limit)
        panel, block = made.widths(10_000, outputs=100)
        held = 1000 + (1200 if made.keeps_systems else 900) + 100 + panel * 10
        assert min(block, panel) >= SMALLEST_BLOCK
        assert held + max(2000, block * 20) <= limit


def test_decompositions_are_made_anew_where_they_do_not_fit_together():
    assert not budget(4300).keeps_systems
    assert budget(4400).keeps_systems


def test_too_small_a_limit_is_refused_with_what_is_needed():
    with pytest.raises(InputError, match="one fold needs"):
        budget(4000)
    with pytest.raises(InputError, match="leaves no room beside the results of 99 targets"):
        budget(4300).widths(99, outputs=2000)


def test_blocks_are_large_on_an_accelerator_and_still_within_a_limit():
    sizes = {"fixed": 0, "system": (10,), "workspace": 0, "panel_column": 1000, "block_column": 20_000}
    here, there = (Budget(None, **sizes, on_accelerator=answer).widths(100_000)[1] for answer in (False, True))
    assert 8 * here < there < 16 * here
    limited = Budget(30 * 2**20, **sizes, on_accelerator=True).widths(100_000)[1]
    assert limited * 20_000 <= 30 * 2**20


def test_scores_do_not_depend_on_the_budget():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((50, 12)), rng.standard_normal((50, 700))
    free = encode(X, Y, predictions=True)
    least = EncodingPlan(X, folds=5)._budget.least
    for limit in (least + 900_000, least + 940_000):
        tight = encode(X, Y, predictions=True, max_memory=limit)
        np.testing.assert_array_equal(tight.alpha, free.alpha)
        np.testing.assert_allclose(tight.r, free.r, rtol=1e-10)
        np.testing.assert_allclose(tight.predictions, free.predictions, rtol=1e-8)


def test_a_budget_is_refused_before_anything_is_decomposed():
    with pytest.raises(InputError, match=r"max_memory of 0\.0 MB is too small"):
        EncodingPlan(np.random.default_rng(0).standard_normal((40, 2000)), folds=4, max_memory="40KB")


def test_blocks_are_left_out_inside_the_budget_or_refused():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 12)), rng.standard_normal((60, 300))
    blocks = np.array_split(np.arange(60), 12)
    free = EncodingPlan(X, folds=3).fit(Y).leave_blocks_out(blocks)
    least = EncodingPlan(X, folds=3)._budget.least
    tight = EncodingPlan(X, folds=3, max_memory=least + 900_000).fit(Y)
    np.testing.assert_allclose(tight.leave_blocks_out(blocks), free, rtol=1e-9)
    with pytest.raises(InputError, match="to leave blocks out of fold 0, which needs"):
        tight.leave_blocks_out([[i] for i in range(60)] * 4)


@pytest.mark.slow
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_measured_memory_stays_under_the_limit(selection):
    """In a process of its own: the peak of the resident set beyond what was there before."""
    done = subprocess.run([sys.executable, "-c", MEASURE, selection], capture_output=True, text=True, check=True)
    grown, limit = map(int, done.stdout.split())
    assert grown < limit


MEASURE = """
import resource, sys
import numpy as np, torch
from brainalign.encoding import EncodingPlan
torch.set_num_threads(1)
X = np.random.default_rng(0).standard_normal((1500, 800), dtype="f4")
Y = np.random.default_rng(1).standard_normal((1500, 40_000), dtype="f4")
EncodingPlan(X[:300], folds=2, selection=sys.argv[1]).fit(Y[:300, :900]).leave_blocks_out([[0, 1], [2, 3]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
limit = 500_000_000
plan = EncodingPlan(X, folds=[(np.arange(1200), np.arange(1200, 1500))], selection=sys.argv[1], max_memory=limit)
plan.fit(Y).leave_blocks_out(np.array_split(np.arange(1500), 50))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, limit)
"""
