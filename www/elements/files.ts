// Files that a visitor picks or drops: which kinds of files a model has, and a name for what they are.

import { type FileWithPath, pathOf } from "../api/dropped-files.js";

/** The endings of the files of a model, for the dialog that picks files. */
export const MODEL_ENDINGS =
  ".safetensors,.bin,.pt,.pth,.ckpt,.msgpack,.npz,.gguf,.json,.txt,.bpe,.pkl,.tiktoken,.model";
/** The endings of the files of a tokenizer. */
export const TOKENIZER_ENDINGS = ".json,.txt,.bpe,.pkl,.tiktoken,.vocab";

/** Names that say nothing about the model. */
const GENERIC =
  /^(model|pytorch_model|flax_model|ckpt|checkpoint|weights|params|consolidated|last|best)\b/i;
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|msgpack|npz|gguf)$/i;

const TOKENIZER =
  /^(tokenizer.*\.json|vocab\.json|merges\.txt|encoder\.json|vocab\.bpe|meta\.(json|pkl)|special_tokens_map\.json|added_tokens\.json|.*\.tiktoken)$/i;

/** Whether the files are those of a tokenizer, without a model. */
export function areOfTokenizer(files: readonly File[]): boolean {
  return files.length > 0 && files.every(({ name }) => TOKENIZER.test(name));
}

/** A name for the model in these files: that of their folder or of the weights; "your files" if none says anything. */
export function nameOf(files: readonly FileWithPath[]): string {
  const folders = new Set(files.map((file) => pathOf(file).split("/").slice(0, -1)[0] ?? ""));
  const [folder] = folders;
  if (folders.size === 1 && folder) return folder;
  const weights = files.map(({ name }) => name).filter((name) => WEIGHTS.test(name));
  const telling = weights.find((name) => !GENERIC.test(name));
  return telling?.replace(WEIGHTS, "").replace(/-\d{5}-of-\d{5}$/, "") ?? "your files";
}
