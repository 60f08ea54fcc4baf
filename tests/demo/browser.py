"""The system's Chromium for tests of the page, and npm: absent, the test is skipped, but fails where CI is set."""

import functools
import os
import shutil
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from memcom_rank.demo.server import HOST, Handler

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program(*names):
    """The path of the first of these programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing = f"the page's test needs {' or '.join(names)}: apt-get install {names[0]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return found


@contextmanager
def chromium():
    """A headless browser that can reach this machine alone."""
    arguments = [f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}", "--disable-gpu"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's sandbox does not run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(*CHROMIUM), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(folder):
    """The address of a folder, served as `demo` does."""
    with ThreadingHTTPServer((HOST, 0), functools.partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
