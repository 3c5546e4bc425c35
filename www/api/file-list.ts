// Files that the user chose or dropped, to the files of one model. Folders are told apart by the paths of their files: two
// checkpoints are never mixed. Nothing is read here, so the names decide; the first bytes decide about the format later.

import { type FileWithPath, MAX_FILES, pathOf } from "./dropped-files.js";
import { createError, describe } from "./errors.js";
import {
  INDEX_NAME,
  type ModelFile,
  type ModelFiles,
  modelName,
  WEIGHT_NAME,
  type WeightFiles,
} from "./model-files.js";
import { isBlob } from "./realms.js";

/** A file with its path in parts. */
interface Entry {
  file: File;
  path: string;
  /** the path of its folder; "" for a file without a folder */
  folder: string;
  name: string;
}

/** A checkpoint in the list. */
interface Checkpoint {
  /** the path of its folder, or of its file if there are several in the folder */
  path: string;
  folder: string;
  weights: { entries: Entry[]; isIndex: boolean };
  /** further files that the index may name */
  shards: Entry[];
}

/** One model in several formats, as `save_pretrained` and the hub have them: the first is used. */
const SAME_MODEL = ["model.safetensors", "pytorch_model.bin", "flax_model.msgpack"];
/** A file of weights in several: stem, number, count, ending. */
const SHARD = /^(.*)-(\d+)-of-(\d+)(\.\w+)$/;
/** What trainers save beside the weights. */
const OF_TRAINER = /^(optimizer|scheduler|scaler|rng_state.*|training_args|trainer_state)\.\w+$/i;
/** A Flax checkpoint without an ending, as `flax.training.checkpoints` names it. */
const BARE = /^(checkpoint|ckpt|params|model|weights)(_\d+)?$/i;
/** A LoRA, which changes the weights of another model. */
const ADAPTER = /^adapter_(model|config)\.\w+$/i;
/** Files that only an Orbax folder has. */
const ORBAX = /(^|\/)(_METADATA|_CHECKPOINT_METADATA|manifest\.ocdbt|\.zarray|_sharding)$/;
/** Weights in formats that only Python reads. */
const FOREIGN = /\.(h5|keras|tflite|onnx|ot|pkl|pickle|data-\d+-of-\d+)$/i;
const CONVERT =
  "convert the folder with `python tools/convert.py FOLDER TARGET` and choose the folder TARGET";

/** Files that hold a tokenizer, and files that add tokens to one. */
const TOKENIZER =
  /^(tokenizer\.json|vocab\.json|encoder\.json|merges\.txt|vocab\.bpe|meta\.json|meta\.pkl|.*\.tiktoken)$/i;
const ADDED_TOKENS = /^(added_tokens|special_tokens_map|tokenizer_config)\.json$/i;

/** @throws InputError */
export function fromFileList(list: Iterable<unknown>, wanted: string | undefined): ModelFiles {
  const entries = entriesOf(list);
  const found = checkpointsIn(entries);
  if (found.length === 0) throw nothingFound(entries);
  const checkpoint = choose(found, entries, wanted);
  const folders = [...ancestors(checkpoint.folder)];
  refuseAdapters(entries, folders);
  const config = folders
    .flatMap((folder) => named(entries, folder, "config.json") ?? [])
    .slice(0, 1);
  const tokenizer = tokenizerIn(entries, folders);
  const { weights, shards } = checkpoint;
  const used = new Set([...config, ...tokenizer, ...weights.entries, ...shards]);
  const name = checkpoint.path || weights.entries[0].name;
  return {
    name: modelName(name),
    config: config.map(modelFile),
    tokenizer: tokenizer.length > 0 ? [tokenizer.map(modelFile)] : [],
    weights: [weightFiles(checkpoint)],
    ...(shards.length > 0 && { shards: shards.map(modelFile) }),
    ignored: entries.filter((entry) => !used.has(entry)).map(({ path }) => path),
  };
}

function weightFiles({ weights: { entries, isIndex } }: Checkpoint): WeightFiles {
  return isIndex ? { index: modelFile(entries[0]) } : { files: entries.map(modelFile) };
}

function modelFile({ file, path }: Entry): ModelFile {
  return { name: path, blob: file };
}

