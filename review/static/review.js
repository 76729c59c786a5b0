// Decisions by button, tap or key: shown at once, sent by the outbox, withdrawn by one key.
"use strict";

const cards = [...document.querySelectorAll(".capture")];
const words = document.getElementById("words").dataset;
const announcer = document.getElementById("said");
const keys = document.getElementById("keys");
const last = document.getElementById("last");
const done = document.getElementById("done");
const following = document.querySelector("[data-next]"); // on the page of one capture
const nextPage = document.querySelector("[data-next-page]");
const states = new Map(cards.map((card) => [card, JSON.parse(card.dataset.boxes)]));
const history = stored("wildpost.decided", sessionStorage); // what this tab decided, so that it can be withdrawn one by one
let current = cards.length === 1 ? cards[0] : null;
let boxKey = 0; // when B was pressed

const say = (text) => { announcer.textContent = text; };
const cardOf = (event) => cards.find((card) => card.dataset.event === event);
const boxes = (card) => states.get(card);
const chosenBox = (card) => boxes(card).find((box) => box.on);
const outcomeOf = (card) => {
  const found = new Set(boxes(card).map((box) => box.outcome));
  return found.has("") ? "" : found.size > 1 ? "mixed" : [...found][0];
};

const named = (outcome, name) => words[outcome] + (name ? words.colon + name : "");

function keepHistory() {
  history.splice(0, Math.max(0, history.length - 200));
  sessionStorage.setItem("wildpost.decided", JSON.stringify(history));
}

function remember(key, event, text) {
  const card = cardOf(event);
  const before = card ? boxes(card).map(({ outcome, name }) => ({ outcome, name })) : [];
  history.push({ key, event, text, before, sequences: null });
  keepHistory();
}

function restore(card, before) {
  for (const [at, { outcome, name }] of before.entries()) Object.assign(boxes(card)[at], { outcome, name });
}

const outbox = new Outbox(showWaiting, answered);

// Cards

