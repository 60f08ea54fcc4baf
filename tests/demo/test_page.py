"""The page in the system's Chromium: what a visitor does, against what Python's onnxruntime says."""

import json
import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from memcom_rank.demo import write_site
from memcom_rank.runtime import Ranker
from tests.demo.browser import chromium, program, served
from tests.demo.bundles import GAMES, make_bundle

pytestmark = pytest.mark.slow
BITS = (8, 4, 2)
TITLES = [title for _, title in GAMES]
TYPED = {  # what is typed -> the title that is meant
    "half orbit": "Half-Orbit",
    "cafe": TITLES[1],
    "endles reef": "Endless Reef",
    "silent": "Silent Harbour",
    "brokne eng": "Broken Engine",
    "coso": "Counter-Orbit Source Online",
    "frozensi": "Frozen Signal",
}


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """A folder with a site for each number of bits: folder/8, ..."""
    program("npm")
    folder = tmp_path_factory.mktemp("sites")
    for bits in BITS:
        make_bundle(folder / f"bundle-{bits}", bits=bits)
        write_site(folder / f"bundle-{bits}", folder / str(bits))
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser):
    """Open an address and return the page, which has no errors and asked for nothing beyond this machine."""
    contexts, wrong = [], []

    def opened(address, *, faults=False, script="", **options):
        context = browser.new_context(**options)
        context.set_default_timeout(120_000)  # ms: other tests may have the machine
        contexts.append(context)
        context.add_init_script(script)
        page = context.new_page()
        home = re.match(r"http://127\.0\.0\.1:\d+/", address).group()
        page.on("request", lambda request: request.url.startswith(home) or wrong.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if not faults:
            page.on("console", lambda said: said.type in ("log", "info") or wrong.append(said.text))
            page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.goto(address)
        page.locator("#fault:not([hidden])" if faults else "#app:not([hidden])").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def home(sites):
    with served(sites / "4") as address:
        yield address


def pick(page, *typed):
    """Pick by keyboard alone, and wait for the ranking."""
    for text in typed:
        before = page.locator("#chips li").count()
        page.locator("#search").focus()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.locator("#chips li").nth(before).wait_for()
    settled(page)


def settled(page):
    """Wait until the ranking is that of the chips: the address follows it."""
    ids = page.locator("#chips button").evaluate_all("all => all.map(one => one.dataset.id)")
    page.wait_for_url(re.compile(rf"={re.escape('.'.join(ids))}$") if ids else re.compile(r"/$"))


def shown(page):
    """The ranking on the page: ids and scores."""
    rows = page.locator("#board li").evaluate_all("all => all.map(one => [one.dataset.id, one.dataset.score])")
    return [int(game) for game, _ in rows], [float(score) for _, score in rows if score is not None]


def python_ranking(bundle, titles):
    ranker = Ranker.load(bundle)
    ids, scores = ranker.rank_ids(np.array([[ranker.place(title) + 2 for title in titles]]))
    return ids[0, :10].tolist(), scores[0, :10].tolist()


@pytest.mark.parametrize("bits", BITS)
def test_the_ranking_is_pythons(bits, sites, visit):
    with served(sites / str(bits)) as address:
        page = visit(address)
        for number in range(1, len(TYPED) + 1):
            pick(page, list(TYPED)[number - 1])
            titles = list(TYPED.values())[:number]
            assert page.locator("#chips li").all_inner_texts() == titles
            ids, scores = shown(page)
            wanted_ids, wanted_scores = python_ranking(sites / f"bundle-{bits}", titles)
            assert ids == wanted_ids
            assert scores == pytest.approx(wanted_scores, abs=1e-4)
        assert page.locator("#board .title").all_text_contents() == [TITLES[game - 2] for game in ids]


def test_it_shows_facts_and_times(home, sites, visit, tmp_path):
    page = visit(home)
    model = json.loads((sites / "4" / "bundle" / "manifest.json").read_text())["files"]["model.onnx"]["bytes"]
    assert page.locator("#fact-size").inner_text() == f"{model / 1000:.3g}\N{NO-BREAK SPACE}KB"
    assert page.locator("#fact-metric").inner_text() == "0.2468"
    assert page.locator("#fact-technique").inner_text() == "MEmCom"
    assert page.locator("#num-games").inner_text() == str(len(GAMES))
    pick(page, *TYPED)
    assert re.fullmatch(r"[\d.]+\N{NO-BREAK SPACE}ms", page.locator("#fact-ms").inner_text())
    assert page.locator("#spark rect").count() == 8 + len(TYPED)
    assert "Best now: " in page.locator("#status").inner_text()
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_a_clock_that_stands_still_breaks_nothing(home, visit):
    """A browser's clock has a grain of 0.1 ms, and a small model is faster than that."""
    page = visit(home, script="performance.now = () => 0")
    assert page.locator("#fact-ms").inner_text() == "< 0.1\N{NO-BREAK SPACE}ms"
    heights = page.locator("#spark rect").evaluate_all("all => all.map(one => Number(one.getAttribute('height')))")
    assert set(heights) == {1.5}


def test_without_picks_the_popular_games_stand_there(home, visit):
    page = visit(home)
    assert shown(page) == (list(range(2, 12)), [])
    pick(page, "reef")
    page.keyboard.press("Backspace")
    settled(page)
    assert shown(page) == (list(range(2, 12)), [])


def test_it_works_without_network(home, visit, sites):
    page = visit(home)
    page.context.set_offline(True)
    pick(page, "frozen signal", "golden reef")
    assert shown(page)[0] == python_ranking(sites / "bundle-4", ["Frozen Signal", "Golden Reef"])[0]


def test_the_search_field_is_a_combobox(home, visit):
    page = visit(home)
    search, options = page.get_by_role("combobox", name="Games you have played"), page.get_by_role("option")
    search.focus()
    assert search.get_attribute("aria-expanded") == "false"
    page.keyboard.type("orbit")
    assert search.get_attribute("aria-expanded") == "true"
    assert options.all_inner_texts() == [TITLES[0], TITLES[2], TITLES[3]]
    for key, active in (("", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 2), ("ArrowDown", 0), ("ArrowDown", 1)):
        if key:
            page.keyboard.press(key)
        assert options.nth(active).get_attribute("aria-selected") == "true"
        assert search.get_attribute("aria-activedescendant") == options.nth(active).get_attribute("id")
    page.keyboard.press("Escape")
    assert search.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#chips li").all_inner_texts() == [TITLES[0]]
    page.keyboard.press("ArrowDown")  # nothing typed: popular games that are not picked yet
    assert options.first.inner_text() == TITLES[1]
    page.keyboard.press("Enter")
    page.keyboard.type("no such game")
    assert options.count() == 0
    page.keyboard.press("Enter")
    assert page.locator("#chips li").all_inner_texts() == TITLES[:2]


def test_picks_are_made_and_removed_by_mouse(home, visit):
    page = visit(home)
    page.get_by_role("button", name=f"Played it: {TITLES[4]}", exact=True).click()
    page.locator("#search").click()
    page.get_by_role("option", name="Half-Orbit 2").click()
    settled(page)
    assert page.locator("#chips li").all_text_contents() == [TITLES[4], TITLES[0]]  # titles are text, never markup
    page.get_by_role("button", name="Remove Tab").click()
    settled(page)
    assert page.locator("#chips li").all_inner_texts() == [TITLES[0]]
    page.get_by_role("button", name="Clear").click()
    settled(page)
    assert page.locator("#chips li").count() == 0
    page.get_by_role("button", name="Surprise me").click()
    settled(page)
    assert page.locator("#chips li").count() == 4


def test_the_address_keeps_the_picks(home, visit):
    page = visit(home)
    pick(page, "golden reef", "cafe")
    ranking = shown(page)
    again = visit(page.url)
    assert again.locator("#chips li").all_inner_texts() == page.locator("#chips li").all_inner_texts()
    assert shown(again) == ranking
    digest = page.url.partition("#")[2][:8]
    for wrong in (f"#{digest[::-1]}=3.4", f"#{digest}=0.1.99999.x.-2", "#=", "#%"):
        for address, chips in ((f"#{digest}=4.4.3", 2), (wrong, 0)):
            page.evaluate("address => { location.hash = address; }", address)
            expect(page.locator("#chips li")).to_have_count(chips)
            settled(page)


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1280, "dark")])
def test_nothing_is_wider_than_the_screen(width, scheme, home, visit):
    viewport = {"width": width, "height": 740}
    page = visit(home, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    pick(page, *TYPED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [
        ("model.onnx", lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:], "model.onnx is not the file"),
        ("games.gz", lambda data: data[:-9], "games.gz is not the file"),
        ("manifest.json", lambda data: data[:-9], "The manifest cannot be read"),
        ("manifest.json", lambda data: data.replace(b'"version": 1', b'"version": 2'), "no bundle that the page knows"),
        ("manifest.json", lambda data: data.replace(b'"num_games": 69', b'"num_games": 70'), "do not fit"),
    ],
)
def test_a_changed_file_is_said_and_not_used(name, change, wanted, sites, visit, tmp_path):
    shutil.copytree(sites / "4", tmp_path / "site")
    file = tmp_path / "site" / "bundle" / name
    before = file.read_bytes()
    file.write_bytes(change(before))
    assert file.read_bytes() != before
    with served(tmp_path / "site") as address:
        page = visit(address, faults=True)
        assert wanted in page.get_by_role("alert").inner_text()
        assert page.locator("#app").is_hidden()


def test_a_missing_file_is_said(sites, visit, tmp_path):
    shutil.copytree(sites / "4", tmp_path / "site")
    (tmp_path / "site" / "bundle" / "model.onnx").unlink()
    with served(tmp_path / "site") as address:
        page = visit(address, faults=True)
        assert "model.onnx was not loaded" in page.get_by_role("alert").inner_text()
        assert "404" in page.get_by_role("alert").inner_text()
