"""How long does the demo's page take for a ranking of the whole catalogue in headless Chromium, and is it Python's?

    python benchmarks/demo_page.py bundle/ --output benchmarks/results/demo_page.json

It needs npm once, the package `playwright`, and the system's Chromium; nothing is downloaded by a browser.
"""

import argparse
import functools
import json
import os
import platform
import shutil
import statistics
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from memcom_rank.demo import write_site
from memcom_rank.demo.server import HOST, Handler
from memcom_rank.runtime import Ranker

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LENGTHS = (1, 2, 5, 20, 100)  # of the histories that are compared
RANK = """async ([histories, rounds]) => {
    const { makeRanker } = await import("/ranker.js");
    const rank = await makeRanker(new Uint8Array(await (await fetch("/bundle/model.onnx")).arrayBuffer()));
    const found = [], ms = [];
    for (const history of histories) found.push(await rank(history));
    for (let round = 0; round < rounds; round++) ms.push((await rank(histories[2])).ms);
    return { found: found.map(({ ids, scores }) => ({ ids, scores: Array.from(scores) })), ms };
}"""


def in_browser(site: Path, histories: list[list[int]], rounds: int) -> dict[str, Any]:
    """Rank in the page of `site`, served on the loopback address."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit(f"no browser: install one of {', '.join(CHROMIUM)}")
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with ThreadingHTTPServer((HOST, 0), functools.partial(Handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=arguments)
            page = browser.new_page()
            page.goto(f"http://{HOST}:{server.server_port}/bundle/README.md")
            made = page.evaluate(RANK, [histories, rounds])
            made["browser"] = browser.version
            browser.close()
        server.shutdown()
    return dict(made)


def compare(bundle: Path, rounds: int) -> dict[str, Any]:
    """Rank the same histories in the page and in Python."""
    ranker, drawn = Ranker.load(bundle), np.random.default_rng(0)
    games = ranker.manifest.num_games
    histories = [(drawn.choice(games, min(length, games - 1), replace=False) + 2).tolist() for length in LENGTHS]
    with tempfile.TemporaryDirectory() as folder:
        write_site(bundle, Path(folder) / "site")
        page = in_browser(Path(folder) / "site", histories, rounds)
    same, furthest = True, 0.0
    for history, found in zip(histories, page["found"], strict=True):
        ids, scores = ranker.rank_ids(np.array([history]))
        count = len(found["ids"])
        same &= found["ids"] == ids[0, :count].tolist()
        furthest = max(furthest, float(np.abs(np.array(found["scores"]) - scores[0, :count]).max()))
    milliseconds = sorted(page["ms"])
    return {
        "games": games,
        "technique": ranker.manifest.technique,
        "p50_ms": statistics.median(milliseconds),
        "p95_ms": milliseconds[int(0.95 * (len(milliseconds) - 1))],
        "same_ids_as_python": same,
        "largest_score_difference": furthest,
        "browser": page["browser"],
        "machine": platform.machine(),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    found = compare(args.bundle, args.rounds)
    print(
        "| games | technique | p50 | p95 | same ranking as Python | largest score difference |\n"
        "|---:|---|---:|---:|---|---:|"
    )
    print(
        f"| {found['games']:,} | {found['technique']} | {found['p50_ms']:.1f} ms | {found['p95_ms']:.1f} ms | "
        f"{'yes' if found['same_ids_as_python'] else 'NO'} | {found['largest_score_difference']:.1e} |"
    )
    if args.output:
        args.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
