// A snapshot with what was chosen of it.

import { heldBy, type Recorded, type SnapshotChoices } from "../../session/snapshot/held.js";
import type { Field } from "../../state/fields.js";
import { fromStart } from "../../state/indices.js";
import { ALL_FIELDS } from "../scope/fields.js";
import { attribute, range } from "../scope/words.js";
import { CHOSEN, type Given } from "./given.js";

/** The snapshot with what was chosen and can be drawn; and sentences about what cannot be. */
export function chosen(
  recorded: Recorded,
  given: Given,
): { recorded: Recorded; problems: string[] } {
  const problems: string[] = [];
  const names = CHOSEN.filter((name) => {
    if (!Object.hasOwn(given, name)) return false;
    const field = ALL_FIELDS[name] as Field<unknown>;
    const fits = field.accepts(given[name]);
    if (!fits)
      problems.push(
        `${attribute(name, given[name])} does not fit: expected ${field.expected}. ${INSTEAD}`,
      );
    return fits;
  });
  const own = Object.fromEntries(names.map((name) => [name, given[name]]));
  checkHead(own, recorded, problems);
  checkViews(own, recorded, problems);
  checkLock(own, recorded, problems);
  return { recorded: { ...recorded, state: { ...recorded.state, ...own } }, problems };
}

const INSTEAD = "What the snapshot says is drawn.";

type Own = Partial<SnapshotChoices>;

function checkHead(own: Own, { model, reading }: Recorded, problems: string[]) {
  const { n_layer: layers, n_head: heads } = model.config as Record<string, number>;
  const asked = (["layer", "head"] as const).flatMap((name) =>
    (own[name] ?? null) === null ? [] : [attribute(name, own[name])],
  );
  if (asked.length === 0) return;
  // A layer without a head means its head 0, and a head without a layer that of layer 0.
  const layer = fromStart(own.layer ?? 0, layers);
  const head = fromStart(own.head ?? 0, heads);
  const exists = layer >= 0 && layer < layers && head >= 0 && head < heads;
  if (exists && reading.patterns[layer]) {
    Object.assign(own, { layer, head });
    return;
  }
  delete own.layer;
  delete own.head;
  problems.push(
    exists
      ? `The snapshot has no pattern of layer ${layer}. ${INSTEAD}`
      : `There is no ${asked.join(" ")}: the model has ${range("layer", layers)} and ${range("head", heads)}. ${INSTEAD}`,
  );
}

function checkViews(own: Own, recorded: Recorded, problems: string[]) {
  const { views } = heldBy(recorded);
  for (const name of ["view", "beside"] as const) {
    const view = own[name];
    if (!view || views.includes(view)) continue;
    delete own[name];
    problems.push(
      `The snapshot has no numbers for ${attribute(name, view)}, only for ${views.join(", ")}. ${INSTEAD}`,
    );
  }
}

function checkLock(own: Own, { reading: { ids } }: Recorded, problems: string[]) {
  const { lock } = own;
  if (!lock || Math.max(lock.query ?? 0, lock.key ?? 0) < ids.length) return;
  delete own.lock;
  problems.push(
    `There is no ${attribute("lock", ALL_FIELDS.lock.write(lock))}: the text has ${range("token", ids.length)}. ${INSTEAD}`,
  );
}
