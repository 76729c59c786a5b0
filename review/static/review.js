// Sends decisions made by button or key immediately, and announces the result to screen readers.
"use strict";

const cards = [...document.querySelectorAll(".capture")];
const words = document.getElementById("words").dataset;
const announcer = document.getElementById("said");
const correct = document.getElementById("correct");
const keys = document.getElementById("keys");
const following = document.querySelector("[data-next]"); // on the page of one capture
let current = cards.length === 1 ? cards[0] : null;

function choose(card) {
  if (!card) return;
  current = card;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function step(by) {
  choose(cards[Math.min(cards.length - 1, Math.max(0, cards.indexOf(current) + by))] || cards[0]);
}

async function decide(card, outcome, taxon = "") {
  const answer = await fetch("/verdicts", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ event_id: card.dataset.event, outcome, taxon }),
  }).catch((error) => ({ ok: false, json: async () => ({ error: String(error) }) }));
  const body = await answer.json().catch(() => ({}));
  const shown = card.querySelector(".decided");
  shown.classList.toggle("bad", !answer.ok);
  if (!answer.ok) {
    shown.textContent = announcer.textContent = `${words.failed}: ${body.error || answer.status}`;
    return;
  }
  card.dataset.outcome = outcome;
  card.classList.remove("flagged");
  shown.textContent = announcer.textContent = words[outcome] + (taxon ? `: ${taxon}` : "");
  if (following) following.focus(); // Enter then opens the next capture
  else if (cards.length > 1 && card === current) step(1);
}

async function suggestTaxa(typed) {
  const taxa = await (await fetch(`/api/taxa?q=${encodeURIComponent(typed)}`)).json();
  if (document.getElementById("taxon").value !== typed) return; // an answer to an earlier letter
  document.getElementById("taxa").replaceChildren(...taxa.map(([key, name, zh, en]) => {
    const option = document.createElement("option");
    option.value = name;
    option.label = `${typed}: ${[zh, en, key].filter(Boolean).join(" · ")}`; // the browser shows what contains the typed text
    return option;
  }));
}

function askForTaxon(card) {
  const input = document.getElementById("taxon");
  input.oninput = () => suggestTaxa(input.value);
  input.value = "";
  correct.returnValue = "";
  correct.showModal();
  correct.onclose = () => {
    const taxon = input.value.trim();
    choose(card);
    if (correct.returnValue === "ok" && taxon) decide(card, "corrected", taxon);
  };
}

function chooseAndDecide(card, outcome) {
  choose(card);
  if (outcome === "corrected") askForTaxon(card);
  else decide(card, outcome);
}

for (const card of cards) {
  card.addEventListener("focusin", () => { current = card; });
  for (const button of card.querySelectorAll("[data-decide]")) {
    button.addEventListener("click", () => chooseAndDecide(card, button.dataset.decide));
  }
}
for (const button of document.querySelectorAll("[data-open=keys]")) button.addEventListener("click", () => keys.showModal());
for (const field of document.querySelectorAll(".filters [name]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) return;
  const key = event.key.toLowerCase();
  if (key === "enter" && event.target.matches("a, button, summary, audio")) return;
  const actions = {
    n: () => following?.click(), j: () => step(1), k: () => step(-1), "?": () => keys.showModal(),
    c: () => current && chooseAndDecide(current, "confirmed"), enter: () => current && chooseAndDecide(current, "confirmed"),
    x: () => current && chooseAndDecide(current, "dismissed"), e: () => current && chooseAndDecide(current, "corrected"),
    o: () => current?.querySelector(".open")?.click(),
    p: () => { const sound = current?.querySelector("audio"); if (sound) sound.paused ? sound.play() : sound.pause(); },
  };
  if (actions[key]) {
    event.preventDefault();
    actions[key]();
  }
});
