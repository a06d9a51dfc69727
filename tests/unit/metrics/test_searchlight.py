"""Maps of alignment on volumes and surfaces, against places looked up one by one."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from brainalign.errors import ChoiceError, InputError, ShapeError
from brainalign.metrics import searchlight
from brainalign.similarity import cka, rsa


@pytest.fixture(scope="module")
def brain():
    rng = np.random.default_rng(0)
    where = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3)
    X = rng.normal(size=(25, 4))
    Y = rng.normal(size=(25, 125))
    near = np.linalg.norm(where - [1, 1, 1], axis=1) <= 1.5
    Y[:, near] = X @ rng.normal(size=(4, near.sum())) + 0.3 * rng.normal(size=(25, near.sum()))
    return X, Y, where


def test_a_volume_as_places_one_by_one(brain):
    X, Y, where = brain
    found = searchlight("cka.linear.debiased", X, Y, coordinates=where, radius=1.5)
    inside = cdist(where, where) <= 1.5
    np.testing.assert_allclose(found, [cka(X, Y[:, rows]) for rows in inside], atol=1e-12)
    away = np.linalg.norm(where - [1, 1, 1], axis=1)
    assert found[away <= 1].min() > 0.5 > 0.3 > found[away > 3].max()
    by_function = searchlight(lambda A, B: rsa(A, B), X, Y, coordinates=where, radius=1.5)
    by_id = searchlight("rsa.correlation.rho-a", X, Y, coordinates=where, radius=1.5)
    np.testing.assert_allclose(by_function, by_id, atol=1e-12)


def test_places_with_too_few_neuroids_or_none_that_vary_have_no_value(brain):
    X, Y, where = brain
    silent = Y.copy()
    silent[:, :60] = 0.25
    found = searchlight("cka.linear.debiased", X, silent, coordinates=where, radius=1.0, min_neuroids=6)
    count = (cdist(where, where) <= 1.0).sum(axis=1)
    assert np.isnan(found[count < 6]).all()
    assert np.isnan(found[:30]).all()
    assert np.isfinite(found[(count >= 6) & (np.arange(125) > 90)]).all()


def test_a_surface_is_followed_along_its_edges():
    rng = np.random.default_rng(1)
    vertices = rng.normal(size=(80, 3))
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    vertices[:, 2] *= 0.05  # two sides of a flat disc: near in space, far along the surface
    faces = ConvexHull(vertices).simplices
    X, Y = rng.normal(size=(20, 3)), rng.normal(size=(20, 80))
    step = np.full((80, 80), np.inf)
    for a, b, c in faces:
        for u, v in ((a, b), (b, c), (a, c)):
            step[u, v] = step[v, u] = np.linalg.norm(vertices[u] - vertices[v])
    np.fill_diagonal(step, 0)
    for k in range(80):  # Floyd and Warshall
        step = np.minimum(step, step[:, [k]] + step[[k], :])
    found = searchlight("cka.linear.debiased", X, Y, coordinates=vertices, faces=faces, radius=0.6)
    expected = [cka(X, Y[:, rows]) if rows.sum() >= 5 else np.nan for rows in step <= 0.6]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    in_space = searchlight("cka.linear.debiased", X, Y, coordinates=vertices, radius=0.6)
    assert np.nanmax(np.abs(found - in_space)) > 0.01


def test_what_cannot_be_computed_is_named(brain):
    X, Y, where = brain
    with pytest.raises(ShapeError, match="125 neuroids"):
        searchlight("cka.linear.debiased", X, Y, coordinates=where[:9], radius=1)
    with pytest.raises(InputError, match="radius=0"):
        searchlight("cka.linear.debiased", X, Y, coordinates=where, radius=0)
    with pytest.raises(InputError, match="name vertices 0 to 125"):
        searchlight("cka.linear.debiased", X, Y, coordinates=where, radius=1, faces=[[0, 1, 125]])
    with pytest.raises(ShapeError, match="faces"):
        searchlight("cka.linear.debiased", X, Y, coordinates=where, radius=1, faces=[[0, 1]])
    with pytest.raises(ChoiceError):
        searchlight("cka", X, Y, coordinates=where, radius=1)
