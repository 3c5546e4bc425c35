// A model in the worker, as the page holds it: shared by its users, loaded when it is first needed, and loaded again into a
// new worker after the old one has died. A model that is loaded again must be the same: its config, its parameters and its
// weights' fingerprint are compared, so that no call is ever answered by another model.

import * as Comlink from "comlink";

import { abortable, aborted, connect } from "./connection.js";
import { problem } from "./problem.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").Api} Api */
/** @typedef {import("./connection.js").CallOptions} CallOptions */
/** @typedef {import("./candlescope.js").Progress} Progress */
/** @typedef {Awaited<ReturnType<import("./worker.js").WorkerApi["load"]>>} Loaded */
/** Where a model is. @typedef {{ connection: Connection, loaded: Loaded }} Place */

/** The fingerprint takes up to 0.2 s of the worker's time: what the model was loaded for comes first. */
const FINGERPRINT_AFTER_MS = 1500;
/** How many times a call loads the model: if the worker dies each time, the call fails. */
const MAX_ATTEMPTS = 3;

export class ModelHandle {
  #load;
  #onEnd;
  #users = 0;
  /** @type {Promise<Place> | undefined} */
  #place;
  /** What the first load found. @type {Loaded | undefined} */
  #first;
  /** @type {string | undefined} */
  #fingerprint;
  /** Why the model cannot be loaded again, for good. @type {Error | undefined} */
  #lost;

  /** @param {() => Promise<Place>} load @param {() => void} [onEnd] called when the last user has left, or when the model is lost */
  constructor(load, onEnd = () => {}) {
    this.#load = load;
    this.#onEnd = onEnd;
  }

  /** Adds a user. @param {AbortSignal} [signal] @returns {Promise<Loaded>} */
  async join(signal) {
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
   * @template T @param {(api: Api, key: number) => Promise<T>} send @param {CallOptions} [options] @returns {Promise<T>}
   * @throws as Connection.call, and as a load when the model has to be loaded again
   */
  async call(send, options) {
    return (await this.begin(send, () => undefined, options)).value;
  }

  /**
   * The same for what goes on in the worker after the call: also gives the connection, to which all that follows belongs.
   * @template T @param {(api: Api, key: number) => Promise<T>} send
   * @param {(api: Api, value: T) => unknown} release frees what the answer names, if it comes after the call was aborted
   * @param {CallOptions} [options] @returns {Promise<{ connection: Connection, value: T }>}
   */
  async begin(send, release, options = {}) {
    const { signal, what = "the call" } = options;
    const { connection, loaded } = await abortable(this.#ready(), signal, what);
    const onLate = (/** @type {T} */ value) => void connection.call(async (api) => release(api, value)).catch(() => {});
    return { connection, value: await connection.call((api) => send(api, loaded.key), { ...options, onLate }) };
  }

  /** As `begin`, also for a model without users: the call is one. @template T @param {(api: Api, key: number) => Promise<T>} send @param {(api: Api, value: T) => unknown} release @returns {Promise<{ connection: Connection, value: T }>} */
  async borrow(send, release) {
    this.#users += 1;
    try {
      return await this.begin(send, release);
    } finally {
      this.leave();
    }
  }

  /** @returns {Promise<Place>} in a worker that is alive */
  async #ready() {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#lost) throw this.#lost;
      const loading = (this.#place ??= this.#start());
      const place = await loading;
      await place.connection.verdict();
      if (!place.connection.isDead) return place;
      if (this.#place === loading) this.#place = undefined;
    }
    throw problem("WorkerError", `the worker died ${MAX_ATTEMPTS} times as soon as it had loaded the model; close other tabs, or load the model with fewer bits (\`dtype\`)`);
  }

  /** @returns {Promise<Place>} */
  #start() {
    const loading = this.#load().then(async (place) => {
      if (this.#first) await this.#verify(place, this.#first).catch((error) => {
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

  /** @param {Place} place */
  #takeFingerprint({ connection, loaded }) {
    if (this.#fingerprint !== undefined || loaded.isTransformed) return;
    setTimeout(async () => {
      if (this.#users > 0 && !connection.isDead) this.#fingerprint ??= await connection.call((api) => api.fingerprint(loaded.key)).catch(() => undefined);
    }, FINGERPRINT_AFTER_MS);
  }

  /** @param {Place} place @param {Loaded} first @throws WorkerError if this is another model than the first time */
  async #verify({ connection, loaded }, first) {
    const facts = (/** @type {Loaded} */ { config, parameters, hasTokenizer, report }) => JSON.stringify({ config, parameters, hasTokenizer, report: report.filter((/** @type {{ kind: string }} */ notice) => notice.kind !== "assumed") });
    const isSame = facts(loaded) === facts(first) && (await this.#hasSameWeights(connection, loaded, first));
    if (isSame) return;
    this.#lost = problem("WorkerError", "the worker had to be restarted, and the model's files have changed since they were loaded, or cannot be compared: load the model again");
    this.#onEnd();
    throw this.#lost;
  }

  /** @param {Connection} connection @param {Loaded} loaded @param {Loaded} first */
  async #hasSameWeights(connection, loaded, first) {
    if (this.#fingerprint === undefined) return first.origins !== undefined && first.origins === loaded.origins;
    return (await connection.call((api) => api.fingerprint(loaded.key))) === this.#fingerprint;
  }
}

/** @param {Place} place */
async function dispose({ connection, loaded }) {
  await connection.call((api) => api.dispose(loaded.key));
}

// ---- models by their source ----

/** @typedef {import("./source.js").Files} Files */
/** @typedef {{ dtype: string, keep: boolean, timeout: number }} LoadRequest */
/** @typedef {(progress: Progress) => void} Listener */

let lastJob = 0;

/** A model that is loaded from files. */
export class LoadedModel extends ModelHandle {
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** Ends the load that runs. */
  #abort = () => {};

  /** @param {Files} files @param {LoadRequest} request @param {() => void} onEnd */
  constructor(files, request, onEnd) {
    super(
      () => this.#loadFrom(files, request),
      () => {
        onEnd();
        this.#abort();
      },
    );
  }

  /** @param {AbortSignal} [signal] @param {Listener} [listener] is told of the load's progress */
  async join(signal, listener) {
    if (listener) this.#listeners.add(listener);
    try {
      return await super.join(signal);
    } finally {
      if (listener) this.#listeners.delete(listener);
    }
  }

  /** @param {Files} files @param {LoadRequest} request @returns {Promise<Place>} */
  async #loadFrom(files, request) {
    const id = ++lastJob;
    const controller = new AbortController();
    this.#abort = () => controller.abort();
    const { signal } = controller;
    const connection = await connect();
    if (signal.aborted) throw aborted("loading", signal);
    signal.addEventListener("abort", () => void connection.call((api) => api.abort(id)).catch(() => {}));
    const onProgress = Comlink.proxy((/** @type {Progress} */ progress) => this.#listeners.forEach((listener) => notify(listener, progress)));
    try {
      const load = (/** @type {Api} */ api) => /** @type {Promise<any>} */ (api.load(files, request, id, onProgress));
      const onLate = (/** @type {Loaded} */ loaded) => void dispose({ connection, loaded }).catch(() => {});
      return { connection, loaded: await connection.call(load, { signal, what: "loading", isLoad: true, onLate }) };
    } finally {
      this.#abort = () => {};
    }
  }
}

/** An exception of a listener is reported as the page's own. @template T @param {(progress: T) => void} listener @param {T} progress */
export function notify(listener, progress) {
  try {
    listener(progress);
  } catch (error) {
    reportError(error);
  }
}
