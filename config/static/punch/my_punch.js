// One's own code: asked for when the page is looked at, renewed at 80 % of its life, hidden when it is stale.

const box = document.getElementById("code");
const left = document.getElementById("left");
const life = document.getElementById("life");
const words = (name) => box.getAttribute(`data-words-${name}`);
const RETRY = 3000;
let timer = 0;
let shownAt = 0;
let seconds = 0;
let asking = false;

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function say(text) {
  const line = document.createElement("p");
  line.textContent = text;
  line.setAttribute("role", "status");
  box.replaceChildren(line);
  life.hidden = true;
  left.textContent = "";
  seconds = 0;
}

function later(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(renew, milliseconds);
}

function show(code) {
  const drawing = new DOMParser().parseFromString(code.svg, "image/svg+xml").documentElement;
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", document.getElementById("code-title").textContent);
  box.replaceChildren(document.importNode(drawing, true));
  [shownAt, seconds] = [performance.now(), code.expires_in];
  life.hidden = false;
  later(code.expires_in * 800);
}

async function ask() {
  const answer = await fetch(box.dataset.url, {
    method: "POST",
    headers: { Accept: "application/json", "X-XSRF-TOKEN": cookie("XSRF-TOKEN") },
    signal: AbortSignal.timeout(8000),
  });
  const told = await answer.json();
  if (answer.ok) return show(told);
  say(told.detail);
  const wait = Number(answer.headers.get("Retry-After"));
  if (wait) later(wait * 1000); // otherwise the answer would be the same again: a reload is up to the person
}

async function renew() {
  if (document.hidden || asking) return;
  asking = true;
  try {
    await ask();
  } catch (lost) {
    say(words("lost"));
    later(RETRY);
  } finally {
    asking = false;
  }
}

function tick() {
  if (!seconds) return;
  const rest = seconds - (performance.now() - shownAt) / 1000;
  if (rest <= 0) return say(words("wait"));
  left.textContent = words("left").replace("{}", Math.ceil(rest));
  life.value = (100 * rest) / seconds;
}

if (box) {
  document.getElementById("plain-code").hidden = true;
  say(words("wait"));
  renew();
  setInterval(tick, 250);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) say(words("hidden"));
    else renew();
  });
}
