// Where a cache comes from: what files of its numbers say about them.

/** The model, and the text of a run. */
export interface Origin {
  /** the address or id that the model was loaded from */
  model: string;
  /** the tokens of the run; absent for the steps of a generation */
  ids?: Uint32Array;
  /** the strings of tokens; rejects if the model has no tokenizer, or was disposed of */
  strings?(ids: Uint32Array): Promise<string[]>;
}

/** The tokens of a text, with their strings if they can be had. */
export interface OriginTokens {
  ids: readonly number[];
  strings: readonly string[] | null;
}

/** The tokens of a run: without strings if the model has no tokenizer or was disposed of; null if they are unknown. */
export async function tokensOf({ ids, strings }: Origin): Promise<OriginTokens | null> {
  if (ids === undefined) return null;
  const found = await strings?.(ids).catch(() => null);
  return { ids: Array.from(ids), strings: found ?? null };
}
