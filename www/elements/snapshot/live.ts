// What "run live" loads: the model of a snapshot, and the figure of it with the same state.

import { formatBytes, formatCount } from "../../draw/format.js";
import type { Recorded } from "../../session/snapshot/held.js";
import { patchesFromCorrupted, withoutScripts } from "../../state/interventions.js";
import type { ScopeValues, ViewValues } from "../scope/fields.js";
import type { LiveState } from "../snapshot-figure.js";

/** The properties of a <candle-scope> that shows the same with a model, and the caption. */
export type LiveValues = Partial<ScopeValues> & { views: ViewValues; caption: string };

/** @param own a model in place of that of the snapshot, and its dtype; empty for none */
export function liveValues(
  { caption, model, reading, corrupted }: Recorded,
  choices: LiveState,
  own: { model: string; dtype: ScopeValues["dtype"] | null },
): LiveValues | null {
  const source = own.model || model.source;
  if (!source) return null;
  const { interventions, views, ...chosen } = choices;
  return {
    ...chosen,
    caption,
    model: source,
    dtype: own.dtype ?? (model.dtype as ScopeValues["dtype"]),
    prompt: textRead(reading),
    ids: reading.isIds ? [...reading.ids] : null,
    corrupted: corrupted?.text ?? null,
    off: [],
    // Anyone may have written the file.
    interventions: withoutScripts(interventions).interventions,
    views: views as ViewValues,
  };
}

/** The text of the tokens: of a text that is longer than the context, only the last ones were read. */
function textRead({ text, isIds, dropped, tokens }: Recorded["reading"]): string {
  if (isIds || dropped === 0) return text;
  const encoder = new TextEncoder();
  const bytes = tokens.flatMap((one) =>
    typeof one === "string" ? [...encoder.encode(one)] : Array.from(one.bytes),
  );
  // The first token may be the rest of a character.
  const start = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  const whole = Uint8Array.from(start > 0 ? bytes.slice(start) : bytes);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole);
}

/** Why a model would compute something else than the snapshot has; empty if it would not. */
export function whyNotLive({ corrupted, state }: Pick<Recorded, "corrupted" | "state">): string {
  const needsSecond = state.interventions.some((one) => !one.disabled && patchesFromCorrupted(one));
  return needsSecond && !corrupted
    ? "An intervention takes values from a second prompt, which the file does not have: export the snapshot again."
    : "";
}

/**
 * What will be loaded, and how large it is.
 * @param source an address or a hub id
 * @param model of the snapshot, if that is what it names
 */
export function whatLoads(source: string, model: Recorded["model"] | null): string {
  const what = model?.name ?? "the model";
  const count = model?.parameterCount ?? 0;
  const size = count > 0 ? sizes(source, count) : "its size is not known";
  return `loads ${what} from ${hostOf(source)}: ${size}`;
}

/** The bits of a weight by what the name of a file says, with the scales of its blocks. */
const BITS: readonly [RegExp, number, number][] = [
  [/q4[^/]*$/i, 4, 4.5],
  [/q8[^/]*$/i, 8, 8.5],
  [/f16[^/]*$/i, 16, 16],
  [/f32[^/]*$/i, 32, 32],
];

function sizes(source: string, count: number) {
  const parameters = `${formatCount(count)} parameters`;
  const [, bits, size] = BITS.find(([name]) => name.test(source)) ?? [];
  if (bits && size)
    return `${parameters}, at least ${formatBytes((count * size) / 8)} in a file of ${bits} bits for each`;
  return `${parameters}, ${formatBytes(2 * count)} in a file of 16 bits for each, ${formatBytes(4 * count)} in one of 32`;
}

/** Whether a page can load a model from there. Anyone may have written the address. */
export function isLoadable(source: string | null): boolean {
  if (!source) return false;
  if (source.startsWith("hf:")) return true;
  try {
    const { protocol } = new URL(source, document.baseURI);
    // A page from a disk may name another file of the disk.
    return ["http:", "https:", "blob:", "data:", location.protocol].includes(protocol);
  } catch {
    return false;
  }
}

function hostOf(source: string): string {
  if (source.startsWith("hf:")) return `huggingface.co (${source})`;
  try {
    const { host, origin, protocol } = new URL(source, document.baseURI);
    if (origin === self.origin && origin !== "null") return "this site";
    return protocol === "file:" ? "this file" : host || protocol;
  } catch {
    return source;
  }
}
