"""A local server that speaks the chat API of OpenAI; the test decides what it says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answers = Callable[[dict[str, object]], tuple[int, bytes]]


def saying(text: str | None, **choice: object) -> Answers:
    """The twin answers every request with this text."""
    body = {"choices": [{"message": {"role": "assistant", "content": text}, **choice}]}
    return lambda asked: (200, json.dumps(body).encode())


class LanguageTwin:
    """A local server that speaks the chat API of OpenAI; the test decides what it says."""

    def __init__(self) -> None:
        self.answers: Answers = saying("")
        self.asked: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.let_go = threading.Event()
        twin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/chat/completions"
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                twin.asked.append(asked)
                twin.keys.append(self.headers["Authorization"])
                try:
                    status, body = twin.answers(asked)
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    pass  # the asker went away

            def log_message(self, *arguments: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
