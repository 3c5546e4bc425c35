// The address keeps what the page shows, so that a reload or a shared link shows the same.

import { whyAbsent } from "../session/architecture.js";
import { isView } from "../elements/views/index.js";
import * as hash from "./hash.js";
import { headExists, setHeadsOff } from "./heads-off.js";
import { BUNDLED } from "./preload.js";
import { applyInput, inputOfAddress } from "./input.js";
import { page, session, state } from "./state.js";

/** Writes what the page shows to the address. What has its default value is left out. */
export function updateAddress() {
  const { figure } = page;
  const fragment: hash.AddressState = { layer: figure.layer, head: figure.head };
  if (state.source !== BUNDLED[0].source) fragment.model = state.source;
  Object.assign(fragment, inputOfAddress());
  if (figure.view !== "attention") fragment.view = figure.view;
  if (figure.scale !== "linear") fragment.scale = figure.scale;
  if (figure.direction !== "from") fragment.direction = figure.direction;
  if (figure.lock) fragment.lock = figure.lock;
  if (state.off.length > 0) fragment.off = [...state.off];
  if (figure.view === "activations") fragment.hook = figure.hook;
  try {
    history.replaceState(null, "", `#${hash.write(fragment)}`);
  } catch {
    // A sandboxed frame must not change the address, and browsers limit how often it changes.
  }
}

/** Shows what an address asks for, as far as that needs no model. */
export function applyAddress(requested: hash.AddressState) {
  const { layer, head, view, scale, direction, lock, off, hook } = requested;
  applyInput(requested);
  state.isHeadChosen = layer !== undefined || head !== undefined;
  state.requested = requested;
  Object.assign(page.figure, {
    layer: layer ?? 0,
    head: head ?? 0,
    view: view !== undefined && isView(view) ? view : "attention",
    scale: scale ?? "linear",
    direction: direction ?? "from",
    lock: lock ?? null,
    hook: hook ?? page.figure.hook,
  });
  setHeadsOff(off ?? []);
}

/**
 * Removes what the address asks for and this model or page does not have.
 * @returns a sentence about each missing part
 */
export function dropMissingParts(): string[] {
  const missing = missingParts(state.requested);
  state.requested = {};
  setHeadsOff(state.off.filter(headExists));
  return missing;
}

function missingParts({ prompt, layer, head, view, off = [], hook }: hash.AddressState): string[] {
  if (!session.model) return [];
  const { config, hookPoints } = session.model;
  const isHeadNamed = layer !== undefined || head !== undefined;
  const heads = [...off, ...(isHeadNamed ? [{ layer: layer ?? 0, head: head ?? 0 }] : [])];
  const missing = new Set(
    heads.filter((one) => !headExists(one)).map((one) => `${one.layer}.${one.head}`),
  );
  const sentences: string[] = [];
  if (missing.size > 0)
    sentences.push(
      `The address asks for head ${[...missing].join(", ")}, but this model has ${config.n_layer} layers of ${config.n_head} heads, counted from 0`,
    );
  if (prompt !== undefined && state.isIds)
    sentences.push(
      "The address asks for a text, which this model cannot read because it has no tokenizer",
    );
  if (view !== undefined && !isView(view))
    sentences.push(
      `The address asks for the view "${view.slice(0, 40)}", which this page does not have`,
    );
  if (hook !== undefined && !hookPoints.some(({ name }) => name === hook))
    sentences.push(
      `The address asks for the hook point "${hook.slice(0, 80)}", which this model does not have${because(whyAbsent(hook, config))}`,
    );
  return sentences;
}

function because(reason: string | null) {
  return reason === null ? "" : `: ${reason}`;
}
