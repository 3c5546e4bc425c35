// The gallery of the chooser: the models that were opened in this browser, and which of them it holds.

import { forgetStored, storedModels } from "../api/candlescope.js";
import { pathOf } from "../api/dropped-files.js";
import { summaryOf } from "../session/architecture.js";
import { resolveSource } from "../api/source.js";
import { showError } from "./errors.js";
import { gallery, page, state, type LoadChoice, type Model } from "./state.js";

/**
 * Puts a model first in the gallery.
 * @param bytes of its files; null if the browser held it
 * @returns its id
 */
export function remember(
  model: Model,
  { source, name, answer = {} }: LoadChoice,
  bytes: number | null,
): string {
  const isAddress = typeof source === "string";
  const files = isAddress ? source : source.map(pathOf).sort().slice(0, 50);
  const hasAnswer = Object.keys(answer).length > 0;
  const id = isAddress && !hasAnswer ? source : JSON.stringify([files, answer]);
  gallery.add({
    ...{ id, name, source: isAddress ? source : "", answer, bytes },
    dtype: model.backend.dtype,
    opened: Date.now(),
    summary: summaryOf(model),
    report: model.report,
  });
  return id;
}

/** Shows the gallery as it is now. */
export async function showGallery() {
  page.chooser.opened = gallery.models;
  page.chooser.current = state.id;
  try {
    const addresses = new Set((await storedModels()).map(({ address }) => address));
    const isStored = (source: string) => source !== "" && addresses.has(addressOf(source));
    page.chooser.stored = new Set(
      gallery.models.map(({ source }) => source).filter((source) => isStored(source)),
    );
  } catch {
    page.chooser.stored = new Set(); // what is stored is not known
  }
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
  gallery.forget(id);
  const isShared = gallery.models.some(({ source }) => source === model?.source);
  try {
    if (model?.source && !isShared) await forgetStored(model.source);
  } catch (error) {
    showError(error);
  }
  await showGallery();
}