function choose(card) {
  if (!card) return;
  current = card;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function step(by) {
  if (!current) return choose(cards[0]);
  choose(cards[Math.min(cards.length - 1, Math.max(0, cards.indexOf(current) + by))]);
}

function leave(card) {
  if (following) return following.focus(); // Enter then opens the next capture
  const at = cards.indexOf(card);
  const next = [...cards.slice(at + 1), ...cards.slice(0, at)].find((one) => outcomeOf(one) === "");
  if (next) return choose(next);
  current = null; // so that a further key decides nothing a second time
  if (done) {
    done.hidden = false;
    done.focus();
  }
}

function showCard(card, note = "") {
  const outcome = outcomeOf(card);
  card.dataset.outcome = outcome;
  card.classList.toggle("flagged", "flags" in card.dataset && !outcome);
  const shown = card.querySelector(".decided");
  const only = boxes(card).length === 1 ? boxes(card)[0] : null;
  shown.classList.toggle("bad", Boolean(note));
  shown.textContent = note || (outcome && named(outcome, only?.name));
  for (const box of boxes(card)) {
    for (const part of card.querySelectorAll(`[data-box="${box.ordinal}"]`)) {
      part.classList.toggle("on", Boolean(box.on));
      part.classList.toggle("gone", box.outcome === "dismissed");
      part.querySelector("button")?.setAttribute("aria-pressed", String(Boolean(box.on)));
      const state = part.querySelector(".box-state");
      if (state) state.textContent = box.on && !box.outcome ? words.chosen : box.outcome && named(box.outcome, box.name);
    }
  }
}

function chooseBox(card, box) {
  for (const one of boxes(card)) one.on = one === box && !one.on;
  showCard(card);
  const now = chosenBox(card);
  say(now ? words.boxChosen.replace("{n}", boxes(card).indexOf(now) + 1) : words.allBoxes);
}

function nextBox(card) {
  const all = boxes(card);
  const at = all.findIndex((box) => box.on);
  if (at >= 0) all[at].on = false;
  chooseBox(card, all[at + 1]); // after the last one: all of them
}

// Without a chosen box, a decision is about the boxes that nobody has decided; if there are none, about all.
function targets(card) {
  const box = chosenBox(card);
  const open = boxes(card).filter((one) => one.outcome === "");
  return box ? [box] : open.length ? open : boxes(card);
}

// Decisions

function decide(card, outcome, taxon = "", name = "", wanted = targets(card)) {
  const key = `${Date.now()}-${Math.random()}`;
  const text = `${named(outcome, name)} · ${card.getAttribute("aria-label")} · ${card.dataset.station}`;
  remember(key, card.dataset.event, text);
  const seen = Object.fromEntries(wanted.map((box) => [box.ordinal, box.seen]));
  const ordinals = wanted.map((box) => box.ordinal);
  for (const box of wanted) Object.assign(box, { outcome, name: outcome === "corrected" ? name : "" });
  for (const box of boxes(card)) box.on = false;
  showCard(card);
  outbox.add({ key, kind: "decide", text, body: { event_id: card.dataset.event, outcome, ordinals, taxon, seen } });
  say(text);
  showLast();
  if (outcomeOf(card)) leave(card);
}

function undo() {
  const entry = history.pop();
  keepHistory();
  if (!entry) return say(words.nothingToUndo);
  const card = cardOf(entry.event);
  if (!outbox.take(entry.key)) {
    const body = { event_id: entry.event, sequences: entry.sequences };
    outbox.add({ key: `undo ${entry.key}`, kind: "withdraw", of: entry.key, text: entry.text, body });
  }
  if (card) {
    restore(card, entry.before);
    if (done) done.hidden = true;
    showCard(card);
    choose(card);
  }
  const text = named("withdrawn", entry.text);
  say(text);
  showLast(text);
}

function answered(item, status, body) {
  const card = cardOf(item.body.event_id);
  const ok = status >= 200 && status < 300;
  if (ok && item.kind === "decide") {
    const sequences = body.verdicts.map((one) => one.sequence);
    const entry = history.find((one) => one.key === item.key);
    if (entry) entry.sequences = sequences;
    keepHistory();
    for (const later of outbox.items) {
      if (later.of === item.key) later.body.sequences = sequences;
    }
  }
  if (ok) noteSeen(item.body.event_id, body.verdicts);
  else {
    outbox.items = outbox.items.filter((one) => one.of !== item.key); // nothing was recorded that could be withdrawn
    forget(item.key);
    if (status === 409 && item.kind === "decide") showConflict(item, body);
  }
  if (card && !outbox.items.some((one) => one.body.event_id === item.body.event_id)) {
    if (ok) setStates(card, body.detections);
    showCard(card, ok ? "" : failure(status, body));
  }
  if (!ok) say(failure(status, body));
}

const failure = (status, body) => `${words.failed}${words.colon}${body.error || status}`;

function forget(key) {
  const at = history.findIndex((one) => one.key === key);
  if (at < 0) return;
  const [entry] = history.splice(at, 1);
  keepHistory();
  const card = cardOf(entry.event);
  if (card) restore(card, entry.before);
}

// The reader has seen his own decisions: later ones in the outbox may replace them.
function noteSeen(event, verdicts) {
  const card = cardOf(event);
  for (const { ordinal, sequence } of verdicts) {
    const box = card && boxes(card).find((one) => one.ordinal === ordinal);
    if (box) box.seen = sequence;
    for (const item of outbox.items) {
      if (item.kind === "decide" && item.body.event_id === event && ordinal in item.body.seen) item.body.seen[ordinal] = sequence;
    }
  }
}

function setStates(card, detections) {
  for (const found of detections) {
    const box = boxes(card).find((one) => one.ordinal === found.ordinal);
    if (box) Object.assign(box, { outcome: found.outcome, name: found.outcome === "corrected" ? found.name : "" });
  }
}

// What waits, the last decision, and conflicts

function showWaiting(items, failed, signedOut = false) {
  const banner = document.getElementById("waiting");
  banner.hidden = !failed || !items.length;
  banner.toggleAttribute("data-signed-out", signedOut);
  banner.querySelector("span").textContent = (signedOut ? words.signedOut : words.waiting).replace("{n}", items.length);
  for (const card of cards) card.toggleAttribute("data-waiting", items.some((one) => one.body.event_id === card.dataset.event));
}

function showLast(text = "") {
  const entry = history[history.length - 1];
  last.hidden = !entry && !text;
  last.querySelector("[data-text]").textContent = text || (entry ? words.last + words.colon + entry.text : "");
  for (const button of document.querySelectorAll("[data-undo]")) button.disabled = !entry;
}

function showConflict(item, body) {
  const box = document.getElementById("conflict").content.cloneNode(true).firstElementChild;
  const theirs = body.conflict.map((one) => `${one.by}, ${one.at}${words.colon}${named(one.outcome, one.outcome === "corrected" && one.name)}`);
  box.querySelector("[data-theirs]").textContent = [...new Set(theirs)].join("; ");
  box.querySelector("[data-mine]").textContent = item.text;
  box.querySelector("a").href = `/events/${item.body.event_id}`;
  const card = cardOf(item.body.event_id);
  if (card) setStates(card, body.conflict.map((one) => ({ ...one, outcome: one.outcome === "withdrawn" ? "" : one.outcome })));
  box.querySelector("[data-keep=theirs]").addEventListener("click", () => {
    box.remove();
    if (card) showCard(card);
  });
  box.querySelector("[data-keep=mine]").addEventListener("click", () => {
    box.remove();
    for (const one of body.conflict) item.body.seen[one.ordinal] = one.sequence;
    const key = `${item.key} again`;
    remember(key, item.body.event_id, item.text);
    outbox.add({ ...item, key, tried: false });
    showLast();
  });
  document.getElementById("conflicts").append(box);
}

// Buttons and keys

let correcting = null;
const taxonBox = new TaxonBox(document.getElementById("correct"), words, (taxon, name) => {
  const { card, all, wanted } = correcting;
  const at = Number(document.querySelector("#which :checked")?.value ?? -1);
  choose(card);
  decide(card, "corrected", taxon, name, at >= 0 ? [all[at]] : wanted);
});

function correct(card) {
  const all = boxes(card);
  const wanted = targets(card);
  correcting = { card, all, wanted };
  const which = document.getElementById("which");
  which.hidden = all.length < 2;
  const chosen = wanted.length === 1 || all.length < 2 ? all.indexOf(wanted[0]) : all.findIndex((box) => box.outcome === "");
  const choices = all.length < 2 ? [] : all.map((box, at) => [at, `${at + 1} ${box.label}`]);
  if (choices.length && wanted.length > 1) choices.push([-1, words.allOf.replace("{n}", wanted.length)]);
  which.querySelector(".opts").replaceChildren(...choices.flatMap(([at, text]) => {
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "which", value: at, id: `which${at}`, checked: at === Math.max(chosen, 0) });
    const label = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: text });
    return [input, label];
  }));
  taxonBox.open(card.dataset.station);
}

