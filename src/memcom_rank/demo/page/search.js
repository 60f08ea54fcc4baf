// Titles and what was typed -> the titles that were meant, best first, with the parts that match.
//
// Each word typed must be found in the title: as a word, the start of one, inside one, or with a letter wrong. Besides
// that, what was typed may be the title without its spaces ("halflife") or the first letters of its words ("csgo").
// Of titles that match as well, the more popular one comes first: ids go by popularity.

const WORD = /[\p{L}\p{N}]+/gu;

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** @typedef {{id: number, score: number, marks: [number, number][]}} Hit  marks: [start, end) in the title */

export class TitleSearch {
  /** @param {string[]} titles titles[id]; holes are left out */
  constructor(titles) {
    this.entries = [];
    titles.forEach((title, id) => {
      const found = [...title.matchAll(WORD)];
      const words = found.map((match) => fold(match[0]));
      const initials = words.map((word) => word[0]).join("");
      this.entries.push({ id, words, initials, starts: found.map((match) => match.index), squeezed: words.join("") });
    });
  }

  /**
   * @param {string} typed
   * @param {{limit: number, without: Set<number>}} options ids in `without` are not offered
   * @returns {Hit[]} for nothing typed, the most popular
   */
  find(typed, { limit, without }) {
    const wanted = [...typed.matchAll(WORD)].map((match) => fold(match[0]));
    const entries = this.entries.filter((entry) => !without.has(entry.id));
    if (!wanted.length) return entries.slice(0, limit).map(({ id }) => ({ id, score: 0, marks: [] }));
    const look = (near) => entries.map((entry) => judge(entry, wanted, near)).filter(Boolean);
    let hits = look(sureMatch);
    if (!hits.length) hits = look(nearMatch); // typing errors only where nothing else is found
    return hits.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, limit);
  }
}

function judge(entry, wanted, match) {
  const byWords = judgeWords(entry, wanted, match), whole = judgeWhole(entry, wanted.join(""));
  return (whole?.score ?? 0) > (byWords?.score ?? 0) ? whole : byWords;
}

function judgeWords(entry, wanted, match) {
  let score = 0;
  const marks = [];
  for (const typed of wanted) {
    let best = 0, at = -1;
    entry.words.forEach((word, index) => {
      const here = match(word, typed);
      if (here > best) [best, at] = [here, index];
    });
    if (at < 0) return null;
    score += best / wanted.length;
    const inside = entry.words[at].indexOf(typed), start = entry.starts[at];
    marks.push(inside < 0 ? [start, start + entry.words[at].length] : [start + inside, start + inside + typed.length]);
  }
  if (wanted.length === entry.words.length) score += 0.1;
  return { id: entry.id, score: Math.round(score * 20) / 20, marks: marks.sort((a, b) => a[0] - b[0]) };
}

function judgeWhole({ id, squeezed: all, initials }, typed) {
  if (typed.length < 2) return null;
  if (initials === typed && typed.length > 2) return { id, score: 1, marks: [] };
  if (initials.startsWith(typed)) return { id, score: 0.6, marks: [] };
  if (typed.length < 4 || !all.includes(typed)) return null;
  return { id, score: all.startsWith(typed) ? 0.8 : 0.5, marks: [] };
}

function sureMatch(word, typed) {
  if (word === typed) return 1;
  if (word.startsWith(typed)) return 0.9;
  return typed.length > 2 && word.includes(typed) ? 0.5 : 0;
}

function nearMatch(word, typed) {
  const sure = sureMatch(word, typed);
  const allowed = typed.length < 4 ? 0 : typed.length < 7 ? 1 : 2;
  if (sure || !allowed || word[0] !== typed[0]) return sure;
  const wrong = distanceToPrefix(typed, word);
  return wrong <= allowed ? 0.4 - wrong / 10 : 0;
}

/** Fewest letters to insert, drop, exchange or swap with a neighbour that make `typed` a start of `word`. */
function distanceToPrefix(typed, word) {
  let before = [], row = Array.from({ length: word.length + 1 }, (_, j) => j);
  for (let i = 1; i <= typed.length; i++) {
    const next = [i];
    for (let j = 1; j <= word.length; j++) {
      const same = typed[i - 1] === word[j - 1] ? 0 : 1;
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same);
      if (i > 1 && j > 1 && typed[i - 1] === word[j - 2] && typed[i - 2] === word[j - 1]) {
        next[j] = Math.min(next[j], before[j - 2] + 1);
      }
    }
    [before, row] = [row, next];
  }
  return Math.min(...row);
}
