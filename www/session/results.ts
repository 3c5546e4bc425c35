// What views need beyond the reading, such as the logit lens or a sweep of patches. A view describes it as a `Request`; `Results`
// computes each request once for the texts on show, one at a time, drops late results, and cancels what is no longer needed.

import type { Intervention } from "../api/generated.js";
import type { Model } from "../api/model.js";
import type { Token } from "../draw/token.js";
import type { Reading } from "./reading.js";

/** How far a measurement has come, in steps of its own. */
export interface Steps {
  done: number;
  total: number;
}

/** What a request is computed from. */
export interface ComputeContext {
  reading: Reading;
  /** The second prompt, if the request uses it. */
  corrupted: Reading | null;
  /** Those of the reading, as the API takes them. */
  interventions: readonly Intervention[];
  signal: AbortSignal;
  onProgress: (steps: Steps) => void;
  /** The names of token ids. */
  spell: (ids: ArrayLike<number>) => Promise<Token[]>;
}

/** What a view needs computed. */
export interface Request<Result = unknown> {
  /** What the result depends on, besides the model, the reading and its interventions. */
  key: string;
  /** It begins only when the visitor asks for it, because it takes more than a few seconds. */
  isLong?: boolean;
  /** How long it takes, in words: "144 runs, about 40 s". */
  estimate?: string;
  /** It depends on the second prompt too. */
  usesCorrupted?: boolean;
  compute: (model: Model, context: ComputeContext) => Promise<Result>;
}

/** What a view gets. */
export interface ViewResult<Result = unknown> {
  /** The last result, which may be about a former request. */
  value: Result | null;
  /** The text that `value` is about. */
  reading: Reading | null;
  /** `value` is what the view needs now. */
  isCurrent: boolean;
  /** Null unless it is being computed and has reported how far it is. */
  progress: Steps | null;
  isRunning: boolean;
  /** A long request waits for the visitor. */
  isWaiting: boolean;
  /** Why the present request failed. */
  error: Error | null;
}

export const NO_RESULT: ViewResult<never> = {
  value: null,
  reading: null,
  isCurrent: false,
  progress: null,
  isRunning: false,
  isWaiting: false,
  error: null,
};

/** The requests of the views on show, by the view's name. */
export type Requests = Readonly<Record<string, Request>>;

/** The texts that requests are about. */
export interface Texts {
  reading: Reading;
  corrupted: Reading | null;
}

interface Job {
  request: Request;
  texts: Texts;
  controller: AbortController;
}

type Compute = (request: Request, context: Omit<ComputeContext, "spell">) => Promise<unknown>;

export class Results {
  #compute: Compute;
  #onChange: () => void;
  #results: Record<string, ViewResult> = {};
  /** What each result, error or wait in `#results` belongs to. */
  #settled: Record<string, Pick<Job, "request" | "texts">> = {};
  #jobs: Record<string, Job> = {};

  /**
   * @param compute runs a request
   * @param onChange called when a result, its progress or its failure is there
   */
  constructor(compute: Compute, onChange: () => void) {
    this.#compute = compute;
    this.#onChange = onChange;
  }

  /** The results, by the view's name. A new object after each change. */
  get all(): Readonly<Record<string, ViewResult>> {
    return this.#results;
  }

  /** Computes what is missing, and cancels what is no longer requested. Long requests wait for `start`. */
  update(requests: Requests, texts: Texts | null) {
    for (const name of Object.keys(this.#jobs)) {
      const { request, texts: former } = this.#jobs[name];
      if (!texts || !requests[name] || !isSame(requests[name], texts, request, former))
        this.#stop(name);
    }
    if (!texts) return;
    for (const [name, request] of Object.entries(requests)) {
      if (this.#jobs[name]) continue;
      const settled = this.#settled[name];
      if (settled && isSame(request, texts, settled.request, settled.texts)) {
        this.#set(name, { isCurrent: this.#isDone(name) });
        continue;
      }
      if (request.isLong) {
        this.#settled[name] = { request, texts };
        this.#set(name, { isWaiting: true, isCurrent: false, error: null });
      } else this.#run(name, request, texts);
    }
  }

  /** Begins a request that waits for the visitor, or that failed. */
  start(name: string) {
    const settled = this.#settled[name];
    if (settled && !this.#jobs[name]) this.#run(name, settled.request, settled.texts);
  }

  /** Cancels a request. It waits until it is started again. */
  cancel(name: string) {
    const job = this.#jobs[name];
    if (!job) return;
    this.#stop(name);
    this.#settled[name] = job;
    this.#set(name, { isWaiting: true });
  }

  /** Cancels everything and forgets all results. */
  clear() {
    for (const name of Object.keys(this.#jobs)) this.#stop(name);
    this.#settled = {};
    this.#results = {};
  }

  #isDone(name: string) {
    const { isWaiting, error } = this.#results[name] ?? NO_RESULT;
    return !isWaiting && !error;
  }

  #stop(name: string) {
    this.#jobs[name].controller.abort();
    delete this.#jobs[name];
    delete this.#settled[name];
    this.#set(name, { isRunning: false, progress: null, isCurrent: false });
  }

  async #run(name: string, request: Request, texts: Texts) {
    const job = { request, texts, controller: new AbortController() };
    this.#jobs[name] = job;
    delete this.#settled[name];
    const idle = { progress: null, isRunning: false };
    this.#set(name, { ...idle, isRunning: true, isWaiting: false, isCurrent: false, error: null });
    const isWanted = () => this.#jobs[name] === job;
    const onProgress = (progress: Steps) => {
      if (isWanted()) this.#set(name, { progress });
    };
    try {
      const { reading, corrupted } = texts;
      const { signal } = job.controller;
      const { interventions } = reading;
      const context = { reading, corrupted, interventions, signal, onProgress };
      const value = await this.#compute(request, context);
      if (!isWanted()) return;
      delete this.#jobs[name];
      this.#settled[name] = job;
      this.#set(name, { ...idle, value, reading, isCurrent: true });
    } catch (error) {
      if (!isWanted()) return;
      delete this.#jobs[name];
      this.#settled[name] = job;
      this.#set(name, { ...idle, error: error as Error });
    }
  }

  /** Changes a result, and reports it if it differs. */
  #set(name: string, change: Partial<ViewResult>) {
    const former = this.#results[name] ?? NO_RESULT;
    const isSameResult = Object.entries(change).every(
      ([field, value]) => former[field as keyof ViewResult] === value,
    );
    if (isSameResult && this.#results[name]) return;
    this.#results = { ...this.#results, [name]: { ...former, ...change } };
    this.#onChange();
  }
}

/** Whether two requests have the same result. A reading keeps its array of ids while more of its layers are read. */
function isSame(request: Request, texts: Texts, other: Request, otherTexts: Texts) {
  return (
    request.key === other.key &&
    texts.reading.ids === otherTexts.reading.ids &&
    (!request.usesCorrupted || texts.corrupted?.ids === otherTexts.corrupted?.ids)
  );
}
