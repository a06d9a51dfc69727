"""Batch size: within memory, chosen once, remembered."""

import pytest
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.models import batching
from brainalign.models.batching import Batching, largest_batch, settle


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path))
    return tmp_path


def test_memory_limits_the_batch():
    module = nn.Linear(10, 10, bias=False)
    assert largest_batch(module, per_image=100, max_memory=2000) == 11
    assert largest_batch(module, per_image=100, max_memory=2000, held=900) == 2
    with pytest.raises(InputError, match="max_memory"):
        largest_batch(module, per_image=100, max_memory=600)
    assert largest_batch(module, per_image=100, max_memory=667) == 1


def test_small_sets_need_no_sweep():
    assert settle(
        nn.Conv2d(3, 1, 1), torch.zeros(3, 3, 4, 4), n_stimuli=20, limit=99, revision="r", run=pytest.fail
    ) == (Batching(8))


def test_the_fastest_wins_and_is_remembered(monkeypatch):
    ran = []

    def seconds(images, chosen, run):
        ran.append(chosen)
        return {2: 2.1, 4: 2.0, 8: 1.0, 16: 1.05, 32: 2.0}[chosen.size] + (chosen.memory_format == "contiguous")

    monkeypatch.setattr(batching, "_seconds", seconds)
    given = {"n_stimuli": 10_000, "revision": "r", "run": lambda *_: None}
    images = torch.zeros(3, 3, 4, 4)
    assert settle(nn.Conv2d(3, 1, 1), images, limit=100, **given) == Batching(8, "channels_last")
    n_ran = len(ran)
    assert settle(nn.Conv2d(3, 1, 1), images, limit=100, **given) == Batching(8, "channels_last")
    assert len(ran) == n_ran
    assert settle(nn.Conv2d(3, 1, 1), images, limit=5, **given).size == 4


def test_a_folder_that_cannot_be_written_only_costs_another_sweep(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "file"))
    chosen = settle(
        nn.Conv2d(3, 1, 1), torch.zeros(3, 3, 4, 4), n_stimuli=400, limit=4, revision="r", run=lambda *_: None
    )
    assert chosen.size in (2, 4)


@pytest.mark.parametrize("n_stimuli", [100, 160, 400, 1000, 5000])
@pytest.mark.parametrize("module", [nn.Conv2d(3, 1, 1), nn.Flatten()])
def test_a_sweep_costs_a_twentieth_of_the_set_at_most(module, n_stimuli):
    ran = []
    chosen = settle(
        module, torch.zeros(3, 3, 4, 4), n_stimuli=n_stimuli, limit=99, revision="r",
        run=lambda batch, _: ran.append(len(batch)),
    )  # fmt: skip
    assert sum(ran) <= n_stimuli / 20
    assert ran if n_stimuli >= 160 else chosen.memory_format == "contiguous"
