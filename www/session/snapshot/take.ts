// What the page or <candle-scope> shows, as a snapshot.

import type { Snapshot, SnapshotModel } from "../../api/snapshot/format.js";
import { writeSnapshot } from "../../api/snapshot/write.js";
import type { Reading } from "../reading.js";
import type { Requests, ViewResult } from "../results.js";
import type { SnapshotChoices } from "./held.js";

export interface Shown {
  caption: string;
  model: SnapshotModel;
  reading: Reading;
  /** the second prompt, if a view that is shown uses it */
  corrupted: Reading | null;
  /** with the layer and the head that are shown */
  state: SnapshotChoices;
  /** what the views on show requested, and got */
  requests: Requests;
  results: Readonly<Record<string, ViewResult>>;
}

export function takeSnapshot(shown: Shown): Snapshot {
  const { caption, model, reading, corrupted, state, requests, results } = shown;
  const recorded = Object.entries(requests).flatMap(([view, { key }]) => {
    const result = results[view];
    return result?.isCurrent ? [[view, [{ key, value: result.value }]] as const] : [];
  });
  return writeSnapshot({
    ...{ caption, model, reading, corrupted, state },
    results: Object.fromEntries(recorded),
  });
}
