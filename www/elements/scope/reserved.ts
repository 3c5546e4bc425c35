// How high the board of a compact figure will be, before it is drawn: so that the page around it does not move then. An estimate with
// the sizes of the bundled model; `node --import tsx scripts/heights.mjs` compares it with what is drawn. Numbers without a name or a reason
// are fitted to what that script prints.

import { gutterFor } from "../../draw/labels.js";
import { compactCell } from "../../draw/pattern-plot.js";
import { MIN_WIDTH_OF_GRID } from "../figure-layout.js";

/** CSS pixels, as the styles of the figure and of the attention view have them. */
const [GAP, LINE, CHARACTER] = [19, 19.7, 7];
const AXIS = 18;
/** The legend stands beside a plot that leaves more room than this, and below it otherwise. */
const [MIN_ROOM_BESIDE, LEGEND] = [140, 66];
/** A usual sentence about a head, in characters. */
const SENTENCE = 160;
/**
 * Other views: a + b × tokens, of which 24 are counted, + c × 1000 / width, fitted to what was drawn. Views that
 * are not listed are higher than a screen and reserve all of it.
 */
const OTHERS: Readonly<Record<string, readonly [number, number, number]>> = {
  lines: [16, 26, 97],
  products: [81, 26, 118],
  "log-probability": [391, 2, 57],
  lens: [391, 0, 118],
  attribution: [341, 0, 68],
  gradients: [25, 20, 150],
  heads: [430, 0, 71],
  composition: [320, 0, 420],
  "two-prompts": [360, 4, 115],
  patching: [276, 3, 132],
  paths: [345, 0, 142],
  stream: [445, 2, 57],
  activations: [190, 22, 152],
};
/** Without an answer these have the form that asks for one. */
const ASKING: typeof OTHERS = { patching: [55, 0, 72], paths: [128, 0, 75] };
/** Their legend above the board, which comes with the reading: c × 1000 / width. */
const WITH_LEGEND: readonly string[] = ["log-probability", "lens"];
const LEGEND_ABOVE = 28;

export interface Space {
  view: string;
  prompt: string;
  answer: unknown;
  /** of the figure, in CSS pixels */
  width: number;
  /** the parts that are hidden */
  hidden: readonly string[];
  /** the text is read: the parts above have their own height */
  isRead: boolean;
}

/** No more than the screen: what is below it may move. */
export function reservedHeight(space: Space): number {
  const { view, prompt, width, hidden } = space;
  if (hidden.includes("pattern") || width <= 0) return 0;
  const words = prompt.match(/ ?(\p{L}+|\p{N}+|[^\s\p{L}\p{N}])/gu) ?? [];
  const tokens = 1.1 * words.length; // rare words are several tokens
  const height =
    view === "attention" ? attentionHeight(space, words, tokens) : otherHeight(space, tokens);
  return Math.round(Math.min(height, window.innerHeight));
}

function attentionHeight({ width, hidden }: Space, words: string[], expected: number) {
  const tokens = Math.round(expected) + 2;
  const hasHeads = !hidden.includes("heads");
  const hasGrid = width >= MIN_WIDTH_OF_GRID && hasHeads;
  const strip = hasGrid || !hasHeads ? 0 : 68 + GAP;
  const grid = hasGrid ? Math.max(128, width / 4) : -GAP;
  const own = width - grid - GAP;
  // The last line is half full on average.
  const sentence = hidden.includes("sentence")
    ? 24
    : ((SENTENCE * CHARACTER) / own + 0.5) * LINE + 8;
  const cell = compactCell(tokens);
  const gutter = gutterFor(words, Math.min(cell, (own - 90) / Math.max(1, words.length)), 3);
  const room = Math.min(680, Math.max(320, 0.6 * window.innerHeight), own - 18 - gutter);
  const plot = Math.min(room, tokens * cell) + gutter;
  const below = own - plot > MIN_ROOM_BESIDE ? 0 : LEGEND;
  const why = width < 320 ? LINE : 0; // the line that names the head is two lines
  return Math.max(grid - 35, strip + sentence + AXIS + plot + below + why);
}

function otherHeight({ view, answer, width, hidden, isRead }: Space, tokens: number) {
  if (!Object.hasOwn(OTHERS, view)) return Number.POSITIVE_INFINITY;
  const [a, b, c] = (answer === null && ASKING[view]) || OTHERS[view];
  const hasOwn = isRead || hidden.includes("tokens");
  const legend = hasOwn && WITH_LEGEND.includes(view) ? LEGEND_ABOVE : 0;
  const sentence = hidden.includes("sentence") ? 40 : 0;
  return a - sentence + b * Math.min(24, tokens) + ((c - legend) * 1000) / width;
}
