import ast
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import pdist

import brainalign.datasets
from brainalign.datasets import make_natural_scenes, simulate_cortex
from brainalign.datasets.gabor import N_ORIENTATIONS, contrast, gabor_energy
from brainalign.datasets.images import iter_images
from brainalign.datasets.simulated import EXPLAINABLE, simulate_rois
from brainalign.datasets.simulated_areas import Area, later_area, normalised_energy, second_order
from brainalign.errors import ChoiceError, InputError, UndefinedError
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, open_store

pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    root = tmp_path_factory.mktemp("cortex")
    store = open_store(root / "store")
    make_natural_scenes(store, crops_per_photograph=4, n_scenes=56)
    report = simulate_cortex(None, store, subjects=["sim01", "sim02"], n_neuroids=40, truth=root / "truth")
    return store, root / "truth", report


def test_everything_says_simulated(simulated):
    store, _, report = simulated
    assert all(line.startswith("SIMULATED") for line in str(report).splitlines())
    for subject in store.subjects("simulated-cortex"):
        for variant in ("noisy", "noise-free", "noise-free-rdm"):
            assert store.responses("simulated-cortex", subject, variant=variant).attrs["simulated"] is True


def test_noise_is_what_the_coordinates_say(simulated):
    store, _, _ = simulated
    noisy = store.responses("simulated-cortex", "sim01", variant="noisy")
    free = store.responses("simulated-cortex", "sim01", variant="noise-free")["response"].values.astype(float)
    values = noisy["response"].values.reshape(4, 120, 80)
    assert np.allclose(free.var(axis=0, ddof=1), 1, rtol=1e-5)
    residual = ((values - free) ** 2).mean(axis=(0, 1))
    # 480 draws a neuroid: the variance of a variance is 2 / 480 of its square
    assert np.abs(residual / noisy["noise_variance"].values - 1).max() < 5 * np.sqrt(2 / 480)
    assert np.allclose(noisy["exact_ceiling"].values, 1 / (1 + noisy["noise_variance"].values / 4))
    lags = np.corrcoef((values - free).reshape(480, 80).T)[np.triu_indices(80, 1)]
    assert abs(lags.mean()) < 0.01


def test_tool_recovers_the_exact_ceiling_and_the_share_of_each_area(simulated):
    store, _, _ = simulated
    for subject in ("sim01", "sim02"):
        noisy = store.responses("simulated-cortex", subject, variant="noisy")
        ceiling = noise_ceiling(noisy)
        assert np.abs(ceiling.value - noisy["exact_ceiling"].values).mean() < 0.06
        share = 1 / (1 + noisy["noise_variance"].values)
        for area, expected in EXPLAINABLE.items():
            # Beta with concentration 8 over 40 neuroids: standard error .025
            assert abs(share[noisy[area].values].mean() - expected) < 0.1
            assert share[noisy[area].values].std() > 0.08


def test_noise_free_responses_have_no_ceiling_to_measure(simulated):
    store, _, _ = simulated
    free = store.responses("simulated-cortex", "sim01", variant="noise-free")
    assert noise_ceiling(free).kind is None
    assert (free["exact_ceiling"].values == 1).all()


def test_recorded_truth_is_that_of_the_noise_free_responses(simulated):
    store, truth, _ = simulated
    free = store.responses("simulated-cortex", "sim02", variant="noise-free")
    rdms = store.responses("simulated-cortex", "sim02", variant="noise-free-rdm")
    with np.load(truth / "sim02.npz") as known:
        assert known["stimulus"].tolist() == free["stimulus"].values.tolist() == rdms["stimulus"].values.tolist()
        for number, area in enumerate(("early", "later")):
            values = free["response"].values[:, free[area].values].astype(float)
            assert np.allclose(known[f"rdm_{area}"], pdist(values, "correlation"), atol=1e-12)
            assert np.array_equal(rdms["dissimilarity"].values[number], known[f"rdm_{area}"])
            centred = values - values.mean(axis=0)
            assert np.allclose(known[f"gram_{area}"], centred @ centred.T)


