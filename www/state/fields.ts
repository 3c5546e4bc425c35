// A field of the state, declared once: its default, how it is written to an address and read from it, and which values fit.

export interface Field<T> {
  /** The value of a field that was not chosen; the address leaves it out. */
  readonly fallback: T;
  /** The value in an address; undefined if the text is none. */
  parse(text: string): T | undefined;
  write(value: T): string;
  accepts(value: unknown): boolean;
  /** What fits, for the sentence about a text that does not. */
  readonly expected: string;
}

/** The fields of a view, by the names of its settings. */
export type Fields = Readonly<Record<string, Field<unknown>>>;
/** The settings of each view, by the view's name. */
export type ViewFields = Readonly<Record<string, Fields>>;

/** The values of fields. */
export type ValuesOf<F> = {
  -readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never;
};

export function text(fallback: string): Field<string> {
  return {
    fallback,
    parse: (written) => written,
    write: (value) => value,
    accepts: (value) => typeof value === "string",
    expected: "a text",
  };
}

export function choice<const T extends string>(
  values: readonly T[],
  fallback: NoInfer<T>,
): Field<T> {
  const isOne = (value: unknown): value is T => values.includes(value as T);
  return {
    fallback,
    parse: (written) => (isOne(written) ? written : undefined),
    write: (value) => value,
    accepts: isOne,
    expected: `one of ${values.join(", ")}`,
  };
}

export function flag(fallback: boolean): Field<boolean> {
  return {
    fallback,
    parse: (written) =>
      written === "true" || written === "false" ? written === "true" : undefined,
    write: String,
    accepts: (value) => typeof value === "boolean",
    expected: "true or false",
  };
}

interface Range {
  min?: number;
  max?: number;
}

/** A whole number. */
export function whole(fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {}) {
  const bounds =
    max < Number.MAX_SAFE_INTEGER
      ? ` from ${min} to ${max}`
      : min > Number.MIN_SAFE_INTEGER
        ? ` of at least ${min}`
        : "";
  return numeric(fallback, {
    accepts: (value) => Number.isSafeInteger(value) && within(value as number, min, max),
    pattern: /^-?\d+$/,
    expected: `a whole number${bounds}`,
  });
}

/** A finite number. */
export function number(fallback: number, { min = -Infinity, max = Infinity }: Range = {}) {
  const bounds = [
    ...(min === -Infinity ? [] : [`at least ${min}`]),
    ...(max === Infinity ? [] : [`at most ${max}`]),
  ];
  return numeric(fallback, {
    accepts: (value) => Number.isFinite(value) && within(value as number, min, max),
    pattern: /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i,
    expected: ["a number", ...(bounds.length > 0 ? ["of", bounds.join(" and ")] : [])].join(" "),
  });
}

function within(value: number, min: number, max: number) {
  return value >= min && value <= max;
}

function numeric(
  fallback: number,
  { accepts, pattern, expected }: Pick<Field<number>, "accepts" | "expected"> & { pattern: RegExp },
): Field<number> {
  return {
    fallback,
    parse: (written) =>
      pattern.test(written) && accepts(Number(written)) ? Number(written) : undefined,
    write: String,
    accepts,
    expected,
  };
}

/** A field that may have no value: null, which is its default. */
export function optional<T>({ parse, write, accepts, expected }: Field<T>): Field<T | null> {
  return {
    fallback: null,
    parse,
    write: (value) => (value === null ? "" : write(value)),
    accepts: (value) => value === null || accepts(value),
    expected,
  };
}

/** A list, separated by commas. */
export function list<T>(one: Field<T>, expected: string): Field<readonly T[]> {
  return {
    fallback: [],
    parse: (written) => {
      const values = written === "" ? [] : written.split(",").map((word) => one.parse(word));
      return values.includes(undefined) ? undefined : (values as T[]);
    },
    write: (values) => values.map((value) => one.write(value)).join(","),
    accepts: (values) => Array.isArray(values) && values.every((value) => one.accepts(value)),
    expected,
  };
}

/** Plain data, written as JSON. */
export function json<T>(
  fallback: T,
  accepts: (value: unknown) => boolean,
  expected: string,
): Field<T> {
  return {
    fallback,
    parse: (written) => {
      try {
        const value = JSON.parse(written);
        return accepts(value) ? value : undefined;
      } catch {
        return undefined;
      }
    },
    write: (value) => JSON.stringify(value),
    accepts,
    expected,
  };
}

/** The values of all fields: those that were set and fit, otherwise the defaults. */
export function complete<F extends Fields>(
  fields: F,
  values: Readonly<Record<string, unknown>> = {},
): ValuesOf<F> {
  const filled = Object.entries(fields).map(([name, field]) => {
    const isSet = Object.hasOwn(values, name) && field.accepts(values[name]);
    return [name, isSet ? values[name] : field.fallback];
  });
  return Object.fromEntries(filled);
}

/** The settings that fit and differ from their defaults. */
export function chosenSettings(
  settings: Readonly<Record<string, unknown>>,
  fields: Fields,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) =>
        Object.hasOwn(fields, name) &&
        fields[name].accepts(value) &&
        !isEqual(value, fields[name].fallback),
    ),
  );
}

/** Whether two values are the same plain data. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    keys.length === others.length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}
