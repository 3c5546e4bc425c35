// What a snapshot holds, and which views and choices it has numbers for.

import type { HookPoint } from "../../api/generated.js";
import type { SnapshotModel } from "../../api/snapshot/format.js";
import type { LabState } from "../../state/state.js";
import type { Reading } from "../reading.js";
import { strongestInduction } from "../scores.js";

/** What a snapshot holds, as a figure draws it. */
export interface Recorded {
  caption: string;
  model: SnapshotModel;
  reading: Reading;
  corrupted: Reading | null;
  state: SnapshotChoices;
  /** by the view's name */
  results: Readonly<Record<string, readonly RecordedResult[]>>;
  /** by layer: how far a value of its pattern may be from the one that was computed; null if there is no pattern */
  roundings: readonly (number | null)[];
  /** how far the values of other results may be from those that were computed, by the view's name */
  resultRoundings: Readonly<Record<string, number>>;
}

/** The same as it was read, without the words for its interventions: `changes` is null if there are any. */
export interface RecordedWithoutWords extends Omit<Recorded, "reading"> {
  reading: Omit<Reading, "changes"> & { changes: string | null };
}

export interface RecordedResult {
  key: string;
  value: unknown;
}

/** The names of the fields of the state that a snapshot has. */
export const CHOICES = [
  ...(["view", "beside", "layer", "head", "hook", "scale", "direction", "lock"] as const),
  ...(["measured", "position", "answer", "against", "interventions"] as const),
] as const;

export type SnapshotChoices = Pick<LabState, (typeof CHOICES)[number] | "views">;

/** Which views and choices can be drawn. */
export interface Held {
  /** the names of the views */
  views: readonly string[];
  /** whether there is the result that a view requests */
  has: (view: string, key: string) => boolean;
}

/** The reading is enough for some views. */
export function heldBy({
  reading,
  corrupted,
  results,
  state,
}: Pick<RecordedWithoutWords, "reading" | "corrupted" | "results" | "state">): Held {
  const hasPatterns = reading.patterns.some((pattern) => pattern !== null);
  const isOfLosses = corrupted !== null && state.views["two-prompts"]?.of === "loss";
  const views = [
    ...(hasPatterns ? ["attention", "lines"] : []),
    ...(reading.logProbs.length > 0 ? ["log-probability"] : []),
    ...(reading.scores.length > 0 ? ["heads"] : []),
    ...(isOfLosses ? ["two-prompts"] : []),
    ...Object.keys(results).filter((view) => results[view].length > 0),
  ];
  const has = (view: string, key: string) =>
    results[view]?.some((result) => result.key === key) ?? false;
  return { views: [...new Set(views)], has };
}

/** The hook points whose values the views show. A snapshot does not have the model's list of them. */
export function pointsOf({ results }: Pick<Recorded, "results">): HookPoint[] {
  const found = Object.values(results).flatMap((list) => list.map(({ value }) => pointOf(value)));
  return found.flatMap(({ name, axes }) =>
    name && axes ? [{ name, axes, onRequest: false }] : [],
  );
}

/** Of a result of the activations, of the neurons, or of the activations of two prompts. */
function pointOf(value: unknown): { name?: string; axes?: string[] } {
  const { hook, tensor, values, channel, axes } = (value ?? {}) as {
    hook?: string;
    tensor?: { axes: string[] };
    values?: { axes: string[] }[];
    channel?: { at: string };
    axes?: string[];
  };
  return { name: hook ?? channel?.at, axes: tensor?.axes ?? values?.[0]?.axes ?? axes };
}

/** The head that is shown at first: that of the snapshot, or the strongest induction head of the layers that have a pattern. */
export function shownHead({ state, reading }: Pick<RecordedWithoutWords, "state" | "reading">) {
  const { layer, head } = state;
  if (layer !== null || head !== null) return { layer: layer ?? 0, head: head ?? 0 };
  const { patterns, scores } = reading;
  const drawable = scores.filter((one) => patterns[one.layer]);
  const strongest = drawable.length > 0 ? strongestInduction(drawable) : null;
  const first = patterns.findIndex((pattern) => pattern !== null);
  return { layer: strongest?.layer ?? Math.max(0, first), head: strongest?.head ?? 0 };
}