/** @throws InputError for something else than Files, or too many of them */
function entriesOf(list: Iterable<unknown>): Entry[] {
  const entries: Entry[] = [];
  for (const file of list) {
    if (!isBlob(file) || !("name" in file) || typeof file.name !== "string")
      throw createError(
        "InputError",
        `the files hold ${describe(file)}, expected only File objects`,
      );
    const path = pathOf(file as FileWithPath);
    const cut = path.lastIndexOf("/");
    const [folder, name] = [path.slice(0, Math.max(cut, 0)), path.slice(cut + 1)];
    if (entries.push({ file: file as File, path, folder, name }) > MAX_FILES)
      throw createError(
        "InputError",
        `the list has more than ${MAX_FILES} files, expected those of one model`,
      );
  }
  return entries;
}

// ---- checkpoints ----

function checkpointsIn(entries: readonly Entry[]): Checkpoint[] {
  const folders = new Set(entries.map(({ folder }) => folder));
  const found = [...folders].flatMap((folder) =>
    checkpointsOf(
      folder,
      entries.filter((entry) => entry.folder === folder),
    ),
  );
  if (found.length > 0 || entries.length !== 1) return found;
  const [{ folder, path }] = entries; // the only file is what the user wants to open, whatever it is
  return [{ path, folder, weights: { entries: [...entries], isIndex: false }, shards: [] }];
}

/** The checkpoints in one folder, whose files are `entries`. */
function checkpointsOf(folder: string, entries: readonly Entry[]): Checkpoint[] {
  const isWeights = ({ name }: Entry) =>
    (WEIGHT_NAME.test(name) || BARE.test(name)) && !OF_TRAINER.test(name) && !ADAPTER.test(name);
  let weights = entries.filter(isWeights);
  const groups: { entries: Entry[]; shards?: Entry[] }[] = [];
  for (const index of entries.filter(({ name }) => INDEX_NAME.test(name))) {
    const end = /\.\w+(?=\.index\.json$)/i.exec(index.name)?.[0] ?? "";
    const shards = weights.filter(({ name }) => name.endsWith(end) && !SAME_MODEL.includes(name));
    if (shards.length === 0 && weights.length > 0) continue; // left behind beside the whole file
    weights = weights.filter((entry) => !shards.includes(entry));
    groups.push({ entries: [index], shards });
  }
  const byStem: Map<string, Entry[]> = new Map();
  for (const entry of weights) {
    const stem = entry.name.replace(SHARD, "$1 $3$4");
    byStem.set(stem, [...(byStem.get(stem) ?? []), entry]);
  }
  for (const group of byStem.values()) groups.push({ entries: group });
  const usual = groups.filter(isUsual);
  const others = groups.filter((group) => !usual.includes(group));
  const checkpoints = [...usual.sort(byFormat).slice(0, 1), ...others];
  return checkpoints.map(({ entries, shards = [] }) => ({
    path: checkpoints.length === 1 ? folder : entries[0].path,
    folder,
    weights: { entries, isIndex: INDEX_NAME.test(entries[0].name) },
    shards,
  }));
}

/** Whether a group has the name that the model has in one of its formats. */
function isUsual({ entries: [{ name }] }: { entries: Entry[] }) {
  return SAME_MODEL.includes(name.replace(INDEX_NAME, ""));
}

function byFormat(a: { entries: Entry[] }, b: { entries: Entry[] }) {
  const rank = ({ entries: [{ name }] }: { entries: Entry[] }) =>
    SAME_MODEL.indexOf(name.replace(INDEX_NAME, "")) + (INDEX_NAME.test(name) ? 0.5 : 0);
  return rank(a) - rank(b);
}

/** @throws InputError if there are several and `wanted` names none of them, or if the one is not complete */
function choose(
  found: readonly Checkpoint[],
  entries: readonly Entry[],
  wanted: string | undefined,
): Checkpoint {
  const root = commonFolder(entries);
  const labels = found.map(({ path }) => labelOf(path, root));
  const index = wanted === undefined ? (found.length === 1 ? 0 : -1) : labels.indexOf(wanted);
  if (index < 0) {
    const listed = labels.slice(0, 8).join(", ");
    throw createError(
      "InputError",
      wanted === undefined
        ? `the files hold ${found.length} checkpoints (${listed}), expected one: choose with the option \`checkpoint\``
        : `\`checkpoint\` is ${describe(wanted)}, expected one of those that the files hold: ${listed}`,
      { checkpoints: labels },
    );
  }
  const checkpoint = found[index];
  const twice = entries.find(
    ({ path, folder }, at) =>
      folder === checkpoint.folder &&
      isOfModel(path) &&
      entries.findIndex((other) => other.path === path) < at,
  );
  if (twice)
    throw createError(
      "InputError",
      `the files hold "${twice.path}" twice, expected the files of one model`,
    );
  if (!checkpoint.weights.isIndex) check(checkpoint.weights.entries);
  return checkpoint;
}

