"""``brainalign doctor``: is everything here that the work needs, and if not, what to do."""

from __future__ import annotations

import importlib.util
import os
import platform
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import typer

from brainalign.cli.command import command
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Grid, Reply
from brainalign.errors import BrainalignError

CORE = ("numpy", "scipy", "pandas", "torch", "xarray", "zarr", "scikit-learn", "nilearn", "open_clip_torch", "timm")
OPTIONAL = {"efficientnet_lite_pytorch": "demo", "skimage": "demo", "dask.distributed": "cluster", "pytest": "test"}
GIGABYTE = 1024**3


@dataclass(frozen=True)
class Check:
    """One line of the report; ``advice`` says what to do when the state is not "fine"."""

    name: str
    state: Literal["fine", "missing", "optional", "low"]
    found: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    command(app, "doctor", example="brainalign doctor\nbrainalign doctor --store s3://lab/store --json")(doctor)


def doctor(store: StoreUrl = None) -> Reply:
    """Say what is here, what is missing, what to do.

    Looks at versions, cores, memory, device, optional packages, manifests and the store.
    """
    checks = [_python(), *_packages(), *_extras(), _cores(), _memory(), _device(), _manifests(), _store(store)]
    passed = all(check.state in ("fine", "optional") for check in checks)
    advice = [f"- {check.name}: {check.advice}" for check in checks if check.advice]
    closing = "Everything needed is here." if passed else "Something needed is missing or scarce; see above."
    grid = Grid(("check", "state", "found"), [(c.name, c.state, c.found) for c in checks])
    return Reply({"passed": passed, "checks": checks}, [grid, *advice, closing], passed=passed)


def _python() -> Check:
    return Check("python", "fine", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> list[Check]:
    import brainalign

    checks = [Check("brainalign", "fine", f"{brainalign.__version__} in {Path(brainalign.__file__).parent}")]
    for name in CORE:
        try:
            checks.append(Check(name, "fine", metadata.version(name)))
        except metadata.PackageNotFoundError:
            checks.append(Check(name, "missing", "not installed", f'run  pip install "{name}"'))
    return checks


def _extras() -> list[Check]:
    checks = []
    for module, extra in OPTIONAL.items():
        try:
            there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:  # the parent of a dotted name is absent
            there = False
        advice = "" if there else f'for this, run  pip install "brainalign[{extra}]"'
        found = "installed" if there else "not installed"
        checks.append(Check(f"{extra}: {module}", "fine" if there else "optional", found, advice))
    return checks


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cores() -> Check:
    threads = os.environ.get("OMP_NUM_THREADS")
    return Check("cores", "fine", f"{cores()}" + (f", OMP_NUM_THREADS={threads}" if threads else ""))


def _memory() -> Check:
    total = _memory_bytes()
    if total is None:
        return Check("memory", "fine", "unknown on this system")
    found = f"{total / GIGABYTE:.1f} GB"
    if total < 4 * GIGABYTE:
        return Check("memory", "low", found, "the demo wants 4 GB; give --max-memory to embed where it is less")
    return Check("memory", "fine", found)


def _memory_bytes() -> int | None:
    """Return the memory of the machine, or of the container that this process is held in."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        return min(total, int(limit.read_text()))
    except (OSError, ValueError):  # no control group, or "max"
        return total


def _device() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check(
            "device", "missing", f"torch does not load: {error}", "reinstall torch: pip install --force-reinstall torch"
        )
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Check("device", "fine", f"cuda: {names}; ask for it with --device cuda")
    if torch.backends.mps.is_available():
        return Check("device", "fine", "mps; ask for it with --device mps")
    return Check("device", "fine", f"cpu, {torch.get_num_threads()} threads")


def _manifests() -> Check:
    from brainalign.manifests import manifest_folders, manifest_ids

    try:
        number, folders = len(manifest_ids()), ", ".join(str(folder) for folder in manifest_folders())
    except BrainalignError as error:
        return Check("manifests", "missing", str(error), "correct or unset $BRAINALIGN_MANIFESTS")
    if not number:
        return Check("manifests", "missing", "none found", "set $BRAINALIGN_MANIFESTS to a folder that has them")
    return Check("manifests", "fine", f"{number} in {folders}")


def _store(url: str | None) -> Check:
    import fsspec

    shown = url or os.environ.get("BRAINALIGN_STORE") or "./brainalign-store"
    advice = "give another place with --store or $BRAINALIGN_STORE, or mend the permissions there"
    try:
        system, path = fsspec.core.url_to_fs(shown)
        probe = f"{path.rstrip('/')}/.doctor-{uuid.uuid4().hex}"
        existed = system.exists(path)
        system.makedirs(path, exist_ok=True)
        system.pipe_file(probe, b"brainalign")
        intact = system.cat_file(probe) == b"brainalign"
        system.rm_file(probe)
        if not existed:
            system.rmdir(path)
    except (OSError, ImportError, ValueError, BrainalignError) as error:
        return Check("store", "missing", f"{shown} cannot be written: {error}", advice)
    if not intact:
        return Check("store", "missing", f"{shown} gives back other bytes than were written", advice)
    return Check("store", "fine", f"{shown}, writable" + ("" if existed else " (not made yet)"))
