// The gallery of the chooser: the models that were opened in this browser, and which of them it holds.

import { forgetStored, type StoredModel, storedModels } from "../api/candlescope.js";
import { pathOf } from "../api/dropped-files.js";
import { isStored, resolveSource } from "../api/source.js";
import type { Choice } from "../elements/model-chooser.js";
import { summaryOf } from "../session/architecture.js";
import { copiesOf, type OpenedModel } from "../session/gallery.js";
import { showError } from "./errors.js";
import { measuredRate } from "./rate.js";
import { gallery, page, state, type Model } from "./state.js";

/**
 * Puts a model first in the gallery.
 * @param bytes of its files; null if the browser held it
 * @returns its id
 */
export function remember(model: Model, choice: Choice, bytes: number | null): string {
  const former = gallery.models.find(({ id }) => id === choice.id);
  const origin = former ?? originOf(choice, model.backend.dtype);
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
function originOf(
  { source, answer = {} }: Choice,
  dtype: string,
): Pick<OpenedModel, "id" | "source" | "answer" | "storedName"> {
  const isExact = dtype === "f32";
  const hasAnswer = Object.keys(answer).length > 0;
  const facts = [...(hasAnswer || !isExact ? [answer] : []), ...(isExact ? [] : [dtype])];
  if (typeof source === "string")
    return { id: facts.length > 0 ? JSON.stringify([source, ...facts]) : source, source, answer };
  if (!Array.isArray(source))
    return { id: source.key, source: "", answer, storedName: source.name };
  const paths = source.map(pathOf).sort().slice(0, 50);
  const { name } = resolveSource(source, document.baseURI, answer.checkpoint);
  const id = JSON.stringify([paths, answer, ...(isExact ? [] : [dtype])]);
  return { id, source: "", answer, storedName: name };
}

/** The copies that the browser holds; null if that cannot be known. */
async function allCopies(): Promise<StoredModel[] | null> {
  try {
    return await storedModels();
  } catch {
    return null;
  }
}

/** The copies that the browser holds, by the models' ids. */
async function copies() {
  return copiesOf(gallery.models, (await allCopies()) ?? [], addressOf);
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
  page.chooser.measured = measuredRate();
  const [all, room] = await Promise.all([allCopies(), roomInStorage()]);
  const stored = copiesOf(gallery.models, all ?? [], addressOf);
  Object.assign(page.chooser, { stored, copies: all, room });
  clearTimeout(timer);
  if (page.chooser.checkVisibility()) timer = window.setTimeout(showGallery, REFRESH_MS);
}

/** While the chooser is open, a copy may be written or removed. */
const REFRESH_MS = 2000;
let timer = 0;

/** The room in the browser's storage; null if it does not say. */
async function roomInStorage() {
  try {
    return await navigator.storage.estimate();
  } catch {
    return null; // an insecure page, or a setting
  }
}

/** Removes one copy from the browser, or all of them. The models stay in the gallery. */
export async function clearStorage(key: string | null) {
  try {
    const copy = (await storedModels()).find((one) => one.key === key);
    if (key === null) await forgetStored();
    else if (copy) await forgetStored(copy);
  } catch (error) {
    showError(error);
  }
  await showGallery();
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
  const others = gallery.models.filter(({ source }) => source !== "" && source === model?.source);
  try {
    // The copies in other dtypes belong to other entries.
    if (copy && others.length === 0) await forgetStored(model?.source || copy);
    else if (copy && !others.some(({ dtype }) => dtype === model?.dtype)) await forgetStored(copy);
  } catch (error) {
    showError(error);
  }
  await showGallery();
}
