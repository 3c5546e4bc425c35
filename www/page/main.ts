// The page's entry: connects the events of the elements, the session and the window to the functions of this folder.

import "../elements/define/error-notice.js";
import "../elements/define/load-progress.js";
import "../elements/define/next-tokens.js";
import "../elements/define/scope-figure.js";
import type { AddTokenizerEvents } from "../elements/add-tokenizer.js";
import type { AttentionHeadsEvents } from "../elements/attention-heads.js";
import type { ErrorNoticeEvents } from "../elements/error-notice.js";
import type { LoadConsentEvents } from "../elements/load-consent.js";
import type { LoadProgressEvents } from "../elements/load-progress.js";
import type { LoadQuestionEvents } from "../elements/load-question.js";
import type { ModelChooserEvents } from "../elements/model-chooser.js";
import type { ModelTreeEvents } from "../elements/model-tree.js";
import type { NextTokensEvents } from "../elements/next-tokens.js";
import type { ScopeFigureEvents } from "../elements/scope-figure.js";
import type { FigureViewEvents } from "../elements/views/view.js";
import type { SessionChange } from "../session/session.js";
import type { LabState } from "../state/state.js";
import { readAddress, restore, stateOfHistory, updateAddress } from "./address.js";
import { BUNDLED, titleOf } from "./bundled.js";
import { openConsole } from "./console.js";
import { acceptDrops, SECTIONS, toggleSection, toggleTheme } from "./controls.js";
import { defineDeferred } from "./elements.js";
import { editTexts } from "./editing.js";
import { clearError, showError } from "./errors.js";
import { followState } from "./follow.js";
import { clearStorage, forget, showGallery } from "./gallery.js";
import { generate, pickToken } from "./generating.js";
import { listenToInterventions, toggleHead, updateSwitch } from "./interventions.js";
import { listenToKeys } from "./keys.js";
import { listenToLessons, showOpening } from "./lessons.js";
import {
  acceptModel,
  addTokenizer,
  answerQuestion,
  clearResults,
  dismissQuestion,
  load,
  loadIn,
  openLink,
  openModel,
  refuseModel,
  showProgress,
} from "./loading.js";
import { focusPosition } from "./next.js";
import { releasePreload } from "./preload.js";
import { prepareView, showCorrupted, showReading, showStale, updateStop } from "./prompt.js";
import { copyPrompt } from "./prompts.js";
import { sealAfter } from "./sealing.js";
import { copy } from "./share.js";
import { page, query, session, state, store } from "./state.js";
import { closeTexts, leaveBranch, toggleTexts } from "./texts.js";
import { keepTree, openPoint, showTreeText } from "./tree.js";

// ---- the session ----

const updates: Record<SessionChange, () => void> = {
  model: () => {
    clearResults();
    updates.results();
  },
  progress: showProgress,
  status: () => {
    showStale();
    updateStop();
  },
  reading: () => {
    if (session.reading) showReading(session.reading);
    showTreeText();
    showOpening();
    updateExports();
  },
  layer: () => {
    page.figure.reading = session.reading;
    prepareView();
  },
  corrupted: showCorrupted,
  results: () => {
    page.figure.results = session.results;
    updateExports();
  },
};
session.onChange = (change) => updates[change]();

// ---- events of the elements ----

type PageEvents = ModelChooserEvents &
  LoadProgressEvents &
  LoadConsentEvents &
  LoadQuestionEvents &
  AddTokenizerEvents &
  ErrorNoticeEvents &
  NextTokensEvents &
  ScopeFigureEvents &
  AttentionHeadsEvents &
  ModelTreeEvents &
  FigureViewEvents;

/** The menu of exports is loaded when it is opened. Then it follows what the page shows. */
function updateExports() {
  if (query("#sharing").hidden) return;
  import("./export.js").then(({ updateExports }) => updateExports(), showError);
}

/** Custom events bubble to the document. */
function on<Name extends keyof PageEvents>(name: Name, act: (detail: PageEvents[Name]) => unknown) {
  document.addEventListener(name, (event) => act((event as CustomEvent).detail));
}

