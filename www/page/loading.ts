// Loads models: those that the address names, and those that the visitor chooses. One page shows one model.

import { loadModel } from "../api/candlescope.js";
import { formatCount } from "../draw/format.js";
import type { Choice } from "../elements/model-chooser.js";
import { applyAddress, dropMissingParts, updateAddress } from "./address.js";
import { toggleSection } from "./controls.js";
import { clearError, errorWithoutAdvice, showError } from "./errors.js";
import { foreignHost } from "./foreign.js";
import { replaceGeneration } from "./generating.js";
import type { AddressState } from "./hash.js";
import { clearNext } from "./next.js";
import { BUNDLED } from "./preload.js";
import { readPrompt } from "./prompt.js";
import { page, session, state, type Model } from "./state.js";

/**
 * Loads a model and reads the text with it. Until it is there, the former model stays in use under its own name; if the load
 * fails, for good.
 * @param choice keep: in the browser's storage (default true)
 * @param requested what an address asks to show of it
 */
export async function load(
  { source, name, keep = true }: Choice & { keep?: boolean },
  requested?: AddressState,
) {
  state.generating?.abort();
  clearError();
  page.consent.request = null;
  page.progress.name = name;
  const former = session.model;
  let model: Model | null;
  try {
    model = await session.load(({ signal, onProgress }) =>
      loadModel(source, { keep, signal, onProgress }),
    );
  } catch (error) {
    showError(error);
    if (session.model) updateAddress(); // the address names the model that stays
    return;
  }
  if (!model) return;
  Object.assign(state, { source: typeof source === "string" ? source : "", name });
  state.isHeadChosen &&= former === null;
  if (former) page.figure.lock = null;
  showModel(model);
  if (requested) applyAddress(requested);
  const missing = dropMissingParts();
  if (!model.hookPoints.some((point) => point.name === page.figure.hook))
    page.figure.hook = `blocks.${model.config.n_layer - 1}.hook_resid_post`;
  toggleSection("choose", false);
  await readPrompt();
  if (session.model === model) showMissing(missing);
}

/** Shows a model's name, its parameters and what its files hold. */
function showModel(model: Model) {
  const { parameters, parameterCount, report, config, hookPoints } = model;
  page.modelName.textContent = `${state.name}, ${roundedCount(parameterCount)}`;
  page.parameterCount.textContent = `${formatCount(parameterCount)} in ${parameters.length} tensors`;
  Object.assign(page.tree, { parameters, count: parameterCount });
  page.report.notices = report ?? [];
  page.chooser.current = state.source;
  Object.assign(page.figure, { vocabulary: config.vocab_size, points: hookPoints });
}

function roundedCount(count: number) {
  return count >= 1e9
    ? `${(count / 1e9).toFixed(1)}B`
    : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)}M`;
}

/** Says what the address asks for and the model does not have, unless another error is shown. */
function showMissing(sentences: readonly string[]) {
  if (sentences.length > 0 && session.isRead) showError(errorWithoutAdvice(sentences.join("; ")));
}

/** Removes from the page everything that the former model computed. */
export function clearResults() {
  replaceGeneration();
  Object.assign(page.figure, { reading: null, stale: false, generated: Infinity });
  clearNext();
  page.count.textContent = "";
  Object.assign(page.copy, { value: "", hidden: true });
  page.copied.textContent = "";
}

export function showProgress() {
  const { isLoading, progress } = session;
  const { stage = "", file = "", loaded = 0, total = null } = progress ?? {};
  Object.assign(page.progress, { stage, file, loaded, total });
  page.progress.hidden = !isLoading;
}

/**
 * Loads the model that an address names; one from another host only after the visitor has agreed.
 * @param applied the state that is applied when the model is there
 */
export async function openAddress(
  requested: AddressState,
  applied: AddressState | undefined = requested,
) {
  const source = requested.model ?? BUNDLED[0].source;
  const name =
    BUNDLED.find((one) => one.source === source)?.name ??
    source.replace(/\/$/, "").split("/").at(-1) ??
    source;
  const host = foreignHost(source, document.baseURI);
  if (host === null) return load({ source, name }, applied);
  session.cancelLoad();
  clearError();
  state.requestedAfterConsent = applied;
  page.consent.request = { source, name, host };
}

/** The visitor agreed to load a model from another host. */
export function acceptModel(choice: Choice & { keep: boolean }) {
  return load(choice, state.requestedAfterConsent);
}

/** The visitor does not want a model from another host. */
export function refuseModel() {
  page.consent.request = null;
  if (session.model) updateAddress();
  else load(BUNDLED[0]);
}

/** The address was changed by hand or by a link. */
export async function followAddress(requested: AddressState) {
  if ((requested.model ?? BUNDLED[0].source) !== state.source || !session.model)
    return openAddress(requested);
  session.cancelLoad(); // of a model that an earlier address named
  replaceGeneration();
  page.consent.request = null;
  applyAddress(requested);
  const missing = dropMissingParts();
  await readPrompt();
  showMissing(missing);
}
