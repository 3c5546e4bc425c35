// The models that were opened in this browser, as the chooser lists them. They are stored as JSON, or
// remembered as long as the page is open if there is no storage, as in private windows.

import type { ModelSummary } from "./architecture.js";
import type { AnyNotice } from "./notice.js";
import type { Answer } from "./questions.js";

/** A model that was opened. */
export interface OpenedModel {
  /** the same for the same source, checkpoint and dtype */
  id: string;
  name: string;
  /** what `loadModel` takes; empty if the model came from files on the disk */
  source: string;
  /** the name under which the browser stores it, if it came from files; not unique */
  storedName?: string;
  /** the copy that the browser opened it from, if it was opened from one */
  storedKey?: string;
  /** false if the visitor wanted no copy in the browser */
  keep?: boolean;
  /** what was answered when it was loaded */
  answer: Answer;
  dtype: string;
  /** of its files; null if that is not known */
  bytes: number | null;
  /** when it was opened last, as `Date.now()` */
  opened: number;
  summary: ModelSummary;
  /** the notices of the load; null if the storage had no room for them */
  report: readonly AnyNotice[] | null;
}

/** A part of `Storage`, such as `localStorage`. */
export interface GalleryStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export const GALLERY_KEY = "candlescope-opened";
/** A copy that the browser holds: what `storedModels()` gives of it. */
export interface StoredCopy {
  key: string;
  name: string;
  /** undefined for files from a disk */
  address?: string | undefined;
  family: string;
  format: string;
  parameterCount: number;
  dtype: string;
  lastUsed: Date;
}

/**
 * The copies of the models, by the models' ids.
 * @param addressOf the address under which a source is stored
 */
export function copiesOf<Copy extends StoredCopy>(
  models: readonly OpenedModel[],
  copies: readonly Copy[],
  addressOf: (source: string) => string,
): Map<string, Copy> {
  const found: Map<string, Copy> = new Map();
  for (const model of models) {
    const isCopy = (copy: Copy) =>
      model.source === ""
        ? isCopyOfFiles(copy, model)
        : copy.address !== undefined &&
          copy.address === addressOf(model.source) &&
          copy.dtype === model.dtype;
    const own = copies.filter(isCopy);
    // Files of the same name and sizes may hold other weights: only what cannot be mistaken counts.
    const others = models.filter((one) => own.some((copy) => isCopyOfFiles(copy, one)));
    if (own.length > 0 && (model.source !== "" || (own.length === 1 && others.length === 1)))
      found.set(model.id, own[0]);
  }
  return found;
}

function isCopyOfFiles(copy: StoredCopy, model: OpenedModel) {
  const { source, storedName, storedKey, dtype, opened, summary } = model;
  // A copy that was written before the files were opened may be of earlier files with the same name.
  const isOfLastTime =
    storedKey === undefined ? Number(copy.lastUsed) >= opened : copy.key === storedKey;
  return (
    source === "" &&
    isOfLastTime &&
    copy.address === undefined &&
    copy.name === storedName &&
    copy.dtype === dtype &&
    copy.parameterCount === summary.parameterCount &&
    copy.family === summary.family &&
    copy.format === summary.format
  );
}

const MAX_MODELS = 40;
/** A longer report is not stored. */
const MAX_NOTICES = 3000;

export class Gallery {
  #storage: GalleryStorage | null;
  #models: readonly OpenedModel[] = [];

  constructor(storage: GalleryStorage | null) {
    this.#storage = storage;
  }

  /** The models, the last opened first. Other tabs may have changed them. */
  get models(): readonly OpenedModel[] {
    try {
      const text = this.#storage?.getItem(GALLERY_KEY);
      if (typeof text === "string") this.#models = parsed(text);
    } catch {
      // refused: those that this page knows
    }
    return this.#models;
  }

  /** Puts a model first; it replaces the one with its id. */
  add(model: OpenedModel) {
    const former = this.models.find(({ id }) => id === model.id);
    const isLong = (model.report?.length ?? 0) > MAX_NOTICES;
    const added = {
      ...model,
      bytes: model.bytes ?? former?.bytes ?? null,
      report: isLong ? null : model.report,
    };
    const others = this.models.filter(({ id }) => id !== model.id);
    this.#write([added, ...others].slice(0, MAX_MODELS));
  }

  forget(id: string) {
    this.#write(this.models.filter((one) => one.id !== id));
  }

  /** If the storage is full, the oldest reports are left out, and then the oldest models. */
  #write(models: readonly OpenedModel[]) {
    for (let kept = models; ; kept = smaller(kept)) {
      this.#models = kept;
      try {
        this.#storage?.setItem(GALLERY_KEY, JSON.stringify(kept));
        return;
      } catch {
        if (kept.length > 0) continue;
        this.#storage = null; // it refuses even an empty list
        this.#models = models;
        return;
      }
    }
  }
}

/** The models without the oldest report, or without the oldest model if no older one has a report. */
function smaller(models: readonly OpenedModel[]): readonly OpenedModel[] {
  const at = models.map(({ report }) => (report?.length ?? 0) > 0).lastIndexOf(true);
  return at < 0
    ? models.slice(0, -1)
    : models.map((one, i) => (i === at ? { ...one, report: null } : one));
}

/** The models in a text that this or another version of the page wrote. */
function parsed(text: string): readonly OpenedModel[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter(isOpened) : [];
  } catch {
    return [];
  }
}

function isOpened(value: unknown): value is OpenedModel {
  const { id, name, source, answer, dtype, bytes, opened, summary, report } = (value ??
    {}) as Partial<OpenedModel>;
  return (
    [id, name, source, dtype, summary?.family, summary?.format, summary?.sizes].every(
      (one) => typeof one === "string",
    ) &&
    [opened, summary?.parameterCount, summary?.tensorCount].every(
      (one) => typeof one === "number",
    ) &&
    (bytes === null || typeof bytes === "number") &&
    typeof answer === "object" &&
    answer !== null &&
    Array.isArray(summary?.differences) &&
    (report === null || (Array.isArray(report) && report.every(isNotice)))
  );
}

function isNotice(value: unknown): value is AnyNotice {
  const { kind, name, message, from } = (value ?? {}) as Partial<AnyNotice>;
  const areTexts = [kind, name, message].every((one) => typeof one === "string");
  return areTexts && (from === undefined || from === null || Array.isArray(from));
}

/** How long ago something was, in words. */
export function formatAgo(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return hours === 1 ? "an hour ago" : `${hours} hours ago`;
  const days = Math.round(hours / 24);
  if (days < 60) return days === 1 ? "a day ago" : `${days} days ago`;
  return `${Math.round(days / 30)} months ago`;
}
