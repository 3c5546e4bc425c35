// Where a cache comes from: what files of its numbers say about them.

/** The model, and the text of a run. */
export interface Origin {
  /** the address or id that the model was loaded from */
  model: string;
  /** the tokens of the run; absent for the steps of a generation */
  ids?: Uint32Array;
  /** the tokens of a text; rejects if the model has no tokenizer, or was disposed of */
  tokens?(ids: Uint32Array): Promise<{ strings: string[]; bytes?: ArrayLike<number>[] }>;
  /** what changed the run, as JSON; empty for nothing */
  interventions?: string;
}

/** A token's text; its bytes if it holds only part of a character, which text cannot represent. */
export type TokenText = string | { bytes: number[] };

/** The tokens of a text, with their texts if they can be had. */
export interface OriginTokens {
  ids: readonly number[];
  texts: readonly TokenText[] | null;
}

/** The tokens of a run: without texts if the model has no tokenizer or was disposed of; null if they are unknown. */
export async function tokensOf({ ids, tokens }: Origin): Promise<OriginTokens | null> {
  if (ids === undefined) return null;
  const found = await tokens?.(ids).catch(() => null);
  return { ids: Array.from(ids), texts: found ? textsOf(found) : null };
}

function textsOf({ strings, bytes }: { strings: string[]; bytes?: ArrayLike<number>[] }) {
  return strings.map((string, at): TokenText => {
    const own = bytes?.[at];
    const isPart = own && own.length > 0 && (string === "" || string.includes("\ufffd"));
    return isPart ? { bytes: Array.from(own) } : string;
  });
}
