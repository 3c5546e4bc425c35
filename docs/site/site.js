// Runs the live examples of a page when they come near the screen, and the button for the theme.

import { watchThemeButton } from "../../www/page/theme-button.ts";

const NEAR = "600px";

/** A script runs once, so each example of one page has a script of its own. @param {HTMLElement} example */
async function run(example) {
  try {
    await import(new URL(String(example.dataset.script), import.meta.url).href);
    example.dataset.state = "run";
  } catch (error) {
    const message = document.createElement("p");
    message.role = "alert";
    message.textContent = `This example does not run here: ${error instanceof Error ? error.message : error}`;
    example.append(message);
    example.dataset.state = "failed";
  }
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      observer.unobserve(target);
      run(target);
    }
  },
  { rootMargin: NEAR },
);
for (const example of document.querySelectorAll(".live[data-script]")) observer.observe(example);

watchThemeButton(document.querySelector("#theme"));
