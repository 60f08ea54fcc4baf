// The ranking as a list: rows move to their new places, bars show scores, and a mark says how far a game has come.

const SHOWN = 10;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const made = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

export class Board {
  /** @param {string[]} titles titles[id] @param {(id: number) => void} played told of games that the user has played */
  constructor(titles, played) {
    Object.assign(this, { titles, list: document.getElementById("board"), rows: new Map(), before: null });
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) played(Number(button.dataset.id));
    });
  }

  /**
   * Show a ranking in the place of the one before.
   * @param {number[]} ids best first
   * @param {number[] | null} scores of `ids`, or null for an order without scores: no bars, and no marks of moves
   */
  show(ids, scores) {
    const tops = new Map([...this.rows].map(([id, row]) => [id, row.getBoundingClientRect().top]));
    const places = new Map(ids.map((id, place) => [id, place]));
    const shown = ids.slice(0, SHOWN);
    const low = scores?.at(-1), span = scores ? scores[0] - low || 1 : 1;
    const rows = shown.map((id, place) => {
      const row = this.rows.get(id) ?? this.#row(id);
      if (scores) row.dataset.score = scores[place];
      else delete row.dataset.score;
      row.style.setProperty("--place", place);
      row.style.setProperty("--part", scores ? Math.max((scores[place] - low) / span, 0.01) : 0);
      row.querySelector(".rank").textContent = place + 1;
      row.querySelector(".score").textContent = scores ? scores[place].toFixed(2).replace("-", "\u2212") : "";
      this.#mark(row.querySelector(".move"), id, place, scores);
      return [id, row];
    });
    this.rows = new Map(rows);
    this.list.classList.toggle("scored", Boolean(scores));
    this.list.replaceChildren(...this.rows.values());
    this.before = scores && places;
    if (!calm.matches) this.#glide(tops);
  }

  #mark(mark, id, place, scores) {
    const was = this.before?.get(id);
    const up = was === undefined ? null : was - place;
    const text = !scores || !this.before || up === 0 ? "" : up === null ? "new" : `${up > 0 ? "▲" : "▼"} ${Math.abs(up)}`;
    mark.textContent = text;
    mark.hidden = !text;
    mark.dataset.way = up === null ? "new" : up > 0 ? "up" : "down";
    const said = up === null ? "new among the best" : `${Math.abs(up)} places ${up > 0 ? "up" : "down"}`;
    mark.setAttribute("aria-label", said);
  }

  #row(id) {
    const title = this.titles[id];
    const row = made("li", "game");
    row.dataset.id = id;
    const button = made("button", "played", "Played it");
    button.type = "button";
    button.dataset.id = id;
    button.setAttribute("aria-label", `Played it: ${title}`);
    const name = made("div", "name");
    const move = made("span", "move");
    move.setAttribute("role", "img");
    name.append(made("span", "title", title), move);
    const track = made("div", "score-track");
    track.append(made("div", "score-bar"));
    row.append(made("span", "rank"), name, track, made("span", "score"), button);
    return row;
  }

  #glide(tops) {
    const timing = { duration: 420, easing: "cubic-bezier(.2,.8,.2,1)" };
    for (const [id, row] of this.rows) {
      const from = tops.get(id), by = from - row.getBoundingClientRect().top;
      if (from === undefined) row.animate([{ opacity: 0, transform: "translateX(12px)" }, { opacity: 1, transform: "none" }], timing);
      else if (by) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], timing);
    }
  }
}
