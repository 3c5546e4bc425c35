// The scores of heads: their titles and definitions.

const KINDS: Record<string, [title: string, meaning: string]> = {
  previous_token: ["previous token", "mean attention to the token just before"],
  duplicate_token: ["same token", "mean attention to earlier occurrences of the same token"],
  induction: ["induction", "mean attention to the token that followed the same token before"],
  similarity: ["similarity", "similarity of the attention to that of the chosen head"],
};

/** The names of the scores that every model has. */
export const SCORES: readonly string[] = ["previous_token", "duplicate_token", "induction"];

/** The title of a score, or of another column. */
export function titleOf(kind: string) {
  return KINDS[kind]?.[0] ?? kind;
}

export function meaningOf(kind: string) {
  return KINDS[kind]?.[1] ?? kind;
}
