// The elements that the first pattern does not need are defined after it, or when the visitor asks for one of them.

let defined: Promise<unknown> | undefined;

/** Defines the elements of deferred.ts, once. Lit keeps the properties that an element was given before. */
export function defineDeferred(): Promise<unknown> {
  defined ??= import("./deferred.js").catch((error) => {
    defined = undefined; // the next call tries again
    throw error;
  });
  return defined;
}
