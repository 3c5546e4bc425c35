// Loads models: those that the address names, and those that the visitor chooses. One page shows one model.

import { loadModel, type Progress } from "../api/candlescope.js";
import { formatCount } from "../draw/format.js";
import { areOfTokenizer } from "../elements/files.js";
import type { Choice } from "../elements/model-chooser.js";
import { differences, roundedCount, summaryOf } from "../session/architecture.js";
import { type Answer, questionOf, withAnswer } from "../session/questions.js";
import { applyAddress, dropMissingParts, updateAddress } from "./address.js";
import { toggleSection } from "./controls.js";
import { clearError, errorWithoutAdvice, showError } from "./errors.js";
import { foreignHost } from "./foreign.js";
import { remember, showGallery } from "./gallery.js";
import { replaceGeneration } from "./generating.js";
import type { AddressState } from "./hash.js";
import { showInput, showText } from "./input.js";
import { clearNext } from "./next.js";
import { BUNDLED } from "./preload.js";
import { readPrompt } from "./prompt.js";
import { gallery, page, session, state, type Model } from "./state.js";

/**
 * Loads a model and reads the text with it. Until it is there, the former model stays in use under its own name; if the load
 * fails, for good. If the files do not say everything, the page asks.
 * @param requested what an address asks to show of it
 */
export async function load(choice: Choice, requested?: AddressState): Promise<void> {
  const { source, name, keep = true, answer = {} } = choice;
  if (Array.isArray(source) && session.model && state.isIds && areOfTokenizer(source))
    return addTokenizer(source);
  state.generating?.abort();
  beginLoad(name);
  const former = session.model;
  const bytes = new FileBytes();
  let model: Model | null;
  try {
    model = await session.load(({ signal, onProgress }) =>
      loadModel(source, {
        ...{ keep, signal, ...answer },
        onProgress: (progress) => {
          bytes.add(progress);
          onProgress(progress);
        },
      }),
    );
  } catch (error) {
    if (!ask(error, choice, requested)) showError(error);
    showMessages();
    if (session.model) updateAddress(); // the address names the model that stays
    return;
  }
  if (!model) return;
  Object.assign(state, { source: typeof source === "string" ? source : "", name });
  state.id = remember(model, choice, bytes.sum);
  state.isHeadChosen &&= former === null;
  if (former) page.figure.lock = null;
  showModel(model);
  if (state.source === "") requested ??= state.requestedOfDisk;
  state.requestedOfDisk = undefined;
  if (requested) applyAddress(requested);
  await showInput(model, state.requested);
  if (session.model !== model) return;
  const missing = dropMissingParts();
  if (!model.hookPoints.some((point) => point.name === page.figure.hook))
    page.figure.hook = `blocks.${model.config.n_layer - 1}.hook_resid_post`;
  toggleSection("choose", false);
  await readPrompt();
  if (session.model === model) showMissing(missing);
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
  page.modelName.textContent = `${state.name}, ${roundedCount(parameterCount)}`;
  page.parameterCount.textContent = `${formatCount(parameterCount)} in ${parameters.length} tensors`;
  Object.assign(page.tree, { parameters, count: parameterCount, notes: differences(config) });
  Object.assign(page.report, { notices: report, summary });
  // A bundled model without notices needs no line on the first screen; the gallery has its report.
  page.report.hidden = report.length === 0 && BUNDLED.some(({ source }) => source === state.source);
  page.chooser.current = state.id;
  Object.assign(page.figure, {
    ...{ config, points: hookPoints, parameterCount, hasTokenizer: model.hasTokenizer },
  });
  showGallery();
}

// ---- what the files do not say ----

/** Asks what a failed load lacks; false if answers do not help. */
function ask(error: unknown, choice: Choice, requested: AddressState | undefined) {
  const question = questionOf(error);
  if (!question) return false;
  state.asked = { choice, requested };
  Object.assign(page.question, { name: choice.name, question });
  return true;
}

/** Loads again, with what was answered. */
export function answerQuestion(answer: Answer) {
  if (!state.asked) return;
  const { choice, requested } = state.asked;
  return load({ ...choice, answer: withAnswer(choice.answer ?? {}, answer) }, requested);
}

function closeQuestion() {
  page.question.question = null;
  state.asked = null;
}

/** The visitor does not want to answer. */
export function dismissQuestion() {
  closeQuestion();
  if (!session.model && !session.isLoading) load(BUNDLED[0]);
}

// ---- a tokenizer ----

/** Adds a tokenizer to a model that has none; the weights stay. */
export async function addTokenizer(files: File[]): Promise<void> {
  const former = session.model;
  if (!former) return;
  state.generating?.abort();
  beginLoad("the tokenizer");
  const ids = session.isRead ? (session.reading?.ids ?? null) : null;
  const text = page.prompt.value;
  let model: Model | null;
  try {
    model = await session.load(({ signal }) => former.withTokenizer(files, { signal }));
  } catch (error) {
    showError(error);
    showMessages();
    return;
  }
  if (!model) return;
  showModel(model);
  await showText(model, ids, text);
  if (session.model !== model) return;
  toggleSection("choose", false);
  await readPrompt();
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
  if (requested.model === "") return openWithoutFiles(requested);
  const source = requested.model ?? BUNDLED[0].source;
  const name =
    BUNDLED.find((one) => one.source === source)?.name ??
    source.replace(/\/$/, "").split("/").at(-1) ??
    source;
  const host = foreignHost(source, document.baseURI);
  if (host === null) return load({ source, name, ...formerAnswer(source) }, applied);
  session.cancelLoad();
  clearError();
  closeQuestion();
  state.requestedAfterConsent = applied;
  page.consent.request = { source, name, host };
}

/** Opens the bundled model in place of one whose files only the visitor has. */
async function openWithoutFiles(requested: AddressState) {
  await load(BUNDLED[0], {});
  state.requestedOfDisk = requested;
  if (session.isRead)
    showError(
      errorWithoutAdvice(
        "This address was made with a model from files on a disk: choose its files again to see the same",
      ),
    );
}

/** What was answered when a model was loaded before. */
function formerAnswer(source: Choice["source"]): Pick<Choice, "answer"> {
  const answer = gallery.models.find((one) => one.source === source)?.answer;
  return answer ? { answer } : {};
}

/** The visitor agreed to load a model from another host. */
export function acceptModel(choice: Choice) {
  return load({ ...choice, ...formerAnswer(choice.source) }, state.requestedAfterConsent);
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
  closeQuestion();
  applyAddress(requested);
  const missing = dropMissingParts();
  await readPrompt();
  showMissing(missing);
}