function isOfModel(path: string) {
  return /(^|\/)(config|tokenizer)\.json$/.test(path) || WEIGHT_NAME.test(path);
}

/** @throws InputError if these are some of several shards */
function check(weights: readonly Entry[]) {
  const parts = weights.map(({ name }) => SHARD.exec(name));
  const count = Number(parts[0]?.[3] ?? 1);
  const numbers = new Set(parts.map((part) => Number(part?.[2] ?? 1)));
  const isComplete =
    numbers.size === count && [...numbers].every((number) => number >= 1 && number <= count);
  if (isComplete) return;
  const [, stem, , total, end] = parts[0] ?? [];
  throw createError(
    "InputError",
    `expected all of ${stem}-00001-of-${total}${end} to ${stem}-${total}-of-${total}${end}, found ${listed(weights)}`,
  );
}

/** The folder that all files are in. */
function commonFolder(entries: readonly Entry[]) {
  let common = entries[0]?.folder ?? "";
  for (const { folder } of entries)
    while (common !== "" && folder !== common && !folder.startsWith(`${common}/`))
      common = parentOf(common);
  return common;
}

/** A path in the common folder; the folder's own name for itself. */
function labelOf(path: string, root: string) {
  if (path === root) return root.split("/").at(-1) || ".";
  return root === "" ? path : path.slice(root.length + 1);
}

function parentOf(folder: string) {
  return folder.split("/").slice(0, -1).join("/");
}

/** A folder and those that it is in. */
function* ancestors(folder: string) {
  for (let at = folder; ; at = parentOf(at)) {
    yield at;
    if (at === "") return;
  }
}

// ---- the other files of a model ----

function named(entries: readonly Entry[], folder: string, name: string) {
  return entries.find((entry) => entry.folder === folder && entry.name === name);
}

/** All tokenizer files of the first of these folders that has one. What they hold decides which are used. */
function tokenizerIn(entries: readonly Entry[], folders: readonly string[]): Entry[] {
  const folder = folders.find((folder) =>
    entries.some((entry) => entry.folder === folder && TOKENIZER.test(entry.name)),
  );
  return entries.filter(
    (entry) =>
      entry.folder === folder && (TOKENIZER.test(entry.name) || ADDED_TOKENS.test(entry.name)),
  );
}

/** @throws InputError if an adapter lies beside the weights, because it changes the result */
function refuseAdapters(entries: readonly Entry[], folders: readonly string[]) {
  const adapter = entries.find(({ folder, name }) => folders[0] === folder && ADAPTER.test(name));
  if (adapter)
    throw createError(
      "InputError",
      `${adapter.path} is an adapter (LoRA), which changes the weights beside it: merge it into the model (\`merge_and_unload()\` in peft), or leave it out`,
    );
}

// ---- messages ----

function nothingFound(entries: readonly Entry[]): Error {
  const orbax = entries.find(({ path }) => ORBAX.test(path));
  if (orbax)
    return createError(
      "InputError",
      `${orbax.folder || "the folder"} is an Orbax checkpoint, which a browser cannot read: ${CONVERT}`,
    );
  const adapter = entries.find(({ name }) => ADAPTER.test(name));
  if (adapter)
    return createError(
      "InputError",
      `${adapter.path} is an adapter (LoRA) without its model: merge it into the model (\`merge_and_unload()\` in peft) and choose the result`,
    );
  const foreign = entries.find(({ name }) => FOREIGN.test(name));
  if (foreign)
    return createError(
      "InputError",
      `${foreign.path} has a format that a browser cannot read: ${CONVERT}`,
    );
  return createError(
    "InputError",
    `expected a file of weights (*.safetensors, *.bin, *.pt, *.pth, *.ckpt, *.msgpack, *.npz or *.gguf), with its config.json and tokenizer if it has them, found ${listed(entries)}`,
  );
}

function listed(entries: readonly Entry[]) {
  const names = entries.slice(0, 20).map(({ path }) => path);
  const more = entries.length - names.length;
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(", ") || "none";
}
