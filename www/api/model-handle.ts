// A model in the worker, as the page holds it: shared by its users, loaded when it is first needed, and loaded again into a
// new worker after the old one has died. A model that is loaded again must be the same: its config, its parameters and its
// weights' fingerprint are compared, so that no call is ever answered by another model.

import * as Comlink from "comlink";

import {
  abortable,
  aborted,
  connect,
  type Connection,
  type Api,
  type CallOptions,
} from "./connection.js";
import { problem } from "./errors.js";
import type { Progress } from "./candlescope.js";
import type { WorkerApi } from "../worker/worker.js";
import type { Files } from "./source.js";

export type Loaded = Awaited<ReturnType<WorkerApi["load"]>>;
/** Where a model is. */
export type Place = { connection: Connection; loaded: Loaded };

/** The fingerprint takes up to 0.2 s of the worker's time: what the model was loaded for comes first. */
const FINGERPRINT_AFTER_MS = 1500;
/** How many times a call loads the model: if the worker dies each time, the call fails. */
const MAX_ATTEMPTS = 3;

export class ModelHandle {
  #load;
  #onEnd;
  #users = 0;
  #place: Promise<Place> | undefined;
  /** What the first load found. */
  #first: Loaded | undefined;
  #fingerprint: string | undefined;
  /** Why the model cannot be loaded again, for good. */
  #lost: Error | undefined;

  /** @param onEnd called when the last user has left, or when the model is lost */
  constructor(load: () => Promise<Place>, onEnd: () => void = () => {}) {
    this.#load = load;
    this.#onEnd = onEnd;
  }

