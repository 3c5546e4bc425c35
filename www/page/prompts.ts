// The second prompt and the choice of an answer, which some views use.

import type { TokenStrip } from "../elements/token-strip.js";
import type { ViewEntry } from "../elements/views/view.js";
import { VIEWS } from "../elements/views/index.js";
import { patchesFromCorrupted } from "../state/interventions.js";
import { showAnswers } from "./answers.js";
import { page, session, state, store } from "./state.js";

/** The entries of the views on show. */
function entries(): ViewEntry[] {
  const { view, beside } = store.state;
  const all: Record<string, ViewEntry> = VIEWS;
  return [view, beside].flatMap((name) => (Object.hasOwn(all, name) ? [all[name]] : []));
}

/** Shows what the views on show use, and an intervention that patches from the second prompt. */
export function showPrompts() {
  const { corrupted, interventions } = store.state;
  const patches = interventions.some(patchesFromCorrupted);
  const usesCorrupted = patches || entries().some((entry) => entry.usesCorrupted);
  page.secondPrompt.hidden = !usesCorrupted;
  const usesAnswer = entries().some((entry) => entry.usesAnswer);
  page.prompts.hidden = !usesCorrupted && !usesAnswer;
  showAnswers(usesAnswer);
  if (usesCorrupted) addStrip();
  const text = corrupted ?? "";
  if (!state.isTyping && page.corrupted.value !== text) page.corrupted.value = text;
}

/** The tokens of the second prompt, which share the place of its box. */
let strip: TokenStrip | null = null;

function addStrip() {
  if (strip) return;
  strip = document.createElement("token-strip");
  strip.id = "corrupted-tokens";
  page.corrupted.parentElement?.after(strip);
  showTokens();
}

/** Shows the tokens of the session's reading of the second prompt. */
export function showTokens() {
  const tokens = session.corrupted?.tokens ?? [];
  if (strip) strip.tokens = tokens;
  page.corrupted.parentElement?.classList.toggle("open", tokens.length === 0);
}

/** The second prompt is typed. */
export function typeCorrupted() {
  const { value } = page.corrupted;
  state.isTyping = true;
  store.dispatch({ type: "choose", choice: secondPrompt(value) }, { merge: "corrupted" });
  state.isTyping = false;
}

/** An empty box is no second prompt. */
function secondPrompt(text: string) {
  return { corrupted: text === "" ? null : text };
}

/** The second prompt begins as the first one, so that only the difference must be typed. */
export function copyPrompt() {
  if (!session.model) return;
  store.seal();
  store.dispatch({ type: "choose", choice: secondPrompt(page.prompt.value) });
}
