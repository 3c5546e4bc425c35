// The gallery of the chooser: the models that were opened in this browser, and which of them it holds.

import { forgetStored, storedModels } from "../api/candlescope.js";
import { pathOf } from "../api/dropped-files.js";
import { isStored, resolveSource } from "../api/source.js";
import type { Choice } from "../elements/model-chooser.js";
import { summaryOf } from "../session/architecture.js";
import { copiesOf, type OpenedModel } from "../session/gallery.js";
import { showError } from "./errors.js";
import { gallery, page, state, type Model } from "./state.js";

/**
 * Puts a model first in the gallery.
 * @param bytes of its files; null if the browser held it
 * @returns its id
 */
export function remember(model: Model, choice: Choice, bytes: number | null): string {
  const former = gallery.models.find(({ id }) => id === choice.id);
  const origin = former ?? originOf(choice);
  gallery.add({
    ...origin,
    ...{ bytes: former?.bytes ?? bytes, name: choice.name, dtype: model.backend.dtype },
    ...{ opened: Date.now(), summary: summaryOf(model), report: model.report },
    ...(isStored(choice.source) && { storedKey: choice.source.key }),
    ...(choice.keep === false && { keep: false }),
  });
  return origin.id;
}

/** What tells a model from others. */
function originOf({
  source,
  answer = {},
}: Choice): Pick<OpenedModel, "id" | "source" | "answer" | "storedName"> {
  const hasAnswer = Object.keys(answer).length > 0;
  if (typeof source === "string")
    return { id: hasAnswer ? JSON.stringify([source, answer]) : source, source, answer };
  if (!Array.isArray(source))
    return { id: source.key, source: "", answer, storedName: source.name };
  const paths = source.map(pathOf).sort().slice(0, 50);
  const { name } = resolveSource(source, document.baseURI, answer.checkpoint);
  return { id: JSON.stringify([paths, answer]), source: "", answer, storedName: name };
}

/** The copies that the browser holds, by the models' ids. */
async function copies() {
  try {
    return copiesOf(gallery.models, await storedModels(), addressOf);
  } catch {
    return new Map<string, never>(); // what is stored is not known
  }
}

/** How the browser's copy of a model is loaded; undefined if it holds none. */
export async function copyOf(id: string): Promise<Choice | undefined> {
  const model = gallery.models.find((one) => one.id === id);
  const source = model && (await copies()).get(id);
  return source && { source, id, name: model.name, answer: model.answer };
}

/** Shows the gallery as it is now. */
export async function showGallery() {
  page.chooser.opened = gallery.models;
  page.chooser.current = state.id;
  page.chooser.stored = await copies();
}

/** The address under which a model is stored. */
function addressOf(source: string) {
  try {
    return resolveSource(source, document.baseURI).address ?? "";
  } catch {
    return "";
  }
}

/** Removes a model from the gallery, and its copy from the browser. */
export async function forget(id: string) {
  const model = gallery.models.find((one) => one.id === id);
  const copy = (await copies()).get(id);
  gallery.forget(id);
  const isShared = gallery.models.some(({ source }) => source !== "" && source === model?.source);
  try {
    if (copy && !isShared) await forgetStored(model?.source || copy);
  } catch (error) {
    showError(error);
  }
  await showGallery();
}
