"""Cells, their files, tables and differences, on a tiny text network."""

import json

import numpy as np
import pytest
import torch

from brainalign.errors import ChoiceError, InputError, ModelError, ResultConflictError, ResultFormatError
from brainalign.spectral.study.cells import Study, read_cells
from brainalign.spectral.study.command import half_precision_copy, tabulate
from brainalign.spectral.study.methods import METHODS, attach, budget_of
from brainalign.spectral.study.networks import sentence_source
from brainalign.spectral.study.summary import chosen_cells, differences, study_table
from brainalign.spectral.study.train import Schedule, fine_tune

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # peft with a newer transformers

QUICK = Schedule(share=0.05, epochs=1, batch=32, n_train=64, n_dev=30, n_test=40)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_and_counts(tiny_text_network, word_task, method):
    source = sentence_source(tiny_text_network, max_length=10)
    before = source.make()
    found = fine_tune(source, word_task, method, rate=METHODS[method].rates[1], seed=0, schedule=QUICK)
    record = found.record
    total = sum(p.numel() for p in before.parameters())
    assert record["base"] == total and record["head"] == 2 * 16 + 2
    if METHODS[method].matched and method not in ("lora", "pissa", "banded"):  # one rank of LoRA is the least there is
        assert 0.5 * 0.05 * total < record["adapter"] <= 0.05 * total
    assert (record["adapter"] == 0) == (method == "head")
    assert 0 <= record["dev"] <= 1 and len(record["predicted"]) == len(word_task.test)
    assert record["saved_mb"] > 0 and record["step_ms"] > 0 and record["peak_mb"] is None
    trained = {id(p) for p in found.attached.trained}
    for p in found.network.encoder.parameters():
        assert p.requires_grad == (id(p) in trained)


def test_training_learns_and_is_reproducible(tiny_text_network, word_task):
    source = sentence_source(tiny_text_network, max_length=10)
    schedule = Schedule(share=0.05, epochs=15, n_train=160)
    assert fine_tune(source, word_task, "core", rate=3e-2, seed=1, schedule=schedule).record["test"] > 0.7
    one, two, other = (
        fine_tune(source, word_task, "core", rate=3e-2, seed=seed, schedule=QUICK).record for seed in (1, 1, 2)
    )
    assert one["predicted"] == two["predicted"] and one["loss"] == two["loss"] != other["loss"]


def test_values_of_pairs_are_learnt(tiny_text_network, pair_task):
    source = sentence_source(tiny_text_network, max_length=10)
    schedule = Schedule(share=0.05, epochs=10, n_train=160)
    record = fine_tune(source, pair_task, "full", rate=2e-3, seed=0, schedule=schedule).record
    assert record["test"] > 0.5 and record["head"] == 2 * 16 + 1
    assert -2 < np.mean(record["predicted"]) < 8  # in the units of the labels
    joint = sentence_source(tiny_text_network, max_length=16, joint=True)
    assert fine_tune(joint, pair_task, "head", rate=1e-2, seed=0, schedule=QUICK).record["head"] == 16 + 1


def study_of(folder, source, tasks, **options):
    said = []
    given = {"methods": ("head", "core"), "n_seeds": 2, "schedule": QUICK, "say": said.append, **options}
    return Study(source, tasks, folder, **given), said


def test_cells_are_kept_and_resumed(tiny_text_network, word_task, tmp_path):
    source = sentence_source(tiny_text_network, max_length=10)
    study, said = study_of(tmp_path, source, [word_task])
    study.run()
    assert len(said) == 2 * (3 + 1)  # three rates on the first seed, one more seed at the chosen rate
    files = sorted(p.name for p in tmp_path.glob("*.json"))
    assert len(files) == 8 and not list(tmp_path.glob(".*"))
    victim = tmp_path / files[0]
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in files[1:]}
    before = json.loads(victim.read_text())
    victim.unlink()
    again, resumed = study_of(tmp_path, source, [word_task])
    again.run()
    assert len(resumed) == 1
    assert json.loads(victim.read_text())["predicted"] == before["predicted"]
    assert kept == {name: (tmp_path / name).stat().st_mtime_ns for name in files[1:]}
    other, _ = study_of(tmp_path, source, [word_task], schedule=Schedule(n_train=32, n_dev=30, n_test=40))
    with pytest.raises(ResultConflictError, match="another schedule"):
        other.run()
    rows = tabulate(tmp_path)
    assert {row["method"] for row in rows} == {"head", "core"}
    assert (tmp_path / "table.csv").read_text().startswith("task,method,metric,rate,n_seeds,score,low,high")
    assert "verdict" in (tmp_path / "differences.csv").read_text()
    victim.write_text("{}")
    with pytest.raises(ResultFormatError, match="no cell of a study"):
        read_cells(tmp_path)


