// The interventions of the state: shown in their list, and tried before they are added. They act on the
// reading, on every view and while the model generates.

import type { InterventionListEvents } from "../elements/intervention-list.js";
import { inputOf } from "../session/directions.js";
import { checkInterventions } from "../session/interventions.js";
import { NOTHING_SHOWN } from "../session/shown-values.js";
import { isEqual } from "../state/fields.js";
import {
  headsOff,
  includesHead,
  toggleHead as toggled,
  type Head,
  type LabIntervention,
} from "../state/interventions.js";
import { countedFromStart } from "../state/indices.js";
import { errorWithoutAdvice, showError } from "./errors.js";
import { copyText } from "./copying.js";
import { javascript, python } from "./share.js";
import { page, session, state, store, type Model } from "./state.js";

// ---- heads that are switched off ----

/** Switches a head off or on again. The head that is drawn stays, also if another becomes the strongest one. */
export function toggleHead(head: Head) {
  if (!session.model || state.generating || !headExists(head)) return;
  const interventions = toggled(store.state.interventions, head);
  const shown = { layer: page.figure.layer, head: page.figure.head };
  store.dispatch({ type: "choose", choice: { interventions, ...shown } });
}

/** The button beside the head's name says what it, and its key, do to the head that is drawn large. */
export function updateSwitch() {
  const head = page.figure.shownHead;
  if (!head) return;
  const name = `${head.layer}.${head.head}`;
  const isHeadOff = includesHead(headsOff(store.state.interventions), head);
  page.switch.textContent = isHeadOff ? `switch ${name} on again` : `switch ${name} off`;
  page.switch.setAttribute("aria-pressed", String(isHeadOff));
  page.switch.disabled = session.model === null || state.generating !== null;
}

/** Whether the model has this head. */
export function headExists({ layer, head }: Head) {
  const config = session.model?.config;
  return (
    config !== undefined &&
    [layer, head].every((index) => index >= 0) &&
    layer < config.n_layer &&
    head < config.n_head
  );
}

// ---- the list ----

/** Gives the list what the state, the model and the reading say. */
export function showInterventions() {
  const { interventions, corrupted, lock } = store.state;
  const { model, reading } = session;
  page.figure.off = headsOff(interventions);
  const { layer, head } = page.figure;
  const chosen = { layer, head, lock };
  const { list } = page;
  Object.assign(list, {
    ...{ interventions, corrupted },
    points: model?.hookPoints ?? NO_POINTS,
    tokens: reading?.tokens ?? [],
    disabled: model === null,
  });
  if (!isEqual(list.chosen, chosen)) list.chosen = chosen;
  const sizes = sizesOf(model);
  if (!isEqual(list.sizes, sizes)) list.sizes = sizes;
  showShown();
  updateSwitch();
}

/** What functions showed belongs to the reading, and is dimmed with the figure. */
export function showShown() {
  const { reading } = session;
  Object.assign(page.list, { shown: reading?.shown ?? NOTHING_SHOWN, stale: page.figure.stale });
}

const NO_POINTS: Model["hookPoints"] = [];

/** What a model has; nothing without one. */
export function sizesOf(model: Model | null) {
  if (!model) return { layers: 0, heads: 0, width: 0, neurons: 0, hasTokenizer: true };
  const { n_layer: layers, n_head: heads, n_embd: width, n_inner: inner, attn_only } = model.config;
  const neurons = attn_only ? 0 : (inner ?? 4 * width);
  return { layers, heads, width, neurons, hasTokenizer: model.hasTokenizer };
}

/** Does what the list asks for. */
export function listenToInterventions() {
  const on = <Name extends keyof InterventionListEvents>(
    name: Name,
    act: (detail: InterventionListEvents[Name], event: CustomEvent) => unknown,
  ) =>
    document.addEventListener(name, (event) =>
      act((event as CustomEvent).detail, event as CustomEvent),
    );
  on("intervention-toggle", (at) => store.dispatch({ type: "toggle-intervention", at }));
  on("intervention-remove", (at) => store.dispatch({ type: "remove-intervention", at }));
  on("intervention-move", (move) => store.dispatch({ type: "move-intervention", ...move }));
  on("interventions-clear", () =>
    store.dispatch({ type: "choose", choice: { interventions: [] } }),
  );
  on("intervention-add", (written, event) => {
    const intervention = ofModel(written);
    return tryOut(intervention, event.target === page.list, () =>
      store.dispatch({ type: "add-intervention", intervention }),
    );
  });
  on("intervention-edit", ({ at, intervention: written }) => {
    const intervention = ofModel(written);
    const former = store.state.interventions[at];
    const edit = () => {
      if (store.state.interventions[at] === former)
        store.dispatch({ type: "edit-intervention", at, intervention }, { merge: `edit ${at}` });
    };
    return page.list.editing === at ? tryOut(intervention, true, edit) : edit();
  });
  const forms = {
    json: async () => JSON.stringify(store.state.interventions, null, 2),
    javascript,
    python,
  };
  on("interventions-copy", (form) => copyText(forms[form], page.list));
}

/** An intervention as the state keeps it: with indices that count from 0. */
function ofModel(written: LabIntervention) {
  const { model } = session;
  return model ? countedFromStart(written, sizesOf(model), model.hookPoints) : written;
}

/** Trials follow each other, so that none is lost. */
let trial: Promise<void> = Promise.resolve();

function tryOut(lab: LabIntervention, isOfForm: boolean, accept: () => unknown) {
  trial = trial.then(() => tryNow(lab, isOfForm, accept));
  return trial;
}

/**
 * Runs the text with an intervention before it is added. What the API refuses is said in the form, or above the figure if a
 * view asked for it.
 */
async function tryNow(lab: LabIntervention, isOfForm: boolean, accept: () => unknown) {
  const { model } = session;
  if (!model) return;
  Object.assign(page.list, { checking: true, error: "" });
  try {
    if (state.generating)
      throw errorWithoutAdvice("The model is writing: stop it, or wait until it has ended");
    const input = inputOf(model, page.prompt.value);
    await checkInterventions(model, [lab], { input, corrupted: store.state.corrupted });
    if (session.model !== model) return;
    accept();
    if (isOfForm) page.list.close();
  } catch (error) {
    if (isOfForm) page.list.error = (error as Error).message;
    else showError(error);
  } finally {
    page.list.checking = false;
  }
}
