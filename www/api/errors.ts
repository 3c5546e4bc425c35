// Failures with the stable names of the API.

export type ProblemName = (typeof NAMES)[number];
export const NAMES = [
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

/** @param message what was expected and what was found */
export function problem(name: ProblemName, message: string) {
  return Object.assign(new Error(message), { name });
}

/** Whether an error has one of the stable names. */
export function isProblem(error: unknown) {
  return error instanceof Error && NAMES.some((name) => name === error.name);
}

/** A value in a message: short, and telling its type. */
export function shown(value: unknown) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string")
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (typeof value === "object") return `an object of type ${value.constructor?.name ?? "Object"}`;
  if (typeof value === "function") return "a function";
  return typeof value === "bigint" ? `${value}n` : String(value);
}
