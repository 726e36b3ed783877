// The tracker, as it is read. `/tracker.js` hands it out without these comments and the blanks before each line.
// It stores nothing and asks the browser for nothing.
(function () {
  "use strict";
  var script = document.currentScript;
  var refused =
    navigator.globalPrivacyControl ||
    /^(1|yes)$/.test(navigator.doNotTrack || window.doNotTrack || "");
  if (!script || refused) return;

  var endpoint = script.dataset.endpoint || new URL("/visit", script.src).href;
  var user = script.dataset.user || "anon";
  var previous = document.referrer;
  var last;

  function send() {
    try {
      var page = location.href.split("#")[0];
      if (page === last) return;
      var body = JSON.stringify({ user_id: user, page_url: page, referrer: previous });
      previous = last = page;
      // A plain string is text/plain, which a browser sends to another origin without asking first.
      if (!(navigator.sendBeacon && navigator.sendBeacon(endpoint, body)))
        fetch(endpoint, { method: "POST", body: body, keepalive: true, mode: "no-cors", credentials: "omit" }).catch(function () {});
    } catch (e) {}
  }

  function start() {
    send();
    var push = history.pushState;
    history.pushState = function () {
      var result = push.apply(this, arguments);
      send();
      return result;
    };
    addEventListener("popstate", send);
  }

  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