on("model-choose", (choice) => load(choice));
on("load-cancel", () => session.cancelLoad());
on("load-consent", acceptModel);
on("load-refuse", refuseModel);
on("load-answer", answerQuestion);
on("load-dismiss", dismissQuestion);
on("model-forget", forget);
on("dtype-choose", loadIn);
on("storage-clear", clearStorage);
on("tokenizer-add", addTokenizer);
on("error-dismiss", clearError);
on("point-open", openPoint);
on("tree-change", keepTree);
page.parameters.addEventListener("toggle", showTreeText);
page.tree.addEventListener("token-hover", ({ detail }) => {
  page.figure.hoveredToken = detail;
});
on("head-hover", updateSwitch);
on("generate", generate);
on("generate-stop", () => state.generating?.abort());
on("sampling-change", ({ topK, topP, ...sampling }) => {
  const choice = { ...sampling, topK: topK ?? null, topP: topP ?? null };
  store.dispatch({ type: "choose", choice }, { merge: "sampling" });
  sealAfter(SLIDER_MS);
});
on("token-pick", pickToken);
on("position-focus", focusPosition);
on("view-compute", (view) => session.compute(view));
on("view-cancel", (view) => session.cancelCompute(view));
on("figure-change", (choice) => {
  const isChange = store.dispatch({ type: "choose", choice }, { merge: keyOf(choice) });
  if (!isChange) prepareView(); // a view's module is there
  sealAfter(SLIDER_MS);
});

/** Changes of the same settings that follow each other within this time are one step: the moves of a slider. */
const SLIDER_MS = 800;

/**
 * The key of changes that are one step. Locks of other cells are one step as long as nothing else is done, and so is a hook point
 * that is being written.
 */
function keyOf({ views = {}, ...choice }: Partial<LabState>) {
  const settings = Object.entries(views).flatMap(([view, own]) =>
    Object.keys(own).map((name) => `${view}.${name}`),
  );
  const isSlider = settings.length > 0 || /^(lock|hook)$/.test(Object.keys(choice).join());
  return isSlider ? [...Object.keys(choice), ...settings].join() : undefined;
}

// ---- the page's own controls ----

for (const button of SECTIONS)
  query(`#${button}`).addEventListener("click", () => {
    toggleSection(button);
    if (button === "choose") showGallery();
    if (button === "share") updateExports();
  });
query("#theme").addEventListener("click", toggleTheme);
query("#sharing").addEventListener("click", (event) => {
  const button = (event.target as Element).closest("button");
  if (button) copy(button);
});
query("#copy-prompt").addEventListener("click", copyPrompt);
page.generate.addEventListener("click", () => {
  if (state.generating) state.generating.abort();
  else generate(page.next.sampling);
});
page.stop.addEventListener("click", () => session.stopReading());
page.switch.addEventListener("click", () => toggleHead(page.figure.shownHead));
page.texts.addEventListener("click", toggleTexts);
page.leave.addEventListener("click", leaveBranch);
document.addEventListener("pointerdown", (event) => {
  if (!page.texts.parentElement?.contains(event.target as Node)) closeTexts();
});
query("#code").addEventListener("toggle", async () => (await import("./code.js")).openCode(), {
  once: true,
});
acceptDrops();
editTexts();
listenToKeys();
listenToInterventions();
listenToLessons();

window.addEventListener("storage", () => showGallery()); // another tab opened or forgot a model

// ---- the history of the browser ----

window.addEventListener("popstate", () => {
  const lab = stateOfHistory();
  if (lab) restore(lab);
});
/** The address was changed by hand or by a link: its entry of the history has no state yet. */
window.addEventListener("hashchange", () => {
  if (stateOfHistory()) return;
  openLink(readAddress());
});

// ---- the start ----

page.chooser.bundled = BUNDLED.map((one) => ({ ...one, title: titleOf(one) }));
const address = readAddress();
const kept = stateOfHistory();
state.problems = kept ? [] : address.problems;
store.amend({ type: "open", state: kept ?? address.state });
followState();
openModel(kept ? "history" : "address")
  .finally(releasePreload)
  .finally(() => defineDeferred().catch(showError));
openConsole();
updateAddress();
