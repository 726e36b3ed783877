// A row of the log book opens beside the list instead of on a page of its own.

const drawer = document.getElementById("drawer");
const body = drawer.querySelector("[data-body]");
let opener = null;

async function fetched(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("[data-entry]");
}

async function open(link) {
  try {
    const entry = await fetched(link.href);
    opener?.removeAttribute("aria-current");
    opener = link;
    link.setAttribute("aria-current", "true");
    body.replaceChildren(entry);
    entry.dispatchEvent(new Event("partadded", { bubbles: true }));
    drawer.setAttribute("aria-label", entry.querySelector("h2").textContent);
    if (!drawer.open) drawer.showModal();
    drawer.scrollTop = 0;
  } catch (failure) {
    location.assign(link.href); // the page itself says what is wrong
  }
}

function step(direction) {
  const links = [...document.querySelectorAll("a[data-drawer]")];
  const next = links[links.indexOf(opener) + direction];
  if (next) open(next);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-drawer]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link);
});

drawer.addEventListener("keydown", (event) => {
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
});

drawer.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) drawer.close();
});

drawer.addEventListener("close", () => {
  opener?.removeAttribute("aria-current");
  opener?.focus();
});
