// A model in the worker, as the page holds it: shared by its users, loaded when it is first needed, and loaded again into a
// new worker after the old one has died.
//
// A model that is loaded again must be the same. Its config, its parameters and the state of its files, or a fingerprint of
// its weights, are compared with those of the first load, so that no call is answered by another model.

import { abortable, type CallOptions, type Connection } from "./connection.js";
import { abortError, createError } from "./errors.js";
import type { LoadedModel, WorkerApi } from "./worker-api.js";

/** A model and the connection to the worker that holds it. */
export interface HostedModel {
  connection: Connection;
  loaded: LoadedModel;
}

/** Calls a function of the worker on a model. */
export type SendTo<T> = (api: WorkerApi, key: number, listener?: number) => Promise<T>;

/** The fingerprint occupies the worker for up to 0.2 s, so the first calls of a new model come first. */
const FINGERPRINT_AFTER_MS = 1500;
/** A call fails if the worker dies this many times in a row after it has loaded the model. */
const MAX_ATTEMPTS = 3;

export class ModelHandle {
  #load;
  #onEnd;
  /** How many `Model`s and calls use the handle. */
  #users = 0;
  #hosted: Promise<HostedModel> | undefined;
  /** The model as it was loaded first. */
  #first: LoadedModel | undefined;
  #fingerprint: string | undefined;
  /** Why the model can never be loaded again. */
  #lost: Error | undefined;

  /** @param onEnd called when the last user has left, or when the model is lost */
  constructor(load: () => Promise<HostedModel>, onEnd: () => void = () => {}) {
    this.#load = load;
    this.#onEnd = onEnd;
  }

  /** Adds a user. */
  async join(signal?: AbortSignal): Promise<LoadedModel> {
    if (signal?.aborted) throw abortError("loading", signal);
    this.#users += 1;
    try {
      return (await abortable(this.#ready(), signal, "loading")).loaded;
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Removes a user. The last one frees the model. */
  leave(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#free();
  }

  #free() {
    this.#onEnd();
    const hosted = this.#hosted;
    this.#hosted = undefined;
    hosted?.then(dispose).catch(() => {});
  }

  /**
   * Calls a function of the worker on this model.
   * @throws as Connection.call, and as a load when the model has to be loaded again
   */
  async call<T>(send: SendTo<T>, options?: CallOptions): Promise<T> {
    return (await this.begin(send, () => undefined, options)).value;
  }

  /**
   * As `call`, for a job that continues in the worker after the call. Its later calls must use the connection that is returned.
   * @param release frees what the result names, if that comes after the call was aborted
   */
  async begin<T>(
    send: SendTo<T>,
    release: (api: WorkerApi, value: T) => unknown,
    options: CallOptions = {},
  ): Promise<{ connection: Connection; value: T }> {
    const { signal, name = "the call" } = options;
    const { connection, loaded } = await abortable(this.#ready(), signal, name);
    const onLate = (value: T) =>
      void connection.call(async (api) => release(api, value)).catch(() => {});
    return {
      connection,
      value: await connection.call((api, listener) => send(api, loaded.key, listener), {
        ...options,
        onLate,
      }),
    };
  }

  /** As `begin`, also for a model without users: the call counts as one. */
  async borrow<T>(
    send: SendTo<T>,
    release: (api: WorkerApi, value: T) => unknown,
  ): Promise<{ connection: Connection; value: T }> {
    this.#users += 1;
    try {
      return await this.begin(send, release);
    } finally {
      this.leave();
    }
  }

  /** The model in a worker that is alive. */
  async #ready(): Promise<HostedModel> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#lost) throw this.#lost;
      const loading = (this.#hosted ??= this.#start());
      const hosted = await loading;
      await hosted.connection.settled();
      if (!hosted.connection.isDead) return hosted;
      if (this.#hosted === loading) this.#hosted = undefined;
    }
    throw createError(
      "WorkerError",
      `the worker died ${MAX_ATTEMPTS} times as soon as it had loaded the model; close other tabs, or load the model with fewer bits (\`dtype\`)`,
    );
  }

  #start(): Promise<HostedModel> {
    const loading = this.#load().then(async (hosted) => {
      if (this.#first)
        await this.#verify(hosted, this.#first).catch((error) => {
          dispose(hosted).catch(() => {});
          throw error;
        });
      this.#first ??= hosted.loaded;
      this.#takeFingerprint(hosted);
      return hosted;
    });
    loading.catch(() => {
      if (this.#hosted === loading) this.#hosted = undefined; // the next call tries again
    });
    return loading;
  }

  #takeFingerprint({ connection, loaded }: HostedModel) {
    if (this.#fingerprint !== undefined || loaded.isTransformed) return;
    setTimeout(async () => {
      if (this.#users > 0 && !connection.isDead)
        this.#fingerprint ??= await connection
          .call((api) => api.fingerprint(loaded.key, false))
          .catch(() => undefined);
    }, FINGERPRINT_AFTER_MS);
  }

  /** @throws WorkerError if the model differs from the one that was loaded first */
  async #verify({ connection, loaded }: HostedModel, first: LoadedModel) {
    const facts = ({ config, parameters, hasTokenizer, report }: LoadedModel) =>
      JSON.stringify({
        config,
        parameters,
        hasTokenizer,
        report: report.filter(({ kind }) => kind !== "assumed"),
      });
    const isSame =
      facts(loaded) === facts(first) && (await this.#hasSameWeights(connection, loaded, first));
    if (isSame) return;
    this.#lost = createError(
      "WorkerError",
      "the worker had to be restarted, and the model's files have changed since they were loaded, or cannot be compared: load the model again",
    );
    this.#onEnd();
    throw this.#lost;
  }

  async #hasSameWeights(connection: Connection, loaded: LoadedModel, first: LoadedModel) {
    if (this.#fingerprint === undefined)
      return first.origins !== undefined && first.origins === loaded.origins;
    const fingerprint = await connection.call((api) => api.fingerprint(loaded.key, true));
    return fingerprint === this.#fingerprint;
  }
}

/** Frees a model in its worker. */
export async function dispose({ connection, loaded }: HostedModel) {
  await connection.call((api) => api.dispose(loaded.key));
}
