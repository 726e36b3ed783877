// What every page gains from script: theme switch, local times, keys, copy buttons, tidy addresses.

const root = document.documentElement;
const THEMES = ["auto", "light", "dark"];

// --- Theme ---
const switchButton = document.querySelector("[data-theme-switch]");

function nameTheme() {
  const words = switchButton.getAttribute(`data-words-${root.dataset.theme}`);
  switchButton.setAttribute("aria-label", words);
  switchButton.title = words;
}

function nextTheme() {
  root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch (blocked) {
    switchButton.dataset.kept = "no"; // storage is forbidden: the choice lasts as long as this page
  }
  nameTheme();
  document.dispatchEvent(new Event("themechange"));
}

if (switchButton) {
  nameTheme();
  switchButton.addEventListener("click", nextTheme);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  document.dispatchEvent(new Event("themechange")),
);

// --- Times: the server writes UTC, the reader sees the own zone and keeps UTC on hover ---
const language = root.lang || "en";
const weekday = new Intl.DateTimeFormat(language, { weekday: "short" });
const zone =
  new Intl.DateTimeFormat(language, { timeZoneName: "short" })
    .formatToParts(new Date())
    .find((part) => part.type === "timeZoneName")?.value ?? "";
const two = (number) => String(number).padStart(2, "0");
const isoDay = (moment) =>
  `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;

function localWords(moment, form) {
  const now = new Date();
  const day = isoDay(moment);
  const clock =
    `${two(moment.getHours())}:${two(moment.getMinutes())}` +
    (form === "seconds" ? `:${two(moment.getSeconds())}` : "");
  if (day === isoDay(now)) return clock;
  const days = (now - moment) / 86_400_000;
  if (days >= 0 && days < 6) return `${weekday.format(moment)} ${clock}`;
  return form === "short" ? day : `${day} ${clock}`;
}

function localise(part) {
  for (const time of part.querySelectorAll("time[data-form]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = localWords(moment, time.dataset.form);
  }
  for (const name of part.querySelectorAll("[data-zone]")) name.textContent = zone;
}
localise(document);
document.addEventListener("partadded", (event) => localise(event.target));

// --- Keys ---
const keys = document.getElementById("keys");
const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
let waiting = false;

function go(letter) {
  const place = { h: "/", o: "/manage/activity/", l: "/manage/activity/log/" }[letter];
  const link = place && document.querySelector(`.rail a[href="${place}"]`);
  if (link) location.assign(link.href);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (waiting) {
    waiting = false;
    go(event.key);
  } else if (event.key === "g") {
    waiting = true;
    setTimeout(() => (waiting = false), 1200);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("[data-search]")?.focus();
  } else if (event.key === "?") {
    keys?.showModal();
  }
});
document.querySelector("[data-open-keys]")?.addEventListener("click", () => keys.showModal());

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // a click beside it, on the backdrop
  });
}

// --- Copy ---
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, 1500);
  } catch (refused) {
    getSelection().selectAllChildren(button.previousElementSibling); // not allowed to write: select it instead
  }
});

// --- Addresses without empty fields and usual choices ---
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
  for (const { dataset } of event.target.querySelectorAll("[data-usual]")) {
    if (event.formData.getAll(dataset.name).join() === dataset.usual) event.formData.delete(dataset.name);
  }
});
