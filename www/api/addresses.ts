// A model's address to the addresses of its files: a folder, one file of weights, or a Hugging Face id.

import { createError, describe } from "./errors.js";
import {
  INDEX_NAME,
  type ModelFile,
  type ModelFiles,
  modelName,
  WEIGHT_NAME,
  type WeightFiles,
} from "./model-files.js";
import { platform } from "./platform.js";

const HUB = "https://huggingface.co";
/** The name of an owner or a model, as the hub allows it. */
const HUB_NAME = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?$/;
/** A branch, tag or commit, which may have slashes. */
const HUB_REVISION = /^[\w.+-]+(?:\/[\w.+-]+)*$/;

/** The files of weights in a folder, in the order in which they are tried. The first is requested with the config. */
const WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "flax_model.msgpack",
  "model.msgpack",
  "ckpt.pt",
  "model.pt",
  "model.pth",
  "model.npz",
  "model.gguf",
];
/** The sets of files of a tokenizer in a folder, in the order in which they are tried. */
const TOKENIZERS = [
  ["tokenizer.json"],
  [
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
  ],
  ["meta.json"],
  ["meta.pkl"],
  ["vocab.tiktoken"],
];
/** Files that only an Orbax folder has. They are requested if it has no weights. */
const ORBAX = ["_METADATA", "_CHECKPOINT_METADATA"];

/** The part of a shard's name that is the same for all shards. */
const SHARD = /-\d+-of-\d+(?=\.\w+$)/;

/** The files of the model at "hf:owner/name" or "hf:owner/name@revision". */
export function fromHub(id: string, checkpoint: string | undefined): ModelFiles {
  const hint =
    "check the name; a private or gated model needs the option `headers` with `authorization`";
  return inFolder(hubFolder(id), checkpoint, hint);
}

/** The files of the model at a folder's address or at that of one file. */
export function fromAddress(
  text: string,
  base: string,
  checkpoint: string | undefined,
): ModelFiles {
  const address = absolute(text, base, "the address of a folder or of a file of weights");
  const hint = isHubId(text) ? `if you mean the Hugging Face model, write "hf:${text}"` : undefined;
  return isFile(address) && checkpoint === undefined
    ? ofFile(address)
    : inFolder(address, checkpoint, hint);
}

function isFile({ protocol, pathname }: URL) {
  return protocol !== "data:" && (WEIGHT_NAME.test(pathname) || INDEX_NAME.test(pathname));
}

function hubFolder(id: string): URL {
  if (!isHubId(id))
    throw createError(
      "InputError",
      `${describe(id)} is not a Hugging Face id: expected "hf:owner/name" or "hf:owner/name@revision"`,
    );
  const [name, revision = "main"] = id.split("@");
  return new URL(`${HUB}/${name}/resolve/${encodeURIComponent(revision)}`);
}

function isHubId(text: string) {
  const [name, revision, ...more] = text.split("@");
  const segments = name.split("/");
  const isName = segments.length <= 2 && segments.every((segment) => HUB_NAME.test(segment));
  return (
    isName &&
    more.length === 0 &&
    !text.includes("..") &&
    (revision === undefined || (HUB_REVISION.test(revision) && !/(^|\/)\.(\/|$)/.test(revision)))
  );
}

// ---- files ----

/** @param checkpoint a folder in this one, or one of its files */
function inFolder(address: URL, checkpoint: string | undefined, hint?: string): ModelFiles {
  if (address.protocol === "data:" || address.protocol === "blob:") {
    throw createError(
      "InputError",
      `a ${address.protocol} address is one file, expected the address of a folder: give { config, tokenizer, weights } instead`,
    );
  }
  if (checkpoint === undefined) return filesIn([address], hint);
  const inner = within(address, checkpoint);
  return isFile(inner) ? ofFile(inner, hint) : filesIn([inner, address], hint);
}

/** A folder or file in a folder. */
function within(folder: URL, path: string): URL {
  const segments = path.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === ".."))
    throw createError(
      "InputError",
      `\`checkpoint\` is ${describe(path)}, expected the name of a folder or file in the model's folder`,
    );
  return addressOf(folder, segments.map(encodeURIComponent).join("/"), "folder");
}

/** @param folders the checkpoint's folder first; the others have the files that it lacks */
function filesIn(folders: readonly URL[], hint?: string): ModelFiles {
  const [folder] = folders;
  const file = (name: string): ModelFile => {
    const { href } = addressOf(folder, name, "folder");
    return { name: href, address: href, optional: true, ...(hint && { hint }) };
  };
  const address = addressOf(folder, "", "folder").href;
  return {
    name: modelName(address),
    address,
    ...configAndTokenizer(folders, "folder", hint),
    weights: WEIGHTS.map((name) =>
      INDEX_NAME.test(name) ? { index: file(name) } : { files: [file(name)] },
    ),
    markers: ORBAX.map(file),
  };
}

/** One file of weights with the config and the tokenizer beside it. */
function ofFile(address: URL, hint?: string): ModelFiles {
  const file: ModelFile = { name: address.href, address: address.href, ...(hint && { hint }) };
  return {
    name: modelName(address.href),
    address: address.href,
    ...configAndTokenizer([address], "file"),
    weights: [weightsOf(address, file)],
  };
}

/** A shard stands for all of them, which the index lists. */
function weightsOf(address: URL, file: ModelFile): WeightFiles {
  const { pathname } = address;
  if (INDEX_NAME.test(pathname)) return { index: file };
  if (!SHARD.test(pathname)) return { files: [file] };
  const name = pathname.replace(/^.*\//, "").replace(SHARD, "");
  const { href } = addressOf(address, `${name}.index.json`, "file");
  return { index: { name: href, address: href } };
}

/** The config and the tokenizer in these folders, or beside this file. */
function configAndTokenizer(places: readonly URL[], kind: "folder" | "file", hint?: string) {
  const file = (place: URL, name: string): ModelFile => {
    const { href } = addressOf(place, name, kind);
    return { name: href, address: href, optional: true, ...(hint && { hint }) };
  };
  return {
    config: places.map((place) => file(place, "config.json")),
    tokenizer: places.flatMap((place) =>
      TOKENIZERS.map((names) => names.map((name) => file(place, name))),
    ),
  };
}

/** The address of `name` in a folder, or beside a file. */
function addressOf(place: URL, name: string, kind: "folder" | "file"): URL {
  const end = kind === "folder" ? /\/?$/ : /\/[^/]*$/;
  return Object.assign(new URL(place), {
    hash: "",
    pathname: place.pathname.replace(end, () => `/${name}`),
  });
}

// ---- addresses ----

/**
 * @param expected in words, for messages
 * @throws InputError
 */
export function absolute(address: string, base: string, expected: string): URL {
  const url = parsed(platform.addressOf(address), base);
  if (!url)
    throw createError("InputError", `${describe(address)} is not an address: expected ${expected}`);
  if (url.username || url.password)
    throw createError(
      "InputError",
      `the address of ${url.host}${url.pathname} holds a user name or password, which a browser does not send: use the option \`headers\``,
    );
  if (!isFetchable(url, base))
    throw createError(
      "InputError",
      `${describe(address)} begins with "${url.protocol}", expected an http: or https: address; files on this machine are given as Files`,
    );
  return url;
}

function parsed(address: string, base: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}

/**
 * Whether fetch() may know the scheme: the usual ones, or that of the page itself (an app, an extension).
 */
function isFetchable({ protocol }: URL, base: string) {
  if (protocol === "file:") return platform.readsFiles;
  return ["http:", "https:", "data:", "blob:"].includes(protocol) || base.startsWith(protocol);
}
