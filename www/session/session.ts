// One model and one text: loads the model, reads the text, and computes what a view needs. The page and <candle-scope>
// share it. Late results of a former model or text are dropped. No DOM.
//
// A method rejects only if its result is still wanted. If a newer call or another model replaced it, it resolves with null.

import type { Change } from "./compare.js";
import { extend, type GeneratedStep } from "./extend.js";
import { type Requests, Results, type ViewResult } from "./results.js";
import type { Model } from "../api/model.js";
import type { Token } from "../draw/token.js";
import {
  Reader,
  type Alternative,
  type Readable,
  type Reading,
  type ReadOptions,
} from "./reading.js";

/** How far a load has come. */
export type Progress = { stage: string; file: string; loaded: number; total?: number | null };

export type LoadContext = { signal: AbortSignal; onProgress: (progress: Progress) => void };

/** What changed, so that an owner updates only that. */
export type SessionChange =
  /** the model was replaced or removed, and with it everything that it computed */
  | "model"
  /** `progress` or `isLoading` */
  | "progress"
  /** a reading began or ended: `isStale`, `readingSince` */
  | "status"
  /** `reading` is about the newest text: layer by layer if it is long */
  | "reading"
  /** `reading` has another layer in full */
  | "layer"
  /** `corrupted` */
  | "corrupted"
  /** `results` */
  | "results";

/**
 * What happens to the former model while another one loads. "keep": it reads texts until the new one is there, and stays
 * if the load fails. "discard": it reads no further text, and is freed if the load fails.
 */
export type FormerModel = "keep" | "discard";

export interface SessionOptions {
  formerModel: FormerModel;
}

export class Session<M extends Readable = Readable> {
  /** The model in use. */
  model: M | null = null;
  /** The last text that was read, or the part of it that is there. */
  reading: Reading | null = null;
  /** `reading` is complete, and about the text of the last call of `read`. */
  isRead = false;
  /** A newer text than that of `reading` is being read or could not be read, or another model is loading. */
  isStale = false;
  isLoading = false;
  progress: Progress | null = null;
  /** The second prompt, read without interventions; null if there is none, or if it could not be read. */
  corrupted: Reading | null = null;
  onChange: (change: SessionChange) => void = () => {};

