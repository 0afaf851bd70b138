#!/usr/bin/env python3
"""What PyTorch and transformers reach at the shapes of kernels_bench, on the same device, and how ours compare.

    python3 kernels/bench/peers.py [--bench bench.csv] [--out peers.csv] [--quick] [--part operations|forward|sae|polar]
    python3 kernels/bench/peers.py --device cpu --tiny        (runs the code; its times mean nothing)

--bench is what `kernels_bench --out` wrote: a ratio is PyTorch's time over ours. Each peer is given its best: fused
optimizers, its fastest attention, texts sorted by length, several sizes of batches.
Exit 77 where there is no PyTorch, or no CUDA device that it sees.
"""

import argparse
import csv
import dataclasses
import gc
import importlib.util
import pathlib
import re
import statistics
import sys
import time

SKIPPED = 77
MEAN_LENGTH = 64.5


@dataclasses.dataclass
class Model:
    name: str
    d: int
    layers: int
    heads: int


@dataclasses.dataclass
class Settings:
    models: list
    rows: int
    tokens: int  # of the forward pass
    batch_tokens: list  # padded tokens of a batch, tried in turn
    d: int
    h: int
    probes: int
    batches: list
    polar: int
    seconds: float  # to measure one thing
    vocabulary: int = 50304


FULL = Settings(
    models=[Model("pythia-70m", 512, 6, 8), Model("pythia-410m", 1024, 24, 16), Model("pythia-2.8b", 2560, 32, 32),
            Model("pythia-12b", 5120, 36, 40)],
    rows=8192, tokens=131072, batch_tokens=[8192, 32768, 131072], d=5120, h=512, probes=12000,
    batches=[256, 4096, 12000], polar=5120, seconds=0.3)
QUICK = dataclasses.replace(FULL, models=[FULL.models[1], FULL.models[3]], rows=4096, tokens=32768, batch_tokens=[16384],
                            batches=[256], seconds=0.05)
TINY = Settings(models=[Model("tiny", 32, 2, 2)], rows=37, tokens=150, batch_tokens=[64], d=40, h=24, probes=90,
                batches=[32], polar=30, seconds=0.0, vocabulary=300)


class Bench:
    """The lines of kernels_bench."""

    def __init__(self, path):
        self.lines = []
        if path:
            with open(path, encoding="utf-8") as file:
                self.lines = list(csv.DictReader(line for line in file if not line.startswith("#")))

    def seconds(self, operation, kind, shape):
        found = [float(line["seconds"]) for line in self.lines
                 if (line["operation"], line["type"], line["shape"]) == (operation, kind, shape)]
        return found[0] if found else None

    def best_rate(self, part, operation, kind):
        """Items per second of the best shape, where there are several."""
        rates = [float(line["items_per_second"]) for line in self.lines
                 if (line["part"], line["operation"], line["type"]) == (part, operation, kind)]
        return max(rates, default=None)

    def seconds_of(self, pattern):
        found = [float(line["seconds"]) for line in self.lines if re.search(pattern, line["operation"])]
        return found[0] if found else None


class Report:
    COLUMNS = ("part", "operation", "type", "shape", "peer", "seconds", "items_per_second", "ratio")

    def __init__(self):
        self.lines = []

    def add(self, part, operation, kind, shape, peer, seconds, items=0.0, ratio=None):
        rate = items / seconds if items else 0.0
        self.lines.append((part, operation, kind, shape, peer, f"{seconds:.6g}", f"{rate:.6g}",
                           f"{ratio:.3f}" if ratio else ""))
        print(f"{operation:<18} {kind:<5} {shape:<24} {peer:<34} {1e6 * seconds:>12.1f} µs"
              f" {f'{rate:.3g} /s' if rate else '':>12}  {f'ours {ratio:.2f} x as fast' if ratio else ''}", flush=True)

    def write(self, path, about):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(f"# {about}\n")
            csv.writer(file).writerows([self.COLUMNS, *self.lines])


def sizes(*numbers):
    return "x".join(map(str, numbers))


def ratio_of(theirs, ours):
    return theirs / ours if ours else None


