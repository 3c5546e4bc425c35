// Elements that few figures show. Each is loaded when it is first drawn; until it is defined, it keeps the properties that it was
// given.

const LOADERS = {
  "add-tokenizer": () => import("../define/add-tokenizer.js"),
  "load-question": () => import("../define/load-question.js"),
  "model-report": () => import("../define/model-report.js"),
};

const asked: Set<string> = new Set();

/** The template, whose element is loaded if it has not been. */
export function onDemand<T>(tag: keyof typeof LOADERS, template: T): T {
  if (asked.has(tag)) return template;
  asked.add(tag);
  LOADERS[tag]().catch((error: unknown) => {
    asked.delete(tag); // the next drawing tries again
    reportError(error);
  });
  return template;
}
