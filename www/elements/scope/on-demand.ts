// Elements that few figures show. Each is loaded when it is first drawn; until it is defined, it keeps the properties that it was
// given. A figure says if one cannot be loaded.

import { html, type LitElement, type TemplateResult } from "lit";

import { messageOf } from "../../api/errors.js";

const LOADERS = {
  "add-tokenizer": () => import("../define/add-tokenizer.js"),
  "load-question": () => import("../define/load-question.js"),
  "model-report": () => import("../define/model-report.js"),
};
type Tag = keyof typeof LOADERS;

/** What the elements are for, in words. */
const USES: Record<Tag, string> = {
  "add-tokenizer": "adds a tokenizer",
  "load-question": "asks what the files of the model do not say",
  "model-report": "says what was found in the files of the model",
};

const failures: Map<Tag, unknown> = new Map();

/**
 * The template, whose element is loaded if it has not been; an error in its place if that failed.
 * @param host draws the template
 */
export function onDemand(host: LitElement, tag: Tag, template: TemplateResult): TemplateResult {
  const failure = failures.get(tag);
  if (failure !== undefined) {
    const retry = () => {
      failures.delete(tag);
      host.requestUpdate();
    };
    return html`<p class="problems error" role="alert">The part of the figure that ${USES[tag]} could not be loaded (${messageOf(failure)}). <button @click=${retry}>try again</button></p>`;
  }
  if (customElements.get(tag)) return template;
  LOADERS[tag]().catch((error: unknown) => {
    failures.set(tag, error);
    host.requestUpdate();
  });
  return template;
}
