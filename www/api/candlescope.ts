// The public module: loadModel, and the classes and types of what it gives.
//
// Shapes are written with B batch (1), T positions, V vocabulary. Log-probabilities and losses are in nats. Every failure
// rejects with an Error that has a stable `name` (errors.ts), and leaves the model usable.

export { BatchCache, BatchRun } from "./batch.js";
export { Cache } from "./cache.js";
export { type FileWithPath, filesWithPaths } from "./dropped-files.js";
export type { CsvOptions } from "./export/csv.js";
export type { HeadVisOptions } from "./export/headvis.js";
export type { NpzOptions } from "./export/npz.js";
export type { SafetensorsOptions } from "./export/safetensors.js";
export type { ErrorDetails, LabError, MissingField } from "./errors.js";
export type * from "./generated.js";
export type { Ids } from "./input.js";
export type { BatchStep } from "./generation.js";
export { forgetStored, type LoadOptions, loadModel, storedModels } from "./load-model.js";
export type { ConfigFields } from "./load-request.js";
export type { Averaged, PatchingBatchOptions } from "./measurement.js";
export { Model } from "./model.js";
export type { Cancellable, Progressing, Showing, ShowingProgress, Shown } from "./options.js";
export type { NewWeight, NewWeights, ParameterName, Weight } from "./parameters.js";
export type { ModelCall } from "./python-call.js";
export type { StoppedRun } from "./results.js";
export { Selection } from "./selection.js";
export type { SelectablePoint } from "./hook-names.js";
export type { HookSelector, SelectedPoints } from "./selectors.js";
export type { Source, SourceFile, SourceFiles } from "./source.js";
export type * from "./snapshot/format.js";
export type { SnapshotOptions } from "./snapshot/take.js";
export { type Index, Tensor } from "./tensor.js";
export type { Progress, StoredModel } from "./worker-api.js";
