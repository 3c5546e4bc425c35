// What the page shows as code: the calls of the API for the view on show. Loaded when code is wanted.

import { entryOf } from "../elements/views/index.js";
import { settingsOf } from "../elements/views/view.js";
import { codeOf, type Target } from "../session/code.js";
import { resolveEach } from "../session/interventions.js";
import { currentInput } from "./input.js";
import { page, store, type Model } from "./state.js";

/** The calls whose results the page shows. @throws if they cannot be written */
export async function viewCode(model: Model, target: Target): Promise<string> {
  const { layer, head, hook } = page.figure;
  const { view, views } = store.state;
  const entry = entryOf(view);
  const shown = {
    ...{ methods: entry.methods, settings: settingsOf(entry, views[view]) },
    ...{ layer, head, hook, input: currentInput() },
    at: model.config.attn_only ? "blocks.0.attn.hook_z" : "blocks.0.mlp.hook_post",
  };
  const resolved = target === "panel" ? await steering(model) : undefined;
  return codeOf(store.state, { ...shown, resolved }, target);
}

/** The numbers of steering vectors, if there are any. */
async function steering(model: Model) {
  const { interventions, corrupted } = store.state;
  const isSteering = interventions.some(
    ({ do: recipe, disabled }) => !disabled && typeof recipe === "object" && "add" in recipe,
  );
  if (!isSteering) return undefined;
  const ids = currentInput();
  const input = typeof ids === "string" ? ids : Uint32Array.from(ids);
  return resolveEach(model, interventions, { input, corrupted });
}
