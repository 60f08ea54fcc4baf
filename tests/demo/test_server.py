import socket
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer

import pytest

from memcom_rank.contract.errors import DemoError
from memcom_rank.demo import serve
from memcom_rank.demo.server import HOST


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A served folder: serve() runs in a thread, and what Ctrl-C does comes from here."""
    folder = tmp_path_factory.mktemp("served") / "site"
    (folder / "inner").mkdir(parents=True)
    (folder.parent / "secret").write_text("secret")
    for name in ("index.html", "a.js", "b.mjs", "c.wasm", "d.css", "inner/e.onnx"):
        (folder / name).write_text(name)
    servers, said, ready = [], [], threading.Event()
    forever = ThreadingHTTPServer.serve_forever

    def interrupted(server):
        servers.append(server)
        forever(server)
        raise KeyboardInterrupt

    arguments = {"port": 0, "ready": lambda url: (said.append(url), ready.set())}
    thread = threading.Thread(target=serve, args=[folder], kwargs=arguments)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
        thread.start()
        assert ready.wait(60)
        try:
            yield said[0]
        finally:
            servers[0].shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("b.mjs", "text/javascript; charset=utf-8"),
        ("c.wasm", "application/wasm"),
        ("d.css", "text/css; charset=utf-8"),
        ("inner/e.onnx", "application/octet-stream"),
    ],
)
def test_files_have_the_type_that_browsers_want(address, name, kind):
    with urllib.request.urlopen(address + name) as answer:
        assert answer.headers["Content-Type"] == kind
        assert answer.read().decode() == (name or "index.html")


def test_folders_are_not_listed_and_nothing_outside_is_served(address):
    for name in ("inner/", "nothing", "../secret", "%2e%2e/secret"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + name)


def test_only_this_machine_is_served(address):
    assert address.startswith("http://127.0.0.1:")


def test_a_taken_port_is_a_named_error(tmp_path):
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with pytest.raises(DemoError, match="--port 0"):
            serve(tmp_path, port=other.getsockname()[1], ready=print)
    with pytest.raises(DemoError, match="70000"):
        serve(tmp_path, port=70000, ready=print)
