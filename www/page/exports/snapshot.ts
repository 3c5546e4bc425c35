// Exports the figure as a snapshot: a file that <candle-scope> draws without a model.

import type { Snapshot } from "../../api/snapshot/format.js";
import { entryOf } from "../../elements/views/index.js";
import type { Reading } from "../../session/reading.js";
import { heldBy } from "../../session/snapshot/held.js";
import { takeSnapshot } from "../../session/snapshot/take.js";
import { patchesFromCorrupted } from "../../state/interventions.js";
import { page, session, state, store } from "../state.js";
import { fileName, type PageExport, proposedCaption } from "./entry.js";
import { shownViews, whyNotComputed } from "./shown.js";

/** Why the figure cannot be exported now: a file without the numbers of a view that is shown could not be drawn. */
export function absent(): string | null {
  const why = whyNotComputed();
  const { reading, corrupted } = session;
  if (why || !reading) return why;
  const requested = Object.entries(page.figure.requests);
  const results = Object.fromEntries(
    requested.map(([view, { key }]) => [view, [{ key, value: null }]]),
  );
  const { views } = heldBy({ reading, corrupted, results, state: store.state });
  const missing = shownViews().find(({ name }) => !views.includes(name));
  return missing
    ? `“${entryOf(missing.name).title}” shows no numbers: choose first what it asks for`
    : null;
}

/** @throws InputError if the text is too long */
export function snapshotOfPage(caption: string): Snapshot {
  const { reading, corrupted, model } = session;
  const { figure } = page;
  if (!reading || !model) throw new Error("no text is read");
  const { hook, scale, direction, lock, measured, position, answer, against, ...lab } = store.state;
  const { view, interventions, views } = lab;
  // A narrow figure shows no second view.
  const beside = shownViews().some(({ name }) => name === lab.beside) ? lab.beside : "";
  const { layer, head } = figure;
  const isCompared = [view, beside].some((name) => name && entryOf(name).usesCorrupted);
  const isSource = interventions.some((one) => !one.disabled && patchesFromCorrupted(one));
  return takeSnapshot({
    caption,
    model: {
      name: state.name,
      source: model.address,
      dtype: model.backend.dtype,
      parameterCount: model.parameterCount,
      config: model.config,
    },
    reading,
    corrupted:
      corrupted && isSource && !isCompared ? textOnly(corrupted) : isCompared ? corrupted : null,
    state: {
      ...{ view, beside, layer, head, hook, scale, direction, lock, measured, position },
      ...{ answer, against, interventions, views },
    },
    requests: figure.requests,
    results: session.results,
  });
}

/** The tokens of a text without patterns and scores, if no view draws them: "run live" computes them again. */
function textOnly(reading: Reading): Reading {
  const patterns = reading.patterns.map(() => null);
  return { ...reading, table: null, scores: [], patterns, thumbnails: patterns };
}

/** The name of the file. */
export function snapshotName() {
  return `${fileName("figure", state.name, page.figure.view)}.json`;
}

/** The bytes of a text in UTF-8. */
function bytesOf(text: string) {
  return new Blob([text]).size;
}

const file: PageExport = {
  name: "snapshot",
  group: "Figure without a model",
  title: "snapshot",
  says: "a small JSON file with what the figure shows, which <candle-scope src> draws without a model",
  absent,
  size: async () => bytesOf(JSON.stringify(snapshotOfPage(proposedCaption()))),
  make: async ({ caption }) => ({
    name: snapshotName(),
    blob: new Blob([JSON.stringify(snapshotOfPage(caption))], { type: "application/json" }),
  }),
};

export const SNAPSHOT_EXPORTS: readonly PageExport[] = [file];
