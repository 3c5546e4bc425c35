// A classic script in the head of index.html and notebook.html, which runs before the first paint and before all modules: it
// starts the worker, sets the theme, opens the figure of an embedded page, and explains a page that was opened from a disk.
// It is a file, because a strict Content-Security-Policy blocks scripts inside of the page.

import { trustedAddress } from "../api/policy.js";

if (location.protocol === "file:") addEventListener("DOMContentLoaded", explainDisk);
else if (isEmbedded()) location.replace(`embed.html${location.hash}`);
else if (has("worker")) startWorker();
if (!has("figure")) setTheme();

/** Whether this script's element has an attribute: data-worker on the lab's page, data-figure on a figure's, which keeps its theme. */
function has(name: string) {
  return document.currentScript?.hasAttribute(`data-${name}`) ?? false;
}

/** Whether the address asks for the figure only: index.html?embed#… */
function isEmbedded() {
  return new URLSearchParams(location.search).has("embed");
}

/** The worker takes the longest to start, so it starts first. candlescope.js uses it. */
function startWorker() {
  const page = globalThis as { candlescopeWorker?: Worker | null };
  try {
    const trusted = trustedAddress("candlescope-early");
    const worker = new Worker(trusted("worker.js"), { type: "module", name: "candlescope" });
    worker.onerror = () => {
      page.candlescopeWorker = null;
    };
    page.candlescopeWorker = worker;
  } catch {
    // candlescope.js tries again, and says why it fails.
  }
}

/** So that a chosen theme does not flash. */
function setTheme() {
  try {
    const theme = localStorage.getItem("candlescope-theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // A sandboxed frame has no storage.
  }
}

/** Browsers load no modules, workers or models from a disk, so nothing else of the page runs. */
function explainDisk() {
  const section = document.createElement("section");
  section.className = "from-disk";
  section.setAttribute("role", "alert");
  const say = (tag: string, text: string) => {
    const element = document.createElement(tag);
    element.textContent = text;
    section.append(element);
  };
  const folder = decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "");
  say("h2", "This page was opened from a disk");
  say(
    "p",
    "Browsers do not let such a page load its scripts, its WebAssembly and its model. It works when a server sends it, also one on this computer:",
  );
  say("pre", `python3 -m http.server --directory "${folder}"`);
  say("p", "Then open http://localhost:8000/ in the browser.");
  say(
    "p",
    "There, “share” exports a figure as one HTML file, alone or with the model in it, which does open from a disk.",
  );
  document.body.replaceChildren(section);
}
