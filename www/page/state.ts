// The elements of the page, its session, and the state that the session does not have. The other files of this folder
// read and change them.

import type { Model } from "../api/candlescope.js";
import type { AddTokenizer } from "../elements/add-tokenizer.js";
import type { Head } from "../elements/heads.js";
import type { ErrorNotice } from "../elements/error-notice.js";
import type { LoadConsent } from "../elements/load-consent.js";
import type { LoadQuestion } from "../elements/load-question.js";
import type { LoadProgress } from "../elements/load-progress.js";
import type { Choice, ModelChooser } from "../elements/model-chooser.js";
import type { ModelReport } from "../elements/model-report.js";
import type { ModelTree } from "../elements/model-tree.js";
import type { NextTokens } from "../elements/next-tokens.js";
import type { ScopeFigure } from "../elements/scope-figure.js";
import type { SwitchedOff } from "../elements/switched-off.js";
import { Gallery, type GalleryStorage } from "../session/gallery.js";
import type { Intervention } from "../session/reading.js";
import { Session } from "../session/session.js";
import type { AddressState } from "./hash.js";
import { BUNDLED } from "./preload.js";

export type { Model };

export function query<T extends HTMLElement>(selector: string): T {
  return document.querySelector(selector) as T;
}

export const page = {
  prompt: query<HTMLTextAreaElement>("#prompt"),
  promptError: query("#prompt-error"),
  addTokenizer: query<AddTokenizer>("add-tokenizer"),
  messages: query("#messages"),
  count: query("#count"),
  stop: query<HTMLButtonElement>("#stop"),
  switch: query<HTMLButtonElement>("#off"),
  modelName: query("#model-name"),
  parameterCount: query("#parameter-count"),
  copied: query("#copied"),
  copy: query<HTMLTextAreaElement>("#copy"),
  figure: query<ScopeFigure>("scope-figure"),
  next: query<NextTokens>("next-tokens"),
  chooser: query<ModelChooser>("model-chooser"),
  progress: query<LoadProgress>("load-progress"),
  consent: query<LoadConsent>("load-consent"),
  question: query<LoadQuestion>("load-question"),
  notice: query<ErrorNotice>("error-notice"),
  report: query<ModelReport>("model-report"),
  tree: query<ModelTree>("model-tree"),
  off: query<SwitchedOff>("switched-off"),
};

/** The model, its reading, and what views need beyond it. A model whose load fails leaves the former one in use. */
export const session = new Session<Model>({ formerModel: "keep" });

/** The models that were opened in this browser. */
export const gallery = new Gallery(storage());

/** Null if the browser keeps nothing, as with cookies blocked. */
function storage(): GalleryStorage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export interface PageState {
  /** Where the model comes from; empty for files. */
  source: string;
  name: string;
  /** The model in use, in the gallery; empty until there is one. */
  id: string;
  /** The text box holds token ids, because the model has no tokenizer. */
  isIds: boolean;
  /** The last text of the box, while it holds ids. */
  text: string;
  /** The ids that the page opened the last model without a tokenizer on. */
  opening: string;
  /** The load that the page asks about, and what it shows then. */
  asked: { choice: Choice; requested: AddressState | undefined } | null;
  /** What an address asks to show of a model from files on a disk, until the visitor chooses files. */
  requestedOfDisk: AddressState | undefined;
  /** What to show after the visitor has agreed to load a model. */
  requestedAfterConsent: AddressState | undefined;
  /** What the address asks to show, until a model is there that may not have all of it. */
  requested: AddressState;
  /** The visitor chose a head; until then the strongest induction head is shown. */
  isHeadChosen: boolean;
  /** Heads that are switched off, and the same as interventions. */
  off: readonly Head[];
  interventions: readonly Intervention[];
  /** The text may be longer than the context, because the model wrote a part of it: only its end is read. */
  isCropped: boolean;
  /** The position whose next tokens are shown; null for the end of the text. */
  position: number | null;
  /** The generation that is running. */
  generating: AbortController | null;
}

export const state: PageState = {
  source: BUNDLED[0].source,
  name: BUNDLED[0].name,
  id: "",
  isIds: false,
  text: "",
  opening: "",
  asked: null,
  requestedOfDisk: undefined,
  requestedAfterConsent: undefined,
  requested: {},
  isHeadChosen: false,
  off: [],
  interventions: [],
  isCropped: false,
  position: null,
  generating: null,
};
