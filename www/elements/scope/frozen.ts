// The snapshot that <candle-scope> shows until its reader wants the model: which one it is, and whether it is shown. The code that
// draws it is loaded if there is one.

import { html, type LitElement } from "lit";

import { createError, messageOf } from "../../api/errors.js";
import { complete } from "../../state/fields.js";
import { type Given, givenBy, needingModel } from "../snapshot/given.js";
import { InlineSnapshot } from "../snapshot/inline.js";
import type { LiveValues } from "../snapshot/live.js";
import { ALL_FIELDS, type ScopeValues } from "./fields.js";

type Host = LitElement & ScopeValues & { snapshot: unknown };

/** The snapshot is shown; its model is on its way; the live figure is shown. */
type Phase = "frozen" | "starting" | "live";

export class Frozen {
  phase: Phase = "frozen";
  /** that of the snapshot, below its live figure */
  caption = "";

  #host: Host;
  #inline: InlineSnapshot;
  /** The last source. */
  #source: readonly unknown[] = ["", null, null];
  /** What the host's own properties chose, before it ran live. */
  #given: Given | null = null;
  /** The host's properties before it ran live. */
  #former: Readonly<Record<string, unknown>> = {};
  #onRun: (values: LiveValues) => void;
  #onFailure: (error: Error) => void;
  /** What the snapshot's own element says. */
  #said: Error | null = null;
  /** The code was asked for; again only for another source, because the error draws the figure again. */
  #isLoaded = false;

  /**
   * @param onRun gets the properties of the live figure that is wanted
   * @param onFailure gets why a snapshot is not drawn
   */
  constructor(host: Host, onRun: (values: LiveValues) => void, onFailure: (error: Error) => void) {
    this.#host = host;
    this.#inline = new InlineSnapshot(host);
    this.#onRun = onRun;
    this.#onFailure = onFailure;
  }

  /** Whether an error stands in the place of the snapshot already. */
  says(error: Error) {
    return this.isShown && error === this.#said;
  }

  /** There is a snapshot to show. */
  get isThere() {
    const { src, snapshot } = this.#host;
    return src !== "" || snapshot !== null || this.#inline.text !== null;
  }

  /** A snapshot is shown, with or without a model that is on its way. */
  get isShown() {
    return this.isThere && this.phase !== "live";
  }

  /** What the snapshot draws, while it is shown. */
  get reading() {
    if (!this.isShown) return null;
    return this.#host.renderRoot.querySelector("candle-snapshot")?.reading ?? null;
  }

  /** The figure is to be computed. */
  get needsModel() {
    return !this.isThere || this.phase !== "frozen";
  }

  /** Goes back to a snapshot if it is another one. @returns whether it is, or there is no longer one */
  follow(): boolean {
    const { src, snapshot } = this.#host;
    const source = [src, snapshot, this.#inline.text];
    const isNew = source.some((one, at) => one !== this.#source[at]);
    // A snapshot that begins live is new, and has no former figure.
    const isFirst = this.phase === "starting" && this.#source.every((one) => !one);
    this.#source = source;
    if (isNew && !isFirst) this.stop();
    return isNew && !isFirst;
  }

  /** The model is wanted, with these properties of the host. */
  begin({ caption, ...values }: LiveValues) {
    this.caption = caption;
    const host = this.#host as unknown as Record<string, unknown>;
    this.#former = Object.fromEntries(Object.keys(values).map((name) => [name, host[name]]));
    this.#given = { ...values };
    Object.assign(host, values);
    this.phase = "starting";
  }

  /** The live figure is there. */
  finish() {
    if (this.phase === "starting") this.phase = "live";
  }

  /** The snapshot is shown, with the properties that the host had. */
  stop() {
    Object.assign(this.#host, this.#former);
    this.#former = {};
    Object.assign(this, { caption: "", phase: "frozen" });
    this.#isLoaded = false;
    this.#given = null;
  }

  /** Loads the model and draws the same figure with it. */
  async run() {
    await this.#host.updateComplete;
    await this.#host.renderRoot.querySelector("candle-snapshot")?.run();
  }

  /** What is wrong with the host's attributes. */
  get problems(): string[] {
    return needingModel(this.#host.getAttributeNames());
  }

  render() {
    this.#load();
    const host = this.#host;
    const { src, snapshot } = host;
    const { controls, parts, loading, live } = complete(ALL_FIELDS, { ...written(host) });
    const hasCaption = host.querySelector(':scope > [slot="caption"]') !== null;
    return html`<candle-snapshot
      .src=${src}
      .snapshot=${snapshot ?? this.#inline.text}
      .given=${this.#given ?? givenBy(host)}
      .controls=${controls}
      .parts=${parts}
      .loading=${loading}
      .live=${live}
      .running=${this.phase === "starting"}
      @run-live=${this.#onRunLive}
      @snapshot-error=${this.#onSnapshotError}
    >${hasCaption ? html`<slot name="caption" slot="caption"></slot>` : ""}</candle-snapshot>`;
  }

  #onRunLive = (event: CustomEvent<LiveValues>) => {
    event.preventDefault();
    this.#onRun(event.detail);
  };

  #onSnapshotError = ({ detail }: CustomEvent<Error>) => {
    this.#said = detail;
    this.#onFailure(detail);
  };

  async #load() {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    try {
      await import("../define/candle-snapshot.js");
    } catch (error) {
      this.#onFailure(
        createError(
          "NetworkError",
          `the code that draws snapshots cannot be loaded (${messageOf(error)})`,
        ),
      );
    }
  }
}

function written({ controls, parts, loading, live }: ScopeValues) {
  return { controls, parts, loading, live };
}
