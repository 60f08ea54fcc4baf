// The manifest and the times of rankings -> the numbers around the ranking.

const SVG = "http://www.w3.org/2000/svg";
const CALLED = { games: "titles", card: "model card" };
const KEPT = 24; // times in the sparkline
const put = (id, text) => { document.getElementById(id).textContent = text; };

/** 1,234,567 -> "1.23 MB": decimal units, three digits. @param {number} bytes */
export function size(bytes) {
  const [unit, name] = bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "KB"] : [1, "bytes"];
  return `${Number((bytes / unit).toPrecision(3)).toLocaleString("en")}\u00a0${name}`;
}

const times = (ratio) => `${Number(ratio.toPrecision(ratio >= 100 ? 3 : 2))}×`;
const GRAIN = 0.1; // ms: the finest step of a browser's clock, by which a small model takes no time at all
const millis = (ms) => (ms < GRAIN ? `< ${GRAIN}\u00a0ms` : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}\u00a0ms`);

/** Fill in what the manifest says. */
export function describe(manifest) {
  const { bytes, dataset, trained, metrics } = manifest;
  const model = manifest.files[manifest.model].bytes;
  put("num-games", manifest.num_games.toLocaleString("en"));
  put("lead", `A whole recommender in ${size(model)}: ${manifest.technique} where plain fp32 needs `
    + `${size(manifest.full_model_bytes)}. No server ranks anything. Unplug the network and it goes on working.`);
  put("fact-size", size(model));
  put("fact-size-note", `${times(manifest.full_model_bytes / model)} smaller than fp32; titles ${size(manifest.files[manifest.games].bytes)} more`);
  const [name, value] = typeof metrics === "object" ? pick(metrics) : ["ndcg@10", null];
  put("fact-metric-label", name.replace("ndcg", "nDCG"));
  put("fact-metric", value === null ? "not measured" : value.toFixed(4));
  put("fact-metric-note", value === null ? `trained on ${dataset.name}` : `${dataset.name}, held-out games`);
  put("fact-technique", manifest.technique);
  put("fact-technique-note", `embedding ${times(manifest.full_table_bytes / bytes.embedding)} smaller, width ${manifest.dim}`);
  const of = [
    `Trained on ${dataset.name}`,
    Number.isInteger(dataset.num_users) ? `${dataset.num_users.toLocaleString("en")} users` : "",
    Number.isInteger(trained?.epochs) ? `${trained.epochs} epochs` : "",
    `bundle ${manifest.digest.slice(0, 12)}`,
  ];
  put("provenance", `${of.filter(Boolean).join(", ")}.`);
  document.title = `${manifest.technique}: ${manifest.num_games.toLocaleString("en")} games ranked in this browser`;
  toScale(manifest.full_model_bytes, model);
  toParts(bytes);
}

function pick(metrics) {
  const found = Object.entries(metrics);
  return found.find(([name]) => name === "ndcg@10") ?? found[0] ?? ["ndcg@10", null];
}

/** Two squares whose areas are the bytes. */
function toScale(full, model) {
  const side = 156 * Math.sqrt(Math.min(model / full, 1));
  const draw = (tag, attributes, text = "") => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };
  const svg = document.getElementById("scale");
  svg.setAttribute("aria-label", `To scale: an area of ${size(model)} beside one of ${size(full)}`);
  svg.replaceChildren(
    draw("rect", { class: "full", x: 162, y: 2, width: 156, height: 156, rx: 8 }),
    draw("rect", { class: "small", x: 150 - side, y: 158 - side, width: side, height: side, rx: Math.min(8, side / 4) }),
    draw("text", { class: "scale-full", x: 174, y: 24 }, `fp32 ${size(full)}`),
    draw("text", { class: "scale-small", x: 150, y: 150 - side, "text-anchor": "end" }, `this ${size(model)}`),
  );
}

/** A bar of the parts' bytes, and what they are. */
function toParts({ total: _, ...parts }) {
  const sorted = Object.entries(parts).filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
  document.getElementById("parts-bar").replaceChildren(...sorted.map(([, bytes], place) => {
    const part = document.createElement("span");
    part.style.flexGrow = bytes;
    part.style.setProperty("--place", place);
    return part;
  }));
  document.getElementById("parts-list").replaceChildren(...sorted.map(([name, bytes], place) => {
    const item = document.createElement("li");
    item.style.setProperty("--place", place);
    const called = CALLED[name] ?? name.replaceAll("_", " ");
    item.append(called[0].toUpperCase() + called.slice(1), Object.assign(document.createElement("span"), { textContent: size(bytes) }));
    return item;
  }));
}

export class Clock {
  constructor() {
    this.all = [];
  }

  /** Note how long one ranking took; the headline shows the median, for other programs take their turns. */
  add(ms) {
    this.all = [...this.all, ms].slice(-KEPT);
    const sorted = [...this.all].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    put("live-ms", millis(median));
    put("fact-ms", millis(median));
    put("fact-ms-note", `median of ${this.all.length}; the last took ${millis(ms)}`);
    const high = Math.min(Math.max(...this.all, GRAIN), 4 * Math.max(median, GRAIN)); // a bar of full height may stand for more
    document.getElementById("spark").replaceChildren(...this.all.map((value, at) => {
      const bar = document.createElementNS(SVG, "rect");
      const height = Math.min(Math.max((22 * value) / high, 1.5), 22);
      for (const [name, number] of Object.entries({ x: at * 5, y: 24 - height, width: 3.4, height, rx: 1 })) bar.setAttribute(name, number);
      return bar;
    }));
  }
}
