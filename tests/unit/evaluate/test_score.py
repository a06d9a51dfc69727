"""Scoring a toy data set with known answers."""

import gc
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.composed import versa
from brainalign.encoding import EncodingPlan
from brainalign.errors import ChoiceError, ResponseKindError, ResultConflictError
from brainalign.evaluate import Results
from brainalign.evaluate.panels import load_panels
from brainalign.metrics import METRICS
from brainalign.results import Result, read_blocks, read_neuroids, read_result
from brainalign.stats import jackknife_se, make_blocks
from brainalign.stats.spread import Spread
from brainalign.store import Store
from brainalign.testing.toy import MODEL, make_toy_rdms, make_toy_store

BENCHMARK = Benchmark(id="toy", dataset="toy", groups="group", blocks=20, n_permutations=99, encoding_permutations=30)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = make_toy_store(tmp_path_factory.mktemp("toy"))
    make_toy_rdms(store)
    return store


@pytest.fixture(scope="module")
def scored(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("results")
    return ba.score(MODEL, BENCHMARK, store, results=folder), folder


def rows(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_every_cell_is_there_and_signal_beats_noise(scored: tuple) -> None:
    table = scored[0].table
    assert len(table) == 4 * 2 * 2 * 3
    assert table["value"].notna().all()
    assert rows(table, layer="signal|mean")["reason"].isna().all()
    for metric in BENCHMARK.metrics:
        signal, noise = rows(table, metric=metric, layer="signal|mean"), rows(table, metric=metric, layer="noise|mean")
        assert signal["value"].min() > noise["value"].max()
        assert (signal["p"] <= 0.05).all()
        assert noise["low"].le(noise["chance"]).mean() >= 0.75
    assert table["simulated"].all()


def test_layer_is_chosen_in_the_training_folds(scored: tuple) -> None:
    selected = rows(scored[0].table, layer="selected")
    for row in selected.itertuples():
        assert set(row.choice) == {"signal|mean"}
        assert len(row.choice) == (5 if row.metric == "encoding.ridge.r" else 2)
    assert (rows(selected, metric="mutual-knn.k10")["n_stimuli"] == 60).all()
    assert np.allclose(rows(selected, metric="mutual-knn.k10")["chance"].astype(float), 10 / 59)


def test_normalised_values_reach_one_for_the_model_that_made_the_responses(scored: tuple) -> None:
    signal = rows(scored[0].table, metric="encoding.ridge.r", layer="signal|mean")
    assert np.allclose(signal["normalised"].astype(float), 1.0, atol=0.03)
    assert (signal["ceiling"].astype(float) < 0.96).all()
    neighbours = rows(scored[0].table, metric="mutual-knn.k10")
    assert neighbours["normalised"].isna().all()
    assert neighbours["ceiling_reason"].str.contains("no ceiling").all()


def test_neighbours_are_extrapolated_to_no_noise(scored: tuple) -> None:
    neighbours = rows(scored[0].table, metric="mutual-knn.k10")
    signal = rows(neighbours, layer="signal|mean").astype({"extrapolated": float, "value": float})
    assert (signal["extrapolated"] > signal["value"]).all()
    assert (signal["extrapolated_low"] < signal["extrapolated"]).all()
    unknown = neighbours[neighbours["extrapolated"].isna()]
    assert unknown["reason"].str.contains("too strong to say").all()
    others = scored[0].table[scored[0].table["metric"] != "mutual-knn.k10"]
    assert others["extrapolated"].isna().all()


def test_the_null_of_the_selected_row_chooses_the_layer_anew(store: Store, scored: tuple) -> None:
    panel = load_panels(MODEL, BENCHMARK, store)[0]
    subject = panel.subjects[0]
    Y = subject.matrix("IT")
    plans = [EncodingPlan(X, folds=panel.folds, seed=BENCHMARK.seed) for X in panel.layers.values()]
    null = []
    for order in panel.permutations(BENCHMARK.encoding_permutations):
        fits = [plan.fit(Y[order]) for plan in plans]
        chosen = np.argmax([fit.inner_r2.mean(axis=1) for fit in fits], axis=0)
        null.append(np.mean([fits[c].r[f].mean() for f, c in enumerate(chosen)]))
    row = rows(scored[0].table, metric="encoding.ridge.r", subject=subject.name, roi="IT", layer="selected").iloc[0]
    assert row["null_mean"] == pytest.approx(np.mean(null), abs=1e-5)
    assert row["null_sd"] == pytest.approx(np.std(null, ddof=1), abs=1e-5)


def test_constant_neuroid_is_left_out_and_counted(scored: tuple) -> None:
    encoding = rows(scored[0].table, metric="encoding.ridge.r")
    assert (rows(encoding, roi="V1")["n_excluded"] == 1).all()
    assert (rows(encoding, roi="IT")["n_excluded"] == 0).all()


def test_blocks_are_the_score_without_them(store: Store, scored: tuple) -> None:
    path = next(file for file in scored[0].files if file.name.startswith("cka"))
    blocks = read_blocks(path)
    joined = ba.join(ba.average_repeats(store.responses("toy", "one")), store.embeddings(MODEL, stimuli="images"))
    X, Y = np.asarray(joined.X["signal|mean"]), np.asarray(joined.Y["response"])[:, :15]
    cells = rows(blocks, subject="one", roi="V1", layer="signal|mean").sort_values("block")
    assert len(cells) == 20
    assert cells["n_left_out"].sum() == 120
    parts = make_blocks(120, groups=[f"g{i // 2}" for i in range(120)], limit=20)
    for block, value in zip(parts[:3], cells["value"][:3], strict=True):
        keep = np.setdiff1d(np.arange(120), block)
        assert value == pytest.approx(ba.cka(X[keep], Y[keep]), abs=1e-6)


def test_intervals_of_encoding_count_what_stimuli_do_together_once(scored: tuple) -> None:
    encoding = rows(scored[0].table, metric="encoding.ridge.r")
    file = next(file for file in scored[0].files if file.name.startswith("encoding.ridge.r.v"))
    blocks = read_blocks(file)
    narrower = []
    for _, cell in encoding.iterrows():
        some = rows(blocks, subject=cell["subject"], roi=cell["roi"], layer=cell["layer"])
        plain = jackknife_se(cell["value"], some["value"], some["n_left_out"], 120)
        narrower.append(cell["se"] / plain)
        assert cell["low"] < cell["value"] < cell["high"]
    assert np.sqrt(0.5) - 1e-9 <= min(narrower)
    assert max(narrower) <= 1 + 1e-9
    assert np.mean(narrower) < 0.95


def test_the_interval_of_encoding_comes_again_from_its_blocks(scored: tuple) -> None:
    files = [file for file in scored[0].files if file.name.startswith("encoding.ridge")]
    assert files
    for file in files:
        blocks = read_blocks(file)
        for row in read_result(file).rows:
            some = rows(blocks, subject=row.subject, roi=row.roi, layer=row.layer)
            with_partner = some.dropna(subset="partner")
            assert len(with_partner) >= 10
            spread = Spread.of_blocks(
                row.value,
                some["value"],
                some["n_left_out"],
                row.n_stimuli,
                pairs=with_partner[["block", "partner"]].to_numpy(dtype=np.intp),
                pairs_left_out=with_partner["together"],
            )
            found = spread.interval(row.level)
            assert (found.low, found.high) == pytest.approx((row.low, row.high), rel=1e-12)


def test_scores_that_fit_nothing_name_no_partners(scored: tuple) -> None:
    file = next(file for file in scored[0].files if file.name.startswith("cka"))
    assert "partner" not in read_blocks(file).columns


def test_neuroids_are_kept(scored: tuple) -> None:
    path = next(file for file in scored[0].files if file.name.startswith("encoding"))
    neuroids = read_neuroids(path)
    part = rows(neuroids, subject="two", roi="IT", layer="signal|mean")
    assert part["neuroid"].tolist() == list(range(10, 30))
    row = rows(scored[0].table, metric="encoding.ridge.r", subject="two", roi="IT", layer="signal|mean").iloc[0]
    assert row["value"] == pytest.approx(part["r"].mean())
    assert row["ceiling"] == pytest.approx(np.sqrt(part["ceiling"]).mean())


def test_a_second_run_reads_and_another_protocol_stops(store: Store, scored: tuple) -> None:
    first, folder = scored
    again = ba.score(MODEL, BENCHMARK, store, results=folder)
    assert again.reused == list(BENCHMARK.metrics)
    pd.testing.assert_frame_equal(again.table, first.table)
    with pytest.raises(ResultConflictError, match="seed"):
        ba.score(MODEL, BENCHMARK.model_copy(update={"seed": 1}), store, results=folder)


def test_what_few_stimuli_leave_undefined_has_a_reason(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, n_stimuli=16, subjects=("one",))
    bench = BENCHMARK.model_copy(update={"groups": None, "blocks": 10})
    table = ba.score(MODEL, bench, store).table
    neighbours = rows(table, metric="mutual-knn.k10")
    assert neighbours["value"].isna().all()
    assert neighbours["reason"].str.startswith("value: ").all()
    assert rows(table, metric="rsa.correlation.rho-a")["value"].notna().all()


def test_a_layer_that_does_not_vary_is_undefined_and_never_chosen(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, subjects=("one",))
    signal = store.embeddings(MODEL, stimuli="images")["signal|mean"].values
    layers = {"dead|mean": np.zeros((120, 4), np.float32), "signal|mean": np.asarray(signal)}
    store.put_embeddings("other", "1", "images", layers, stimuli=list(store.stimuli("images")["stimulus"]))
    table = ba.score("other", BENCHMARK, store).table
    dead = rows(table, layer="dead|mean")
    assert dead["value"].isna().all()
    assert dead["reason"].notna().all()
    selected = rows(table, layer="selected")
    assert selected["value"].notna().all()
    assert all(set(choice) == {"signal|mean"} for choice in selected["choice"])


def test_an_embedding_of_dead_layers_alone_has_no_score_anywhere(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, subjects=("one",))
    layers = {"dead|mean": np.zeros((120, 4), np.float32)}
    store.put_embeddings("other", "1", "images", layers, stimuli=list(store.stimuli("images")["stimulus"]))
    table = ba.score("other", BENCHMARK, store).table
    assert set(table["metric"]) == set(BENCHMARK.metrics)
    assert table["value"].isna().all()
    assert table["reason"].str.startswith("value: ").all()


def test_of_distances_the_smallest_is_chosen_and_counts(store: Store) -> None:
    table = ba.score(MODEL, BENCHMARK, store, metrics=["procrustes.angular"]).table
    signal, noise = rows(table, layer="signal|mean"), rows(table, layer="noise|mean")
    assert signal["value"].max() < noise["value"].min()
    assert (signal["p"] <= 0.05).all()
    assert (signal["z"] < 0).all()
    assert all(set(choice) == {"signal|mean"} for choice in rows(table, layer="selected")["choice"])


def test_predictions_that_do_not_vary_score_nothing(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, subjects=("one",))
    noise = np.random.default_rng(0).standard_normal((120, 3)).astype(np.float32) * 1e-6
    store.put_embeddings(
        "other", "1", "images", {"noise|mean": noise}, stimuli=list(store.stimuli("images")["stimulus"])
    )
    table = ba.score("other", BENCHMARK, store, metrics=["encoding.ridge.r"]).table
    assert table["value"].notna().all()
    assert table["value"].abs().max() < 0.4
    # weak features of the precision in which most embeddings are kept, and responses that they have nothing to do with
    rng = np.random.default_rng(1)
    fit = EncodingPlan(rng.standard_normal((40, 3), np.float32), folds=5).fit(rng.standard_normal((40, 30), np.float32))
    assert (fit.r == 0).any()
    assert np.isfinite(fit.r).all()


def test_results_that_are_written_are_not_held(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held() -> int:
        gc.collect()
        return sum(type(thing) is Result for thing in gc.get_objects())

    before, meanwhile = held(), []

    def counting(path: Path) -> Result:
        meanwhile.append(held())
        return read_result(path)

    monkeypatch.setattr(sys.modules[ba.score.__module__], "read_result", counting)
    metrics = ["cka.linear.debiased", "mutual-knn.k10", "rsa.correlation.rho-a"]
    assert len(ba.score(MODEL, BENCHMARK, store, metrics=metrics, results=tmp_path).files) == 3
    assert len(meanwhile) == 3 and max(meanwhile) <= before + 1


def test_nothing_is_written_without_a_folder(store: Store) -> None:
    result = ba.score(MODEL, BENCHMARK, store, metrics=["cka.linear.debiased"])
    assert result.files == []


def test_responses_that_came_averaged_have_no_ceiling_and_say_why(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, averaged="14 repeats, averaged by the authors", subjects=("one",))
    table = ba.score(MODEL, BENCHMARK, store).table
    assert table["ceiling"].isna().all()
    assert table["normalised"].isna().all()
    assert rows(table, metric="encoding.ridge.r")["ceiling_reason"].str.contains("averaged by the authors").all()
    assert (rows(table, metric="encoding.ridge.r", roi="V1")["n_excluded"] == 1).all()


def test_subjects_with_stimuli_of_their_own(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, own_stimuli=True)
    table = ba.score(MODEL, BENCHMARK, store, results=tmp_path / "results").table
    assert sorted(table["subject"].unique()) == ["one", "two"]
    assert rows(table, layer="signal|mean")["value"].min() > rows(table, layer="noise|mean")["value"].max()


def test_rdms_alone_take_rsa_with_a_ceiling_across_subjects(store: Store) -> None:
    result = ba.score(MODEL, "toy-rdms", store)
    assert set(result.table["metric"]) == {"rsa.correlation.rho-a"}
    signal = rows(result.table, layer="signal|mean")
    assert (signal["ceiling_kind"] == "correlation").all()
    assert (signal["ceiling"].astype(float) < signal["ceiling_high"].astype(float)).all()
    assert signal["value"].min() > 0.3
    for metric in ("encoding.ridge.r", "cka.linear.debiased", "mutual-knn.k10"):
        with pytest.raises(ResponseKindError, match="RDMs"):
            ba.score(MODEL, "toy-rdms", store, metrics=[metric])


def test_unknown_names_offer_near_ones(store: Store) -> None:
    with pytest.raises(ChoiceError, match=r"cka\.linear\.debiased"):
        ba.score(MODEL, BENCHMARK, store, metrics=["cka.linear.debaised"])
    with pytest.raises(ChoiceError, match="'V1'"):
        ba.score(MODEL, BENCHMARK.model_copy(update={"rois": ("V11",)}), store)
    with pytest.raises(ChoiceError, match="'one'"):
        ba.score(MODEL, BENCHMARK.model_copy(update={"subjects": ("ones",)}), store)
    with pytest.raises(ChoiceError, match="'group'"):
        ba.score(MODEL, BENCHMARK.model_copy(update={"groups": "groups"}), store)


def test_choosing_among_layers_of_noise_does_not_pay(tmp_path: Path) -> None:
    """The best of many unrelated layers, chosen on other stimuli, scores around chance."""
    store = make_toy_store(tmp_path, subjects=("one",))
    rng = np.random.default_rng(1)
    ids = [f"images-{i:03d}" for i in range(120)]
    layers = {f"layer{i:02d}": rng.standard_normal((120, 30)).astype(np.float32) for i in range(20)}
    store.put_embeddings("noise-net", "ba9876543210", "images", layers, stimuli=ids, attrs={})
    table = ba.score("noise-net", BENCHMARK, store).table
    for metric in ("encoding.ridge.r", "cka.linear.debiased", "rsa.correlation.rho-a"):
        each = rows(table, metric=metric)
        best = each[each["layer"] != "selected"].groupby("roi")["value"].max().mean()
        assert rows(each, layer="selected")["value"].mean() < best
        selected = rows(each, layer="selected")
        assert (selected["value"].abs() < 3 * selected["se"]).all()


def test_a_region_that_a_subject_lacks_is_no_cell_unless_it_is_asked_for(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, subjects=("one",))
    responses = store.responses("toy", "one").load()
    member = np.pad(responses["roi"].values, ((0, 0), (0, 1)))
    bare = responses.drop_vars(["V1", "IT", "roi", "label"])
    bare["roi"] = (("neuroid", "label"), member, {"labels": ["V1", "IT", "FFA"]})
    store.put_responses("toy", "v1", "one", bare, options={"noise": 2.0}, replace=True)
    table = ba.score(MODEL, BENCHMARK, store, metrics=["cka.linear.debiased"]).table
    assert sorted(set(table["roi"])) == ["IT", "V1"]


QUICK = {"blocks": 10, "n_permutations": 20, "encoding_permutations": 20, "half_samples": 20}
FITTED = [name for name, metric in METRICS.items() if metric.family == "composed"]


@pytest.mark.parametrize(
    "name", [*FITTED, *(pytest.param(name, marks=pytest.mark.slow) for name in METRICS if name not in FITTED)]
)
def test_a_benchmark_takes_every_metric(name: str, tmp_path: Path) -> None:
    # half of one of two parts must hold the most neighbours
    n_stimuli = 60 if name in FITTED or name == "gromov-wasserstein" else 240
    store = make_toy_store(tmp_path, n_stimuli=n_stimuli, subjects=("one",))
    bench = Benchmark(id="all", dataset="toy", rois=("V1",), groups="group", metrics=(name,), **QUICK)
    table = ba.score(MODEL, bench, store, results=tmp_path).table
    assert table["layer"].tolist() == ["signal|mean", "noise|mean", "selected"]
    assert table["value"].notna().all()
    # the best over all pairings is the same whatever the pairing is
    assert table["p"].notna().all() == (name != "gromov-wasserstein")
    signal, noise, _ = table["value"] if METRICS[name].higher_is_better else -table["value"]
    assert signal > noise
    if name in FITTED:
        assert (table["n_permutations"] == 20).all()
        assert (table["low"] < table["high"]).all()


def test_a_benchmark_keeps_sources_whole_where_a_measure_fits(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, n_stimuli=60, subjects=("one",))
    bench = Benchmark(id="g", dataset="toy", rois=("V1",), groups="group", metrics=("encoding.versa",), **QUICK)
    table = ba.score(MODEL, bench, store).table
    panel = load_panels(MODEL, bench, store)[0]
    X, Y = panel.layers["signal|mean"], panel.subjects[0].matrix("V1")
    assert table["value"][0] == pytest.approx(versa(X, Y, groups=panel.groups))
    assert table["value"][0] != pytest.approx(versa(X, Y), abs=1e-9)
