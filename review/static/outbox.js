// Keeps decisions until the server has confirmed them: sends them in order, one at a time, and again after a failure.
"use strict";

const PAUSES_S = [1, 2, 4, 8, 15];
const TIMEOUT_S = 30;
const TAKE_OVER_S = 30;
// Decisions of one person are never sent under the session of another who uses the same browser.
const ACTOR = document.documentElement.dataset.actor || "";
const PREFIX = ACTOR ? `wildpost.outbox-${ACTOR}.` : "wildpost.outbox.";
const ADDRESSES = { decide: "/verdicts", withdraw: "/verdicts/withdrawals" };

class Outbox {
  // `changed(items, failed, signedOut)` shows what waits; `answered(item, status, body)` is called once for each item.
  constructor(changed, answered) {
    this.changed = changed;
    this.answered = answered;
    this.items = [];
    this.failed = false;
    this.sending = false;
    this.wake = () => {};
    addEventListener("online", () => this.wake());
    addEventListener("pagehide", () => this.save());
  }

  // Each tab has a list of its own, which survives a reload; the lists of closed tabs are taken over.
  async open() {
    let id = sessionStorage.getItem("wildpost.tab");
    if (!id || !(await claimSoon(id))) {
      id = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);
      await claim(id);
      sessionStorage.setItem("wildpost.tab", id);
    }
    this.key = PREFIX + id;
    this.items = [...stored(this.key), ...this.items];
    await this.takeOver();
    setInterval(() => this.takeOver(), 1000 * TAKE_OVER_S);
  }

  async takeOver() {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX) && name !== this.key)) {
      if (navigator.locks && await claim(key.slice(PREFIX.length))) {
        this.items.push(...stored(key).map((item) => ({ ...item, tried: true })));
        localStorage.removeItem(key);
      }
    }
    this.save();
    this.changed(this.items, this.failed);
    this.send();
  }

  save() {
    if (!this.key) return;
    try {
      if (this.items.length) localStorage.setItem(this.key, JSON.stringify(this.items));
      else localStorage.removeItem(this.key);
    } catch { /* no room or no permission: the list lives as long as the page */ }
  }

  add(item) {
    this.items.push(item);
    this.save();
    this.changed(this.items, this.failed);
    if (this.key) this.send();
  }

  // Removes an item that was never sent; returns whether there was one.
  take(key) {
    const found = this.items.find((one) => one.key === key && !one.tried);
    if (!found) return false;
    this.items = this.items.filter((one) => one !== found);
    this.save();
    this.changed(this.items, this.failed);
    return true;
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    for (let attempt = 0; this.items.length;) {
      const item = this.items[0];
      item.tried = true;
      this.save();
      const [status, body] = await post(item);
      if (status === 0 || status >= 500 || status === 408 || status === 429 || status === 401) {
        this.failed = true;
        this.changed(this.items, true, status === 401);
        const pause_s = PAUSES_S[Math.min(attempt++, PAUSES_S.length - 1)];
        await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 1000 * pause_s); });
        continue;
      }
      attempt = 0;
      this.failed = false;
      this.items.shift();
      this.answered(item, status, body);
      this.save();
      this.changed(this.items, false);
    }
    this.sending = false;
  }
}

// On pages without captures, decisions are sent as well; what the server refuses is shown on the next page with captures.
const REFUSED = ACTOR ? `wildpost.refused-${ACTOR}` : "wildpost.refused";
document.addEventListener("DOMContentLoaded", () => {
  if (document.getElementById("words")) return;
  new Outbox(() => {}, (item, status, body) => {
    if (status >= 300) localStorage.setItem(REFUSED, JSON.stringify([...stored(REFUSED), [item, status, body]]));
  }).open();
});

function stored(key, storage = localStorage) {
  try { return JSON.parse(storage.getItem(key)) || []; } catch { return []; }
}

// Claims the list of a tab for as long as this page is open; false: another page has it.
function claim(id) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks.request(PREFIX + id, { ifAvailable: true }, (lock) => {
      resolve(Boolean(lock));
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}

// After a reload, the page before may hold its claim for a moment longer.
async function claimSoon(id) {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await claim(id)) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

async function post(item) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 1000 * TIMEOUT_S);
  try {
    const answer = await fetch(ADDRESSES[item.kind], {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...(ACTOR && { "X-Wildpost-Actor": ACTOR }) },
      body: JSON.stringify(item.body),
      keepalive: true, // so that leaving the page does not cancel it
      signal: abort.signal,
    });
    return [answer.status, await answer.json().catch(() => ({}))];
  } catch {
    return [0, {}];
  } finally {
    clearTimeout(timer);
  }
}
