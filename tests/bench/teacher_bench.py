"""How fast teachers answer: one behind a server with a fixed delay, at several concurrencies, and the lexical one.

    python3 tests/bench/teacher_bench.py --build build/bench

The server is a process of its own that answers every request after the delay and refuses all but the first ROUNDS x
concurrency; what counts is the time from the first request's arrival to the last answer. The lexical teacher labels one anchor
of 512 latents of the bundled family, 8 of which fire on each of its 10,368 probes, with one thread and with two.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def answer(number):
    """No two alike, so that every latent has its own label and no question is put twice."""
    top = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -2.5}]
    content = [{"token": "Yes", "top_logprobs": top}]
    return {"choices": [{"message": {"role": "assistant", "content": f"Yes {number}"}, "logprobs": {"content": content}}]}


def packed(status, body):
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


async def serve(limit, delay, port, times):
    begun = 0

    async def connection(reader, writer):
        nonlocal begun
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
            begun += 1
            number = begun
            if number == 1:
                times[0] = time.monotonic()
            if number <= limit:
                await asyncio.sleep(delay)
            writer.write(packed("200 OK", answer(number)) if number <= limit else packed("401 Unauthorized", {}))
            if number == limit:
                times[1] = time.monotonic()
            await writer.drain()

    async def quiet(reader, writer):
        try:
            await connection(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quiet, "127.0.0.1", 0, backlog=512)
    port.value = server.sockets[0].getsockname()[1]
    await server.serve_forever()


def run_server(*arguments):
    asyncio.run(serve(*arguments))


def small_deck(folder):
    """nano.ini with one anchor along the layers, so that one checkpoint is read."""
    text = (ROOT / "inputs/nano.ini").read_text()
    text = re.sub(r"\[anchor\.time\].*?(?=\[anchor\.space\])", "", text, flags=re.S)
    text = re.sub(r"\[anchor\.scale\].*?(?=\[sae\])", "", text, flags=re.S)
    for name in ("nano", "probes/terms.jsonl", "subjects.json"):
        text = re.sub(rf"(= ){re.escape(name)}$", rf"\g<1>{ROOT}/inputs/{name}", text, flags=re.M)
    path = folder / "bench.ini"
    path.write_text(text)
    return path


def stage(options, name, deck, output, *words):
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    words = [options.build / "src/incipit", name, deck, f"--run.output={output}", "--sae.latents=512", "--sae.k=8", "--sae.steps=600",
             "--anchor.space.layer=last", *words]
    return subprocess.run(words, env=env, capture_output=True, text=True)


def lexical(options, deck, output, threads):
    shutil.rmtree(output / "labels", ignore_errors=True)
    done = stage(options, "interpret", deck, output, f"--run.threads={threads}")
    assert done.returncode == 0, done.stderr
    answers = int(re.search(r"% of (\d+) answers", done.stdout)[1])
    judged = int(re.search(r"over (\d+) judged", done.stdout)[1])
    seconds = float(re.search(r"^interpret +[\d.]+ +([\d.]+)", done.stdout, re.M)[1])
    print(f"lexical, {threads} threads: {judged} latents judged of 512, {answers} judgements in {seconds:.1f} s: "
          f"{answers / seconds / threads:.0f} judgements/s for each core", flush=True)


def http(options, deck, output, concurrency):
    shutil.rmtree(output / "labels", ignore_errors=True)
    shutil.rmtree(output / "teacher", ignore_errors=True)
    limit = options.rounds * concurrency
    port, times = multiprocessing.Value("i", 0), multiprocessing.Array("d", 2)
    server = multiprocessing.Process(target=run_server, args=(limit, options.delay, port, times), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    done = stage(options, "interpret", deck, output, "--interpret.teacher=http", "--interpret.model=fixed",
                 f"--interpret.server=http://127.0.0.1:{port.value}", f"--interpret.concurrency={concurrency}")
    server.terminate()
    server.join()
    assert done.returncode == 69 and "401" in done.stderr, done.stderr
    rate, most = limit / (times[1] - times[0]), concurrency / options.delay
    print(f"http, {options.delay} s delay, concurrency {concurrency:3}: {limit:5} answers, {rate:7.1f}/s of {most:7.1f}/s, ratio {rate / most:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--delay", type=float, default=0.25, help="seconds that each answer takes")
    parser.add_argument("--rounds", type=int, default=60, help="requests for each of those under way at once")
    parser.add_argument("--concurrency", default="1,4,16,64")
    options = parser.parse_args()
    options.build = options.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        deck, output = small_deck(folder), folder / "out"
        for name in ("extract", "train"):
            done = stage(options, name, deck, output)
            assert done.returncode == 0, done.stderr
        for threads in (1, 2):
            lexical(options, deck, output, threads)
        for concurrency in map(int, options.concurrency.split(",")):
            http(options, deck, output, concurrency)


if __name__ == "__main__":
    main()
