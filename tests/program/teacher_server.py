"""A small chat-completions server for tests: it labels and judges by the words of the texts, and can be told to misbehave."""

import collections
import contextlib
import http.server
import json
import math
import re
import socket
import ssl
import threading
import time


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def label_of(question):
    """The word that most distinguishes the texts that fire from those that do not."""
    fires, silent = (words(part) for part in question.split("It stays silent on these:"))
    counts = collections.Counter(fires)
    counts.subtract(silent)
    return max(sorted(counts), key=counts.get)


def log_odds_of(question):
    """Above 0 where the text holds the label."""
    _, label, text = re.split(r"Label: |\n\nText: |\n\nDoes the text", question)[:3]
    score = 2.0 + len(text) % 7 / 8
    return score if label.lower() in words(text) else -score


def alternatives(log_odds):
    yes = 1 / (1 + math.exp(-log_odds))
    return [{"token": token, "logprob": math.log(p)} for token, p in (("Yes", 0.9 * yes), (" No", 0.9 * (1 - yes)), ("Maybe", 0.05))]


def answer_to(request):
    """What a well-behaved server says."""
    question = request["messages"][-1]["content"]
    if request["max_tokens"] > 1:
        return completion(f' "{label_of(question)}"\nThat is all.')
    log_odds = log_odds_of(question)
    return completion("Yes" if log_odds > 0 else "No", alternatives(log_odds) if request.get("logprobs") else None)


def completion(text, top=None):
    logprobs = None if top is None else {"content": [{"token": text, "logprob": -0.1, "top_logprobs": top}]}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": logprobs}]}


class Reply:
    """What goes over the wire. `cut`: bytes that are promised and do not come; `hang_up`: not even a status."""

    def __init__(self, body, status=200, headers=(), cut=0, hang_up=False):
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers, self.cut, self.hang_up = status, dict(headers), cut, hang_up


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        server = self.server.owner
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.requests)
            server.requests.append(request)
            server.heads.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            server.times.append(time.monotonic())
            server.running += 1
            server.most_running = max(server.most_running, server.running)
        try:
            if server.delay:
                time.sleep(server.delay)
            reply = server.fault(number, request) if server.fault else None
            self.reply(reply or Reply(answer_to(request)))
        finally:
            with server.lock:
                server.running -= 1

    def reply(self, reply):
        if reply.hang_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.body) + reply.cut))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        if reply.cut:
            self.close_connection = True

    def log_message(self, *_):
        pass


class TeacherServer:
    """`fault(number, request)` gives a Reply, or None for the right one; `number` counts requests from 0."""

    def __init__(self, fault=None, delay=0.0, port=0, certificate=None):
        self.fault, self.delay = fault, delay
        self.lock = threading.Lock()
        self.requests, self.heads, self.times = [], [], []
        self.running = self.most_running = 0
        http.server.ThreadingHTTPServer.request_queue_size = 128
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # clients that are killed
        self.http.owner = self
        self.port = self.http.server_address[1]
        scheme = "http"
        if certificate:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def asked(self):
        """Every question put, as text."""
        return [json.dumps(request["messages"]) for request in self.requests]


@contextlib.contextmanager
def serving(fault=None, **options):
    server = TeacherServer(fault, **options)
    try:
        yield server
    finally:
        server.close()


def first(count, reply):
    """A fault of the first `count` requests."""
    return lambda number, _: reply if number < count else None
