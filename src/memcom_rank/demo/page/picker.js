// The search field, its list of titles and the chips of what was picked: an ARIA combobox with a listbox.

const OFFERED = 8;
const byId = (id) => document.getElementById(id);

export class Picker {
  /**
   * @param {string[]} titles titles[id]
   * @param {import("./search.js").TitleSearch} search
   * @param {(picks: number[], said: string) => void} changed told of every change, with words for the live region
   */
  constructor(titles, search, changed) {
    Object.assign(this, { titles, search, changed, picks: [], hits: [], active: -1 });
    this.input = byId("search");
    this.options = byId("options");
    this.chips = byId("chips");
    this.input.addEventListener("input", () => this.#offer());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("click", () => this.#offer());
    this.input.addEventListener("blur", () => this.#close());
    byId("field").addEventListener("mousedown", (event) => {
      if (event.target === event.currentTarget || event.target === this.chips) {
        event.preventDefault(); // a click beside the input is meant for it
        this.input.focus();
      }
    });
    this.options.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus, so no blur
    this.options.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.add(Number(option.dataset.id));
    });
    this.chips.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.remove(Number(button.dataset.id));
    });
  }

  /** Exchange all picks. */
  set(picks, said) {
    this.picks = [...picks];
    this.#update(said);
  }

  add(id) {
    this.input.value = "";
    this.set(this.picks.includes(id) ? this.picks : [...this.picks, id], `${this.titles[id]} added.`);
  }

  remove(id) {
    this.set(this.picks.filter((pick) => pick !== id), `${this.titles[id]} removed.`);
    this.input.focus({ preventScroll: true });
  }

  #update(said) {
    this.#close();
    this.chips.replaceChildren(...this.picks.map((id) => this.#chip(id)));
    this.input.placeholder = this.picks.length ? "Add another" : "Search a title";
    this.changed(this.picks, said);
  }

  #chip(id) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.id = id;
    button.setAttribute("aria-label", `Remove ${this.titles[id]}`);
    button.append(Object.assign(document.createElement("span"), { textContent: this.titles[id] }));
    item.append(button);
    return item;
  }

  #offer() {
    this.hits = this.search.find(this.input.value, { limit: OFFERED, without: new Set(this.picks) });
    const none = Object.assign(document.createElement("li"), { className: "none", textContent: "No title like this" });
    const rows = this.hits.map((hit, place) => this.#option(hit, place));
    this.options.replaceChildren(...(rows.length ? rows : [none]));
    this.options.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#activate(this.input.value.trim() && rows.length ? 0 : -1);
  }

  #option({ id, marks }, place) {
    const option = document.createElement("li");
    Object.assign(option, { id: `option-${place}`, role: "option" });
    option.dataset.id = id;
    const title = this.titles[id];
    let at = 0;
    for (const [start, end] of marks) {
      if (start < at) continue; // two words typed may match the same part
      option.append(title.slice(at, start), Object.assign(document.createElement("mark"), { textContent: title.slice(start, end) }));
      at = end;
    }
    option.append(title.slice(at));
    return option;
  }

  #activate(place) {
    this.active = place;
    [...this.options.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === place)));
    if (place < 0) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", `option-${place}`);
    return this.options.children[place].scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.options.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.active = -1;
  }

  #key(event) {
    if (event.isComposing) return;
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      if (this.options.hidden) {
        this.#offer();
        this.active = -1;
      }
      const count = this.hits.length;
      const next = key === "ArrowDown" ? this.active + 1 : Math.max(this.active, 0) - 1; // round at both ends
      if (count) this.#activate((next + count) % count);
    } else if (key === "Enter") {
      event.preventDefault();
      if (!this.options.hidden && this.active >= 0) this.add(this.hits[this.active].id);
    } else if (key === "Escape") {
      if (this.options.hidden) this.input.value = "";
      this.#close();
    } else if (key === "Backspace" && !this.input.value && this.picks.length) {
      event.preventDefault();
      this.set(this.picks.slice(0, -1), `${this.titles[this.picks.at(-1)]} removed.`);
    }
  }
}
