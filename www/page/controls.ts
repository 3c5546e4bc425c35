// The page's own controls: sections that open and close, the theme, and files that are dropped.

import { page, query } from "./state.js";

/** Opens or closes the section of a button of the header. */
export function toggleSection(button: "choose" | "help" | "share", isOpen?: boolean) {
  const control = query(`#${button}`);
  const section = query(`#${control.getAttribute("aria-controls")}`);
  section.hidden = !(isOpen ?? section.hidden);
  control.setAttribute("aria-expanded", String(!section.hidden));
}

export function toggleTheme() {
  const { dataset } = document.documentElement;
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = (dataset.theme ?? preferred) === "dark" ? "light" : "dark";
  dataset.theme = theme;
  try {
    localStorage.setItem("candlescope-theme", theme);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}

/** Loads a model from files or a folder that is dropped anywhere on the page. */
export function acceptDrops() {
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", event.dataTransfer?.types.includes("Files"));
  });
  const end = () => document.body.classList.remove("dropping");
  document.addEventListener("dragleave", end);
  // The chooser handles what is dropped on it, so that its drops do not bubble.
  document.addEventListener("drop", end, { capture: true });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer?.types.includes("Files")) return;
    toggleSection("choose", true);
    page.chooser.takeDropped(event.dataTransfer);
  });
}
