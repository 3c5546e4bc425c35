// Loads a model in the worker: from the copy that the browser keeps, or from its servers.

import type { LoadRequest } from "../api/load-request.js";
import { listFiles, type ModelFiles } from "../api/source.js";
import type { Progress } from "../api/worker-api.js";
import type { CachedFile } from "./cached-file.js";
import { rejectOnTrap } from "./failures.js";
import { moduleReady } from "./module.js";
import { type LoadContext, openable, type Origin, prefetch, revalidate } from "./network.js";
import { WasmModel } from "./pkg/candlescope.js";
import { canBeStored, findStored, type PendingSave } from "./store.js";

/** A model, and what is known of its files. */
export interface Load {
  model: WasmModel;
  /** see LoadedModel */
  origins: string | undefined;
  /** the copy that is to be written, if there is none */
  pending: PendingSave | undefined;
}

/** @throws as loadModel */
export async function loadFiles(
  files: ModelFiles,
  { dtype, keep, timeout }: LoadRequest,
  controller: AbortController,
  onProgress: (progress: Progress) => void,
): Promise<Load> {
  const { signal } = controller;
  const states: NonNullable<LoadContext["states"]> = new Map();
  const context: LoadContext = { signal, timeout, bypassCache: false, states };
  const mayBeKept = (keep ?? true) && canBeStored(files);
  /** The copy that was opened, until Rust takes it. */
  let opened: CachedFile | undefined;
  let used: CachedFile | undefined;
  try {
    const open = openable(files, context);
    // While the module compiles, the copy is opened, or the files are requested.
    opened = mayBeKept ? await findStored(files, dtype) : undefined;
    if (!opened) prefetch(open);
    const copy = () => {
      used = opened;
      opened = undefined;
      return used;
    };
    await moduleReady;
    const request = {
      ...open,
      mayBeKept,
      copy,
      isCurrent: (origins: Origin[]) => checkCurrent(origins, context),
    };
    const model = await rejectOnTrap(WasmModel.load(request, dtype, monotonic(onProgress), signal));
    const pending: PendingSave | undefined = model.takePendingSave();
    return { model, pending, origins: originsOf(files, states, pending ? undefined : used) };
  } finally {
    controller.abort(); // ends the requests that were prefetched and not needed
    opened?.close("used");
  }
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
    const loaded = Math.max(bytes, furthest.get(file) ?? 0);
    furthest.set(file, loaded);
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
  const areBlobs = listFiles(files).every((file) => file === undefined || file.blob); // which never change
  const isComplete =
    areBlobs || (known.length > 0 && known.every(([, state]) => state !== undefined));
  // Absent files are not a part of the model, and a copy does not list all of them.
  return isComplete
    ? JSON.stringify(known.filter(([, state]) => state !== null).sort())
    : undefined;
}
