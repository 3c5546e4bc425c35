// The controls that lessons point at: names for places of the page, as a path of selectors through shadow roots.

/** What a place is called in a sentence, and its path: each selector is searched in the shadow root of the one before. */
interface Place {
  words: string;
  path: readonly string[];
}

export const PLACES = {
  text: { words: "the tokens of the text", path: ["scope-figure", "token-strip"] },
  heads: { words: "the heads", path: ["scope-figure", "attention-heads"] },
  pattern: { words: "the pattern", path: ["scope-figure", "attention-view", "attention-pattern"] },
  scores: {
    words: "the scores of the heads",
    path: ["scope-figure", "scores-view", "head-scores"],
  },
  lens: { words: "the lens", path: ["scope-figure", "lens-view", "logit-lens"] },
  changes: { words: "the list of changes", path: ["[slot=changes]"] },
  next: { words: "the likeliest next tokens", path: ["next-tokens", "ol"] },
  generate: { words: "the button that generates", path: ["next-tokens", "[type=submit]"] },
  composition: { words: "the composition scores", path: ["scope-figure", "composition-view"] },
  paths: { words: "the paths", path: ["scope-figure", "paths-view"] },
  "two-prompts": { words: "the two prompts", path: ["scope-figure", "two-prompts-view"] },
  patching: { words: "the patches", path: ["scope-figure", "patching-view"] },
} as const satisfies Record<string, Place>;

export type PlaceName = keyof typeof PLACES;

/** The element of a place; null while it is not on the page, or has no size. */
export function findPlace(name: PlaceName, root: ParentNode): HTMLElement | null {
  const { path }: Place = PLACES[name];
  let scope: ParentNode = root;
  let found: HTMLElement | null = null;
  for (const selector of path) {
    found = scope.querySelector<HTMLElement>(selector);
    if (!found) return null;
    scope = found.shadowRoot ?? found;
  }
  const { width = 0, height = 0 } = found?.getBoundingClientRect() ?? {};
  return width > 0 && height > 0 ? found : null;
}
