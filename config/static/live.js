// A list that goes on by itself: each new row of the trail appears on top, unless somebody is reading.
// The server resends what was missed (`after`), so a lost connection loses no row.

const KEPT_WAITING = 200; // rows that wait while the list is paused; older ones are in the log book
const OVERLAP = 50; // a lower number may be committed after a higher one: read that much again
const FRESH = 4000; // milliseconds for which a new row stands out
const ASK_EVERY = 20_000; // the peer is asked whether it still lives
const ANSWER_WITHIN = 10_000;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
const MANY_WAIT = 15_000;
const Code = { NOT_SIGNED_IN: 4401, FORBIDDEN: 4403, TOO_MANY: 4429 };

const filled = (words, values) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`%${name}%`, value), words);
const clock = (moment) =>
  `${String(moment.getHours()).padStart(2, "0")}:${String(moment.getMinutes()).padStart(2, "0")}`;

// --- A row of the feed as a row of the page ---
class Rows {
  constructor(section) {
    this.section = section;
    this.words = section.dataset;
    this.model = section.querySelector("template[data-row]").content;
    this.place = section.querySelector(".live-list :is(tbody, ol)");
    this.empty = section.querySelector(".live-empty");
    this.keep = Number(section.dataset.keep);
  }

  show(rows) {
    const made = rows.slice(-this.keep).map((row) => this.made(row));
    this.place.prepend(...made.reverse());
    while (this.place.children.length > this.keep) this.place.lastElementChild.remove();
    this.empty.hidden = true;
    this.place.dispatchEvent(new Event("partadded", { bubbles: true })); // site.js makes the times local
    for (const each of made) {
      each.dataset.fresh = "";
      setTimeout(() => delete each.dataset.fresh, FRESH);
    }
  }

  made(row) {
    const node = this.model.cloneNode(true).firstElementChild;
    for (const part of node.querySelectorAll("[data-if]")) part.hidden = !row[part.dataset.if];
    for (const part of node.querySelectorAll("[data-slot]")) this.fill(part, part.dataset.slot, row);
    return node;
  }

  fill(part, name, row) {
    if (name === "link") {
      part.href = part.getAttribute("href").replace(/0\/$/, `${row.sequence}/`);
      const time = part.querySelector("time");
      time.dateTime = row.timestamp;
      time.title = `${row.timestamp.slice(0, 19).replace("T", " ")} UTC`;
    } else if (name === "person") {
      part.replaceChildren(...this.person(row));
    } else if (name === "result") {
      part.replaceChildren(this.result(row.result));
    } else {
      part.textContent = row[name] ?? "";
    }
  }

  person(row) {
    if (row.user_id) {
      const link = document.createElement("a");
      link.href = `/manage/activity/people/${encodeURIComponent(row.user_id)}/`;
      link.textContent = row.user_login || row.user_id;
      return [link];
    }
    if (!row.user_login) return ["–"];
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = row.details?.synthetic ? this.words.wordsSynthetic : this.words.wordsUnknown;
    return [row.user_login, " ", mark];
  }

  result(result) {
    const sign = this.section.querySelector(`template[data-result="${result === null ? "" : CSS.escape(result)}"]`);
    return sign ? sign.content.cloneNode(true) : document.createTextNode("–");
  }
}

// --- What the section says about itself ---
class Sign {
  constructor(section) {
    this.words = section.dataset;
    this.state = section.querySelector(".live-state");
    this.said = section.querySelector("[data-said]");
    this.waiting = section.querySelector(".live-waiting");
    this.button = section.querySelector(".live-pause");
    this.gap = section.querySelector("[data-gap]");
    this.unsaid = 0;
  }

  tell(state, words) {
    this.state.dataset.state = state;
    if (this.state.textContent !== words) this.state.textContent = words;
  }

  say(text) {
    this.said.textContent = text;
  }

  skipped(gap) {
    this.gap.textContent = filled(this.words.wordsGap, { from: gap.from, to: gap.to });
    this.gap.hidden = false;
    this.say(this.gap.textContent);
  }

  // Rows that come one by one are announced together, so that they do not drown what else is read out.
  announce(count) {
    if (!this.unsaid) {
      setTimeout(() => {
        this.say(this.counted(this.unsaid));
        this.unsaid = 0;
      }, 3000);
    }
    this.unsaid += count;
  }

  counted(count) {
    return count === 1 ? this.words.wordsOne : filled(this.words.wordsMore, { count });
  }

  countWaiting(count) {
    this.waiting.hidden = !count;
    this.waiting.textContent = count ? this.counted(count) : "";
  }
}

// --- The connection ---
class Feed {
  constructor(section) {
    this.address = new URL(section.dataset.live, location.href);
    this.address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.start = this.last = Number(section.dataset.after);
    this.known = new Set();
    this.wait = FIRST_WAIT;
    this.heard = new Date();
    this.onrows = this.ongap = this.onstate = () => {};
  }

  join() {
    if (this.socket) return;
    const socket = (this.socket = new WebSocket(this.address));
    socket.addEventListener("message", (event) => this.received(socket, JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (this.socket === socket) this.lost(event.code);
    });
  }