  /** Adds a user. */
  async join(signal?: AbortSignal): Promise<Loaded> {
    if (signal?.aborted) throw aborted("loading", signal);
    this.#users += 1;
    try {
      return (await abortable(this.#ready(), signal, "loading")).loaded;
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Removes a user. The last one frees the model. */
  leave() {
    this.#users -= 1;
    if (this.#users === 0) this.#free();
  }

  #free() {
    this.#onEnd();
    const place = this.#place;
    this.#place = undefined;
    place?.then(dispose).catch(() => {});
  }

  /**
   * Calls a function of the worker on this model.
   * @throws as Connection.call, and as a load when the model has to be loaded again
   */
  async call<T>(send: (api: Api, key: number) => Promise<T>, options?: CallOptions): Promise<T> {
    return (await this.begin(send, () => undefined, options)).value;
  }

  /**
   * The same for what goes on in the worker after the call: also gives the connection, to which all that follows belongs.
   * @param release frees what the answer names, if it comes after the call was aborted
   */
  async begin<T>(
    send: (api: Api, key: number) => Promise<T>,
    release: (api: Api, value: T) => unknown,
    options: CallOptions = {},
  ): Promise<{ connection: Connection; value: T }> {
    const { signal, what = "the call" } = options;
    const { connection, loaded } = await abortable(this.#ready(), signal, what);
    const onLate = (value: T) =>
      void connection.call(async (api) => release(api, value)).catch(() => {});
    return {
      connection,
      value: await connection.call((api) => send(api, loaded.key), { ...options, onLate }),
    };
  }

  /** As `begin`, also for a model without users: the call is one. */
  async borrow<T>(
    send: (api: Api, key: number) => Promise<T>,
    release: (api: Api, value: T) => unknown,
  ): Promise<{ connection: Connection; value: T }> {
    this.#users += 1;
    try {
      return await this.begin(send, release);
    } finally {
      this.leave();
    }
  }

  /** @returns in a worker that is alive */
  async #ready(): Promise<Place> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#lost) throw this.#lost;
      const loading = (this.#place ??= this.#start());
      const place = await loading;
      await place.connection.verdict();
      if (!place.connection.isDead) return place;
      if (this.#place === loading) this.#place = undefined;
    }
    throw problem(
      "WorkerError",
      `the worker died ${MAX_ATTEMPTS} times as soon as it had loaded the model; close other tabs, or load the model with fewer bits (\`dtype\`)`,
    );
  }

  #start(): Promise<Place> {
    const loading = this.#load().then(async (place) => {
      if (this.#first)
        await this.#verify(place, this.#first).catch((error) => {
          dispose(place).catch(() => {});
          throw error;
        });
      this.#first ??= place.loaded;
      this.#takeFingerprint(place);
      return place;
    });
    loading.catch(() => {
      if (this.#place === loading) this.#place = undefined; // the next call tries again
    });
    return loading;
  }

  #takeFingerprint({ connection, loaded }: Place) {
    if (this.#fingerprint !== undefined || loaded.isTransformed) return;
    setTimeout(async () => {
      if (this.#users > 0 && !connection.isDead)
        this.#fingerprint ??= await connection
          .call((api) => api.fingerprint(loaded.key))
          .catch(() => undefined);
    }, FINGERPRINT_AFTER_MS);
  }

  /** @throws WorkerError if this is another model than the first time */
  async #verify({ connection, loaded }: Place, first: Loaded) {
    const facts = ({ config, parameters, hasTokenizer, report }: Loaded) =>
      JSON.stringify({
        config,
        parameters,
        hasTokenizer,
        report: report.filter((notice: { kind: string }) => notice.kind !== "assumed"),
      });
    const isSame =
      facts(loaded) === facts(first) && (await this.#hasSameWeights(connection, loaded, first));
    if (isSame) return;
    this.#lost = problem(
      "WorkerError",
      "the worker had to be restarted, and the model's files have changed since they were loaded, or cannot be compared: load the model again",
    );
    this.#onEnd();
    throw this.#lost;
  }

  async #hasSameWeights(connection: Connection, loaded: Loaded, first: Loaded) {
    if (this.#fingerprint === undefined)
      return first.origins !== undefined && first.origins === loaded.origins;
    return (await connection.call((api) => api.fingerprint(loaded.key))) === this.#fingerprint;
  }
}

async function dispose({ connection, loaded }: Place) {
  await connection.call((api) => api.dispose(loaded.key));
}

// ---- models by their source ----

export type LoadRequest = { dtype: string; keep: boolean; timeout: number };
export type Listener = (progress: Progress) => void;

let lastJob = 0;

/** A model that is loaded from files. */
export class LoadedModel extends ModelHandle {
  #listeners: Set<Listener> = new Set();
  /** Ends the load that runs. */
  #abort = () => {};

  constructor(files: Files, request: LoadRequest, onEnd: () => void) {
    super(
      () => this.#loadFrom(files, request),
      () => {
        onEnd();
        this.#abort();
      },
    );
  }

  /** @param listener is told of the load's progress */
  override async join(signal?: AbortSignal, listener?: Listener) {
    if (listener) this.#listeners.add(listener);
    try {
      return await super.join(signal);
    } finally {
      if (listener) this.#listeners.delete(listener);
    }
  }

  async #loadFrom(files: Files, request: LoadRequest): Promise<Place> {
    const id = ++lastJob;
    const controller = new AbortController();
    this.#abort = () => controller.abort();
    const { signal } = controller;
    const connection = await connect();
    if (signal.aborted) throw aborted("loading", signal);
    signal.addEventListener(
      "abort",
      () => void connection.call((api) => api.abort(id)).catch(() => {}),
    );
    const onProgress = Comlink.proxy((progress: Progress) =>
      this.#listeners.forEach((listener) => notify(listener, progress)),
    );
    try {
      const load = (api: Api) => api.load(files, request, id, onProgress) as Promise<any>;
      const onLate = (loaded: Loaded) => void dispose({ connection, loaded }).catch(() => {});
      return {
        connection,
        loaded: await connection.call(load, { signal, what: "loading", isLoad: true, onLate }),
      };
    } finally {
      this.#abort = () => {};
    }
  }
}

/** An exception of a listener is reported as the page's own. */
export function notify<T>(listener: (progress: T) => void, progress: T) {
  try {
    listener(progress);
  } catch (error) {
    reportError(error);
  }
}
