// Runs in the head before anything is painted, so that a chosen theme never flashes.
// The admin keeps its choice under the same key, hence one switch serves both.
(function () {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    root.dataset.theme = localStorage.getItem("theme") || "auto";
  } catch (blocked) {
    root.dataset.theme = "auto"; // storage may be forbidden; the system's choice then holds
  }
})();
