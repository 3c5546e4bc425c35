// Weights in 8 bits beside those that they were rounded from. scripts/quantize.mjs names its file after the folder that it reads, so
// FOLDER/NAME/NAME-q8.gguf is the model FOLDER/NAME in 8 bits. The addresses say so; nothing is requested.

/** The address of the model before its weights were rounded; null if the address is not that of a file in 8 bits beside it. */
export function beforeRounding(source: string): string | null {
  return /^((?:.*\/)?([^/]+))\/\2-q8\.gguf$/.exec(source)?.[1] ?? null;
}

/**
 * Whether two addresses are of the same model, as it is and in 8 bits: its heads, tokens and hook points are the same.
 * The address of files from a disk is empty, which says nothing.
 */
export function isSameModel(one: string, other: string): boolean {
  return one !== "" && other !== "" && folderOf(one) === folderOf(other);
}

/**
 * How many bits the weights in a GGUF file have by its name, which ends as in "gpt2.Q4_K_M.gguf"; null if the name does not say it.
 */
export function bitsByName(source: string): number | null {
  const found = /[-._]q([2-8])(?:_(?:[01]|k(?:_(?:xl|[sml]))?))?(?:-\d+-of-\d+)?\.gguf$/i.exec(
    source,
  );
  return found && Number(found[1]);
}

function folderOf(source: string) {
  return beforeRounding(source) ?? source.replace(/\/$/, "");
}
