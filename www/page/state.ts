// The elements of the page, its session, its store, and what the store does not have because it need not outlast the page. The
// other files of this folder read and change them.

import type { Model } from "../api/candlescope.js";
import type { AddTokenizer } from "../elements/add-tokenizer.js";
import type { ErrorNotice } from "../elements/error-notice.js";
import type { InterventionEffect } from "../elements/intervention-effect.js";
import type { InterventionList } from "../elements/intervention-list.js";
import type { LoadConsent } from "../elements/load-consent.js";
import type { LoadProgress } from "../elements/load-progress.js";
import type { LoadQuestion } from "../elements/load-question.js";
import type { Choice, ModelChooser } from "../elements/model-chooser.js";
import type { ModelReport } from "../elements/model-report.js";
import type { ModelTree } from "../elements/model-tree.js";
import type { NextTokens } from "../elements/next-tokens.js";
import type { ScopeFigure } from "../elements/scope-figure.js";
import { VIEWS } from "../elements/views/index.js";
import { Gallery, type GalleryStorage } from "../session/gallery.js";
import { Session } from "../session/session.js";
import type { ViewFields } from "../state/fields.js";
import { OPENING, type LabState } from "../state/state.js";
import { Store } from "../state/store.js";
import { F16 } from "./bundled.js";

export type { Model };

export function query<T extends HTMLElement>(selector: string): T {
  return document.querySelector(selector) as T;
}

export const page = {
  undo: query<HTMLButtonElement>("#undo"),
  redo: query<HTMLButtonElement>("#redo"),
  prompt: query<HTMLTextAreaElement>("#prompt"),
  promptError: query("#prompt-error"),
  generate: query<HTMLButtonElement>("#generate"),
  edit: query<HTMLButtonElement>("#edit"),
  texts: query<HTMLButtonElement>("#texts"),
  textList: query("#text-list"),
  leave: query<HTMLButtonElement>("#leave"),
  prompts: query("#prompts"),
  secondPrompt: query("#second-prompt"),
  corrupted: query<HTMLTextAreaElement>("#corrupted"),
  answers: query("#answers"),
  corruptedCount: query("#corrupted-count"),
  corruptedError: query("#corrupted-error"),
  addTokenizer: query<AddTokenizer>("add-tokenizer"),
  messages: query("#messages"),
  count: query("#count"),
  stale: query("#stale"),
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
  parameters: query<HTMLDetailsElement>("#parameters"),
  tree: query<ModelTree>("model-tree"),
  list: query<InterventionList>("intervention-list"),
  effect: query<InterventionEffect>("intervention-effect"),
};

/** The model, its reading, and what views need beyond it. A model whose load fails leaves the former one in use. */
export const session = new Session<Model>({ formerModel: "keep" });

/** The settings of each view. */
export const VIEW_FIELDS: ViewFields = Object.fromEntries(
  Object.entries(VIEWS).map(([name, { settings }]) => [name, settings]),
);

/** What the page shows, and its history. follow.ts does what a change asks for. */
export const store = new Store(OPENING, VIEW_FIELDS);

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

/** The fields of the state that name a model. */
export type ModelChoice = Pick<LabState, "model" | "files" | "dtype">;

/**
 * Why a model is loaded: the visitor chose it, or followed a link that names it, which is a step of its own; or the state names it
 * already, because of an address, or because a step was undone.
 */
export type Origin = "choice" | "link" | "address" | "history";

export interface PageState {
  /** What the visitor calls the model. */
  name: string;
  /** The model in use, in the gallery; empty until there is one. */
  id: string;
  /** The model in use, as the state names it; null until there is one. */
  loaded: ModelChoice | null;
  /** The model that the state names is not in use: it is being loaded, or waits for the visitor's consent. */
  isPending: boolean;
  /** What was chosen to load the models that were in use, by their ids in the gallery: files can be read again. */
  choices: Map<string, Choice>;
  /** The files of the tokenizer that was added to the model in use; null if none was. */
  tokenizer: readonly File[] | null;
  /** The addresses of models that were loaded, or that the visitor agreed to load. */
  consented: Set<string>;
  /** The text box holds token ids, because the model has no tokenizer. */
  isIds: boolean;
  /** The load that the page asks about. */
  asked: { choice: Choice; origin: Origin } | null;
  /** What an address asks to show of a model from files on a disk, until the visitor chooses files. */
  ofDisk: LabState | null;
  /** The state of a link that names another model, until that is there. */
  linked: LabState | null;
  /** What the address has that this page does not know, until it is said. */
  problems: readonly string[];
  /** The position under the pointer or the keyboard, or that is locked. */
  focused: number | null;
  /** The state is being changed by typing. */
  isTyping: boolean;
  /** The generation that is running. */
  generating: AbortController | null;
}

export const state: PageState = {
  name: F16.name,
  id: "",
  loaded: null,
  isPending: false,
  choices: new Map(),
  tokenizer: null,
  consented: new Set(),
  isIds: false,
  asked: null,
  ofDisk: null,
  linked: null,
  problems: [],
  focused: null,
  isTyping: false,
  generating: null,
};

/** Whether a state names another model than the one in use. */
export function isOtherModel({ model, files, dtype }: LabState): boolean {
  const { loaded } = state;
  return (
    loaded === null || model !== loaded.model || files !== loaded.files || dtype !== loaded.dtype
  );
}