def test_what_no_study_can_be(tiny_text_network, word_task, tmp_path):
    source = sentence_source(tiny_text_network)
    with pytest.raises(InputError, match="unknown: lore"):
        study_of(tmp_path, source, [word_task], methods=("lore",))
    with pytest.raises(InputError, match="seeds"):
        study_of(tmp_path, source, [word_task], n_seeds=0)
    with pytest.raises(InputError, match="160 training examples; asked for 900"):
        study_of(tmp_path, source, [word_task], schedule=Schedule(n_train=900))[0].run()
    with pytest.raises(InputError, match="holds no cells"):
        read_cells(tmp_path)
    with pytest.raises(ChoiceError, match="Did you mean 'core'"):
        attach("cor", source.make(), budget=100, seed=0)
    with pytest.raises(ModelError, match=r"no config\.json"):
        sentence_source(tmp_path)


def record(method, seed, right, rate=1.0, dev=0.5):
    true = [0.0, 1.0] * 50
    predicted = [t if i < right else 1 - t for i, t in enumerate(true)]
    return {"task": "t", "method": method, "rate": rate, "seed": seed, "dev": dev, "test": right / 100,
            "metric": "accuracy", "predicted": predicted, "true": true, "adapter": 20, "head": 2, "base": 10_000,
            "rank": 3, "step_ms": 2.0, "saved_mb": 1.0, "peak_mb": None}  # fmt: skip


def test_the_development_set_chooses_and_the_test_set_does_not():
    cells = [record("core", 0, 60, rate=1, dev=0.9), record("core", 0, 95, rate=2, dev=0.8), record("core", 1, 62)]
    (chosen,) = chosen_cells(cells).values()
    assert [cell["test"] for cell in chosen] == [0.6, 0.62]
    with pytest.raises(InputError, match="no cell of seed 0"):
        chosen_cells([record("core", 1, 60)])


def test_intervals_and_differences():
    cells = [record("core", s, 80) for s in range(3)] + [record("full", s, 90) for s in range(3)]
    cells += [record("head", s, 50) for s in range(3)] + [record("random", s, 80) for s in range(3)]
    table = {row["method"]: row for row in study_table(cells)}
    core = table["core"]
    assert core["score"] == pytest.approx(0.8) and core["percent"] == pytest.approx(0.2)
    assert core["share_of_full"] == pytest.approx(0.8 / 0.9)
    se = np.sqrt(0.8 * 0.2 / 100)  # binomial: seeds agree
    assert core["high"] - core["low"] == pytest.approx(2 * 1.96 * se, rel=0.15)
    found = {row["against"]: row for row in differences(cells)}
    assert found["head"]["verdict"] == "better" and found["full"]["verdict"] == "worse"
    assert found["head"]["se"] == pytest.approx(np.sqrt(0.3 * 0.7 / 100), rel=0.1)  # the same examples: paired
    assert found["random"]["verdict"] == "not distinguishable" and found["random"]["difference"] == 0


def test_a_network_travels_in_half_precision(tiny_text_network, tmp_path):
    copied = half_precision_copy(tiny_text_network, tmp_path / "half")
    size = [(where / "model.safetensors").stat().st_size for where in (tiny_text_network, copied)]
    assert size[1] < 0.75 * size[0]
    one, two = (sentence_source(where).make() for where in (tiny_text_network, copied))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_budgets():
    network = torch.nn.Linear(100, 100)
    assert budget_of(network, 0.002) == 20
