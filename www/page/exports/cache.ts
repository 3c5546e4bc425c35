// Exports activations of the text, which a run captures for the file.

import { createError } from "../../api/errors.js";
import type { Cache } from "../../api/cache.js";
import { capturedBytes } from "../../session/capture-size.js";
import { countWords, type HookMatch, matchHooks } from "../../session/hook-match.js";
import { session, state } from "../state.js";
import { fileName, type PageExport } from "./entry.js";
import { type PageField, chosenValue } from "./fields.js";

const GROUP = "Activations of the text";
const PATTERNS = "blocks.*.attn.hook_pattern";
/** Names and headers of an array in a file. */
const BYTES_PER_ARRAY = 250;

const POINTS: PageField = {
  name: "points",
  group: GROUP,
  label: "hook points",
  fallback: PATTERNS,
  suggestions: () => [PATTERNS, "*", ...(session.model?.hookPoints ?? []).map(({ name }) => name)],
  says: () => {
    const { names } = matched();
    if (names.length === 0) return "";
    const { count, listed, more } = countWords(names);
    return `${count}: ${listed}${more}`;
  },
  problem: () => matched().problem.replaceAll("`", ""),
};

export const CACHE_FIELDS: readonly PageField[] = [POINTS];

/** The hook points that the visitor chose. */
function matched(): Pick<HookMatch, "names" | "problem" | "selector"> {
  const { model } = session;
  if (!model) return { names: [], problem: "", selector: null };
  return matchHooks(chosenValue(POINTS), model.hookPoints, model.config);
}

/** The bytes of the numbers. @throws InputError if there is nothing to capture, or too much */
function bytesOf(names: readonly string[]): number {
  const { model, reading } = session;
  if (!model || !reading) throw createError("InputError", "no text is read yet");
  return capturedBytes(names, model.hookPoints, model.config, reading.ids.length);
}

function chosenNames(): readonly string[] {
  const { names, problem } = matched();
  if (names.length === 0) throw createError("InputError", problem.replaceAll("`", ""));
  return names;
}

function patternNames(): readonly string[] {
  const { model } = session;
  if (!model) return [];
  return matchHooks(PATTERNS, model.hookPoints, model.config).names;
}

/** What refuses it, in words. */
function why(names: () => readonly string[]): string | null {
  try {
    bytesOf(names());
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Runs the text of the figure again, with its interventions. */
async function capture(names: readonly string[]): Promise<Cache> {
  bytesOf(names);
  const { model, reading } = session;
  if (!model || !reading) throw createError("InputError", "no text is read yet");
  const { ids, interventions } = reading;
  const run = await model.runWithCache(ids, {
    names: [...names],
    ...(interventions.length > 0 && { interventions }),
  });
  return run.cache;
}

async function size() {
  const names = chosenNames();
  return bytesOf(names) + names.length * BYTES_PER_ARRAY;
}

const nameOf = (ending: string) => `${fileName(state.name, "activations")}.${ending}`;

const npz: PageExport = {
  name: "npz",
  group: GROUP,
  title: ".npz",
  says: "for numpy.load: each array under the name of its hook point, every bit as cache.get has it",
  absent: () => why(chosenNames),
  size,
  make: async () => ({
    name: nameOf("npz"),
    blob: await (await capture(chosenNames())).toNpz(),
  }),
};

const safetensors: PageExport = {
  name: "safetensors",
  group: GROUP,
  title: "safetensors",
  says: "for safetensors in Python or Rust: the same arrays, with the model, the axes and the tokens as metadata",
  absent: () => why(chosenNames),
  size,
  make: async () => ({
    name: nameOf("safetensors"),
    blob: await (await capture(chosenNames())).toSafetensors(),
  }),
};

const headVis: PageExport = {
  name: "headvis",
  group: GROUP,
  title: "HeadVis",
  says: "the folder data/ of HeadVis in a zip file, of the patterns of all heads: only the strongest attention of each query, with four decimals",
  absent: () => {
    const names = patternNames();
    if (names.length === 0) return "this model has no attention patterns";
    const length = session.reading?.ids.length ?? 0;
    return length < 2 ? "a text of one token has no attention to show" : why(() => names);
  },
  make: async () => ({
    name: `${fileName(state.name, "headvis")}.zip`,
    blob: await (await capture(patternNames())).toHeadVis(),
  }),
};

export const CACHE_EXPORTS: readonly PageExport[] = [npz, safetensors, headVis];
