// Who is in: the parts that live are fetched anew every 30 seconds; the page says when that fails.

const EVERY = 30_000;
const parts = () => document.querySelectorAll("[data-live]");
let updatedAt = new Date();

function stale() {
  const board = document.querySelector('[data-live="board"]');
  const line = board.querySelector("[data-updated]");
  line.classList.add("stale");
  line.textContent = board
    .getAttribute("data-words-stale")
    .replace("{}", updatedAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
}

function exchange(fresh) {
  for (const part of parts()) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    part.replaceChildren(...other.childNodes);
    part.dispatchEvent(new Event("partadded", { bubbles: true }));
  }
  updatedAt = new Date();
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, {
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(15_000),
    });
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (lost) {
    stale();
  }
}

setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
document.querySelector("[data-print]").addEventListener("click", () => print());
