// The line above the figure: what one sees, in words for a visitor who has never seen such a picture.

/** What a head does on the text: a part of what `describe` of session/scores.ts returns. */
interface Described {
  kind?: string | null;
  clear: boolean;
}

export const TAGLINE = "Look inside a GPT-2 while it reads. It runs in this tab.";

/** For each kind of head: what such a head is called, and what it does. */
const KINDS: Readonly<Record<string, string>> = {
  induction: "is an induction head: it looks back at what followed this word last time",
  previous: "is a previous-token head: it looks at the word just before",
  duplicate: "is a duplicate-token head: it looks back at the same word, earlier in the text",
};

/**
 * What the attention view shows of a head; the tagline for heads of no such kind, and for other views.
 * @param described null while there is no reading, or no pattern of the head
 */
export function openingSentence(
  view: string,
  { layer, head }: { layer: number; head: number },
  described: Described | null,
): string {
  const does = described?.clear && described.kind ? KINDS[described.kind] : undefined;
  return view === "attention" && does ? `Head ${layer}.${head} ${does}.` : TAGLINE;
}
