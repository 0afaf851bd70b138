#!/usr/bin/env python3
"""Writes small files with torch.save, for the reader of PyTorch's own format.

    pip install torch
    tests/reference/torch_golden.py tests/golden/torch

views.bin: views of one 4x6 matrix of 0, 1/8, 2/8, ... and copies of it in other types; module.bin: the state dict of a
torch.nn module, with its metadata, whose parameters count 0, 1, 2, ...; legacy.bin: the format before PyTorch 1.6;
unsafe.bin: a pickle that would call os.system.
"""

import argparse
import os
import pathlib

import torch


def views():
    matrix = (torch.arange(24, dtype=torch.float32) / 8).reshape(4, 6)
    return {
        "whole": matrix,
        "again": matrix,
        "transposed": matrix.t(),
        "slice": matrix[1:3, 2:5],
        "columns": matrix[:, ::2],
        "scalar": matrix[2, 3],
        "row": matrix[3],
        "expanded": matrix[0:1, 0:3].expand(2, 3),
        "empty": matrix[:0],
        "half": matrix.half(),
        "brain": matrix.bfloat16(),
        "double": matrix.double(),
        "parameter": torch.nn.Parameter(matrix.half()),
        "counts": torch.arange(5),
    }


def module():
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape))
    return layers.half().state_dict()


class Unsafe:
    def __reduce__(self):
        return os.system, ("true",)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(views(), folder / "views.bin")
    torch.save(module(), folder / "module.bin")
    torch.save(module(), folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"weight": Unsafe()}, folder / "unsafe.bin")
    (folder / "VERSION").write_text(f"torch_golden.py, torch {torch.__version__}\n")


if __name__ == "__main__":
    main()
