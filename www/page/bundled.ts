// The two files of the bundled model: the weights as they were trained, with which the page starts, and in 8 bits, with which
// frames start. docs/decisions/formats.md has the measures, and why.

import { formatBytes } from "../draw/format.js";

/** A file of the bundled model. */
export interface Bundled {
  /** what `loadModel` takes */
  source: string;
  /** in exports and in the list of opened models */
  name: string;
  /** of the numbers in the file */
  precision: "f16" | "q8";
  /** that a load transfers, the tokenizer compressed; a test compares them with the files */
  bytes: number;
  note: string;
}

/** How far the numbers of the two files are apart; docs/questions.md says the same, and a test compares them. */
export const DIFFERENCES =
  "measured on two plays, predictions are 7e-5 nats away on average (KL divergence), the most likely token is the same at 99 % of positions, and single attention values differ by up to 0.26";

/** What the page starts with. */
export const F16: Bundled = {
  source: "models/shakespeare",
  name: "Shakespeare",
  precision: "f16",
  bytes: 8_580_000,
  note: "A small GPT-2 trained for this page on Shakespeare's plays. The page starts with it.",
};

/** What frames start with, and what is proposed for figures on other pages. */
export const Q8: Bundled = {
  source: "models/shakespeare/shakespeare-q8.gguf",
  name: "Shakespeare (q8)",
  precision: "q8",
  bytes: 4_800_000,
  note: `The same model with weights of 8 bits: ${DIFFERENCES}.`,
};

export const BUNDLED: readonly Bundled[] = [F16, Q8];

/** The file that a source names, relative to the page or as a URL, also with a slash at its end; undefined for another model. */
export function bundledFile(source: string): Bundled | undefined {
  const address = addressOf(source);
  return BUNDLED.find((one) => addressOf(one.source) === address);
}

function addressOf(source: string): string {
  try {
    return new URL(source, document.baseURI).href.replace(/\/$/, "");
  } catch {
    return source; // no URL, such as "http://["
  }
}

/** "Shakespeare (q8, 4.8 MB)". */
export function titleOf({ precision, bytes }: Bundled): string {
  return `${F16.name} (${precision}, ${formatBytes(bytes)})`;
}
