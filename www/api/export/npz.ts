// NumPy's file of several arrays, .npz: a zip of .npy files.

import { checkOptions, rule } from "../options.js";
import { type Captures, namedArrays } from "./named.js";
import { bytesOf, npyHeader, npyText } from "./npy.js";
import { zipFile } from "./zip.js";

export interface NpzOptions {
  /** deflate the numbers, as `numpy.savez_compressed`: slower, and some percent smaller @default false */
  compressed?: boolean;
}

/**
 * @param interventions of the run, as JSON: a text beside the arrays, because an array does not say what changed it; empty for none
 * @throws InputError
 */
export async function npzFile(
  captures: Captures,
  interventions: string,
  options?: NpzOptions,
): Promise<Blob> {
  const { compressed = false } = checkOptions("toNpz", options, { compressed: rule.flag });
  const entries = namedArrays(captures, "toNpz").map(([name, values]) => ({
    path: `${name}.npy`,
    parts: [npyHeader(values), bytesOf(values.data)],
  }));
  if (interventions) entries.push({ path: "interventions.npy", parts: [npyText(interventions)] });
  return zipFile(entries, compressed);
}
