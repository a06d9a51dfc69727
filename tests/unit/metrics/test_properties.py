"""The table of properties: its ids, that work is shared, and reasons in place of values."""

import numpy as np
import pytest

from brainalign import geometry
from brainalign.errors import ChoiceError, NonFiniteError, ShapeError
from brainalign.generalization import wasserstein_rate
from brainalign.metrics import representation
from brainalign.metrics.properties import PROPERTIES, get_property, measure
from brainalign.metrics.property_curves import measure_curves
from brainalign.testing.clouds import power_law

X = power_law(300, 1.0, 40)


@pytest.fixture(scope="module")
def everything():
    return {found.property: found for found in measure(X)}


def test_ids_and_records():
    for name, record in PROPERTIES.items():
        assert record.id == name
        assert record.key == f"{name}.v{record.version}"
        assert record.title and record.source and record.cost
        assert name.split(".")[0] == record.family
    assert {"dimension.local.mle.k50", "dimension.participation-ratio", "scale.excess-slope"} <= set(PROPERTIES)


def test_values_are_those_of_the_public_functions(everything):
    curve, structure = geometry.dimension_curve(X), geometry.structure_curve(X)
    expected = {
        "dimension.local.mle.k50": geometry.local_dimension(X).value,
        "dimension.local.twonn": geometry.local_dimension(X, estimator="twonn").value,
        "dimension.local.tle.k20": geometry.local_dimension(X, estimator="tle", k=20).value,
        "dimension.participation-ratio": geometry.global_dimension(X),
        "dimension.mst": geometry.global_dimension(X, estimator="mst"),
        "scale.slope": curve.slope,
        "scale.excess-slope": curve.excess_slope,
        "scale.structure.mean": structure.mean,
        "spectrum.exponent": geometry.spectrum_exponent(X).exponent,
    }
    assert {name: everything[name].value for name in expected} == pytest.approx(expected)
    assert all(found.n_stimuli == 300 and found.dropped == 0 for found in everything.values())
    assert everything["dimension.local.mle.k50"].error > 0
    assert everything["dimension.mst"].error is None


def test_convergence_is_measured_where_it_is_named(everything):
    asked = {name for name, record in PROPERTIES.items() if record.asked}
    assert asked == {"dimension.wasserstein", "convergence.slope"} == set(PROPERTIES) - set(everything)
    found = {m.property: m for m in measure(X, sorted(asked))}
    rate = wasserstein_rate(X, sizes=[18, 37, 75, 150], n_draws=5)
    assert found["convergence.slope"].value == rate.slope and found["convergence.slope"].error == rate.slope_error
    assert found["dimension.wasserstein"].value == rate.dimension
    (curve,) = measure_curves(X, ["convergence.curve.wasserstein"])
    width = np.linalg.norm(X[:, None] - X[None], axis=-1).max()
    np.testing.assert_allclose(curve.values, rate.distance / width)
    assert curve.scales.tolist() == rate.sizes.tolist() and (curve.errors > 0).all()


def test_a_single_property_is_a_function():
    assert get_property("dimension.participation-ratio").function(X) == geometry.global_dimension(X)


def test_the_graph_is_built_once(monkeypatch):
    calls = []
    build = representation.neighbour_graph
    monkeypatch.setattr(representation, "neighbour_graph", lambda *a, **k: calls.append(k) or build(*a, **k))
    measure(X[:120], ["dimension.local.mle.k10", "dimension.local.mle.k100", "dimension.local.gride.k16"])
    assert calls == [{"k": 100}]


def test_what_few_stimuli_do_not_have_has_a_reason():
    found = {m.property: m for m in measure(X[:30])}
    assert found["dimension.local.mle.k10"].value > 0
    assert found["dimension.local.mle.k50"].value is None
    assert "50 are needed" in found["dimension.local.mle.k50"].reason
    assert "n_points" in found["scale.structure.mean"].reason
    assert found["dimension.local.mle.k10"].reason is None


def test_copies_are_counted():
    found = measure(np.concatenate([X[:100], X[:20]]), ["dimension.local.mle.k10"])[0]
    assert (found.n_stimuli, found.dropped) == (120, 20)
    equal = measure(np.ones((10, 3)), ["dimension.participation-ratio"])[0]
    assert (equal.value, equal.dropped) == (None, 9)


def test_bad_input():
    with pytest.raises(ChoiceError, match=r"'dimension.local.mle.k50'"):
        measure(X, ["dimension.local.mle.50"])
    with pytest.raises(ShapeError):
        measure(X[:3])
    with pytest.raises(NonFiniteError):
        measure(np.full((10, 2), np.nan))
