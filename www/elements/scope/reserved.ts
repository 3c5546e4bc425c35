// How high the board of a compact figure will be, before its text is read: so that the page around it does not move when it is
// drawn. An estimate from above for the attention view; other views depend on the model.

import { gutterFor } from "../../draw/labels.js";
import { compactCell } from "../../draw/pattern-plot.js";
import { MIN_WIDTH_OF_GRID } from "../figure-layout.js";

/** CSS pixels, as the styles of the figure and of the attention view have them. */
const [GAP, LINE, CHARACTER] = [19, 19.7, 7];
const AXIS = 18;
/** The readout and the legend below a plot, from this width on or narrower. */
const [WIDE, LEGEND, NARROW_LEGEND] = [380, 66, 125];
/** The longest sentences about a head, in characters. */
const SENTENCE = 250;
/** What other views take at least. */
const OTHER = 320;
/**
 * The boards of views with the bundled model and a line of text, in figures of 634 and of 320 px; and the legend above that colours their
 * tokens, which comes with the reading. Models of more layers need more.
 */
const MEASURED: Readonly<Record<string, { board: [number, number]; legend: [number, number] }>> = {
  "log-probability": { board: [474, 536], legend: [69, 86] },
  lens: { board: [500, 672], legend: [69, 86] },
  heads: { board: [539, 658], legend: [0, 0] },
};
/** What the board of a few words takes at most: with the parts around it, the figure is no higher than 420 px. */
const FEW_WORDS = 6;
const MAX_OF_FEW = 310;

export interface Space {
  view: string;
  prompt: string;
  /** of the figure, in CSS pixels */
  width: number;
  /** the parts that are hidden */
  hidden: readonly string[];
  /** the text is read: the parts above have their own height */
  isRead: boolean;
}

export function reservedHeight(space: Space): number {
  const { view, prompt, width, hidden } = space;
  if (hidden.includes("pattern") || width <= 0) return 0;
  if (view !== "attention") return otherHeight(space);
  const hasGrid = width >= MIN_WIDTH_OF_GRID && !hidden.includes("heads");
  const strip = hasGrid || hidden.includes("heads") ? 0 : 68 + GAP;
  const own = hasGrid ? width - Math.max(128, width / 4) - GAP : width;
  const sentence = hidden.includes("sentence")
    ? 24
    : Math.ceil((SENTENCE * CHARACTER) / own) * LINE + 8;
  const words = prompt.match(/ ?(\p{L}+|\p{N}+|[^\s\p{L}\p{N}])/gu) ?? [];
  const tokens = Math.ceil(1.15 * words.length) + 1; // pieces of words are tokens too
  const pitch = Math.min(compactCell(tokens), (own - 90) / Math.max(1, words.length));
  const gutter = gutterFor(words, pitch, 3);
  const room = Math.min(680, Math.max(320, 0.6 * window.innerHeight), own - 18 - gutter);
  const plot = Math.min(room, tokens * compactCell(tokens)) + gutter;
  const below = own - plot > 168 ? 0 : own >= WIDE ? LEGEND : NARROW_LEGEND;
  const height = Math.round(strip + sentence + AXIS + plot + below);
  return words.length <= FEW_WORDS && hasGrid ? Math.min(height, MAX_OF_FEW) : height;
}

function otherHeight({ view, width, hidden, isRead }: Space) {
  if (!Object.hasOwn(MEASURED, view)) return OTHER;
  const { board, legend } = MEASURED[view];
  const at = width >= MIN_WIDTH_OF_GRID ? 0 : 1;
  const sentence = hidden.includes("sentence") ? 40 : 0;
  return board[at] - sentence + (isRead || hidden.includes("tokens") ? 0 : legend[at]);
}
