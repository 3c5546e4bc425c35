// The model continues the text, token by token; or the visitor chooses the next token.

import { continued } from "../draw/token.js";
import type { Sampling } from "../elements/next-tokens.js";
import { withId } from "../session/ids.js";
import type { Alternative, Reading } from "../session/reading.js";
import { errorWithoutAdvice, showError } from "./errors.js";
import { updateSwitch } from "./heads-off.js";
import { readPrompt, updateCount } from "./prompt.js";
import { page, session, state, type Model } from "./state.js";

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
  try {
    if (!session.isRead || session.reading?.text !== page.prompt.value) await readPrompt();
    const { reading } = session;
    if (!reading || reading.text !== page.prompt.value) return;
    page.next.generating = true;
    updateSwitch();
    page.prompt.readOnly = true;
    state.isCropped = true;
    await showSteps(reading, { sampling, signal });
  } catch (error) {
    if ((error as Error).name !== "AbortError") showError(error);
  } finally {
    state.generating = null;
    page.next.generating = false;
    page.prompt.readOnly = false;
  }
  await readPrompt(); // the last token has no pattern row yet
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
) {
  const { model } = session;
  if (!model) return;
  const grows = growsPatterns(model, start.ids.length + sampling.maxNewTokens);
  const names = grows ? ["blocks.*.attn.hook_pattern"] : [];
  const generatedFrom = start.dropped + start.ids.length;
  let { text } = start;
  // Setting the text of a text box forces a layout, so it waits for the frame that makes one anyway.
  let frame = 0;
  const showText = () => {
    if (signal.reason !== REPLACED) page.prompt.value = text;
  };
  const { interventions } = state;
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
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(showText);
      const generated = Math.max(0, generatedFrom - reading.dropped);
      Object.assign(page.figure, { reading, generated });
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
}

/** Continues the text after a position with another token. */
export function pickToken({ id, string, after }: Alternative & { after: number }) {
  const { reading } = session;
  if (!reading) return;
  if (reading.isIds) {
    const start = Array.from(reading.ids.subarray(0, after + 1)).join(" ");
    return replaceText(withId(start, id));
  }
  const text = continued(reading.tokens.slice(0, after + 1), string);
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
  replaceText(text);
}

function replaceText(text: string) {
  page.prompt.value = text;
  page.figure.generated = Infinity;
  readPrompt();
}
