// Loads a model in the worker: from the copy that the browser keeps, or from its servers.

import type { LoadRequest } from "../api/load-request.js";
import { haveAddresses, listFiles, type ModelFiles } from "../api/model-files.js";
import type { PageFetch } from "../api/page-fetch.js";
import type { Progress } from "../api/worker-api.js";
import type { CachedFile } from "./cached-file.js";
import { rejectOnTrap } from "./failures.js";
import { moduleReady } from "./module.js";
import {
  type LoadContext,
  openable,
  type Origin,
  pageFetcher,
  plainFetcher,
  prefetch,
  privateFetcher,
  revalidate,
} from "./network.js";
import { WasmModel } from "./pkg/candlescope.js";
import { showOf } from "./show.js";
import { findStored, type PendingSave } from "./store.js";

/** A model, and what is known of its files. */
export interface Load {
  model: WasmModel;
  /** see LoadedModel */
  origins: string | undefined;
  /** the copy that is to be written, if there is none */
  pending: PendingSave | undefined;
}

/**
 * @param pageFetch sends the requests in place of this worker
 * @throws as loadModel
 */
export async function loadFiles(
  files: ModelFiles,
  request: LoadRequest,
  controller: AbortController,
  onProgress: (progress: Progress) => void,
  pageFetch: PageFetch | undefined,
): Promise<Load> {
  const { signal } = controller;
  const states: NonNullable<LoadContext["states"]> = new Map();
  const fetcher = fetcherOf(files, request, pageFetch);
  const { dtype, timeout } = request;
  const context: LoadContext = { signal, timeout, fetcher, bypassCache: false, states };
  const mayBeKept = mayKeep(files, request);
  /** The copy that was opened, until Rust takes it. */
  let opened: CachedFile | undefined;
  let used: CachedFile | undefined;
  try {
    const open = openable(files, context);
    // While the module compiles, the copy is opened, or the files are requested.
    opened = mayBeKept ? await findStored(files, request) : undefined;
    if (!opened) prefetch(open);
    const copy = () => {
      used = opened;
      opened = undefined;
      return used;
    };
    await moduleReady;
    const found = {
      ...open,
      name: files.name,
      overrides: request.config,
      stored: files.stored,
      mayBeKept,
      copy,
      isCurrent: (origins: Origin[]) => checkCurrent(origins, context),
    };
    const loading = WasmModel.load(found, dtype, monotonic(onProgress), signal, showOf);
    const model = await rejectOnTrap(loading);
    const pending: PendingSave | undefined = model.takePendingSave();
    return { model, pending, origins: originsOf(files, states, pending ? undefined : used) };
  } finally {
    controller.abort(); // ends the requests that were prefetched and not needed
    opened?.close("used");
  }
}

/** Whether a copy of the model may be read and written: not if its requests are private, because others could read the copy. */
function mayKeep(files: ModelFiles, { keep, headers, hasFetch }: LoadRequest): boolean {
  if (files.stored !== undefined) return true;
  return !headers && !hasFetch && (keep ?? haveAddresses(files));
}

function fetcherOf(
  files: ModelFiles,
  { headers }: LoadRequest,
  pageFetch: PageFetch | undefined,
): LoadContext["fetcher"] {
  const send = pageFetch ? pageFetcher(pageFetch) : plainFetcher;
  if (!headers) return send;
  const addresses = listFiles(files).flatMap(({ address }) => address ?? []);
  return privateFetcher(headers, new Set(addresses.map((one) => new URL(one).origin)), send);
}

/** Compares the files of a copy with their servers. If one has changed, the browser's HTTP cache is out of date too. */
function checkCurrent(origins: Origin[], context: LoadContext) {
  const freshness = revalidate(origins, context).then((found) => {
    context.bypassCache ||= found.state === "changed";
    return found;
  });
  freshness.catch(() => {}); // the copy may turn out to be damaged before Rust waits for this
  return freshness;
}

/** Reports progress as Rust does, except that a download that starts again does not move it back. */
function monotonic(onProgress: (progress: Progress) => void) {
  const furthest: Map<string, number> = new Map();
  return (stage: Progress["stage"], file: string, bytes: number, total?: number) => {
    const key = `${stage} ${file}`;
    const loaded = Math.max(bytes, furthest.get(key) ?? 0);
    furthest.set(key, loaded);
    onProgress({ stage, file, loaded, total });
  };
}

/**
 * The state of the files that a model came from, as text; undefined if a server sends no strong validator.
 * @param states of the files that were downloaded
 * @param copy if the model came from there
 */
function originsOf(
  files: ModelFiles,
  states: NonNullable<LoadContext["states"]>,
  copy: CachedFile | undefined,
): string | undefined {
  const known =
    states.size > 0
      ? [...states]
      : (copy?.origins ?? []).map(({ address, identity }) => [address, identity ?? null] as const);
  const areBlobs = listFiles(files).every(({ blob }) => blob); // which never change
  const isComplete =
    areBlobs || (known.length > 0 && known.every(([, state]) => state !== undefined));
  // Absent files are not a part of the model, and a copy does not list all of them.
  return isComplete
    ? JSON.stringify(known.filter(([, state]) => state !== null).sort())
    : undefined;
}
