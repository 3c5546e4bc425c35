// The model continues the text, token by token; or the visitor chooses the next token.

import { continued, textOf } from "../draw/token.js";
import type { Sampling } from "../elements/next-tokens.js";
import { withId } from "../session/ids.js";
import type { Alternative, Reading } from "../session/reading.js";
import { errorWithoutAdvice, showError } from "./errors.js";
import { showShown, updateSwitch } from "./interventions.js";
import { currentIds } from "./input.js";
import { readAgain, readPrompt, updateCount, whenRead } from "./prompt.js";
import { addBranch, chooseText } from "./texts.js";
import { page, session, state, store, type Model } from "./state.js";

/** The abort reason of a generation whose text was replaced. */
const REPLACED = "the text was replaced";

/** Ends the generation because another text or model takes its place: the prompt box stays as it is. */
export function replaceGeneration() {
  state.generating?.abort(REPLACED);
}

export async function generate(sampling: Sampling) {
  const { model } = session;
  if (!model || state.generating) return;
  const { signal } = (state.generating = new AbortController());
  page.next.note = "";
  store.seal();
  let start: Reading | null = null;
  let count = 0;
  try {
    await whenRead();
    const { reading } = session;
    if (!session.isRead || !reading || reading.text !== page.prompt.value) return;
    start = reading;
    showGenerating(true);
    count = await showSteps(reading, { sampling, signal });
  } catch (error) {
    if ((error as Error).name !== "AbortError") showError(error);
  } finally {
    state.generating = null;
    showGenerating(false);
  }
  if (signal.reason === REPLACED) return readAgain();
  const { value } = page.prompt;
  if (start && value !== start.text) {
    addBranch(value, start.text, start.dropped + start.ids.length);
    page.next.note = `The model wrote ${count} ${count === 1 ? "token" : "tokens"}.`;
    chooseText(value);
    await whenRead();
  } else if (start) await readPrompt(); // the last token has no pattern row yet
}

function showGenerating(isGenerating: boolean) {
  page.next.generating = isGenerating;
  page.generate.textContent = isGenerating ? "stop" : "generate";
  page.prompt.readOnly = isGenerating;
  updateSwitch();
}

/** Patterns grow by a row at each step if all of them have at most this many values (16 MB), because each step copies them. */
const MAX_GROWING_VALUES = 4 * 2 ** 20;

function growsPatterns({ config }: Model, length: number) {
  const { n_layer: layers, n_head: heads, n_positions: context } = config;
  return layers * heads * Math.min(context, length) ** 2 <= MAX_GROWING_VALUES;
}

async function showSteps(
  start: Reading,
  { sampling, signal }: { sampling: Sampling; signal: AbortSignal },
): Promise<number> {
  const { model } = session;
  if (!model) return 0;
  let count = 0;
  const grows = growsPatterns(model, start.ids.length + sampling.maxNewTokens);
  const names = grows ? ["blocks.*.attn.hook_pattern"] : [];
  const generatedFrom = start.dropped + start.ids.length;
  let { text } = start;
  // Setting the text of a text box forces a layout, so it waits for the frame that makes one anyway.
  let frame = 0;
  const showText = () => {
    if (signal.reason !== REPLACED) page.prompt.value = text;
  };
  const { interventions } = start; // as the API takes them
  const options = { ...sampling, interventions, signal, stopAtEos: true, names };
  try {
    for await (const step of model.generate(start.ids, options)) {
      if (signal.aborted || session.model !== model) break;
      const reading = session.append(
        grows ? step : { ...step, cache: undefined },
        model.config.n_positions,
      );
      if (!reading) break;
      text = reading.text;
      count += 1;
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(showText);
      const generated = Math.max(0, generatedFrom - reading.dropped);
      Object.assign(page.figure, { reading, generated });
      showShown();
      updateCount(reading);
      Object.assign(page.next, {
        position: reading.ids.length - 2,
        token: reading.tokens.at(-2),
        truth: step.id,
        alternatives: reading.tops[reading.ids.length - 2] ?? [],
        notFinite: false,
      });
    }
  } finally {
    cancelAnimationFrame(frame);
    showText();
  }
  return count;
}

/** Continues the text after a position with another token. */
export function pickToken({ id, string, after }: Alternative & { after: number }) {
  const { reading } = session;
  if (!reading) return;
  if (reading.isIds) {
    const all = currentIds() ?? [...reading.ids];
    return branch(withId(all.slice(0, reading.dropped + after + 1).join(" "), id));
  }
  const continuation = continued(reading.tokens.slice(0, after + 1), string);
  const text = continuation === null ? null : droppedText(reading) + continuation;
  if (text === null)
    return showError(
      errorWithoutAdvice(
        "This token is a part of a character, and with it the text would end in the middle of one. The text stays as it is: choose another token, or let the model write",
      ),
    );
  if (string === `⟨${id}⟩`)
    return showError(
      errorWithoutAdvice(
        `The tokenizer has no text for token ${id}. The text stays as it is: choose another token`,
      ),
    );
  branch(text);
}

/** The start of a text that the model did not read, because its context holds fewer tokens. */
function droppedText({ text, tokens, dropped }: Reading) {
  const read = tokens.map(textOf).join("");
  return dropped > 0 && text.endsWith(read) ? text.slice(0, text.length - read.length) : "";
}

/** Studies a text that continues the present one. */
function branch(text: string) {
  addBranch(text, page.prompt.value, null);
  chooseText(text);
}
