// The manifest and the times of rankings -> the numbers around the ranking.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = 40; // times in the sparkline
const put = (id, text) => { document.getElementById(id).textContent = text; };

/** 1,234,567 -> "1.23 MB": decimal units, three digits. @param {number} bytes */
export function size(bytes) {
  const [unit, name] = bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "KB"] : [1, "bytes"];
  return `${Number((bytes / unit).toPrecision(3)).toLocaleString("en")} ${name}`;
}

const times = (ratio) => `${Number(ratio.toPrecision(ratio >= 100 ? 3 : 2))}×`;
const millis = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** Fill in what the manifest says. */
export function describe(manifest) {
  const { bytes, dataset, trained, metrics } = manifest;
  const model = manifest.files[manifest.model].bytes;
  const bits = manifest.bits === 32 ? "fp32" : `${manifest.bits} bits`;
  put("num-games", manifest.num_games.toLocaleString("en"));
  put("lead", `A whole recommender in ${size(model)}: ${manifest.technique} in ${bits} where plain fp32 needs `
    + `${size(manifest.full_model_bytes)}. No server ranks anything. Unplug the network and it goes on working.`);
  put("fact-size", size(model));
  put("fact-size-note", `${times(manifest.full_model_bytes / model)} below fp32; titles ${size(bytes.games)} more`);
  const [name, value] = typeof metrics === "object" ? pick(metrics) : ["ndcg@10", null];
  put("fact-metric-label", name.replace("ndcg", "nDCG"));
  put("fact-metric", value === null ? "not measured" : value.toFixed(4));
  put("fact-metric-note", value === null ? `trained on ${dataset.name}` : `${dataset.name}, held-out games`);
  put("fact-technique", manifest.technique);
  put("fact-technique-note", `embedding ${times(manifest.full_table_bytes / bytes.embedding)} smaller, width ${manifest.dim}, ${bits}`);
  const of = [
    `Trained on ${dataset.name}`,
    Number.isInteger(dataset.num_users) ? `${dataset.num_users.toLocaleString("en")} users` : "",
    Number.isInteger(trained?.epochs) ? `${trained.epochs} epochs` : "",
    `bundle ${manifest.digest.slice(0, 12)}`,
  ];
  put("provenance", `${of.filter(Boolean).join(", ")}.`);
  document.title = `${manifest.technique}: ${manifest.num_games.toLocaleString("en")} games ranked in this browser`;
  toScale(manifest.full_model_bytes, model);
}

function pick(metrics) {
  const found = Object.entries(metrics);
  return found.find(([name]) => name === "ndcg@10") ?? found[0] ?? ["ndcg@10", null];
}

/** Two squares whose areas are the bytes. */
function toScale(full, model) {
  const side = 196 * Math.sqrt(Math.min(model / full, 1));
  const draw = (tag, attributes, text = "") => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };
  const svg = document.getElementById("scale");
  svg.setAttribute("aria-label", `An area of ${size(model)} beside one of ${size(full)}`);
  svg.replaceChildren(
    draw("rect", { class: "full", x: 2, y: 2, width: 196, height: 196, rx: 10 }),
    draw("rect", { class: "small", x: 2, y: 198 - side, width: side, height: side, rx: Math.min(10, side / 4) }),
    draw("text", { class: "scale-full", x: 186, y: 26, "text-anchor": "end" }, `fp32 ${size(full)}`),
    draw("text", { class: "scale-small", x: Math.min(side + 10, 100), y: side > 60 ? 190 - side - 6 : 190 }, size(model)),
  );
}

export class Clock {
  constructor() {
    this.all = [];
  }

  /** Note how long one ranking took. @param {number} ms */
  add(ms) {
    this.all.push(ms);
    const sorted = [...this.all].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    put("live-ms", millis(ms));
    put("fact-ms", millis(ms));
    put("fact-ms-note", `median ${millis(median)} of ${this.all.length}, one thread`);
    const last = this.all.slice(-KEPT), high = Math.max(...last, 1);
    document.getElementById("spark").replaceChildren(...last.map((value, at) => {
      const bar = document.createElementNS(SVG, "rect");
      const height = Math.max((28 * value) / high, 1.5);
      for (const [name, number] of Object.entries({ x: at * 4, y: 28 - height, width: 2.6, height })) bar.setAttribute(name, number);
      return bar;
    }));
  }
}
