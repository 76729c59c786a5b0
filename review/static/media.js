// Says why a picture or spectrogram cannot be shown, and asks again while the server is busy.
"use strict";

const ATTEMPTS = 5;

async function explain(image) {
  const frame = image.closest("[data-unshown]");
  if (!frame || frame.dataset.explained) return;
  const answer = await fetch(image.src, { headers: { Accept: "application/json" } }).catch(() => null);
  const attempt = Number(image.dataset.attempt || 0) + 1;
  if (answer && (answer.ok || answer.status === 503) && attempt < ATTEMPTS) {
    image.dataset.attempt = attempt;
    const wait_s = answer.ok ? 0 : Number(answer.headers.get("Retry-After")) || 5;
    setTimeout(() => { image.src = `${image.src.split("?")[0]}?again=${attempt}`; }, 1000 * wait_s);
    return;
  }
  frame.dataset.explained = "yes";
  const body = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
  const text = document.createElement("p");
  text.className = "unshown";
  text.textContent = [frame.dataset.unshown, body.sentence, body.error].filter(Boolean).join(" ");
  image.replaceWith(text);
}

document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) explain(event.target);
}, true);
for (const image of document.images) if (image.complete && image.src && !image.naturalWidth) explain(image);
