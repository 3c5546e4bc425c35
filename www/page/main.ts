// The page's entry: connects the events of the elements, the session and the window to the functions of this folder.

import "../elements/define/add-tokenizer.js";
import "../elements/define/error-notice.js";
import "../elements/define/load-consent.js";
import "../elements/define/load-progress.js";
import "../elements/define/load-question.js";
import "../elements/define/model-chooser.js";
import "../elements/define/model-report.js";
import "../elements/define/model-tree.js";
import "../elements/define/next-tokens.js";
import "../elements/define/scope-figure.js";
import "../elements/define/switched-off.js";
import type { AddTokenizerEvents } from "../elements/add-tokenizer.js";
import type { ErrorNoticeEvents } from "../elements/error-notice.js";
import type { LoadConsentEvents } from "../elements/load-consent.js";
import type { LoadProgressEvents } from "../elements/load-progress.js";
import type { LoadQuestionEvents } from "../elements/load-question.js";
import type { ModelChooserEvents } from "../elements/model-chooser.js";
import type { NextTokensEvents } from "../elements/next-tokens.js";
import type { ScopeFigureEvents } from "../elements/scope-figure.js";
import type { SwitchedOffEvents } from "../elements/switched-off.js";
import type { FigureViewEvents } from "../elements/views/view.js";
import type { SessionChange } from "../session/session.js";
import { applyAddress, updateAddress } from "./address.js";
import { acceptDrops, toggleSection, toggleTheme } from "./controls.js";
import { clearError } from "./errors.js";
import { forget, showGallery } from "./gallery.js";
import { generate, pickToken } from "./generating.js";
import * as hash from "./hash.js";
import { updateSwitch } from "./heads-off.js";
import {
  acceptModel,
  addTokenizer,
  answerQuestion,
  clearResults,
  dismissQuestion,
  followAddress,
  load,
  openAddress,
  refuseModel,
  showProgress,
} from "./loading.js";
import { focusPosition } from "./next.js";
import { BUNDLED, releasePreload } from "./preload.js";
import {
  prepareView,
  readPrompt,
  readWithout,
  showLayer,
  showReading,
  toggleHead,
  updateStop,
} from "./prompt.js";
import { copy } from "./share.js";
import { page, query, session, state } from "./state.js";

// ---- the session ----

const updates: Record<SessionChange, () => void> = {
  model: clearResults,
  progress: showProgress,
  status: () => {
    page.figure.stale = session.isStale;
    updateStop();
  },
  reading: () => {
    if (session.reading) showReading(session.reading);
  },
  layer: () => {
    page.figure.reading = session.reading;
  },
  corrupted: () => {
    page.figure.corrupted = session.corrupted;
    prepareView();
  },
  results: () => {
    page.figure.results = session.results;
  },
};
session.onChange = (change) => {
  if (change === "model") updates.results();
  updates[change]();
};

// ---- events of the elements ----

type PageEvents = ModelChooserEvents &
  LoadProgressEvents &
  LoadConsentEvents &
  LoadQuestionEvents &
  AddTokenizerEvents &
  ErrorNoticeEvents &
  SwitchedOffEvents &
  NextTokensEvents &
  ScopeFigureEvents &
  FigureViewEvents;

/** Custom events bubble to the document. */
function on<Name extends keyof PageEvents>(name: Name, act: (detail: PageEvents[Name]) => unknown) {
  document.addEventListener(name, (event) => act((event as CustomEvent).detail));
}

on("model-choose", load);
on("load-cancel", () => session.cancelLoad());
on("load-consent", acceptModel);
on("load-refuse", refuseModel);
on("load-answer", answerQuestion);
on("load-dismiss", dismissQuestion);
on("model-forget", forget);
on("tokenizer-add", addTokenizer);
on("error-dismiss", clearError);
on("head-restore", (head) => (head ? toggleHead(head) : readWithout([])));
on("generate", generate);
on("generate-stop", () => state.generating?.abort());
on("token-pick", pickToken);
on("position-focus", focusPosition);
on("view-compute", (view) => session.compute(view));
on("view-cancel", (view) => session.cancelCompute(view));
on("figure-change", (choice) => {
  if (choice.layer !== undefined) {
    state.isHeadChosen = true;
    showLayer(choice.layer);
    updateSwitch();
  }
  prepareView();
  updateAddress();
});

// ---- the page's own controls ----

page.prompt.addEventListener("input", () => {
  page.figure.generated = Infinity;
  readPrompt();
});
for (const button of ["choose", "help", "share"] as const)
  query(`#${button}`).addEventListener("click", () => {
    toggleSection(button);
    if (button === "choose") showGallery();
  });
query("#theme").addEventListener("click", toggleTheme);
query("#sharing").addEventListener("click", (event) => {
  const button = (event.target as Element).closest("button");
  if (button) copy(button);
});
page.stop.addEventListener("click", () => session.stopReading());
page.switch.addEventListener("click", () => {
  const { layer, head } = page.figure;
  toggleHead({ layer, head });
});
acceptDrops();

document.addEventListener("keydown", (event) => {
  const target = event.composedPath()[0];
  const field =
    target instanceof HTMLElement && target.matches("input, textarea, select") ? target : null;
  const hasModifier = event.ctrlKey || event.metaKey;
  if (event.key === "/" && !field && !hasModifier) {
    event.preventDefault();
    page.prompt.focus();
  } else if (event.key === "x" && !field && !hasModifier && !event.altKey) {
    const { layer, head } = page.figure.shownHead;
    toggleHead({ layer, head });
  } else if (event.key === "Escape") {
    if (field) field.blur();
    else if (page.figure.lock) {
      page.figure.lock = null;
      updateAddress();
    }
  }
});

window.addEventListener("storage", () => showGallery()); // another tab opened or forgot a model
window.addEventListener("hashchange", () => followAddress(hash.read(location.hash)));

// ---- the start ----

page.chooser.bundled = BUNDLED;
const requested = hash.read(location.hash);
applyAddress(requested); // the text can be edited while the model loads
openAddress(requested, undefined).finally(releasePreload);
