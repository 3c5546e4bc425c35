// Loads models: those that the state names, because of an address or an undone step, and those that the visitor chooses. One page
// shows one model.

import { loadModel, type Progress } from "../api/candlescope.js";
import { formatCount } from "../draw/format.js";
import { areOfTokenizer } from "../elements/files.js";
import type { Choice } from "../elements/model-chooser.js";
import { differences, roundedCount, summaryOf } from "../session/architecture.js";
import type { Dtype } from "../session/memory.js";
import { type Answer, questionOf, withAnswer } from "../session/questions.js";
import { bitsByName, isSameModel } from "../session/rounded.js";
import type { Address } from "../state/address.js";
import { FIELDS, type LabState } from "../state/state.js";
import { restore, updateAddress } from "./address.js";
import { bundledFile, F16 } from "./bundled.js";
import { toggleSection } from "./controls.js";
import { clearError, errorWithoutAdvice, showError } from "./errors.js";
import { ADDRESS, fit, selectsAny } from "./fit.js";
import { foreignHost } from "./foreign.js";
import { copyOf, remember, showGallery } from "./gallery.js";
import { replaceGeneration } from "./generating.js";
import { showInput } from "./input.js";
import { showShown } from "./interventions.js";
import { clearNext } from "./next.js";
import { rememberRate } from "./rate.js";
import { readIfNeeded, showProblems, showStale, showState, whenRead } from "./prompt.js";
import {
  gallery,
  isOtherModel,
  page,
  session,
  state,
  store,
  type Model,
  type ModelChoice,
  type Origin,
} from "./state.js";

/** Counts the loads: an older one is no longer wanted. */
let turn = 0;

/**
 * Loads a model and reads the text with it. Until it is there, the former model stays in use under its own name; if the load
 * fails, for good. If the files do not say everything, the page asks.
 */
export async function load(choice: Choice, origin: Origin = "choice"): Promise<void> {
  const { source, name, keep = true, answer = {} } = choice;
  if (Array.isArray(source) && session.model && state.isIds && areOfTokenizer(source))
    return addTokenizer(source);
  const own = ++turn;
  state.generating?.abort();
  beginLoad(name);
  const bytes = new FileBytes();
  const start = performance.now();
  const asked = origin === "link" ? state.linked : origin === "choice" ? null : store.state;
  const dtype = choice.dtype ?? asked?.dtype;
  let model: Model | null;
  try {
    model = await session.load(({ signal, onProgress }) =>
      loadModel(source, {
        ...{ keep, signal, ...answer, ...(dtype && { dtype }) },
        onProgress: (progress) => {
          bytes.add(progress);
          onProgress(progress);
        },
      }),
    );
  } catch (error) {
    if (own !== turn) return;
    const isAsked = ask(error, choice, origin);
    if (!isAsked) showError(error);
    showMessages();
    keepModel(isAsked);
    return;
  }
  if (!model) return;
  if (typeof source === "string" && foreignHost(source, document.baseURI) !== null)
    rememberRate(bytes.sum, performance.now() - start);
  state.name = name;
  state.id = remember(model, choice, bytes.sum);
  state.choices.set(state.id, choice);
  state.tokenizer = null;
  if (typeof source === "string") state.consented.add(source);
  await use(model, loadedFrom(choice, model), origin);
}

/** Loads the model in use again, in another dtype. */
export async function loadIn(dtype: Dtype) {
  const choice = state.choices.get(state.id);
  if (!choice) return;
  const { source, name } = choice;
  if (typeof source === "string" || Array.isArray(source)) return load({ ...choice, dtype });
  showError(
    errorWithoutAdvice(
      `The copy of ${name} in this browser is in ${source.dtype}, and other numbers cannot be made of it: choose its files again to load them in ${dtype}`,
    ),
  );
}

/** A model as the state names it. */
function loadedFrom({ source }: Choice, { backend }: Model): ModelChoice {
  const { parse, fallback } = FIELDS.dtype;
  const isAddress = typeof source === "string";
  return {
    model: isAddress ? source : "",
    files: isAddress ? "" : state.id,
    dtype: parse(backend.dtype) ?? fallback,
  };
}

/** Shows a model that was loaded, and reads the text of the state with it. */
async function use(model: Model, loaded: ModelChoice, origin: Origin) {
  const isFirst = state.loaded === null;
  const target = targetOf(model, loaded, { origin, isFirst });
  const text = await textOf(model, target);
  if (session.model !== model) return;
  state.loaded = loaded;
  state.isPending = false;
  state.isIds = !model.hasTokenizer;
  showModel(model);
  const isOfState = origin === "address" || origin === "history";
  const { choice, problems } = fit(target, model, SUBJECTS[origin]);
  const next = { ...target, ...text, ...choice };
  state.problems = [...state.problems, ...problems];
  store.seal();
  // The state names the model already, or there was no state before this model.
  if (isOfState || isFirst) store.amend({ type: "open", state: next });
  else store.dispatch({ type: "open", state: next });
  state.linked = null;
  showInput(model);
  showState();
  toggleSection("choose", false);
  await whenRead();
  if (session.model === model) showProblems();
}

