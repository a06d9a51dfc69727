"""Updates with known places: what each quantity says of them, and what the two verdicts make of it."""

import numpy as np
import pytest
import torch

from brainalign.errors import InputError, NonFiniteError
from brainalign.spectral import compare_checkpoints, compare_tasks, leading_directions

N, RANKS = 48, (2, 4, 8)


def network(n_blocks=6, seed=0):
    """Square matrices with a falling spectrum, as pretrained ones have."""
    rng = np.random.default_rng(seed)
    state = {}
    for block in range(n_blocks):
        U, V = (np.linalg.qr(rng.normal(size=(N, N)))[0] for _ in range(2))
        state[f"layer.{block}.fc1.weight"] = torch.from_numpy((U * 0.9 ** np.arange(N)) @ V.T).float()
    return state


def updated(state, make, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {name: W + make(W, generator) for name, W in state.items()}


def inside(W, generator, k=4, size=0.01):
    basis = leading_directions(W, k)
    return size * basis.left @ torch.randn(k, k, generator=generator) @ basis.right.T


def noise(W, generator, size=0.01):
    return size * torch.randn(W.shape, generator=generator)


def values(found, quantity, rank=None, column="value"):
    return [
        row[column] for row in found.rows if row["quantity"] == quantity and row["rank"] in (rank, None) and
        row[column] is not None
    ]  # fmt: skip


BASE = network()


def test_an_update_inside_the_basis_leans_and_keeps_the_subspace():
    found = compare_checkpoints(BASE, updated(BASE, inside), ranks=RANKS, judged_rank=4)
    np.testing.assert_allclose(values(found, "energy", 4), 1, atol=1e-5)
    np.testing.assert_allclose(values(found, "residual", 4), 0, atol=3e-3)
    assert found.leaning.word == found.stable.word == "supported"
    assert "supported. At rank 4, mean over 6 matrices 1 against 0.0069444" in str(found.leaning)
    assert all(0 < share < 1 for share in values(found, "energy", 2))
    assert np.mean(values(found, "lean", 4)) > 0.9 * 4 / 4


def test_noise_is_no_evidence_although_the_basis_stays():
    """The control: leading directions hardly move, and both verdicts refuse to call that a finding."""
    words = []
    for seed in range(5):
        found = compare_checkpoints(BASE, updated(BASE, noise, seed), ranks=RANKS, seed=seed)
        assert np.mean(values(found, "overlap", 4)) > 0.9
        words += [found.stable.word, found.leaning.word]
    assert words.count("supported") <= 1
    chance = values(found, "energy", 4, "chance")
    assert chance == pytest.approx([16 / N**2] * 6)
    assert np.mean(values(found, "energy", 4)) == pytest.approx(16 / N**2, rel=0.5)
    assert np.mean(values(found, "diagonal", 8)) == pytest.approx(8 / N**2, rel=0.5)


def test_an_update_that_turns_the_basis_is_contradicted():
    """Rotating leading into trailing directions at a small norm: less stable than a random update of that norm."""

    def turn(W, generator):
        basis = leading_directions(W, N, method="exact")
        swap = torch.zeros(N, N)
        swap[20:24, :4] = 0.5 * torch.eye(4)
        return basis.left @ swap @ basis.right.T

    found = compare_checkpoints(BASE, updated(BASE, turn), ranks=RANKS)
    assert found.stable.word == "contradicted" and found.stable.high < 0


def test_an_intruding_direction_is_counted():
    def intrude(W, generator):
        u, v = (torch.linalg.qr(torch.randn(N, 1, generator=generator))[0] for _ in range(2))
        return 3.0 * u @ v.T

    found = compare_checkpoints(BASE, updated(BASE, intrude), ranks=(4, 16))
    assert values(found, "intruders", 10) == [1.0] * 6
    assert values(found, "intruders", 10, column="gaussian") != [1.0] * 6
    np.testing.assert_allclose(values(found, "stable-rank"), 1, rtol=1e-4)


def test_nulls_keep_the_size_and_are_reproducible():
    after = updated(BASE, inside)
    one, again = (compare_checkpoints(BASE, after, ranks=RANKS, n_draws=2, seed=3).rows for _ in range(2))
    assert one == again
    other = compare_checkpoints(BASE, after, ranks=RANKS, n_draws=2, seed=4).rows
    pick = [(row["gaussian"], row["value"]) for row in one if row["quantity"] == "energy"]
    pick_other = [(row["gaussian"], row["value"]) for row in other if row["quantity"] == "energy"]
    assert [v for _, v in pick] == [v for _, v in pick_other] and pick != pick_other


def test_randomised_agrees_with_exact():
    state = {f"layer.{i}.w": torch.from_numpy(np.random.default_rng(i).normal(size=(160, 200))) * (
        0.93 ** torch.arange(200)) for i in range(2)}  # fmt: skip
    after = updated(state, lambda W, g: 0.02 * torch.randn(W.shape, generator=g, dtype=W.dtype))
    exact, quick = (compare_checkpoints(state, after, ranks=(4, 8), method=m) for m in ("exact", "randomised"))
    np.testing.assert_allclose(values(quick, "overlap", 8), values(exact, "overlap", 8), atol=1e-6)
    assert quick.worst_error < 1e-4


def test_gauge_of_low_rank_updates_changes_nothing():
    """LoRA's factors enter as their product: another split of it gives every number again."""
    rng = torch.Generator().manual_seed(0)
    one, two = {}, {}
    for name, W in BASE.items():
        B, A = torch.randn(N, 3, generator=rng).double(), 0.01 * torch.randn(3, N, generator=rng).double()
        G = torch.randn(3, 3, generator=rng).double()
        one[name] = W.double() + B @ A
        two[name] = W.double() + (B @ G) @ torch.linalg.solve(G, A)
    base = {name: W.double() for name, W in BASE.items()}
    first, second = (compare_checkpoints(base, after, ranks=(2, 3), seed=0).rows for after in (one, two))
    for a, b in zip(first, second, strict=True):
        for column in ("value", "same-spectrum", "random-init"):
            assert a[column] == pytest.approx(b[column], abs=1e-6), (a["quantity"], a["rank"], column)


def test_unchanged_zero_and_rank_one_matrices_have_reasons():
    one = torch.outer(torch.ones(N), torch.arange(1.0, N + 1))
    before = {"same.weight": BASE["layer.0.fc1.weight"], "zero.weight": torch.zeros(N, N), "one.weight": one}
    after = {"same.weight": before["same.weight"], "zero.weight": torch.eye(N), "one.weight": 2 * one}
    found = compare_checkpoints(before, after, ranks=(1, 4))
    reasons = {(r["matrix"], r["rank"]): r["reason"] for r in found.rows if r["quantity"] == "energy"}
    assert reasons["same.weight", 4] == "the matrix did not change"
    assert reasons["zero.weight", 1] == "the matrix has rank 0 before and 4 or more after"
    assert reasons["one.weight", 4] == "the matrix has rank 1 before and 1 after"
    assert reasons["one.weight", 1] is None
    assert [r["value"] for r in found.rows if r["matrix"] == "one.weight" and r["rank"] == 1
            and r["quantity"] in ("overlap", "energy", "diagonal")] == pytest.approx([1] * 4)  # fmt: skip
    assert found.stable.word == "undecided" and "at least 4" in str(found.stable)
    small = compare_checkpoints({"w": torch.eye(3)}, {"w": 2 * torch.eye(3)}, ranks=(2, 5))
    assert {r["reason"] for r in small.rows if r["rank"] == 5} == {"the smaller side of the matrix is 3"}


def test_nan_missing_and_tied():
    broken = {n: W.clone() for n, W in BASE.items()}
    broken["layer.3.fc1.weight"][0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"layer\.3\.fc1\.weight after has 1 values"):
        compare_checkpoints(BASE, broken, ranks=RANKS)
    after = updated(BASE, noise)
    after["head.weight"] = torch.ones(3, N)
    del after["layer.0.fc1.weight"]
    found = compare_checkpoints(BASE, after, ranks=RANKS)
    assert found.only_after == ["head.weight"] and found.only_before == ["layer.0.fc1.weight"]
    with pytest.raises(InputError, match="share no weight matrices"):
        compare_checkpoints(BASE, {"x.weight": torch.ones(2, 2)})
    tied = {**BASE, "again.weight": BASE["layer.0.fc1.weight"]}
    assert compare_checkpoints(tied, updated(BASE, noise), ranks=RANKS).tied == {"again.weight": "layer.0.fc1.weight"}


@pytest.mark.parametrize("options", [{"ranks": ()}, {"ranks": (0, 3)}, {"judged_rank": 5}])
def test_bad_ranks(options):
    with pytest.raises(InputError, match="rank"):
        compare_checkpoints(BASE, updated(BASE, noise), **{"ranks": RANKS, **options})


def test_sharing_across_tasks_and_its_control():
    generator = torch.Generator().manual_seed(5)
    common = {name: torch.randn(N, 8, generator=generator) @ torch.randn(8, N, generator=generator) for name in BASE}

    def shared(seed):
        own = torch.Generator().manual_seed(seed)
        return {n: W + 0.002 * common[n] @ torch.diag(torch.rand(N, generator=own)) for n, W in BASE.items()}

    found = compare_tasks(BASE, {"a": shared(0), "b": shared(1)}, ranks=RANKS)
    assert found.updates_shared.word == "supported" and found.updates_shared.value > 0.5
    assert {row["tasks"] for row in found.rows} == {"a & b"}
    cosine = [row["value"] for row in found.rows if row["quantity"] == "update-cosine"]
    assert min(cosine) > 0.5
    apart = {name: updated(BASE, noise, seed) for seed, name in enumerate(("a", "b", "c"))}
    control = compare_tasks(BASE, apart, ranks=RANKS)
    assert control.updates_shared.word != "supported" and control.shared.word != "supported"
    assert {row["tasks"] for row in control.rows} == {"a & b", "a & c", "b & c"}
    with pytest.raises(InputError, match="at least two"):
        compare_tasks(BASE, {"a": BASE})
