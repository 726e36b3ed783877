// Keeps the figures and ranked tables fresh: asks for this page every ten seconds and takes over the marked parts.

const EVERY = 10_000;

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-refresh]")) {
    const next = fresh.querySelector(`[data-refresh="${part.dataset.refresh}"]`);
    const busy = part.contains(document.activeElement);
    if (next && !busy && next.innerHTML !== part.innerHTML) part.innerHTML = next.innerHTML;
  }
}

if (document.querySelector("[data-refresh]")) {
  setInterval(() => refresh().catch(() => {}), EVERY); // a server that is away is asked again
}