class Peers:
    def __init__(self, torch, device, settings, bench):
        self.torch, self.device, self.settings, self.bench = torch, device, settings, bench
        self.report = Report()
        torch.manual_seed(1)
        torch.backends.cuda.matmul.allow_tf32 = False

    # ---- time

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def once(self, work, repeats=1):
        if self.device != "cuda":
            begin = time.perf_counter()
            for _ in range(repeats):
                work()
            return (time.perf_counter() - begin) / repeats
        events = [self.torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        for _ in range(repeats):
            work()
        events[1].record()
        events[1].synchronize()
        return 1e-3 * events[0].elapsed_time(events[1]) / repeats

    def median(self, work):
        """Seconds of one call; short ones are repeated within a sample of a millisecond."""
        work()
        self.wait()
        repeats = max(1, min(500, round(1e-3 / max(self.once(work), 1e-7))))
        samples, spent = [], 0.0
        while len(samples) < 3 or (spent < self.settings.seconds and len(samples) < 200):
            samples.append(self.once(work, repeats))
            spent += samples[-1] * repeats
        return statistics.median(samples)

    def turns(self, make):
        """`make()` gives a call; calls with inputs of their own take turns, as many as no cache holds."""
        count = 1
        if self.device == "cuda":
            before = self.torch.cuda.memory_allocated()
            first = make()
            size = max(1, self.torch.cuda.memory_allocated() - before)
            count = min(64, 4 * self.torch.cuda.get_device_properties(0).L2_cache_size // size + 1)
            calls = [first] + [make() for _ in range(count - 1)]
        else:
            calls = [make()]
        state = {"turn": 0}

        def work():
            state["turn"] += 1
            calls[state["turn"] % len(calls)]()

        return work

    # ---- operations

    def normal(self, *shape, dtype=None, scale=1.0):
        return (self.torch.randn(*shape, device=self.device) * scale).to(dtype or self.torch.float32)

    def operation(self, name, kind, shape, peer, make):
        seconds = self.median(self.turns(make))
        self.report.add("operation", name, kind, shape, peer, seconds,
                        ratio=ratio_of(seconds, self.bench.seconds(name, kind, shape)))

    def operations(self):
        for model in self.settings.models:
            for kind in ("fp32", "bf16"):
                self.typed_operations(model, kind)
            self.untyped_operations(model)
        self.sae_operations()

    def typed_operations(self, model, kind):
        torch, functional = self.torch, self.torch.nn.functional
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[kind]
        rows, d, mlp = self.settings.rows, model.d, 4 * model.d

        def norm():
            x, w, b = self.normal(rows, d, dtype=dtype), self.normal(d, dtype=dtype), self.normal(d, dtype=dtype)

            def call():
                functional.layer_norm(x, (d,), w, b)
                functional.layer_norm(x, (d,), w, b)
            return call

        def product(m, n, k, added):
            a, w = self.normal(m, k, dtype=dtype), self.normal(n, k, dtype=dtype, scale=k**-0.5)
            c = self.normal(m, n, dtype=dtype)
            return (lambda: c.addmm_(a, w.T)) if added else (lambda: torch.mm(a, w.T, out=c))

        def attention(length):
            shape = (max(1, rows // length), model.heads, length, d // model.heads)
            q, k, v = (self.normal(*shape, dtype=dtype) for _ in range(3))
            return lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=True)

        def activation():
            x, b = self.normal(rows, mlp, dtype=dtype), self.normal(mlp, dtype=dtype)
            return lambda: functional.gelu(x + b)

        self.operation("double_layer_norm", kind, sizes(rows, d), "layer_norm twice", norm)
        for name, m, n, k, added in (("qkv", rows, 3 * d, d, False), ("dense", rows, d, d, True),
                                     ("up", rows, mlp, d, False), ("down", rows, d, mlp, True)):
            self.operation(f"matmul {name}", kind, sizes(m, k, n), "addmm_" if added else "mm",
                           lambda m=m, n=n, k=k, added=added: product(m, n, k, added))
        context = min(2048, rows)
        self.operation("attention long", kind, sizes(rows // context * context, model.heads, d // model.heads),
                       "scaled_dot_product_attention", lambda: attention(context))
        self.operation("bias_activation", kind, sizes(rows, mlp), "gelu(x + b)", activation)

    def untyped_operations(self, model):
        torch = self.torch
        rows, d = self.settings.rows, model.d

        def gather():
            table = self.normal(self.settings.vocabulary, d)
            index = torch.randint(self.settings.vocabulary, (rows,), device=self.device)
            return lambda: torch.nn.functional.embedding(index, table)

        def bias():
            x, b = self.normal(rows, d), self.normal(d)
            return lambda: x.add_(b)

        def finite():
            x = self.normal(rows, d)
            return lambda: (~torch.isfinite(x)).sum(1)

        self.operation("gather_rows", "fp32", sizes(rows, d), "embedding", gather)
        self.operation("add_bias", "fp32", sizes(rows, d), "add_", bias)
        self.operation("count_nonfinite", "fp32", sizes(rows, d), "(~isfinite).sum", finite)

    def sae_operations(self):
        torch, s = self.torch, self.settings

        def encode(n, keep):
            x, w, b = self.normal(n, s.d), self.normal(s.h, s.d, scale=s.d**-0.5), self.normal(s.h)
            return lambda: torch.addmm(b, x, w.T).topk(keep, dim=1)

        def adam():
            w = self.normal(s.h, s.d).requires_grad_()
            w.grad = self.normal(s.h, s.d)
            optimizer = torch.optim.Adam([w], lr=1e-4, fused=self.device == "cuda")
            return optimizer.step

        self.operation("encode_top_k", "fp32", sizes(s.probes, s.d, s.h, 1), "addmm, topk", lambda: encode(s.probes, 1))
        for n in s.batches:
            self.operation("encode_top_k", "fp32", sizes(n, s.d, s.h, 4), "addmm, topk", lambda n=n: encode(n, 4))
        self.operation("sae_adam", "fp32", sizes(s.h, s.d), "Adam, fused", adam)

    # ---- the whole forward pass

    def forward(self):
        if importlib.util.find_spec("transformers") is None:
            print("NOT RUN: forward, no transformers here")
            return
        import transformers

        attentions = ["sdpa"]
        if self.device == "cuda" and importlib.util.find_spec("flash_attn") is not None:
            attentions.append("flash_attention_2")
        lengths = mmlu_pro_lengths(self.settings.tokens)
        for model in self.settings.models:
            best = None
            for attention in attentions:
                for batch_tokens in self.settings.batch_tokens:
                    seconds = self.one_forward(transformers, model, attention, lengths, batch_tokens)
                    if seconds is not None and (best is None or seconds < best[0]):
                        best = (seconds, f"{attention}, batches of {batch_tokens}")
            if best is None:
                print(f"{model.name}: does not fit")
                continue
            ours = self.bench.best_rate("forward", model.name, "bf16")
            self.report.add("forward", model.name, "bf16", "best", f"transformers {best[1]}", best[0], sum(lengths),
                            ratio=ours * best[0] / sum(lengths) if ours else None)

    def one_forward(self, transformers, model, attention, lengths, batch_tokens):
        """Seconds over all texts; None where memory does not suffice."""
        torch = self.torch
        config = transformers.GPTNeoXConfig(
            vocab_size=self.settings.vocabulary, hidden_size=model.d, num_hidden_layers=model.layers,
            num_attention_heads=model.heads, intermediate_size=4 * model.d, rotary_pct=0.25,
            max_position_embeddings=2048, use_cache=False, attn_implementation=attention)
        network = None
        try:
            default = torch.get_default_dtype()
            torch.set_default_dtype(torch.bfloat16)
            try:
                with torch.device(self.device):
                    network = transformers.GPTNeoXModel(config).eval()
            finally:
                torch.set_default_dtype(default)
            batches = [self.padded(batch) for batch in batches_of(lengths, batch_tokens)]

            def run():
                with torch.inference_mode():
                    for tokens, last in batches:
                        # Texts are padded behind their end, where causal attention never looks: no mask, so that the
                        # fast kernels apply.
                        hidden = network(input_ids=tokens, use_cache=False).last_hidden_state
                        rows = torch.arange(len(last), device=self.device)
                        result = hidden[rows, last]
                return result

            assert torch.isfinite(run()).all()
            self.wait()
            seconds = min(self.once(run) for _ in range(2))
        except torch.cuda.OutOfMemoryError:
            return None
        finally:
            del network
            gc.collect()
            if self.device == "cuda":
                torch.cuda.empty_cache()
        self.report.add("forward", model.name, "bf16", f"batches of {batch_tokens}", f"transformers {attention}",
                        seconds, sum(lengths))
        return seconds

    def padded(self, lengths):
        tokens = self.torch.randint(self.settings.vocabulary, (len(lengths), max(lengths)), device=self.device)
        return tokens, self.torch.tensor([length - 1 for length in lengths], device=self.device)

    # ---- SAE training

    def sae(self):
        for batch in self.settings.batches:
            trainer = DenseTrainer(self, batch)
            trainer.step()
            seconds = self.median(trainer.step)
            shape = sizes(batch, self.settings.d, self.settings.h)
            self.report.add("sae_step", "train", "fp32", shape, "dense, autograd, Adam fused", seconds, batch,
                            ratio=ratio_of(seconds, self.bench.seconds("train", "fp32", shape)))

    # ---- the orthogonal factor of a square matrix

    def polar(self):
        torch, n = self.torch, self.settings.polar
        for kind, dtype in (("fp32", torch.float32), ("fp64", torch.float64)):
            a = torch.randn(n, n, device=self.device, dtype=dtype)

            def factor():
                u, _, v = torch.linalg.svd(a, driver="gesvd") if self.device == "cuda" else torch.linalg.svd(a)
                return u @ v

            factor()
            self.wait()
            seconds = self.once(factor)
            self.report.add("polar", "polar", kind, sizes(n, n), "svd by gesvd, U·Vᵀ", seconds,
                            ratio=ratio_of(seconds, self.bench.seconds_of("polar")))


class DenseTrainer:
    """Top-1 SAE training as one writes it first: activations as a dense matrix, autograd, all loss terms."""

    K, MULTI = 1, 4

    def __init__(self, peers, batch):
        torch, s = peers.torch, peers.settings
        self.torch, self.s, self.batch = torch, s, batch
        self.inputs = peers.normal(s.probes, s.d)
        decoder = torch.nn.functional.normalize(peers.normal(s.h, s.d))
        self.encoder = decoder.clone().requires_grad_()
        self.decoder = decoder.requires_grad_()
        self.encoder_bias = torch.zeros(s.h, device=peers.device, requires_grad=True)
        self.pre_bias = torch.zeros(s.d, device=peers.device, requires_grad=True)
        self.idle = torch.zeros(s.h, dtype=torch.int64, device=peers.device)
        self.optimizer = torch.optim.Adam([self.encoder, self.encoder_bias, self.decoder, self.pre_bias],
                                          lr=0.03 / s.d**0.5, eps=6.25e-10, fused=peers.device == "cuda")

    def kept(self, z, count):
        values, index = z.topk(count, dim=1)
        return self.torch.zeros_like(z).scatter(1, index, self.torch.relu(values))

    def step(self):
        torch = self.torch
        u = self.inputs[torch.randint(self.s.probes, (self.batch,), device=self.inputs.device)]
        z = (u - self.pre_bias) @ self.encoder.T + self.encoder_bias
        a = self.kept(z, self.K)
        e = u - (a @ self.decoder + self.pre_bias)
        multi = u - (self.kept(z, min(self.MULTI, self.s.h)) @ self.decoder + self.pre_bias)
        loss = (e.square().sum() + multi.square().sum() / 8) / u.numel()
        dead = self.idle >= 2 * self.s.probes
        if dead.any().item():
            constant = e.detach()
            among = self.kept(z.masked_fill(~dead, 0.0), min(self.s.d // 2, self.s.h // 2))
            left = constant - among @ self.decoder
            loss = loss + left.square().sum() / constant.square().sum().clamp(min=1e-6 * u.numel()) / 32
        self.optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            gradient = self.decoder.grad
            gradient -= (gradient * self.decoder).sum(1, keepdim=True) * self.decoder
            self.optimizer.step()
            self.decoder /= self.decoder.norm(dim=1, keepdim=True)
            self.idle = torch.where((a > 0).any(0), 0, self.idle + self.batch)
        return loss


def mmlu_pro_lengths(tokens):
    """As kernels/bench/settings.cpp draws them: quantiles of the middle of each text's share, ascending."""
    text = (pathlib.Path(__file__).parent / "mmlu_pro_lengths.inc").read_text(encoding="utf-8")
    table = [int(number) for number in re.findall(r"\d+", re.sub(r"//.*", "", text))]
    texts = max(1, round(tokens / MEAN_LENGTH))
    lengths = []
    for i in range(texts):
        place = (i + 0.5) / texts * (len(table) - 1)
        below = min(int(place), len(table) - 2)
        lengths.append(int(table[below] + (place - below) * (table[below + 1] - table[below]) + 0.5))
    return lengths


def batches_of(lengths, tokens):
    """Neighbours of a sorted list, at most `tokens` with their padding."""
    batches = []
    for length in lengths:
        if not batches or length * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(length)
    return batches


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", help="what kernels_bench --out wrote")
    parser.add_argument("--out", help="a file for the figures")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--part", choices=("operations", "forward", "sae", "polar"))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true")
    size.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("NOT RUN: no PyTorch here, nothing to compare with")
        return SKIPPED
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(f"NOT RUN: PyTorch {torch.__version__} sees no CUDA device, nothing to compare with")
        return SKIPPED
    settings = TINY if arguments.tiny else QUICK if arguments.quick else FULL
    peers = Peers(torch, arguments.device, settings, Bench(arguments.bench))
    where = torch.cuda.get_device_name(0) if arguments.device == "cuda" else "the processor: the times mean nothing"
    about = f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, PyTorch {torch.__version__} on {where}"
    print(about)
    for part in ("operations", "forward", "sae", "polar"):
        if arguments.part in (None, part):
            print(f"\n{part}")
            getattr(peers, part)()
            if arguments.out:  # after each part: what takes too long must not cost what is done
                peers.report.write(arguments.out, about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
