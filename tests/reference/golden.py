"""What the golden scripts share: an HDF5 file that says how it was made and has the same bytes each time."""

import contextlib
import pathlib
import platform
import sys

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def create(path, seed, libraries):
    """A new file whose attributes name the script that runs, the versions it runs on and its seed; it takes its name
    when it is complete."""
    path = pathlib.Path(path)
    unfinished = path.with_suffix(".tmp")
    versions = {"python": platform.python_version(), "numpy": np.__version__, "h5py": h5py.__version__} | libraries
    try:
        with h5py.File(unfinished, "w", libver=("earliest", "v110")) as file:
            file.attrs["made_by"] = "tests/reference/" + pathlib.Path(sys.argv[0]).name
            file.attrs["seed"] = seed
            for name in sorted(versions):
                file.attrs["version_" + name] = str(versions[name])
            yield file
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def put(group, name, value, dtype=np.float64):
    """A dataset of finite numbers."""
    array = np.asarray(value, dtype=dtype)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{group.name}/{name} is not finite")
    packed = {"compression": "gzip", "shuffle": True} if array.size > 1000 else {}
    group.create_dataset(name, data=array, **packed)


def single(array):
    """The nearest numbers that fp32 holds, in fp64: both precisions of ours start from the same."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)
