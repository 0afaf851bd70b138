#!/usr/bin/env python3
"""Writes golden losses, gradients and optimizer steps of the top-k SAE of science section 2: PyTorch's autograd and
Adam in fp64.

    pip install torch numpy h5py
    tests/reference/sae_golden.py tests/golden/sae.h5

A case has its inputs, start and batches in fp32 (so that both precisions of ours start from the same), then the loss
terms of 20 steps, the parameters after each, and the gradients of the first and the last.
"""

import argparse
import dataclasses

import numpy as np
import torch

import golden

SEED = 20250519
STEPS = 20
OF_STEPS = 100  # length of the training that these are the first steps of
ARRAYS = ("encoder", "encoder_bias", "decoder", "pre_bias")
GRADIENT_STEPS = (0, STEPS - 1)


@dataclasses.dataclass
class Case:
    k: int
    h: int
    d: int
    dead: int  # latents that are dead at the start
    batch: int = 32
    rows: int = 96
    dead_after: int = 160  # samples: a latent that is silent from the first batch on dies on the way


CASES = {
    "k1_narrow": Case(k=1, h=12, d=20, dead=3),
    "k1_wide": Case(k=1, h=40, d=16, dead=15),
    "k4_narrow": Case(k=4, h=16, d=20, dead=4, batch=33),
    "k4_wide": Case(k=4, h=40, d=16, dead=12),
    "k32_narrow": Case(k=32, h=34, d=36, dead=8),
    "k32_wide": Case(k=32, h=48, d=16, dead=20, batch=37),
    "k4_alive": Case(k=4, h=13, d=17, dead=0, dead_after=10**6),
}


def start_of(case, generator):
    """Parameters to begin with. Dead latents lie low by steps: some come back, some never."""
    decoder = generator.standard_normal((case.h, case.d))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    encoder = decoder + 0.2 * generator.standard_normal((case.h, case.d)) / np.sqrt(case.d)
    encoder_bias = 0.1 * generator.standard_normal(case.h)
    idle = np.zeros(case.h, dtype=np.int64)
    for order, latent in enumerate(generator.permutation(case.h)[: case.dead]):
        idle[latent] = 5000
        encoder_bias[latent] -= 0.4 + 3.4 * order / (case.dead - 1)
    pre_bias = 0.2 * generator.standard_normal(case.d)
    values = (encoder, encoder_bias, decoder, pre_bias)
    return {name: golden.single(value) for name, value in zip(ARRAYS, values, strict=True)}, idle


