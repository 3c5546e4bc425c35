// Checks of plain data that a stranger may have written. Each takes a value and its path, returns the value with its type, and
// throws an InputError that names the field.

import { createError } from "../../api/errors.js";

export type Check<T> = (value: unknown, path: string) => T;

/** @param expected what fits, such as "a text" */
export function wrongField(path: string, value: unknown, expected: string): Error {
  return createError(
    "InputError",
    `the snapshot's \`${path}\` is ${shown(value)}, expected ${expected}`,
  );
}

/** A value in a message. Long texts are cut. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const written = JSON.stringify(value);
  return written.length > 40 ? `${written.slice(0, 39)}…` : written;
}

/** A value that a test accepts. */
export function that<T>(expected: string, accepts: (value: unknown) => boolean): Check<T> {
  return (value, path) => {
    if (!accepts(value)) throw wrongField(path, value, expected);
    return value as T;
  };
}

export const text = that<string>("a text", (value) => typeof value === "string");
export const flag = that<boolean>("true or false", (value) => typeof value === "boolean");
export const count = that<number>(
  "a whole number of at least 0",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);
export const finite = that<number>("a finite number", Number.isFinite);

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

export function listOf<T>(check: Check<T>): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrongField(path, value, "a list");
    return value.map((one, at) => check(one, `${path}[${at}]`));
  };
}

/** An object whose values pass a check, whatever their names. */
export function recordOf<T>(check: Check<T>): Check<Record<string, T>> {
  return (value, path) =>
    Object.fromEntries(
      Object.entries(asObject(value, path)).map(([name, one]) => [
        name,
        check(one, path ? `${path}.${name}` : name),
      ]),
    );
}

type Checked<Fields> = { [Name in keyof Fields]: Fields[Name] extends Check<infer T> ? T : never };

/** An object with these fields and no others. Fields that are absent stay absent. */
export function object<Fields extends Record<string, Check<unknown>>>(
  fields: Fields,
): Check<Checked<Fields>> {
  return (value, path) => {
    const given = asObject(value, path);
    const under = (name: string) => (path ? `${path}.${name}` : name);
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
    if (unknown !== undefined)
      throw createError(
        "InputError",
        `the snapshot has an unknown field \`${under(unknown)}\`, expected only ${Object.keys(fields).join(", ")}`,
      );
    const checked = Object.entries(fields).map(([name, check]) => [
      name,
      check(Object.hasOwn(given, name) ? given[name] : undefined, under(name)),
    ]);
    return Object.fromEntries(checked.filter(([, one]) => one !== undefined)) as Checked<Fields>;
  };
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongField(path, value, "an object");
  return value as Record<string, unknown>;
}