  received(socket, message) {
    if (socket !== this.socket) return;
    this.heard = new Date();
    clearTimeout(this.silence);
    if (message.type === "hello") this.joined();
    if (message.type === "row") this.take([message.row]);
    if (message.type === "rows") this.take(message.rows);
    if (message.type === "gap") this.skip(message);
  }

  joined() {
    this.wait = FIRST_WAIT;
    const after = Math.max(this.start, this.last - OVERLAP);
    this.socket.send(JSON.stringify({ type: "subscribe", after }));
    clearInterval(this.asking);
    this.asking = setInterval(() => this.ask(), ASK_EVERY);
    this.onstate("live");
  }

  ask() {
    this.socket.send('{"type":"ping"}');
    this.silence = setTimeout(() => this.lost(0), ANSWER_WITHIN);
  }

  take(rows) {
    const fresh = rows.filter((row) => !this.known.has(row.sequence));
    for (const row of fresh) {
      this.known.add(row.sequence);
      this.last = Math.max(this.last, row.sequence);
    }
    for (const number of this.known) if (number < this.last - 4 * OVERLAP) this.known.delete(number);
    if (fresh.length) this.onrows(fresh);
  }

  skip(gap) {
    this.last = Math.max(this.last, gap.to);
    this.start = Math.max(this.start, gap.to); // what was skipped is not asked for again
    this.ongap(gap);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    clearInterval(this.asking);
    clearTimeout(this.silence);
    clearTimeout(this.retry);
    socket?.close();
  }

  lost(code) {
    this.drop();
    if (code === Code.NOT_SIGNED_IN) return this.onstate("ended");
    if (code === Code.FORBIDDEN) return this.onstate("refused");
    const wait = code === Code.TOO_MANY ? MANY_WAIT : this.wait * (0.8 + 0.4 * Math.random());
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    this.retry = setTimeout(() => this.join(), wait);
    return this.onstate(code === Code.TOO_MANY ? "many" : "stale");
  }
}

// --- One live list ---
class LiveList {
  constructor(section) {
    this.rows = new Rows(section);
    this.sign = new Sign(section);
    this.feed = new Feed(section);
    this.knownOnly = "knownOnly" in section.dataset;
    this.waiting = [];
    this.count = 0;
    this.paused = this.hovered = this.focused = false;
    this.connection = "joining";
    this.listen(section.querySelector(".live-list"));
  }

  listen(list) {
    this.feed.onrows = (rows) => this.came(rows);
    this.feed.ongap = (gap) => this.sign.skipped(gap);
    this.feed.onstate = (state) => this.changed({ connection: state });
    list.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") this.changed({ hovered: true });
    });
    list.addEventListener("pointerleave", () => this.changed({ hovered: false }));
    list.addEventListener("focusin", () => this.changed({ focused: true }));
    list.addEventListener("focusout", () => this.changed({ focused: false }));
    this.sign.button.addEventListener("click", () => this.changed({ paused: !this.paused }));
    this.sign.waiting.addEventListener("click", () => {
      this.flush();
      this.sign.button.focus();
    });
    document.addEventListener("visibilitychange", () => this.watched());
    this.watched();
  }

  // A list that nobody sees holds no connection: one person may have only a few.
  watched() {
    if (document.visibilityState === "hidden") this.feed.drop();
    else if (!["ended", "refused"].includes(this.connection)) this.feed.join();
  }

  came(rows) {
    const wanted = rows.filter((row) => !this.knownOnly || row.domain !== "activity" || row.user_id || !row.user_login);
    if (!wanted.length) return;
    this.waiting = [...this.waiting, ...wanted].slice(-KEPT_WAITING);
    this.count += wanted.length;
    if (this.resting) this.sign.countWaiting(this.count);
    else this.flush();
    this.sign.announce(wanted.length);
  }

  get resting() {
    return this.paused || this.hovered || this.focused;
  }

  flush() {
    if (this.waiting.length) this.rows.show(this.waiting);
    this.waiting = [];
    this.count = 0;
    this.sign.countWaiting(0);
  }

  changed(what) {
    Object.assign(this, what);
    const words = this.rows.words;
    this.sign.button.textContent = this.paused ? words.wordsResume : words.wordsPause;
    if (!this.resting) this.flush();
    const said = {
      ended: words.wordsEnded,
      refused: words.wordsRefused,
      many: words.wordsMany,
      joining: words.wordsJoining,
      stale: filled(words.wordsStale, { time: clock(this.feed.heard) }),
    }[this.connection];
    if (said) this.sign.tell(this.connection === "refused" ? "ended" : this.connection, said);
    else if (this.paused) this.sign.tell("paused", words.wordsPaused);
    else if (this.resting) this.sign.tell("paused", words.wordsResting);
    else this.sign.tell("live", words.wordsLive);
    if ("connection" in what && said) this.sign.say(said);
  }
}

for (const section of document.querySelectorAll("[data-live]")) new LiveList(section);
