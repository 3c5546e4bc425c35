// The elements of the page, its session, and the state that the session does not have. The other files of this folder
// read and change them.

import type { Model } from "../api/candlescope.js";
import type { Head } from "../elements/heads.js";
import type { ErrorNotice } from "../elements/error-notice.js";
import type { LoadConsent } from "../elements/load-consent.js";
import type { LoadProgress } from "../elements/load-progress.js";
import type { ModelChooser } from "../elements/model-chooser.js";
import type { ModelReport } from "../elements/model-report.js";
import type { ModelTree } from "../elements/model-tree.js";
import type { NextTokens } from "../elements/next-tokens.js";
import type { ScopeFigure } from "../elements/scope-figure.js";
import type { SwitchedOff } from "../elements/switched-off.js";
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
  notice: query<ErrorNotice>("error-notice"),
  report: query<ModelReport>("model-report"),
  tree: query<ModelTree>("model-tree"),
  off: query<SwitchedOff>("switched-off"),
};

/** The model, its reading, and what views need beyond it. A model whose load fails leaves the former one in use. */
export const session = new Session<Model>({ formerModel: "keep" });

export interface PageState {
  /** Where the model comes from; empty for files. */
  source: string;
  name: string;
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
  requestedAfterConsent: undefined,
  requested: {},
  isHeadChosen: false,
  off: [],
  interventions: [],
  isCropped: false,
  position: null,
  generating: null,
};
