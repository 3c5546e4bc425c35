// The page's own controls: sections that open and close, the theme, and files that are dropped.

import { filesWithPaths } from "../api/dropped-files.js";
import { defineDeferred } from "./elements.js";
import { showError } from "./errors.js";
import { page, query } from "./state.js";

/** The buttons of the header that open a section. */
export const SECTIONS = ["choose", "lessons", "help", "share"] as const;
type SectionButton = (typeof SECTIONS)[number];

const sectionOf = (button: SectionButton) =>
  query(`#${query(`#${button}`).getAttribute("aria-controls")}`);

/** Opens or closes the section of a button of the header. It takes the focus, and gives it back when it is closed. */
export function toggleSection(button: SectionButton, isOpen?: boolean) {
  const control = query(`#${button}`);
  const section = sectionOf(button);
  const opens = isOpen ?? section.hidden;
  if (opens !== section.hidden) return;
  if (opens) defineDeferred().catch(showError);
  const hadFocus = section.contains(document.activeElement);
  section.hidden = !opens;
  control.setAttribute("aria-expanded", String(opens));
  if (opens) section.focus({ preventScroll: false });
  else if (hadFocus) control.focus();
}

/**
 * Closes the section that holds the focus.
 * @returns whether there was one
 */
export function closeSection(): boolean {
  const open = SECTIONS.find((button) => {
    const section = sectionOf(button);
    return !section.hidden && section.contains(document.activeElement);
  });
  if (open) toggleSection(open, false);
  return open !== undefined;
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
    defineDeferred().catch(showError); // so that the chooser is defined when the files are dropped
    document.body.classList.toggle("dropping", event.dataTransfer?.types.includes("Files"));
  });
  const end = () => document.body.classList.remove("dropping");
  document.addEventListener("dragleave", end);
  // The chooser handles what is dropped on it, so that its drops do not bubble.
  document.addEventListener("drop", end, { capture: true });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer?.types.includes("Files")) return;
    const files = filesWithPaths(event.dataTransfer); // at once: the browser empties the transfer after the event
    toggleSection("choose", true);
    defineDeferred()
      .then(() => page.chooser.takeDropped(files))
      .catch(showError);
  });
}
