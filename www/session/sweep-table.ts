// A sweep as a table of rows and columns: what a cell is the patch of, and the sentence about it.

import { formatShort } from "../draw/format.js";
import type { Table } from "../draw/heat-table.js";
import type { Cell } from "../draw/signed-heatmap.js";
import { announced, type Token } from "../draw/token.js";
import {
  isOfHeads,
  TARGETS,
  type Patch,
  type Sweep,
  type SweepDirection,
  type Target,
} from "./sweeps.js";

/** What a sweep was computed for. */
export interface SweepTopic {
  at: Target;
  direction: SweepDirection;
  /** of the neurons */
  layer: number;
  /** what is measured, in words: "logit of ' Juliet' minus logit of ' Helena'" */
  metric: string;
  /** the numbers are estimates from one backward pass */
  isEstimate: boolean;
  /** the tokens of both prompts, which have the same length */
  clean: readonly Token[];
  corrupted: readonly Token[];
}

/** A table with its labels. */
export interface LabelledTable {
  table: Table;
  rows: readonly Token[];
  columns: readonly Token[];
  rowTitle: string;
  columnTitle: string;
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix}${at}`);

/** Tables by what they are of: a figure is drawn again whenever something is hovered. */
const tables: WeakMap<Sweep["raw"], WeakMap<object, LabelledTable>> = new WeakMap();

/** The values of a sweep, raw or normalized, with its axes as rows and columns. Layers and heads of three axes are the rows. */
export function tableOf(
  values: Sweep["raw"],
  topic: Pick<SweepTopic, "layer" | "clean">,
): LabelledTable {
  const known = tables.get(values) ?? new WeakMap<object, LabelledTable>();
  tables.set(values, known);
  const table = known.get(topic) ?? makeTable(values, topic);
  known.set(topic, table);
  return table;
}

function makeTable(
  values: Sweep["raw"],
  topic: Pick<SweepTopic, "layer" | "clean">,
): LabelledTable {
  const { data, axes, shape } = values;
  const table = (rows: number) => ({ data, rows, columns: data.length / rows });
  const positions = { columns: topic.clean, columnTitle: "position" };
  switch (axes.join(" ")) {
    case "layer pos":
      return {
        table: table(shape[0]),
        rows: numbered("L", shape[0]),
        rowTitle: "layer",
        ...positions,
      };
    case "layer head":
      return {
        ...{ table: table(shape[0]), rows: numbered("L", shape[0]), rowTitle: "layer" },
        ...{ columns: numbered("H", shape[1]), columnTitle: "head" },
      };
    case "layer head pos": {
      const [layers, heads] = shape;
      const rows = numbered("L", layers).flatMap((layer) => numbered(`${layer}H`, heads));
      return { table: table(layers * heads), rows, rowTitle: "head", ...positions };
    }
    case "neuron":
      return {
        ...{ table: table(1), rows: [`L${topic.layer}`], rowTitle: "layer" },
        ...{ columns: numbered("", shape[0]), columnTitle: "neuron" },
      };
    default:
      return {
        ...{ table: table(shape[0]), rows: topic.clean, rowTitle: "position" },
        ...{ columns: numbered("", shape[1]), columnTitle: "neuron" },
      };
  }
}

/** The patch of a cell. */
export function patchAt(
  { axes, shape }: Sweep["raw"],
  topic: Pick<SweepTopic, "layer">,
  { row, column }: Cell,
): Patch {
  switch (axes.join(" ")) {
    case "layer pos":
      return { layer: row, position: column };
    case "layer head":
      return { layer: row, head: column };
    case "layer head pos":
      return { layer: Math.floor(row / shape[1]), head: row % shape[1], position: column };
    case "neuron":
      return { layer: topic.layer, neuron: column };
    default:
      return { layer: topic.layer, neuron: column, position: row };
  }
}

/** What is patched, in words: "the output of head 5.1 at position 7, ' Juliet'". */
export function patchWords(
  { at, clean, corrupted }: Pick<SweepTopic, "at" | "clean" | "corrupted">,
  { layer, head, neuron, position }: Patch,
): string {
  const what =
    neuron !== undefined
      ? `neuron ${neuron} of layer ${layer}`
      : isOfHeads(at)
        ? `${{ z: "the output", q: "the queries", k: "the keys", v: "the values", pattern: "the attention" }[at as "z"]} of head ${layer}.${head}`
        : at === "resid_pre"
          ? `the residual stream before layer ${layer}`
          : at === "resid_mid"
            ? `the residual stream between attention and MLP of layer ${layer}`
            : `the ${TARGETS[at].title} of layer ${layer}`;
  if (position === undefined) return `${what}, at all positions`;
  const [mine, theirs] = [clean[position] ?? "", corrupted[position] ?? ""];
  const tokens =
    announced(mine) === announced(theirs)
      ? announced(mine)
      : `${announced(mine)} in the clean prompt, ${announced(theirs)} in the corrupted one`;
  return `${what} at ${at === "pattern" ? "query" : "position"} ${position}, ${tokens}`;
}

/** What the cell says: its numbers and what was patched. */
export function cellWords(sweep: Sweep, topic: SweepTopic, cell: Cell): string {
  const { raw, normalized, clean, corrupted } = sweep;
  const at = cell.row * (raw.data.length / rowsOf(raw)) + cell.column;
  const exact = (value: number) => formatShort(value, 7);
  const share = normalized ? `; normalized ${exact(normalized.data[at])}` : "";
  const into = topic.direction === "denoise" ? "clean into corrupted" : "corrupted into clean";
  const isAbout = topic.isEstimate ? "about " : "";
  return `${patchWords(topic, patchAt(raw, topic, cell))}, ${into}: ${topic.metric} ${isAbout}${exact(raw.data[at])}${share} (clean run ${exact(clean)}, corrupted run ${exact(corrupted)})`;
}

function rowsOf({ axes, shape }: Sweep["raw"]) {
  if (axes.length === 1) return 1;
  return axes.length === 3 ? shape[0] * shape[1] : shape[0];
}

/** The cells with the largest effects: their distance from the run that is patched. */
export function largestEffects(
  { data }: Sweep["raw"],
  base: number,
  count: number,
): { at: number; effect: number }[] {
  const best: { at: number; effect: number }[] = [];
  data.forEach((value, at) => {
    const effect = value - base;
    const size = Math.abs(effect);
    if (!Number.isFinite(effect)) return;
    if (best.length === count && size <= Math.abs(best[count - 1].effect)) return;
    let place = best.length;
    while (place > 0 && Math.abs(best[place - 1].effect) < size) place -= 1;
    best.splice(place, 0, { at, effect });
    best.length = Math.min(best.length, count);
  });
  return best;
}
