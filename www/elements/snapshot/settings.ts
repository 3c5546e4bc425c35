// The settings of views in a snapshot: session/ knows their form only, because the views are elements.

import type { RecordedWithoutWords } from "../../session/snapshot/held.js";
import { wrongField } from "../../session/snapshot/check.js";
import { readSnapshot } from "../../session/snapshot/read.js";
import { isView, VIEWS } from "../views/index.js";

/**
 * A snapshot file, with all of its fields checked.
 * @throws InputError
 */
export function openSnapshot(source: unknown): RecordedWithoutWords {
  const recorded = readSnapshot(source);
  const { views } = recorded.state;
  const known = Object.keys(VIEWS).join(", ");
  for (const [view, list] of Object.entries(recorded.results))
    if (!isView(view)) throw wrongField(`results.${view}`, list, `no view but ${known}`);
  for (const [view, settings] of Object.entries(views)) {
    if (!isView(view)) throw wrongField(`state.views.${view}`, settings, `no view but ${known}`);
    const fields = VIEWS[view].settings;
    for (const [name, value] of Object.entries(settings)) {
      const path = `state.views.${view}.${name}`;
      if (!Object.hasOwn(fields, name))
        throw wrongField(path, value, `no setting but ${Object.keys(fields).join(", ")}`);
      if (!fields[name].accepts(value)) throw wrongField(path, value, fields[name].expected);
    }
  }
  return recorded;
}