def batches_of(case, generator):
    passes = -(-STEPS * case.batch // case.rows)
    order = np.concatenate([generator.permutation(case.rows) for _ in range(passes)])
    return order[: STEPS * case.batch].reshape(STEPS, case.batch).astype(np.int32)


def rate_of(case, step):
    """0.03/sqrt(d), risen over 5 % of the steps, then falling to 0 one step after the last."""
    warm_up = OF_STEPS // 20
    return 0.03 / np.sqrt(case.d) * min(1.0, (step + 1) / warm_up, (OF_STEPS - step) / (OF_STEPS - warm_up))


class Margin:
    """How near a choice came to falling the other way, where rounding would change the gradients by a jump."""

    def __init__(self):
        self.least = np.inf

    def choice(self, z, count):
        ordered = z.detach().sort(dim=1, descending=True).values
        if count < z.shape[1]:
            self.least = min(self.least, (ordered[:, count - 1] - ordered[:, count]).min().item())
        self.least = min(self.least, ordered[:, :count].abs().min().item())


def kept(z, count, margin):
    values, index = z.topk(count, dim=1)
    margin.choice(z, count)
    return torch.zeros_like(z).scatter(1, index, torch.relu(values))


def among(z, columns, count, margin):
    """As kept, among some latents only."""
    chosen = kept(z[:, columns], count, margin)
    return torch.zeros_like(z).index_copy(1, columns, chosen)


def loss_of(case, parameters, u, dead, margin):
    """(FVU(k), FVU(min(4k, h)), AuxK, loss) and the activations."""
    encoder, encoder_bias, decoder, pre_bias = (parameters[name] for name in ARRAYS)
    size = u.numel()
    z = (u - pre_bias) @ encoder.T + encoder_bias

    def error(activations):
        return u - (activations @ decoder + pre_bias)

    a = kept(z, case.k, margin)
    e = error(a)
    fvu = e.square().sum() / size
    fvu_multi = error(kept(z, min(4 * case.k, case.h), margin)).square().sum() / size
    auxk = torch.zeros((), dtype=u.dtype)
    count = min(case.d // 2, case.h // 2, len(dead))
    if count > 0:
        constant = e.detach()
        left = constant - among(z, dead, count, margin) @ decoder
        auxk = left.square().sum() / max(constant.square().sum().item(), 1e-6 * size)
    return fvu, fvu_multi, auxk, fvu + fvu_multi / 8 + auxk / 32, a.detach()


def step_decoder(decoder):
    """The gradient's part along a row goes before the step."""
    decoder.grad -= (decoder.grad * decoder.detach()).sum(dim=1, keepdim=True) * decoder.detach()


@dataclasses.dataclass
class Course:
    """What 20 steps gave."""

    terms: list = dataclasses.field(default_factory=list)
    dead: list = dataclasses.field(default_factory=list)
    parameters: list = dataclasses.field(default_factory=list)
    gradients: list = dataclasses.field(default_factory=list)
    margins: list = dataclasses.field(default_factory=list)


def train(case, start, idle, inputs, batches):
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimizer = torch.optim.Adam(parameters.values(), betas=(0.9, 0.999), eps=6.25e-10)
    idle = torch.tensor(idle)
    course = Course()
    for step in range(STEPS):
        margin = Margin()
        u = torch.tensor(inputs[batches[step]])
        dead = torch.nonzero(idle >= case.dead_after).flatten()
        *terms, a = loss_of(case, parameters, u, dead, margin)
        optimizer.zero_grad()
        terms[3].backward()
        course.dead.append(len(dead))
        course.terms.append([term.item() for term in terms])
        course.gradients.append({name: p.grad.numpy().copy() for name, p in parameters.items()})
        step_decoder(parameters["decoder"])
        for group in optimizer.param_groups:
            group["lr"] = rate_of(case, step)
        optimizer.step()
        with torch.no_grad():
            parameters["decoder"] /= parameters["decoder"].norm(dim=1, keepdim=True)
        course.parameters.append({name: p.detach().numpy().copy() for name, p in parameters.items()})
        course.margins.append(margin.least)
        idle += len(u)
        idle[(a > 0).any(dim=0)] = 0
    return course


def check(name, case, course):
    """A case that would prove nothing, or hang on one rounding, is refused."""
    if course.margins[0] < 1e-6 or min(course.margins) < 1e-8:
        raise SystemExit(f"{name}: a choice hangs on {min(course.margins):.1e} of z; take another seed")
    if case.dead and (course.dead[0] != case.dead or min(course.dead) == 0 or len(set(course.dead)) < 2):
        raise SystemExit(f"{name}: dead latents should be there and change, found {course.dead}")


def write_case(file, name, case, seed):
    generator = np.random.default_rng(seed)
    start, idle = start_of(case, generator)
    inputs = golden.single(generator.standard_normal((case.rows, case.d)))
    batches = batches_of(case, generator)
    course = train(case, start, idle, inputs, batches)
    check(name, case, course)
    print(f"{name:11} dead {course.dead[0]:2} to {course.dead[-1]:2}, loss {course.terms[0][3]:.4f} to "
          f"{course.terms[-1][3]:.4f}, margin {min(course.margins):.1e}")
    group = file.create_group(name)
    for key in ("k", "h", "d", "batch", "dead_after"):
        group.attrs[key] = getattr(case, key)
    golden.put(group, "inputs", inputs, np.float32)
    golden.put(group, "idle", idle, np.int64)
    golden.put(group, "batches", batches, np.int32)
    golden.put(group, "rate", [rate_of(case, step) for step in range(STEPS)])
    golden.put(group, "dead", course.dead, np.int64)
    golden.put(group, "terms", course.terms)
    for array in ARRAYS:
        golden.put(group, f"start/{array}", start[array], np.float32)
        golden.put(group, f"parameters/{array}", [values[array] for values in course.parameters])
        golden.put(group, f"gradients/{array}", [course.gradients[step][array] for step in GRADIENT_STEPS])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with golden.create(options.output, SEED, {"torch": torch.__version__}) as file:
        file.attrs["of_steps"] = OF_STEPS
        for index, (name, case) in enumerate(CASES.items()):
            write_case(file, name, case, [SEED, index])


if __name__ == "__main__":
    main()
