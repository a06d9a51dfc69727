"""Values on a surface in a browser: drawn from disk, no console error, and the numbers that were given."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import ShapeError, UndefinedError
from brainalign.plots import surface_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
N_VERTICES = 10_242  # of a hemisphere of fsaverage5


def values() -> np.ndarray:
    found = np.linspace(-0.1, 0.6, N_VERTICES)
    found[::7] = np.nan
    return found


def ball(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Corners and faces of a ball, faces seen from outside against the clock."""
    theta, phi = np.linspace(0.2, np.pi - 0.2, n)[:, None], np.linspace(0, 2 * np.pi, n, endpoint=False)[None]
    x, y, z = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi
    corners = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    at = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (at[:-1], at[1:], np.roll(at, -1, 1)[1:], np.roll(at, -1, 1)[:-1]))
    return corners, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def test_the_file_holds_what_was_given(tmp_path: Path) -> None:
    mesh = ball()
    given = np.arange(144.0)
    given[3] = np.inf
    path = surface_page(given, None, tmp_path / "s.html", mesh={"left": mesh}, title="<b>x</b>", simulated=True)
    page = path.read_text()
    assert "<b>x</b>" not in page and "&lt;b&gt;x&lt;/b&gt;" in page and "SIMULATED" in page
    assert not re.search(r"(src|href)=|https?://", page)
    found = re.search(r'id="surface-data">(.*?)</script>', page)
    assert found is not None
    side = json.loads(found[1])["sides"][0]
    back = np.frombuffer(base64.b64decode(side["values"]), dtype="<f4")
    assert np.isnan(back[3]) and np.array_equal(np.delete(back, 3), np.delete(given, 3))
    assert np.array_equal(np.frombuffer(base64.b64decode(side["faces"]), dtype="<u4").reshape(-1, 3), mesh[1])
    with pytest.raises(UndefinedError):
        surface_page(np.full(144, np.nan), None, tmp_path / "n.html", mesh={"left": mesh})
    with pytest.raises(ShapeError):
        surface_page(given[:5], None, tmp_path / "n.html", mesh={"left": mesh})


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_a_browser_draws_it_from_disk(tmp_path: Path) -> None:
    page = surface_page(values(), values()[::-1], tmp_path / "surface.html")
    assert page.stat().st_size < 2_000_000
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
        "--window-size=1000,700", "--virtual-time-budget=4000",
    ]  # fmt: skip
    command += ["--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ":CONSOLE" not in done.stderr
    triangles = re.search(r'data-triangles="(\d+)"', done.stdout)
    # of 2 x 20,480 triangles about half face the viewer
    assert triangles is not None and 0.3 < int(triangles[1]) / 40_960 < 0.7
    assert all(name in done.stdout for name in ("lateral", "medial", "17,556 vertices"))
