// The rows of a tree of modules that are visible, and which of them a search finds.

import { inLayer, nodesOf, type OutlineNode, unfolded } from "./model-outline.js";

export interface OutlineRow {
  /** names the row, also if its layer changes */
  key: string;
  node: OutlineNode;
  /** 1 at the root */
  level: number;
  /** its index among its siblings from 1, and how many there are */
  position: number;
  siblings: number;
  /** null if there is nothing below */
  isOpen: boolean | null;
  /** open because a search found something below */
  isHeld: boolean;
  /** the key of the row around it */
  parent: string | null;
  /** what a search found in it; null if nothing */
  match: Match | null;
}

export interface OutlineState {
  /** the keys of the open rows */
  open: ReadonlySet<string>;
  /** the keys of the layers that are listed one by one */
  unfolded: ReadonlySet<string>;
  /** the layer that stands for layers that are alike */
  layer: number;
  /** what is searched for; empty if nothing is */
  search: string;
}

/** From and to, in characters. */
export type Span = readonly [from: number, to: number];

/** Where a name has what is searched for. */
export interface Match {
  /** in the label; null if only the checkpoint's name has it */
  label: Span | null;
  /** in the checkpoint's name */
  tensor: Span | null;
}

type Finder = (node: OutlineNode) => Match | null;

/** The visible rows. While something is searched for, they are what it finds and the rows around it. */
export function rowsOf(
  outline: readonly OutlineNode[],
  { open, unfolded: each, layer, search }: OutlineState,
): OutlineRow[] {
  const find = finderOf(search);
  const rows: OutlineRow[] = [];
  const add = (
    nodes: readonly OutlineNode[],
    level: number,
    parent: string | null,
    prefix: string,
    isFiltered: boolean,
  ) => {
    const shown = find && isFiltered ? nodes.filter((node) => finds(node, find)) : nodes;
    shown.forEach((node, i) => {
      const key = prefix + node.label;
      const below = childrenOf(node, each.has(key), layer, find);
      const isFound = find !== null && below.some((child) => finds(child, find));
      const isOpen = node.children.length === 0 ? null : isFound || open.has(key);
      const place = { level, parent, position: i + 1, siblings: shown.length };
      rows.push({ key, node, ...place, isOpen, isHeld: isFound, match: find?.(node) ?? null });
      // A module that was found itself opens to all that it has.
      if (isOpen) add(below, level + 1, key, `${key}/`, isFound);
    });
  };
  add(outline, 1, null, "", true);
  return rows;
}

/** How many nodes a search finds, those of every layer counted; null without a search. */
export function countFound(outline: readonly OutlineNode[], search: string): number | null {
  const find = finderOf(search);
  if (!find) return null;
  let count = 0;
  for (const root of outline) for (const node of nodesOf(root)) if (find(node)) count += 1;
  return count;
}

/** The keys of every row that can be open. */
export function everyKey(
  outline: readonly OutlineNode[],
  { unfolded, layer }: Pick<OutlineState, "unfolded" | "layer">,
): Set<string> {
  const keys = new Set<string>();
  for (;;) {
    const rows = rowsOf(outline, { open: keys, unfolded, layer, search: "" });
    const closed = rows.filter(({ isOpen }) => isOpen === false);
    if (closed.length === 0) return keys;
    for (const { key } of closed) keys.add(key);
  }
}

/** Of layers that are alike, one stands for all, unless they are listed or a search finds something in some of them only. */
function childrenOf(
  node: OutlineNode,
  isUnfolded: boolean,
  layer: number,
  find: Finder | null,
): readonly OutlineNode[] {
  if (node.kind !== "layers") return node.children;
  const { layers = [] } = node;
  const all = unfolded(node);
  const found = find ? all.filter((one) => finds(one, find)) : all;
  if (isUnfolded || (found.length > 0 && found.length < all.length)) return all;
  if (find && found.some((one) => find(one))) return all; // the layers themselves, as "blocks" finds them
  return inLayer(node, layers.includes(layer) ? layer : layers[0]).children;
}

/** Whether a node or one below it is found. */
function finds(node: OutlineNode, find: Finder) {
  for (const one of nodesOf(node)) if (find(one)) return true;
  return false;
}

/**
 * Finds names that have a text, in TransformerLens or in the checkpoint, or all of which a glob matches. A text that is only in
 * the name of a module around does not count: "attn" finds the module, not all that it has. Null if nothing is searched for.
 */
function finderOf(search: string): Finder | null {
  const wanted = search.trim().toLowerCase();
  if (wanted === "") return null;
  return /[*?]/.test(wanted) ? globFinder(wanted) : textFinder(wanted);
}

function textFinder(wanted: string): Finder {
  return ({ kind, path, label, tensor = "" }) => {
    if (kind === "layers") return null;
    const start = path.length - label.length;
    const at = path.toLowerCase().lastIndexOf(wanted);
    const to = at + wanted.length - start;
    const inTensor = tensor.toLowerCase().indexOf(wanted);
    const match: Match = {
      label: at >= 0 && to > 0 ? [Math.max(0, at - start), to] : null,
      tensor: inTensor >= 0 ? [inTensor, inTensor + wanted.length] : null,
    };
    return match.label || match.tensor ? match : null;
  };
}

function globFinder(wanted: string): Finder {
  const pattern = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const glob = new RegExp(`^${pattern.replaceAll("?", ".")}$`, "i");
  return ({ kind, path, label, tensor }) => {
    if (kind === "layers") return null;
    const match: Match = {
      label: glob.test(path) || glob.test(label) ? [0, label.length] : null,
      tensor: tensor !== undefined && glob.test(tensor) ? [0, tensor.length] : null,
    };
    return match.label || match.tensor ? match : null;
  };
}
