"""Where a number comes from: code, versions, machine."""

from __future__ import annotations

import base64
import datetime
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import brainalign

__all__ = ["environment", "provenance"]

_PACKAGES = (
    "efficientnet-lite-pytorch",
    "numpy",
    "open_clip_torch",
    "pandas",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torchvision",
    "xarray",
    "zarr",
)


def environment(device: str | None = None) -> dict[str, Any]:
    """Return what numbers may depend on: package versions, Python, platform, device, threads."""
    return {
        "packages": _versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device or "cpu",
        "threads": _threads(),
    }


def provenance(
    *,
    seed: int | None = None,
    seconds: float | None = None,
    device: str | None = None,
    computed_in: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return versions, commit or wheel, machine and time.

    Parameters
    ----------
    seed, seconds, device : optional
        Of the run, recorded as given. ``device`` defaults to ``"cpu"``.
    computed_in : dict, optional
        The `environment` of the process that computed the numbers; default that of this one.

    Returns
    -------
    dict
        ``brainalign``; ``git`` (commit, dirty) where the package lies in its checkout, else null; ``wheel`` (version,
        sha256 of the package files, intact: whether they are those that were shipped, null if unknown) else null;
        ``packages``, ``python``, ``platform``, ``device``, ``threads``, ``time``, ``seed``, ``seconds``.

    Notes
    -----
    Works without git: the commit is then unknown, which counts as dirty.
    """
    package = Path(brainalign.__file__).resolve().parent
    git = _git_state(package)
    return {
        "brainalign": brainalign.__version__,
        "git": git,
        "wheel": None if git is not None else _wheel_state(package),
        **(computed_in or environment(device)),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "seconds": None if seconds is None else round(seconds, 3),
    }


def _threads() -> int:
    torch = sys.modules.get("torch")  # only where it runs already
    return int(torch.get_num_threads()) if torch is not None else os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it fails or is absent."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set inside hooks, of another repository perhaps
        environment.pop(name, None)
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _git_state(package: Path) -> dict[str, Any] | None:
    """Return commit and dirty flag if git tracks the package; an installation inside some checkout does not count."""
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {"commit": None, "dirty": None} if (package.parent / ".git").exists() else None
    commit, changed = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "-uno")
    manifests = package.parent / "data_manifests"
    inside = [str(package), *([str(manifests)] if manifests.is_dir() else [])]
    added = _git(package, "ls-files", "--others", "--exclude-standard", "--", *inside)
    dirty = None if changed is None or added is None else bool(changed.strip() or added.strip())
    return {"commit": commit.strip() if commit else None, "dirty": dirty}


def _wheel_state(package: Path) -> dict[str, Any]:
    files = sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    hashes = {p.relative_to(package.parent).as_posix(): hashlib.sha256(p.read_bytes()).digest() for p in files}
    text = "".join(f"{name} {digest.hex()}\n" for name, digest in hashes.items())
    return {
        "version": brainalign.__version__,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "intact": _as_shipped(package, hashes),
    }


def _as_shipped(package: Path, hashes: dict[str, bytes]) -> bool | None:
    """Return whether the files are those that the wheel's RECORD lists; None without a RECORD of them."""
    try:
        listed = importlib.metadata.distribution("brainalign").files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    record = {
        f.as_posix(): base64.urlsafe_b64decode(f.hash.value + "=" * (-len(f.hash.value) % 4))
        for f in listed
        if f.hash is not None and f.hash.mode == "sha256" and Path(str(f.locate())).resolve().is_relative_to(package)
    }
    if not record:
        return None
    return record == hashes
