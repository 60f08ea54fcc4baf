// The page: load and check the bundle, then rank anew at every change of the picks.

import { Board } from "./board.js";
import { load } from "./bundle.js";
import { Clock, describe } from "./facts.js";
import { show as showFault } from "./fault.js";
import { fromHash, toHash } from "./permalink.js";
import { Picker } from "./picker.js";
import { makeRanker } from "./ranker.js";
import { TitleSearch } from "./search.js";

const WARM_UP = { runs: 12, counted: 8 }; // WebAssembly gets faster while it is compiled
const SURPRISE = { games: 4, among: 200 };
const byId = (id) => document.getElementById(id);

async function start() {
  const { manifest, model, titles } = await load(new URL("bundle/", document.baseURI));
  byId("progress").textContent = "Starting the runtime";
  const rank = await makeRanker(model);
  describe(manifest);
  const clock = new Clock();
  for (let run = WARM_UP.runs; run > 0; run--) {
    const { ms } = await rank([]);
    if (run <= WARM_UP.counted) clock.add(ms);
  }
  const popular = Array.from({ length: Math.min(manifest.k, manifest.num_games) }, (_, place) => place + 2);
  const board = new Board(titles, (id) => picker.add(id));

  async function changed(picks, said) {
    const { ids, scores, ms } = await rank(picks);
    if (picks !== picker.picks) return; // a newer change is on its way
    if (said) clock.add(ms); // not the first one, while the page is being laid out
    const some = picks.length > 0;
    board.show(some ? ids : popular, some ? scores : null); // ids go by popularity
    byId("ranking-title").textContent = some ? "Play next" : "Popular games";
    byId("ranking-note").textContent = some
      ? `the best of ${(manifest.num_games - picks.length).toLocaleString("en")} games left; bars show scores`
      : "most played in the training data, until you pick one";
    byId("clear").disabled = byId("copy").disabled = !some;
    history.replaceState(null, "", toHash(manifest, picks) || location.pathname + location.search);
    if (said) byId("status").textContent = `${said} ${some ? "Best now" : "Popular"}: ${(some ? ids : popular).slice(0, 3).map((id) => titles[id]).join(", ")}.`;
  }

  const picker = new Picker(titles, new TitleSearch(titles), (picks, said) => changed(picks, said).catch(showFault));
  byId("clear").addEventListener("click", () => { picker.set([], "All removed."); picker.input.focus(); });
  byId("surprise").addEventListener("click", () => picker.set(drawn(manifest.num_games), "Games drawn."));
  byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href).then(
      () => { byId("status").textContent = byId("copy").textContent = "Link copied"; },
      () => { byId("copy").textContent = "Copy it from the address bar"; },
    );
    setTimeout(() => { byId("copy").textContent = "Copy link"; }, 1600);
  });
  addEventListener("hashchange", () => picker.set(fromHash(location.hash, manifest), "Picks taken from the address."));

  picker.set(fromHash(location.hash, manifest), "");
  byId("loading").hidden = true;
  byId("app").hidden = byId("checked").hidden = false;
  if (matchMedia("(pointer: fine)").matches) picker.input.focus({ preventScroll: true });
}

/** Some popular games, without repeats. */
function drawn(numGames) {
  const pool = Array.from({ length: Math.min(SURPRISE.among, numGames) }, (_, place) => place + 2);
  return Array.from({ length: Math.min(SURPRISE.games, pool.length) }, () => pool.splice(Math.floor(Math.random() * pool.length), 1)[0]);
}

start().catch(showFault);
