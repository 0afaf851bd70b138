"""What a reader sees of labelled_file's output: labelled_file.py PATH. Exit code 77: no xarray here."""

import sys

try:
    import h5netcdf  # noqa: F401  (xarray's engine)
    import h5py
    import xarray
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

path = sys.argv[1]

root = xarray.open_dataset(path, engine="h5netcdf")
assert root["residual"].dims == ("layer", "probe", "d"), root["residual"].dims
assert dict(root.sizes) == {"layer": 2, "probe": 3, "d": 2}, root.sizes
assert "probe" not in root.variables, "a bare dimension shows up as a variable"
assert root["layer"].values.tolist() == [0, 5]
assert root.attrs["format"] == "incipit/emergence", root.attrs
assert root["residual"].attrs["units"] == "1"
assert root["deck"].item() == "[sae]\nlatents = 512\n", repr(root["deck"].item())

curve = xarray.open_dataset(path, group="anchors/time/curves/time", engine="h5netcdf")
auc = curve["auc"]
assert auc.dims == ("rung", "point", "subject"), auc.dims
assert auc.sel(rung="aligned", subject="Völkerkunde").values.tolist() == [7, 9, 11], auc
assert curve["step"].dims == ("point",)
assert set(curve.variables) == {"rung", "point", "subject", "step", "auc"}, list(curve.variables)

anchor = xarray.open_dataset(path, group="anchors/time", engine="h5netcdf")
assert anchor.attrs["model"] == "nano-550k" and anchor.attrs["step"] == 4000, anchor.attrs

times = xarray.open_dataset(path, group="timing", engine="h5netcdf")
assert times["seconds"].dims == ("phase",)


def contiguous(name, item):
    if isinstance(item, h5py.Dataset):
        assert item.chunks is None and item.compression is None, name
        assert item.attrs["units"] and item.attrs["long_name"], name


with h5py.File(path) as file:
    file.visititems(contiguous)
    assert file["anchors/time/curves/time/subject"].dtype.kind == "S"
print("labelled as promised")
