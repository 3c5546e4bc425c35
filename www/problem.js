// Failures with the stable names of the API.

/** @typedef {typeof NAMES[number]} ProblemName */
export const NAMES = /** @type {const} */ (["ConfigError", "WeightsError", "TokenizerError", "HookError", "InputError", "NetworkError", "MemoryError", "AbortError", "WorkerError", "InternalError"]);

/**
 * @param {ProblemName} name
 * @param {string} message what was expected and what was found
 */
export function problem(name, message) {
  return Object.assign(new Error(message), { name });
}

/** Whether an error has one of the stable names. @param {unknown} error */
export function isProblem(error) {
  return error instanceof Error && NAMES.some((name) => name === error.name);
}

/** A value in a message: short, and telling its type. @param {unknown} value */
export function shown(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (typeof value === "object") return `an object of type ${value.constructor?.name ?? "Object"}`;
  if (typeof value === "function") return "a function";
  return typeof value === "bigint" ? `${value}n` : String(value);
}
