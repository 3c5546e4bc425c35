// Errors, which the page shows above the figure.

import { page } from "./state.js";

export function showError(error: unknown) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  page.notice.error = { name, message };
  page.notice.toggleAttribute("shown", true);
}

export function clearError() {
  page.notice.error = null;
  page.notice.toggleAttribute("shown", false);
}

/** An error whose message says what to do, so that the notice adds no advice. */
export function errorWithoutAdvice(message: string) {
  return Object.assign(new Error(message), { name: "" });
}
