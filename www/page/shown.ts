// What the page shows as code: the calls of the API for the view on show. Loaded when code is wanted.

import { entryOf } from "../elements/views/index.js";
import { settingsOf } from "../elements/views/view.js";
import { codeOf, type Target } from "../session/code.js";
import { matchHooks, shownPoint } from "../session/hook-match.js";
import { selectorOrText } from "../session/hook-text.js";
import { resolveEach } from "../session/interventions.js";
import { currentInput } from "./input.js";
import { page, store, type Model } from "./state.js";

/** The calls whose results the page shows. @throws if they cannot be written */
export async function viewCode(model: Model, target: Target): Promise<string> {
  const { layer, head, hook } = page.figure;
  const { view, views } = store.state;
  const entry = entryOf(view);
  const settings = withOnePoint(model, settingsOf(entry, views[view]));
  const shown = {
    ...{ methods: entry.methods, settings, layer, head, input: currentInput() },
    ...{ hook: selectorOrText(hook), point: drawnPoint(model, hook, settings.point) },
    at: model.config.attn_only ? "blocks.0.attn.hook_z" : "blocks.0.mlp.hook_post",
  };
  const resolved = target === "panel" ? await steering(model) : undefined;
  return codeOf(store.state, { ...shown, resolved }, target);
}

/** The hook point that is drawn, of those that a text selects. */
function drawnPoint({ hookPoints, config }: Model, text: string, point: unknown) {
  return shownPoint(matchHooks(text, hookPoints, config), point) ?? undefined;
}

/** `at` of neurons as the API takes it: a selector of one point. */
function withOnePoint(model: Model, settings: Readonly<Record<string, unknown>>) {
  const { at, point } = settings;
  if (store.state.view !== "neurons" || typeof at !== "string" || at === "") return settings;
  const isOne = matchHooks(at, model.hookPoints, model.config).names.length === 1;
  return { ...settings, at: isOne ? selectorOrText(at) : drawnPoint(model, at, point) };
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
