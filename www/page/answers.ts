// The choice of the answer and the wrong answer, with suggestions from both prompts.

import type { AnswerChoice } from "../elements/answer-choice.js";
import type { Reading } from "../session/reading.js";
import { suggestionsOf } from "../session/suggestions.js";
import { page, session, store } from "./state.js";

/** Made when a view uses it. */
let element: AnswerChoice | null = null;
let isLoading = false;
/** What the suggestions are about. */
let about: { reading: Reading | null; corrupted: Reading | null; position: number | null } | null =
  null;

/** Shows the choice, or hides it. @param isUsed whether a view on show is about an answer */
export function showAnswers(isUsed: boolean) {
  page.answers.hidden = !isUsed;
  if (!isUsed) return;
  if (element) updateAnswers();
  else if (!isLoading) void load();
}

async function load() {
  isLoading = true;
  try {
    await import("../elements/define/answer-choice.js");
    element = document.createElement("answer-choice");
    page.answers.append(element);
    updateAnswers();
  } catch (error) {
    isLoading = false;
    page.answers.textContent = `The choice of an answer could not be loaded: ${(error as Error).message}`;
  }
}

/** Gives the choice what the state and the session say. */
export function updateAnswers() {
  if (!element || page.answers.hidden) return;
  const { model, reading } = session;
  const { answer, against, position } = store.state;
  Object.assign(element, {
    ...{ answer, against, position },
    tokens: reading?.tokens ?? [],
    hasTokenizer: model?.hasTokenizer !== false,
    vocabulary: model?.config.vocab_size ?? 0,
  });
  if (element.check === null || checked !== model) {
    checked = model;
    element.check = model && ((text) => model.tokenize(text));
  }
  void suggest(element);
}

/** Removes the suggestions, because the text could not be read. */
export function clearAnswers() {
  about = null;
  if (element) element.suggestions = [];
}

/** The model that `check` asks. */
let checked: typeof session.model = null;

/** The suggestions are computed again when a text or the position is another one. */
async function suggest(choice: AnswerChoice) {
  const { reading, corrupted } = session;
  const { position } = store.state;
  if (about?.reading === reading && about.corrupted === corrupted && about.position === position)
    return;
  const current = (about = { reading, corrupted, position });
  try {
    const found = await suggestionsOf(current, (ids) => session.spell(ids));
    if (about === current) choice.suggestions = found;
  } catch {
    // Without suggestions an answer can still be typed. The model that failed shows its error where the text is read.
    if (about === current) choice.suggestions = [];
  }
}
