// The kiosk: knows its key, looks for codes, sends each once, shows the answer for three seconds.

import { startCamera, stopCamera, watch } from "./camera.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 3000;
const PATIENCE = 10_000;
const SAME_CODE = 60_000;
const KEY = /^[a-z0-9]{12}\.[\w-]{43}$/;
const SHAPES = { ok: "M18 54 L42 78 L84 26", bad: "M24 24 L76 76 M76 24 L24 76", unknown: "M50 18 L50 60 M50 80 L50 82" };
const words = $("words").dataset;
const store = {
  get: (name) => localStorage.getItem(name),
  set: (name, value) => localStorage.setItem(name, value),
  forget: () => ["kioskApiKey", "kioskId", "punchType"].forEach((name) => localStorage.removeItem(name)),
};
let status = null;
let online = true;
let busy = false;
let testing = false;
let last = { text: "", at: 0 };
let hiding = 0;

// --- Talking to the server ---
async function call(path, { key = store.get("kioskApiKey"), body, patience = PATIENCE } = {}) {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(key && { "X-Kiosk-API-Key": key }),
    },
    body: body && JSON.stringify(body),
    credentials: "omit",
    signal: AbortSignal.timeout(patience),
  });
  return { ok: answer.ok, status: answer.status, told: await answer.json() };
}

const detail = (told) =>
  typeof told.detail === "string" ? told.detail : (told.detail ?? []).map((error) => error.msg).join(", ");

// --- Set-up ---
function keyIn(text) {
  try {
    return JSON.parse(text).kioskApiKey ?? "";
  } catch (notJson) {
    return text.trim();
  }
}

function problem(text) {
  $("setup-problem").textContent = text;
  $("setup-problem").hidden = !text;
}

async function tryKey(text) {
  const key = keyIn(text);
  if (busy || !key) return;
  busy = true;
  problem("");
  try {
    const answer = await call("/kiosk/status", { key: encodeURI(key) });
    if (answer.ok) {
      store.set("kioskApiKey", key);
      store.set("kioskId", answer.told.kiosk_id);
      begin(answer.told);
    } else {
      problem(`${words.badKey} ${detail(answer.told)}`);
    }
  } catch (lost) {
    problem(words.noAnswer);
  } finally {
    busy = false;
  }
}

function askForKey(text = "") {
  status = null;
  show("setup");
  problem(text);
}

function show(part) {
  $("setup").hidden = part !== "setup";
  $("ready").hidden = part !== "ready";
  $("by-hand").hidden = part !== "ready";
  $("footer").hidden = part !== "ready";
}

function begin(told) {
  status = told;
  $("info").textContent = `${told.kiosk_name} · ${told.location}`;
  $("key").value = "";
  $("toggle").hidden = told.punch_mode === "auto";
  show("ready");
  direct(store.get("punchType") === "clock_out" ? "clock_out" : "clock_in");
  sayCamera();
  beat();
  $("text").focus();
}

// --- Direction and mode ---
function direct(type) {
  store.set("punchType", type);
  for (const button of $("toggle").children) button.setAttribute("aria-pressed", button.value === type);
  const shown = status.punch_mode === "auto" ? "auto" : type;
  $("direction").textContent = $("direction").getAttribute(`data-words-${shown}`);
}

function mode(test) {
  testing = test;
  last = { text: "", at: 0 };
  $("mode-test").setAttribute("aria-pressed", test);
  $("mode-scan").setAttribute("aria-pressed", !test);
  sayCamera();
}

let cameraState = "asking";
function sayCamera(state = cameraState) {
  cameraState = state;
  const line = $("camera-words");
  const live = state === "live" ? (testing ? "test" : "scan") : state;
  line.textContent = line.getAttribute(`data-words-${online || !status ? live : "paused"}`);
  $("video").toggleAttribute("data-live", state === "live" && (online || testing));
}

// --- A scan ---
function seenBeforeSetUp(text) {
  const again = text === last.text && performance.now() - last.at < PATIENCE;
  if (again || !KEY.test(keyIn(text))) return undefined; // somebody's code, shown to a kiosk that is no kiosk yet
  last = { text, at: performance.now() };
  return tryKey(text);
}

function seen(text) {
  if (!status) return seenBeforeSetUp(text);
  if (testing) {
    $("camera-words").textContent = $("camera-words").dataset.wordsRead.replace("{}", text.slice(0, 60));
    return undefined;
  }
  const again = text === last.text && performance.now() - last.at < SAME_CODE;
  if (!again) return punch(text);
  return undefined;
}

