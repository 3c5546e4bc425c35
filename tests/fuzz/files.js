// Mutated checkpoints: bytes flipped, cut, repeated; JSON with values replaced, left out, doubled. Runs in a page.

/** @typedef {import("./random.js").Random} Random */
/** @typedef {{ config: Uint8Array, tokenizer: Uint8Array | null, weights: Uint8Array }} Checkpoint */
/** mustFail: why no model may come of it, or null. @typedef {{ checkpoint: Checkpoint, about: string, mustFail: string | null }} Mutated */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** What takes the place of a value in JSON. */
const VALUES = [
  "null",
  "true",
  "-1",
  "0",
  "1",
  "1.5",
  "1e400",
  "NaN",
  "18446744073709551616",
  '""',
  '"7"',
  "[]",
  "{}",
  "[[0]]",
  '"\\ud800"',
  "99999999",
];

/** @param {Checkpoint} whole @param {Random} random @returns {Mutated} */
export function mutated(whole, random) {
  const files = /** @type {(keyof Checkpoint)[]} */ (
    whole.tokenizer ? ["config", "tokenizer", "weights"] : ["config", "weights"]
  );
  const file = random.pick(files);
  const bytes = /** @type {Uint8Array} */ (whole[file]);
  const header =
    file === "weights"
      ? 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
      : 0;
  const ways =
    file === "weights"
      ? [cut, cut, flip(random.chance(0.8) ? header : bytes.length), inHeader(header)]
      : [cut, flip(bytes.length), inJson, inJson, inJson];
  const { bytes: changed, about, mustFail } = random.pick(ways)(bytes, random);
  return { checkpoint: { ...whole, [file]: changed }, about: `${file}: ${about}`, mustFail };
}

/** @typedef {{ bytes: Uint8Array, about: string, mustFail: string | null }} Change */

/** @param {Uint8Array} bytes @param {Random} random @returns {Change} */
function cut(bytes, random) {
  const length = random.below(bytes.length);
  return {
    bytes: bytes.slice(0, length),
    about: `cut to ${length} bytes`,
    mustFail: decoder.decode(bytes.subarray(length)).trim() === "" ? null : "the file was cut",
  };
}

/** @param {number} end bytes before it are changed @returns {(bytes: Uint8Array, random: Random) => Change} */
function flip(end) {
  return (bytes, random) => {
    const changed = bytes.slice();
    const places = Array.from({ length: 1 + random.below(4) }, () => random.below(end));
    for (const place of places) changed[place] ^= 1 << random.below(8);
    return { bytes: changed, about: `bits flipped in bytes ${places}`, mustFail: null };
  };
}

/** @param {number} header @returns {(bytes: Uint8Array, random: Random) => Change} */
function inHeader(header) {
  return (bytes, random) => {
    const { bytes: json, about } = inJson(bytes.subarray(8, header), random);
    const changed = new Uint8Array(8 + json.length + bytes.length - header);
    new DataView(changed.buffer).setBigUint64(0, BigInt(json.length), true);
    changed.set(json, 8);
    changed.set(bytes.subarray(header), 8 + json.length);
    return { bytes: changed, about: `header, ${about}`, mustFail: null };
  };
}

/** Finds a value by its place in the text, so that files stay as large and as ordered as they were. @param {Uint8Array} bytes @param {Random} random @returns {Change} */
function inJson(bytes, random) {
  const text = decoder.decode(bytes);
  const values = [
    ...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:e-?\d+)?|true|false|null/g),
  ];
  const { 0: found, index } = random.pick(values);
  const [start, end] = [index, index + found.length];
  const value = random.chance(0.6) ? random.pick(VALUES) : random.pick(values)[0];
  const change = random.pick([`${value}`, "", `${found},${found}`, `{"a":${found}}`]);
  return {
    bytes: encoder.encode(text.slice(0, start) + change + text.slice(end)),
    about: `${found.slice(0, 60)} at ${start} became ${change.slice(0, 60)}`,
    mustFail: null,
  };
}