  #formerModel: FormerModel;
  #reader: Reader | null = null;
  #loading: AbortController | null = null;
  #readings: Set<{ started: number; controller: AbortController }> = new Set();
  #corruptedReader: Reader | null = null;
  #corruptedReading: AbortController | null = null;
  #results = new Results(
    (request, context) => {
      const reader = this.#reader;
      if (!reader) throw new Error("no model is loaded");
      const spell = (ids: ArrayLike<number>) => reader.spell(ids);
      // A view names what it uses of a model; a model of another make that lacks it throws a TypeError, which the view shows.
      return request.compute(this.model as unknown as Model, { ...context, spell });
    },
    () => this.onChange("results"),
  );
  /** Counts the calls of `nextTokens`: only the last one is answered. */
  #question = 0;

  constructor({ formerModel }: SessionOptions) {
    this.#formerModel = formerModel;
  }

  /**
   * Loads a model. A load that is under way is aborted.
   * @param start begins to load the model
   * @param formerModel what happens to the former one, if not what the session was made with
   * @returns the model, which has not read a text yet
   */
  async load(
    start: (context: LoadContext) => Promise<M>,
    formerModel: FormerModel = this.#formerModel,
  ): Promise<M | null> {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const isCurrent = () => this.#loading === loading;
    if (formerModel === "discard") this.#stopReader();
    Object.assign(this, { isLoading: true, progress: null });
    this.onChange("progress");
    const onProgress = (progress: Progress) => {
      if (!isCurrent()) return;
      this.progress = progress;
      this.onChange("progress");
    };
    try {
      const model = await start({ signal: loading.signal, onProgress });
      if (!isCurrent()) {
        model.dispose?.();
        return null;
      }
      this.#endLoad();
      this.#use(model);
      return model;
    } catch (error) {
      if (!isCurrent()) return null;
      this.#endLoad();
      if (formerModel === "discard") this.#use(null);
      throw error;
    }
  }

  /** Aborts the load that is under way, which then rejects with an `AbortError`. */
  cancelLoad() {
    this.#loading?.abort();
  }

  #endLoad() {
    this.#loading = null;
    Object.assign(this, { isLoading: false, progress: null });
    this.onChange("progress");
  }

  /** The former model reads no further text. */
  #stopReader() {
    this.#reader?.cancel();
    this.#reader = null;
    this.#corruptedReader?.cancel();
    this.#corruptedReader = null;
    this.#corruptedReading?.abort();
    this.#results.update({}, null);
    this.isRead = false;
    this.isStale = this.reading !== null;
  }

  /** Frees the former model and removes what it computed. */
  #use(model: M | null) {
    const former = this.model;
    this.#stopReader();
    this.#question += 1;
    this.#results.clear();
    Object.assign(this, { model, reading: null, corrupted: null, isStale: false });
    if (model) {
      this.#reader = new Reader(model);
      this.#corruptedReader = new Reader(model);
    }
    if (former !== model) former?.dispose?.();
    this.onChange("model");
  }

  /** Aborts a load, frees the model and removes what it computed. The session can load again. */
  dispose() {
    this.#loading?.abort();
    if (this.#loading) this.#endLoad();
    this.#use(null);
  }

  /**
   * Reads a text. Until it is read, the last reading stays as stale; if it cannot be read, for good. After the worker has
   * died the text is read once more, in a new worker.
   */
  async read(text: string, options: Omit<ReadOptions, "onLayer" | "signal">) {
    const reader = this.#reader;
    if (!reader) return null;
    const isCurrent = () => this.#reader === reader;
    this.isRead = false;
    this.isStale = this.reading !== null;
    this.#results.update({}, null);
    const controller = new AbortController();
    const job = { started: performance.now(), controller };
    this.#readings.add(job);
    this.onChange("status");
    const onLayer = (part: Reading) => {
      if (isCurrent()) this.#show(part);
    };
    try {
      const once = { ...options, onLayer, signal: controller.signal };
      const reading = await reader.read(text, once).catch((error) => {
        if (!isCurrent() || (error as Error).name !== "WorkerError") throw error;
        return reader.read(text, once);
      });
      if (!reading || !isCurrent()) return null;
      this.isRead = true;
      this.isStale = false;
      this.#show(reading);
      return reading;
    } catch (error) {
      if (!isCurrent()) return null;
      this.#question += 1; // an answer about the former text is no longer wanted
      throw error;
    } finally {
      this.#readings.delete(job);
      this.onChange("status");
    }
  }

  #show(reading: Reading) {
    this.reading = reading;
    this.onChange("reading");
  }

  /** Aborts the readings that are under way. If the model does not answer, its worker is restarted. */
  stopReading() {
    for (const { controller } of this.#readings) controller.abort();
  }

  /** When the oldest reading that is under way began, as `performance.now()`. */
  get readingSince(): number | null {
    const running = [...this.#readings].filter(({ controller }) => !controller.signal.aborted);
    return running.length > 0 ? Math.min(...running.map(({ started }) => started)) : null;
  }

  /**
   * Reads the second prompt, without interventions. The former one is removed at once, because views compare both.
   * @param text null if there is none
   */
  async readCorrupted(text: string | null, options: Pick<ReadOptions, "layer" | "crop"> = {}) {
    this.#corruptedReading?.abort();
    const controller = (this.#corruptedReading = new AbortController());
    const [reader, isCurrent] = [
      this.#corruptedReader,
      () => this.#corruptedReading === controller,
    ];
    if (this.corrupted) {
      this.corrupted = null;
      this.onChange("corrupted");
    }
    if (!reader || text === null) return null;
    try {
      const reading = await reader.read(text, { ...options, signal: controller.signal });
      if (!reading || !isCurrent()) return null;
      this.corrupted = reading;
      this.onChange("corrupted");
      return reading;
    } catch (error) {
      if (!isCurrent()) return null;
      throw error;
    }
  }

  /** What views needed beyond the reading, by the view's name. */
  get results(): Readonly<Record<string, ViewResult>> {
    return this.#results.all;
  }

  /** Computes what the views on show need; what they no longer need is cancelled. Failures are in `results`. */
  prepare(requests: Requests) {
    const { reading, corrupted } = this;
    this.#results.update(requests, reading && this.isRead ? { reading, corrupted } : null);
  }

  /** Begins what a view needs and the visitor asked for, because it takes long or failed. */
  compute(view: string) {
    this.#results.start(view);
  }

  /** Cancels what is being computed for a view. */
  cancelCompute(view: string) {
    this.#results.cancel(view);
  }

  /** The names of token ids; none without a model. */
  async spell(ids: ArrayLike<number>): Promise<Token[]> {
    return this.#reader?.spell(ids) ?? [];
  }

  /** Gets a layer's pattern in full, if the text is too long to keep all layers. */
  async needLayer(layer: number): Promise<void> {
    const [reader, reading] = [this.#reader, this.reading];
    if (!reader || !reading || reading.patterns[layer]) return;
    const isCurrent = () => this.#reader === reader && this.reading === reading;
    try {
      const fuller = await reader.layer(reading, layer);
      if (!isCurrent()) return;
      this.reading = fuller;
      this.onChange("layer");
    } catch (error) {
      if (isCurrent()) throw error;
    }
  }

  /**
   * The likeliest tokens after a position, and what the interventions changed there.
   * @returns null if a newer call, or another reading, replaced this one
   */
  async nextTokens(
    position: number,
  ): Promise<{ alternatives: Alternative[] | null; change: Change | null } | null> {
    const [reader, reading] = [this.#reader, this.reading];
    if (!reader || !reading) return null;
    const question = ++this.#question;
    const isCurrent = () => this.#question === question && this.reading === reading;
    try {
      const alternatives = await reader.alternatives(reading, position);
      const change = await reader.change(reading, position);
      return isCurrent() ? { alternatives, change } : null;
    } catch (error) {
      if (!isCurrent()) return null;
      throw error;
    }
  }

  /**
   * Appends a generated token to the reading. This reports no change: a generation shows each of its steps itself.
   * @param context how many tokens the model can read
   */
  append(step: GeneratedStep, context: number): Reading | null {
    if (this.reading) this.reading = extend(this.reading, step, context);
    return this.reading;
  }
}