function act(card, outcome) {
  if (!card) return say(words.chooseFirst);
  choose(card);
  if (!card.querySelector("[data-decide]")) return; // for a role that only reads
  if (outcome === "corrected") correct(card);
  else decide(card, outcome);
}

for (const card of cards) {
  card.addEventListener("focusin", () => { current = card; });
  for (const button of card.querySelectorAll("[data-decide]")) button.addEventListener("click", () => act(card, button.dataset.decide));
  for (const part of card.querySelectorAll("[data-box]")) {
    part.addEventListener("click", (event) => {
      event.preventDefault(); // a box in a picture lies in a link
      event.stopPropagation();
      choose(card);
      chooseBox(card, boxes(card).find((box) => box.ordinal === Number(part.dataset.box)));
    });
  }
}
for (const button of document.querySelectorAll("[data-open=keys]")) button.addEventListener("click", () => keys.showModal());
for (const button of document.querySelectorAll("[data-undo]")) button.addEventListener("click", undo);
// After the end of the session, the page leads to the sign-in and back.
document.querySelector("#waiting button").addEventListener("click", () => document.querySelector("#waiting[data-signed-out]") ? location.reload() : outbox.wake());
for (const field of document.querySelectorAll(".filters [name]")) field.addEventListener("change", () => field.form.requestSubmit());
for (const link of document.querySelectorAll("[data-next-page]")) link.addEventListener("click", () => sessionStorage.setItem("wildpost.continue", "yes"));
const lettersOff = document.getElementById("letters-off");
lettersOff.checked = localStorage.getItem("wildpost.letters") === "off";
lettersOff.addEventListener("change", () => localStorage.setItem("wildpost.letters", lettersOff.checked ? "off" : "on"));

function pressed(key) {
  if (/^[1-9]$/.test(key)) {
    const box = current && Date.now() - boxKey < 2000 && boxes(current)[Number(key) - 1];
    if (box) {
      box.on = false;
      chooseBox(current, box);
    }
    return;
  }
  const play = () => {
    const media = current?.querySelector("audio, video");
    media?.closest("details")?.setAttribute("open", "");
    if (media) media.paused ? media.play() : media.pause();
  };
  const actions = {
    j: () => step(1), k: () => step(-1), "?": () => keys.showModal(),
    c: () => act(current, "confirmed"), enter: () => act(current, "confirmed"),
    x: () => act(current, "dismissed"), e: () => act(current, "corrected"),
    u: undo, o: () => current?.querySelector(".open")?.click(), p: play, " ": play,
    b: () => { if (current) { boxKey = Date.now(); nextBox(current); } },
    n: () => (following || nextPage) ? (following || nextPage).click() : say(words.noNextPage),
  };
  if (!actions[key]) return false;
  actions[key]();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea") || lettersOff.checked) return;
  const key = event.key.toLowerCase();
  if ((key === "enter" || key === " ") && event.target.matches("a, button, summary, audio, video")) return;
  if (key === " " && !current?.querySelector("audio, video")) return;
  if (pressed(key)) event.preventDefault();
});

for (const card of cards) showCard(card);
showLast();
outbox.open().then(() => {
  const refused = stored(REFUSED);
  localStorage.removeItem(REFUSED);
  for (const [item, status, body] of refused) answered(item, status, body);
  const waiting = outbox.items.filter((one) => one.kind === "decide" && cardOf(one.body.event_id));
  for (const item of waiting) {
    const card = cardOf(item.body.event_id);
    for (const box of boxes(card)) if (item.body.ordinals.includes(box.ordinal)) box.outcome = item.body.outcome;
    showCard(card);
  }
  if (done && waiting.length && !cards.some((card) => outcomeOf(card) === "")) done.hidden = false;
});
if (sessionStorage.getItem("wildpost.continue")) {
  sessionStorage.removeItem("wildpost.continue");
  choose(cards.find((card) => outcomeOf(card) === "") || cards[0]);
}
