"""One miniature for all tests that only read it, and a small one to be damaged."""

import shutil

import pytest

from brainalign.store import open_store
from brainalign.testing.mini_nsd import make_mini_nsd

SPACES = ("func1pt8mm", "func1mm", "nativesurface", "fsaverage")
B3 = "betas_fithrf_GLMdenoise_RR"


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    root = tmp_path_factory.mktemp("nsd")
    design = make_mini_nsd(root, spaces=SPACES)
    return root, design


@pytest.fixture(scope="session")
def one_session(tmp_path_factory):
    root = tmp_path_factory.mktemp("nsd-subj04")
    make_mini_nsd(root, subjects=["subj04"], spaces=["func1pt8mm"])
    return root


@pytest.fixture
def tree(one_session, tmp_path):
    """A copy of a small tree: subj04, one session, one space."""
    return shutil.copytree(one_session, tmp_path / "nsd")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")