async function punch(text) {
  if (busy || !online || !text) return;
  busy = true;
  last = { text, at: performance.now() };
  $("camera-words").textContent = words.busy;
  const auto = status.punch_mode === "auto";
  try {
    const body = { qr_token: text, kiosk_id: status.kiosk_id, ...(!auto && { punch_type: store.get("punchType") }) };
    judge(await call("/punch/validate", { body }));
  } catch (lost) {
    result("unknown", "", words.unknown);
  } finally {
    busy = false;
    sayCamera();
  }
}

function judge({ ok, status: code, told }) {
  if (ok) {
    const greeting = told.punch_type === "clock_in" ? words.in : words.out;
    const text = told.unusual ? `${told.message}. ${words.unusual}` : told.message;
    result("ok", `${greeting}, ${told.display_name}`, text);
  } else {
    result("bad", "", detail(told));
    if (code === 401) setTimeout(() => askForKey(detail(told)), SHOWN);
  }
}

function result(kind, name, text) {
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  $("result").dataset.kind = kind;
  $("shape").setAttribute("d", SHAPES[kind]);
  $("result-name").textContent = name;
  $("result-text").textContent = text;
  $("result-time").textContent = time;
  $("spoken").textContent = `${name} ${text}`;
  $("result").hidden = false;
  sound(kind);
  clearTimeout(hiding);
  hiding = setTimeout(hide, kind === "unknown" ? SHOWN * 2 : SHOWN);
}

function hide() {
  $("result").hidden = true;
  for (const id of ["result-name", "result-text", "result-time", "spoken"]) $(id).textContent = "";
  if (status) $("text").focus();
}

let audio = null;
function sound(kind) {
  audio ??= new AudioContext();
  const notes = kind === "ok" ? [660, 880] : [220, 180];
  notes.forEach((frequency, place) => {
    const [tone, loudness] = [audio.createOscillator(), audio.createGain()];
    const start = audio.currentTime + place * 0.14;
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0.18, start);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.13);
    tone.connect(loudness).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.14);
  });
}

// --- Alive? ---
function connected(now) {
  online = now;
  $("connection").dataset.state = now ? "online" : "offline";
  $("connection").textContent = now ? $("connection").dataset.wordsOnline : $("connection").dataset.wordsOffline;
  $("text").disabled = !now;
  sayCamera();
}

async function look() {
  if (!navigator.onLine) return connected(false);
  try {
    const { ok, told } = await call("/health", { key: null, patience: 3000 });
    connected(ok && told.db === "ok");
    if (online && !status && store.get("kioskApiKey") && !busy) start();
  } catch (lost) {
    connected(false);
  }
  return undefined;
}

async function beat() {
  if (!status || !online) return;
  try {
    const agent = navigator.userAgent.slice(0, 255);
    const { status: code, told } = await call("/kiosk/heartbeat", { body: { app_version: "waymark-web", device_info: agent } });
    if (code === 401 || code === 403) askForKey(detail(told));
  } catch (lost) {
    look();
  }
}

// --- Start ---
async function start() {
  const key = store.get("kioskApiKey");
  if (!key) return askForKey();
  try {
    const answer = await call("/kiosk/status");
    return answer.ok ? begin(answer.told) : askForKey(detail(answer.told));
  } catch (lost) {
    return askForKey(words.noAnswer); // the next look at the connection tries again with the key that is kept
  }
}

$("setup-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tryKey($("key").value);
});
$("by-hand").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  $("text").value = "";
  punch(text);
});
$("toggle").addEventListener("click", (event) => event.target.value && direct(event.target.value));
$("mode-scan").addEventListener("click", () => mode(false));
$("mode-test").addEventListener("click", () => mode(true));
$("forget").addEventListener("click", () => $("sure").showModal());
$("sure").addEventListener("close", () => {
  if ($("sure").returnValue !== "yes") return;
  store.forget();
  location.reload();
});
$("result").addEventListener("click", hide);
addEventListener("offline", () => connected(false));
addEventListener("online", look);
addEventListener("pagehide", stopCamera);

start();
look();
setInterval(look, 10_000);
setInterval(beat, 60_000);
sayCamera("asking");
startCamera($("video")).then(
  () => {
    sayCamera("live");
    watch($("video"), seen, () => busy || !$("result").hidden);
  },
  (reason) => sayCamera(reason),
);