/** Who asks for what a model does not have. */
const SUBJECTS: Record<Origin, string> = {
  choice: "The former model had",
  link: ADDRESS,
  address: ADDRESS,
  history: "The former step has",
};

/** What is to be shown of a new model: what the state says, without what only the former model had. */
function targetOf(
  model: Model,
  loaded: ModelChoice,
  { origin, isFirst }: { origin: Origin; isFirst: boolean },
): LabState {
  const { ofDisk } = state;
  if (origin === "link" && state.linked) return { ...state.linked, ...loaded };
  if (loaded.model === "" && ofDisk && origin === "choice") {
    state.ofDisk = null;
    return { ...ofDisk, ...loaded };
  }
  // The same model in another dtype, or with weights of 8 bits, has the same heads, points and tokens.
  const isSame = isSameModel(loaded.model, state.loaded?.model ?? "");
  if (origin === "address" || origin === "history" || isFirst || isSame)
    return { ...store.state, ...loaded };
  const { ids, hook, answer, against } = store.state;
  const { vocab_size: vocabulary } = model.config;
  const areIds = state.isIds && !model.hasTokenizer && ids?.every((id) => id < vocabulary);
  const hasHook = hook !== "" && selectsAny(model, hook);
  // An id may be another token here.
  const ofText = (token: LabState["answer"]) => (typeof token === "number" ? null : token);
  return {
    ...{ ...store.state, ...loaded, layer: null, head: null, lock: null, position: null },
    ...{ ids: areIds ? ids : null, hook: hasHook ? hook : "" },
    ...{ answer: ofText(answer), against: ofText(against) },
  };
}

/** Ids become text if the model has a tokenizer. */
async function textOf(model: Model, { ids }: LabState): Promise<Partial<LabState>> {
  if (ids === null || !model.hasTokenizer) return {};
  try {
    return { prompt: await model.detokenize([...ids]), ids: null };
  } catch {
    return { ids: null };
  }
}

function beginLoad(name: string) {
  clearError();
  page.consent.request = null;
  page.question.question = null;
  page.progress.name = name;
}

/** A load that was begun far down on the page says what happens at its top. */
function showMessages() {
  page.messages.scrollIntoView({ block: "nearest" });
}

/** The bytes of each file that were read or received. */
class FileBytes {
  #files: Map<string, number> = new Map();

  add({ file, loaded }: Progress) {
    this.#files.set(file, Math.max(loaded, this.#files.get(file) ?? 0));
  }

