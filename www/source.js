// What a caller names as a model, as the files to load: addresses or blobs. Nothing is fetched here.
//
// A name is resolved by these rules, the first that fits:
// - "hf:openai-community/gpt2" (or "hf:openai-community/gpt2@revision") is a Hugging Face id.
// - "https://…", "/models/x", "./x", "../x", and whatever is no id, are the address of a folder, relative to the page.
// - Else it may be both ("models/shakespeare", "openai-community/gpt2", "gpt2"): the folder is tried first, and the
//   hub if there is no config.json in it. An answer that is a web page counts as none, whatever its status.

import { problem, shown } from "./problem.js";

/** @typedef {{ name: string, address?: string, blob?: Blob, optional?: boolean }} File_ a name for messages, and where the bytes are */
/** more: the rest of weights in several files; index: the list of them, where `weights` is not there. @typedef {{ config: File_, tokenizer?: File_, weights: File_, more?: File_[], index?: File_ }} Files */
/** @typedef {string | URL | Blob | ArrayBuffer | ArrayBufferView} Part an address, or the bytes themselves */
/** weights: one file, or the several that they are in. @typedef {{ config: Part, tokenizer?: Part, weights: Part | Part[] }} Parts */
/** @typedef {string | URL | Parts | Iterable<File>} Source */

const HUB = "https://huggingface.co";
/** The characters that the hub allows, in one or two segments. */
const HUB_ID = /^[\w.-]+(?:\/[\w.-]+)?(?:@[\w./-]+)?$/;
const EXPECTED = "expected a folder address, a Hugging Face id, { config, tokenizer, weights } as URL, File, Blob or bytes, or an array of Files";

/**
 * Where the model's files may be, in the order in which to try.
 * @param {Source} source
 * @param {string} base the page's address
 * @returns {Files[]}
 * @throws InputError
 */
export function candidatesOf(source, base) {
  if (typeof source === "string") return byName(source.trim(), base);
  if (source instanceof URL) return [folder(source.href)];
  if (isIterable(source)) return [byFileNames([...source])];
  if (source !== null && typeof source === "object" && "config" in source) return [byParts(source, base)];
  throw problem("InputError", `cannot load ${shown(source)}: ${EXPECTED}`);
}

/** Every file of a model that is known before one is opened. @param {Files} files @returns {(File_ | undefined)[]} */
export function filesOf({ config, tokenizer, weights, more = [] }) {
  return [config, tokenizer, weights, ...more];
}

/** What tells two sources apart; undefined for bytes, which are never shared. @param {Files[]} candidates */
export function identity(candidates) {
  const files = candidates.flatMap(filesOf);
  return files.some((file) => file?.blob) ? undefined : files.map((file) => file?.address).join(" ");
}

/** @param {string} name @param {string} base @returns {Files[]} */
function byName(name, base) {
  if (name === "") throw problem("InputError", `the model's name is empty: ${EXPECTED}`);
  if (name.startsWith("hf:")) {
    const id = name.slice("hf:".length);
    if (!HUB_ID.test(id)) throw problem("InputError", `"${id}" is no Hugging Face id: expected "name", "owner/name" or "owner/name@revision"`);
    return [hub(id)];
  }
  const isAddress = name.startsWith(".") || !HUB_ID.test(name) || name.endsWith("/");
  return isAddress ? [folder(absolute(name, base))] : [folder(absolute(name, base)), hub(name)];
}

/** @param {string} address @returns {Files} */
function folder(address) {
  const { href } = new URL(address);
  const [path, query = ""] = href.split(/(?=[?#])/, 2);
  /** @param {string} file */
  const at = (file) => `${path.replace(/\/?$/, "/")}${file}${query.startsWith("?") ? query : ""}`;
  return named({ config: at("config.json"), tokenizer: at("tokenizer.json"), weights: at("model.safetensors"), index: at("model.safetensors.index.json") });
}

/** @param {string} id @returns {Files} */
function hub(id) {
  const [name, revision = "main"] = id.split("@");
  return folder(`${HUB}/${name}/resolve/${revision}`);
}

/** @param {{ config: string, tokenizer: string, weights: string, index: string }} addresses @returns {Files} */
function named({ config, tokenizer, weights, index }) {
  return {
    config: { name: config, address: config },
    tokenizer: { name: tokenizer, address: tokenizer, optional: true },
    weights: { name: weights, address: weights },
    index: { name: index, address: index },
  };
}

/** @param {Parts} parts @param {string} base @returns {Files} */
function byParts({ config, tokenizer, weights }, base) {
  const all = Array.isArray(weights) ? weights : [weights];
  if (all.length === 0) throw problem("InputError", "`weights` is an empty array, expected one file or more");
  const [first, ...more] = all.map((one) => part("model.safetensors", one, base));
  return {
    config: part("config.json", config, base),
    ...(tokenizer === undefined || tokenizer === null ? {} : { tokenizer: part("tokenizer.json", tokenizer, base) }),
    weights: first,
    ...(more.length > 0 && { more }),
  };
}

/** @param {string} name @param {Part} value @param {string} base @returns {File_} */
function part(name, value, base) {
  if (typeof value === "string" || value instanceof URL) {
    const address = absolute(String(value), base);
    return { name: address, address };
  }
  if (value instanceof Blob) return { name: "name" in value ? String(value.name) : name, blob: value };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return { name, blob: new Blob([/** @type {BlobPart} */ (value)]) };
  }
  throw problem("InputError", `${name} is ${shown(value)}, expected an address, a File, a Blob or bytes`);
}

/** @param {File[]} files @returns {Files} */
function byFileNames(files) {
  const stranger = files.find((file) => !(file instanceof Blob));
  if (stranger !== undefined) throw problem("InputError", `the files hold ${shown(stranger)}, expected Files alone`);
  /** @param {(name: string) => boolean} test */
  const all = (test) => files.filter((file) => test(file.name));
  const [config] = all((name) => name === "config.json");
  const [tokenizer] = all((name) => name === "tokenizer.json");
  const [whole] = all((name) => name === "model.safetensors");
  const weights = whole ? [whole] : all((name) => name.endsWith(".safetensors"));
  const one = weights.length === 1 && !PART.test(weights[0].name);
  if (!config || !(one || areShards(weights))) {
    const found = files.map((file) => file.name).join(", ") || "none";
    throw problem("InputError", `expected the files config.json and one *.safetensors, or all of *-00001-of-0000N.safetensors (and tokenizer.json for text), found ${found}`);
  }
  return byParts({ config, tokenizer, weights }, "");
}

/** One file of several: stem, number, how many. */
const PART = /^(.*)-(\d+)-of-(\d+)\.safetensors$/;

/** Whether these are all parts of one checkpoint, as their names say. @param {File[]} files */
function areShards(files) {
  const [, stem, , count] = PART.exec(files[0]?.name ?? "") ?? [];
  const numbers = files.map(({ name }) => PART.exec(name)).map((part) => (part?.[1] === stem && part?.[3] === count ? Number(part?.[2]) : 0));
  return new Set(numbers).size === Number(count) && numbers.every((number) => number >= 1 && number <= Number(count));
}

/** @param {string} address @param {string} base */
function absolute(address, base) {
  try {
    return new URL(address, base).href;
  } catch {
    throw problem("InputError", `"${address}" is no address: ${EXPECTED}`);
  }
}

/** @param {unknown} value @returns {value is Iterable<File>} */
function isIterable(value) {
  return typeof value === "object" && value !== null && Symbol.iterator in value && !ArrayBuffer.isView(value);
}
