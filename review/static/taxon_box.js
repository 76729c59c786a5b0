// The search box of corrections: suggests taxa while a person types, and offers the text itself as a remark.
"use strict";

class TaxonBox {
  // `chosen(taxon, name)` is called with the key of a taxon, or with the text of a remark.
  constructor(dialog, words, chosen) {
    this.dialog = dialog;
    this.words = words;
    this.chosen = chosen;
    this.input = dialog.querySelector("#taxon");
    this.list = dialog.querySelector("#taxa");
    this.options = [];
    this.at = -1;
    this.asked = 0;
    this.waiting = false;
    this.input.addEventListener("input", () => this.suggest());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the field
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(this.options[Number(option.dataset.at)]);
    });
    dialog.querySelector("form").addEventListener("submit", (event) => {
      if (event.submitter?.value === "cancel") return;
      event.preventDefault();
      this.accept();
    });
  }

  open(station) {
    this.station = station;
    this.input.value = "";
    this.show([]);
    this.dialog.showModal();
    this.input.focus();
    this.suggest();
  }

  async suggest() {
    const typed = this.input.value.trim();
    const number = ++this.asked;
    this.pending = true;
    const query = new URLSearchParams({ q: typed, station: this.station });
    const answer = await fetch(`/api/taxa?${query}`).catch(() => null);
    const taxa = answer && answer.ok ? await answer.json().catch(() => []) : [];
    if (number !== this.asked) return; // an answer to an earlier letter
    this.pending = false;
    const options = taxa.map((one) => ({ ...one, value: one.key }));
    const exact = taxa.some((one) => [one.key, one.name, one.other].includes(typed));
    if (typed && !exact) options.push({ remark: true, value: typed, name: typed });
    this.show(options);
    if (this.waiting) this.accept();
  }

  show(options) {
    this.options = options;
    this.list.replaceChildren(...options.map((one, at) => this.option(one, at)));
    this.list.hidden = !options.length;
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    this.mark(this.input.value.trim() && options.length ? 0 : -1);
  }

  option(one, at) {
    const item = document.createElement("li");
    item.id = `taxon-${at}`;
    item.setAttribute("role", "option");
    item.dataset.at = at;
    const part = (kind, text, className = "") => {
      const element = document.createElement(kind);
      element.textContent = text;
      element.className = className;
      if (text) item.append(element, " ");
    };
    if (one.remark) {
      part("span", this.words.remark.replace("{text}", one.value));
    } else {
      part("b", one.name);
      part("span", one.other !== one.name ? one.other : "", "soft");
      part("em", one.scientific_name !== one.name ? one.scientific_name : "", "soft");
      part("span", one.protection && (({ I: this.words["level-1"], II: this.words["level-2"], sanyou: this.words["level-3"] }[one.protection] || one.protection)), "badge warn");
    }
    return item;
  }

  mark(at) {
    this.at = at;
    for (const item of this.list.children) item.setAttribute("aria-selected", String(Number(item.dataset.at) === at));
    const current = this.list.children[at];
    if (current) current.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", current ? current.id : "");
  }

  key(event) {
    if (event.isComposing) return;
    const count = this.options.length;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.mark((Math.max(this.at, step < 0 ? 0 : -1) + step + count) % count);
    }
  }

  // Takes the marked suggestion; if those for the typed text are not here yet, as soon as they are.
  accept() {
    this.waiting = this.pending && Boolean(this.input.value.trim());
    if (!this.waiting) this.choose(this.options[this.at]);
  }

  choose(option) {
    if (!option) return;
    this.dialog.close();
    this.chosen(option.value, option.name);
  }
}
