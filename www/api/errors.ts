// Errors with the stable names of the API. docs/errors.md lists every message.

export const ERROR_NAMES = [
  "ConfigError",
  "WeightsError",
  "TokenizerError",
  "HookError",
  "InputError",
  "NetworkError",
  "MemoryError",
  "AbortError",
  "WorkerError",
  "InternalError",
] as const;

export type ErrorName = (typeof ERROR_NAMES)[number];

/** A field of the config that the files of a model do not say. */
export interface MissingField {
  /** such as "n_head" or "position_embedding" */
  field: string;
  /** the values that fit the files, for the option `config` of loadModel */
  choices: readonly (string | number)[];
}

/** What an error says beside its message. */
export interface ErrorDetails {
  /** of a ConfigError: what the option `config` must say, because the files do not */
  missing?: readonly MissingField[];
  /** of an InputError: what the option `checkpoint` must choose from, because the files hold several checkpoints */
  checkpoints?: readonly string[];
}

/** An error that a call of the API rejects with. */
export type LabError = Error & ErrorDetails;

/** @param message what was expected, what was found, where, and what to do */
export function createError(name: ErrorName, message: string, details?: ErrorDetails): LabError {
  return Object.assign(new Error(message), { name, ...details });
}

/**
 * An AbortError with the reason that was given to `abort()`, if it is an error.
 * @param what which call, for the message
 */
export function abortError(what: string, signal: AbortSignal | undefined): Error {
  // Not `instanceof`: the signal may come from another frame.
  const { name, message } = (signal?.reason ?? {}) as { name?: unknown; message?: unknown };
  const reason = typeof message === "string" && name !== "AbortError" ? `: ${message}` : "";
  return createError("AbortError", `${what} was aborted${reason}`);
}

/** Whether an error has one of the stable names. */
export function hasStableName(error: unknown): error is Error {
  return error instanceof Error && ERROR_NAMES.some((name) => name === error.name);
}

/** The message of an exception, which may be any value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A value in a message: short, and with its type. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string")
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (typeof value === "object") return `an object of type ${value.constructor?.name ?? "Object"}`;
  if (typeof value === "function") return "a function";
  return typeof value === "bigint" ? `${value}n` : String(value);
}
