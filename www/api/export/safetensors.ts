// The safetensors format: https://github.com/huggingface/safetensors#format

import { createError, describe } from "../errors.js";
import { checkOptions, isPlainObject } from "../options.js";
import { type Captures, namedArrays } from "./named.js";
import { areIds } from "../tensor/values.js";
import { bytesOf } from "./npy.js";
import { type Origin, tokensOf } from "./origin.js";

export interface SafetensorsOptions {
  /** texts that the file holds beside ours, such as `{ prompt: "To be" }` */
  metadata?: Readonly<Record<string, string>>;
}

/** The numbers begin at a multiple of this. */
const ALIGNMENT = 8;

/**
 * The metadata has `model`; `axes`, the axes of each array; `interventions`, if there were any; and `ids` and `tokens` of the text, or
 * of each text of a batch. All but `model` are JSON, because the format has only texts.
 * @param origins of each text
 * @throws InputError
 */
export async function safetensorsFile(
  captures: Captures,
  origins: readonly Origin[],
  isBatch: boolean,
  options?: SafetensorsOptions,
): Promise<Blob> {
  const { metadata = {} } = checkOptions("toSafetensors", options, {
    metadata: {
      expected: "an object of texts",
      fits: (value) =>
        isPlainObject(value) && Object.values(value).every((text) => typeof text === "string"),
    },
  });
  const arrays = namedArrays(captures, "toSafetensors");
  const axes = Object.fromEntries(arrays.map(([name, value]) => [name, value.axes]));
  const own = { ...(await described(origins, isBatch)), axes: JSON.stringify(axes) };
  const taken = Object.keys(metadata).find((key) => Object.hasOwn(own, key));
  if (taken !== undefined)
    throw createError(
      "InputError",
      `\`metadata\` of toSafetensors has ${describe(taken)}, which the file says itself: expected another name`,
    );
  const tensors: [string, object][] = [];
  let end = 0;
  for (const [name, { data, shape }] of arrays) {
    const dtype = areIds(data) ? "U32" : "F32";
    const start = end;
    end += data.byteLength;
    tensors.push([name, { dtype, shape, data_offsets: [start, end] }]);
  }
  const header = { __metadata__: { ...metadata, ...own }, ...Object.fromEntries(tensors) };
  const parts = [headerBytes(header), ...arrays.map(([, { data }]) => bytesOf(data))];
  return new Blob(parts, { type: "application/octet-stream" });
}

/** The header's length in 8 bytes, and the header with spaces to the alignment. */
function headerBytes(header: object) {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

async function described(origins: readonly Origin[], isBatch: boolean) {
  const found: Record<string, string> = { generator: "candlescope" };
  if (origins.length === 0) return found;
  found.model = origins[0].model;
  const { interventions } = origins[0]; // those of a batch are the same for each of its texts
  if (interventions) found.interventions = interventions;
  const texts = await Promise.all(origins.map(tokensOf));
  const known = texts.filter((text) => text !== null);
  if (known.length < texts.length) return found;
  const write = (lists: readonly unknown[]) => JSON.stringify(isBatch ? lists : lists[0]);
  found.ids = write(known.map(({ ids }) => ids));
  if (known.every(({ texts }) => texts !== null))
    found.tokens = write(known.map(({ texts }) => texts));
  return found;
}