  /** Null if nothing was: the browser held the model. */
  get sum() {
    return [...this.#files.values()].reduce((sum, bytes) => sum + bytes, 0) || null;
  }
}

/** Shows a model's name, its parameters and what its files hold. */
function showModel(model: Model) {
  const { parameters, parameterCount, report, config, hookPoints } = model;
  const summary = summaryOf(model);
  const bundled = bundledFile(state.loaded?.model ?? "");
  const name = bundled ? `${F16.name} (${bundled.precision})` : state.name;
  page.modelName.textContent = `${name}, ${roundedCount(parameterCount)}`;
  page.parameterCount.textContent = `${formatCount(parameterCount)} in ${parameters.length} tensors${bundled ? `, stored in ${bundled.precision}` : ""}`;
  const tree = { model, name: state.name, notes: differences(config), activation: null };
  Object.assign(page.tree, tree);
  const bits = bitsByName(state.loaded?.model ?? "");
  Object.assign(page.report, { notices: report, summary, bits });
  // A bundled model without notices needs no line on the first screen; the gallery has its report.
  page.report.hidden = report.length === 0 && bundled !== undefined;
  const { parse, fallback } = FIELDS.dtype;
  const dtype = parse(model.backend.dtype) ?? fallback;
  Object.assign(page.chooser, { current: state.id, dtype });
  Object.assign(page.figure, {
    ...{ config, points: hookPoints, parameterCount, hasTokenizer: model.hasTokenizer },
  });
  showGallery();
}

// ---- what the files do not say ----

/** Asks what a failed load lacks; false if answers do not help. */
function ask(error: unknown, choice: Choice, origin: Origin) {
  const question = questionOf(error);
  if (!question) return false;
  state.asked = { choice, origin };
  Object.assign(page.question, { name: choice.name, question });
  return true;
}

/** Loads again, with what was answered. */
export function answerQuestion(answer: Answer) {
  if (!state.asked) return;
  const { choice, origin } = state.asked;
  return load({ ...choice, answer: withAnswer(choice.answer ?? {}, answer) }, origin);
}

function closeQuestion() {
  page.question.question = null;
  state.asked = null;
}

/** The visitor does not want to answer. */
export function dismissQuestion() {
  closeQuestion();
  dropLink();
  if (!session.model && !session.isLoading) load(F16);
}

// ---- a tokenizer ----

/** Adds a tokenizer to a model that has none; the weights stay. */
export async function addTokenizer(files: File[]): Promise<void> {
  const former = session.model;
  if (!former) return;
  const own = ++turn;
  state.generating?.abort();
  beginLoad("the tokenizer");
  const ids = session.isRead ? (session.reading?.ids ?? null) : null;
  const isOpening = store.state.ids === null;
  let model: Model | null;
  try {
    model = await session.load(({ signal }) => former.withTokenizer(files, { signal }));
  } catch (error) {
    if (own !== turn) return;
    showError(error);
    showMessages();
    return;
  }
  if (!model || !state.loaded) return;
  state.tokenizer = files;
  // The same tokens as text; the former text, if the page chose the tokens.
  if (ids && !isOpening) store.amend({ type: "choose", choice: { ids: [...ids] } });
  await use(model, state.loaded, "history");
}

// ---- the model that the state names ----

/** Loads the model that the state names; one from another host only after the visitor has agreed. */
export async function openModel(origin: Origin): Promise<void> {
  turn += 1;
  session.cancelLoad();
  closeQuestion();
  page.consent.request = null;
  replaceGeneration();
  state.isPending = true;
  state.linked = null;
  showStale();
  const { model: source, files } = store.state;
  if (source === "") return openFiles(files);
  return request(store.state, origin);
}

/** Opens a link in the page. */
export async function openLink({ state: lab, problems }: Address): Promise<void> {
  state.problems = problems;
  const { model } = session;
  if (model && lab.model !== "" && isOtherModel({ ...lab, files: "" })) return openOther(lab);
  if (!model || isOtherModel(lab)) return restore(lab);
  const text = await textOf(model, lab);
  if (session.model !== model) return;
  const { choice, problems: missing } = fit(lab, model, SUBJECTS.link);
  state.problems = [...problems, ...missing];
  restore({ ...lab, ...text, ...choice });
  await whenRead();
  if (session.isRead && !state.isPending) showProblems();
}

/**
 * Opens a link that names another model, in a page that shows one: the page stays as it is until the model is there, and for good
 * if it cannot be loaded.
 */
async function openOther(lab: LabState): Promise<void> {
  turn += 1;
  session.cancelLoad();
  closeQuestion();
  state.linked = lab;
  return request(lab, "link");
}

/** Loads the model of an address; one from another host only after the visitor has agreed. */
async function request({ model: source, dtype }: LabState, origin: Origin) {
  const name = bundledFile(source)?.name ?? source.replace(/\/$/, "").split("/").at(-1) ?? source;
  const host = state.consented.has(source) ? null : foreignHost(source, document.baseURI);
  if (host === null) return load({ source, name, ...formerAnswer(source) }, origin);
  clearError();
  page.consent.request = { source, name, host, dtype };
}

/** Loads files that were chosen before: from the disk while the page is open, otherwise from the copy that the browser holds. */
async function openFiles(id: string) {
  const own = turn;
  const choice = state.choices.get(id) ?? (await copyOf(id));
  if (own !== turn) return;
  if (choice) return load(choice, "history");
  state.ofDisk = store.state;
  state.problems = [
    ...state.problems,
    "This address was made with a model from files on a disk: choose its files again to see the same",
  ];
  if (session.model) return keepModel();
  store.amend({ type: "choose", choice: { model: F16.source, files: "" } });
}

/** The model in use stays, because another one could not be loaded; and so does everything else that the state says. */
function keepModel(isAsked = false) {
  state.isPending = false;
  if (!isAsked) dropLink();
  if (state.loaded && isOtherModel(store.state))
    store.amend({ type: "choose", choice: state.loaded });
  readIfNeeded();
  if (session.isRead) showProblems();
}

/** The page stays as it is: so does its address. */
function dropLink() {
  if (!state.linked) return;
  state.linked = null;
  state.problems = [];
  updateAddress();
}

/** The state names the model in use again: a load for a former state is not wanted any more. */
export function cancelPending() {
  if (!state.isPending) return;
  turn += 1;
  state.isPending = false;
  session.cancelLoad();
  page.consent.request = null;
  closeQuestion();
}

/** What was answered when a model was loaded before. */
function formerAnswer(source: Choice["source"]): Pick<Choice, "answer"> {
  const answer = gallery.models.find((one) => one.source === source)?.answer;
  return answer ? { answer } : {};
}

/** The visitor agreed to load a model from another host. */
export function acceptModel(choice: Choice) {
  if (typeof choice.source === "string") state.consented.add(choice.source);
  return load({ ...choice, ...formerAnswer(choice.source) }, state.linked ? "link" : "address");
}

/** The visitor does not want a model from another host. */
export function refuseModel() {
  page.consent.request = null;
  if (session.model) keepModel();
  else store.amend({ type: "choose", choice: { model: F16.source, dtype: "f32" } });
}

// ---- the session ----

/** Removes from the page everything that the former model computed. */
export function clearResults() {
  replaceGeneration();
  Object.assign(page.figure, { reading: null, stale: false });
  showShown();
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
