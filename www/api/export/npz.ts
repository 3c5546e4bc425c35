// NumPy's file of several arrays, .npz: a zip of .npy files.

import { checkOptions, rule } from "../options.js";
import { type Captures, namedArrays } from "./named.js";
import { bytesOf, npyHeader } from "./npy.js";
import { zipFile } from "./zip.js";

export interface NpzOptions {
  /** deflate the numbers, as `numpy.savez_compressed`: slower, and some percent smaller @default false */
  compressed?: boolean;
}

/** @throws InputError */
export async function npzFile(captures: Captures, options?: NpzOptions): Promise<Blob> {
  const { compressed = false } = checkOptions("toNpz", options, { compressed: rule.flag });
  const entries = namedArrays(captures, "toNpz").map(([name, values]) => ({
    path: `${name}.npy`,
    parts: [npyHeader(values), bytesOf(values.data)],
  }));
  return zipFile(entries, compressed);
}
