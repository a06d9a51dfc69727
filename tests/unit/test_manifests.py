import pytest
import yaml

from brainalign.benchmarks import load_benchmark
from brainalign.errors import ManifestError
from brainalign.manifests import benchmark_definitions, load_manifest, manifest_folders, manifest_ids

SMALL = {
    "id": "lab-one",
    "title": "t",
    "citation": [],
    "licence": "CC0",
    "terms": "none",
    "location": "here",
    "kind": "responses",
    "subjects": {190923: "a monkey"},
    "stimuli": "some",
    "benchmarks": [{"id": "lab-one", "version": 2, "dataset": "lab-one"}],
}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("BRAINALIGN_MANIFESTS", str(folder))

    def write(**changes):
        (folder / "lab-one.yaml").write_text(yaml.safe_dump(SMALL | changes))

    write()
    return write


def test_shipped_manifests_fit_the_schema_and_their_benchmarks_load():
    assert {"macaque-v4", "natural-scenes", "objects92", "simulated-cortex"} <= set(manifest_ids())
    for dataset in manifest_ids():
        manifest = load_manifest(dataset)
        for entry in manifest.benchmarks:
            benchmark = load_benchmark(entry.id)
            assert benchmark.dataset == dataset
            assert benchmark.variant in manifest.variants
            if benchmark.rois != "all":
                assert set(benchmark.rois) <= set(manifest.rois)
            if benchmark.subjects != "all":
                assert set(benchmark.subjects) <= set(manifest.subjects)


def test_simulated_data_say_so():
    assert load_manifest("simulated-cortex").simulated
    assert not load_manifest("macaque-v4").simulated


def test_unknown_id_offers_near_names():
    with pytest.raises(ManifestError, match=r"no manifest 'macaqe-v4'.*Did you mean 'macaque-v4'"):
        load_manifest("macaqe-v4")


def test_folder_of_the_environment_comes_first(lab):
    assert "lab-one" in manifest_ids()
    assert "objects92" in manifest_ids()
    assert load_manifest("lab-one").subjects == {"190923": "a monkey"}
    assert benchmark_definitions()["lab-one"] == {"id": "lab-one", "version": 2, "dataset": "lab-one"}
    lab(title="changed")
    assert load_manifest("lab-one").title == "changed"


def test_missing_folder_of_the_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINALIGN_MANIFESTS", str(tmp_path / "absent"))
    with pytest.raises(ManifestError, match="absent"):
        manifest_folders()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licens": "CC0"}, "licens: .*Did you mean 'licence'"),
        ({"kind": "numbers"}, "kind: "),
        ({"id": "lab-two"}, "id and the file name must agree"),
        ({"benchmarks": [{"id": "x", "version": 0, "dataset": "lab-one"}]}, r"benchmarks\.0\.version"),
        ({"files": [{"path": "a.npy", "sha256": "123"}]}, r"files\.0\.sha256"),
    ],
)
def test_schema_names_what_it_refuses(lab, changes, message):
    lab(**changes)
    with pytest.raises(ManifestError, match=message):
        load_manifest("lab-one")


@pytest.mark.parametrize("text", ["- a list", "a: [unclosed", "!!python/object/apply:os.getcwd []"])
def test_files_that_are_no_mapping_are_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv("BRAINALIGN_MANIFESTS", str(tmp_path))
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ManifestError, match=r"bad\.yaml"):
        load_manifest("bad")


def test_two_benchmarks_of_one_id_are_refused(lab):
    lab(benchmarks=[{"id": "objects92", "version": 1, "dataset": "lab-one"}])
    with pytest.raises(ManifestError, match="'objects92' is defined by both"):
        benchmark_definitions()


def test_the_layout_of_files_spaces_labels_and_splits_has_a_place(lab):
    lab(
        redistribution="anyone",
        download={"url": "s3://bucket", "accept_terms": True, "options": {"anon": True}},
        patterns=[
            {
                "pattern": "{subject}/betas{session:02d}.hdf5",
                "holds": "betas",
                "dtype": "int16",
                "scale": 300,
                "axes": ["trial", "z", "y", "x"],
            },
            {"pattern": "events.tsv", "holds": "stimulus of each trial", "id_base": 1},
        ],
        published_counts={190923: {"sessions": 4}},
        spaces={"native": {"kind": "volume", "sizes": {"190923": [8, 7, 6]}}},
        label_tables={"early": {"labels": ["V1", "V2"], "background": [-1, 0]}, "late": {"labels": {5: "IT"}}},
        published_splits=[{"name": "held-out", "rule": "the last ten", "sizes": {"test": 10}}],
        ceilings=[{"kind": "variance", "unit": "share of variance", "file": "nc.npy", "scale": 100}],
    )
    manifest = load_manifest("lab-one")
    assert manifest.patterns[0].scale == 300
    assert manifest.patterns[1].id_base == 1
    assert manifest.label_tables["early"].labels == {1: "V1", 2: "V2"}
    assert manifest.label_tables["late"].labels == {5: "IT"}
    assert manifest.published_counts == {"190923": {"sessions": 4}}
    assert manifest.published_splits[0].version == 1
    assert manifest.download.options == {"anon": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patterns": [{"pattern": "a", "holds": "b", "scale": 0}]}, r"patterns\.0\.scale"),
        ({"patterns": [{"pattern": "a", "holds": "b", "id_bas": 1}]}, "Did you mean 'id_base'"),
        ({"spaces": {"native": {"kind": "tetrahedra"}}}, r"spaces\.native\.kind"),
        ({"published_splits": [{"name": "Not An Id", "rule": "r"}]}, r"published_splits\.0\.name"),
    ],
)
def test_the_layout_is_checked_too(lab, changes, message):
    lab(**changes)
    with pytest.raises(ManifestError, match=message):
        load_manifest("lab-one")