def test_subjects_differ_in_neuroids_but_share_the_area(simulated):
    _, truth, _ = simulated
    with np.load(truth / "sim01.npz") as one, np.load(truth / "sim02.npz") as two:
        assert not np.allclose(one["noise_free_early"], two["noise_free_early"])
        for area in ("early", "later"):
            within = np.corrcoef(one[f"rdm_{area}"], two[f"rdm_{area}"])[0, 1]
            across = np.corrcoef(one["rdm_early"], two["rdm_later"])[0, 1]
            assert within > across + 0.1


def test_repeated_call_writes_nothing(simulated):
    store, _, _ = simulated
    again = simulate_cortex(None, store, subjects=["sim01"], n_neuroids=40)
    assert not any(entry.written for entry in again.entries)


def test_repeats_average_towards_the_noise_free_response(simulated):
    store, _, _ = simulated
    noisy = store.responses("simulated-cortex", "sim01", variant="noisy")
    free = store.responses("simulated-cortex", "sim01", variant="noise-free")["response"].values
    mean = average_repeats(noisy)["response"].values
    r = [np.corrcoef(mean[:, i], free[:, i])[0, 1] for i in range(free.shape[1])]
    assert np.corrcoef(np.square(r), noisy["exact_ceiling"].values)[0, 1] > 0.95


def grating(turn, wavelength=6.0, phase=0.0):
    y, x = np.mgrid[0:64, 0:64]
    angle = np.pi * turn / N_ORIENTATIONS
    return np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase).astype(np.float32)


def test_gabor_energy_is_tuned_to_orientation_and_blind_to_phase():
    energy = gabor_energy(np.stack([grating(turn, phase=phase) for turn in range(6) for phase in (0, 1.5)]))
    inner = energy[:, :, 8:-8, 8:-8].mean(axis=(2, 3)).reshape(6, 2, 24)
    assert inner[:, 0].argmax(axis=1).tolist() == [6 + turn for turn in range(6)]
    assert np.abs(inner[:, 0] / inner[:, 1] - 1)[:, 6:12].max() < 0.1


def test_later_area_tolerates_shifts_that_change_the_early_area(simulated):
    store, _, _ = simulated
    images = contrast(image for _, image in iter_images(store, "natural-scenes"))
    both = normalised_energy(gabor_energy(np.concatenate([images, np.roll(images, 12, axis=2)])))
    areas = simulate_rois(both, ["sim01"], n_neuroids=30)["sim01"]
    kept = {}
    for name, roi in areas.items():
        here, there = np.split(roi.noise_free, 2)
        kept[name] = np.mean([np.corrcoef(here[:, i], there[:, i])[0, 1] for i in range(30)])
    assert kept["later"] > kept["early"]


def test_contrast_ignores_the_level_of_light():
    pixels = np.random.default_rng(0).integers(0, 120, (40, 50), dtype=np.uint8)
    dark, light = contrast([Image.fromarray(pixels), Image.fromarray(2 * pixels)])
    assert dark.shape == (64, 64)
    assert np.corrcoef(dark.ravel(), light.ravel())[0, 1] > 0.999
    assert light.std() / dark.std() < 1.4


def test_arguments_that_make_no_sense(simulated):
    store, _, _ = simulated
    with pytest.raises(ChoiceError, match="Did you mean 'sim01'"):
        simulate_cortex(None, store, subjects=["sim1"])
    with pytest.raises(ChoiceError, match="Did you mean 'noisy'"):
        simulate_cortex(None, store, variant="nosy")
    with pytest.raises(InputError, match="explainable"):
        simulate_cortex(None, store, n_neuroids=5, explainable={"early": 1.0})


def test_images_that_are_all_alike_are_refused():
    flat = normalised_energy(np.ones((5, 24, 32, 32), dtype=np.float32))
    with pytest.raises(UndefinedError, match="respond alike to all 5 stimuli"):
        later_area(second_order(flat, np.random.default_rng(0)), 3, np.random.default_rng(0))


def test_no_network_takes_part():
    folder = Path(brainalign.datasets.__file__).parent
    for module in ("gabor", "simulated_areas", "simulated"):
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not any(str(name).split(".")[0] in ("torch", "timm", "open_clip") for name in names)
    assert Area.__annotations__.keys() == {"responses", "rf_x", "rf_y", "rf_size"}
