// What <candle-scope> says about its model, below the figure.

import { html, type LitElement } from "lit";

import { type Describable, summaryOf } from "../../session/architecture.js";
import { type AnyNotice, matters } from "../../session/notice.js";
import { onDemand } from "./on-demand.js";

/** What is said of a model; one that does not say what it was read from has no summary. */
type Reported = { report?: readonly AnyNotice[]; config: object } & Partial<
  Pick<Describable, "parameters" | "parameterCount" | "checkpoint">
>;

/** A figure says only what matters about the model, unless it has all controls. */
export function reportOf(
  host: LitElement,
  { report = NO_NOTICES, config, parameters, parameterCount, checkpoint }: Reported,
  controls: "few" | "all" | "none",
) {
  if (controls !== "all" && !report.some(matters)) return "";
  const summary =
    parameters && parameterCount !== undefined && checkpoint
      ? summaryOf({
          config: config as Describable["config"],
          parameters,
          parameterCount,
          checkpoint,
        })
      : null;
  return onDemand(
    host,
    "model-report",
    html`<model-report .notices=${report} .summary=${summary}></model-report>`,
  );
}

const NO_NOTICES: readonly AnyNotice[] = [];
