// The models that variables of the notebook hold. A model keeps memory until it is disposed of, so one that a cell has replaced is
// disposed of when no variable has it.

export interface Disposable {
  dispose: () => void;
}

/** Lists in lists and fields of objects are searched this deep. */
const MAX_DEPTH = 3;

/** Calls of a model can be stopped; other objects are passed on as they are. */
export function isModel(value: object): value is Disposable {
  return "runWithCache" in value && "dispose" in value;
}

/** The models in a value: itself, or in lists, maps, sets and plain objects. */
export function modelsIn(value: unknown): Set<Disposable> {
  const found: Set<Disposable> = new Set();
  const visit = (one: unknown, depth: number) => {
    if (typeof one !== "object" || one === null) return;
    if (isModel(one)) found.add(one);
    else if (depth < MAX_DEPTH) for (const part of partsOf(one)) visit(part, depth + 1);
  };
  visit(value, 0);
  return found;
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return value.values();
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return [];
  // Getters are not called: they may fail.
  return Object.values(Object.getOwnPropertyDescriptors(value)).map((field) => field.value);
}

/** Disposes of the models that were in variables before and are in none now. */
export function disposeOfReplaced(before: ReadonlySet<Disposable>, variables: object) {
  const present = modelsIn(variables);
  for (const model of before) if (!present.has(model)) model.dispose();
}
