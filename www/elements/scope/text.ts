// What <candle-scope> reads: the text, and the interventions that act on it.

import { createError } from "../../api/errors.js";
import type { Intervention } from "../../api/generated.js";
import type { Steerable } from "../../session/directions.js";
import { changeWords } from "../../session/intervention-words.js";
import type { Readable, Reading } from "../../session/reading.js";
import type { Session } from "../../session/session.js";
import { isEqual } from "../../state/fields.js";
import {
  includesHead,
  patchesFromCorrupted,
  zeroedHead,
  zeroHead,
  type Head,
  type LabIntervention,
} from "../../state/interventions.js";
import type { ScopeValues } from "./fields.js";

/** What is read. */
export interface Text {
  prompt: string;
  /** the attribute that says it */
  attribute: "prompt" | "ids";
  interventions: readonly LabIntervention[];
  /** the second prompt, if an intervention takes values from it */
  corrupted: string | null;
}

/** What the attributes ask to read. */
export function textOf(
  values: Pick<ScopeValues, "prompt" | "ids" | "off" | "interventions" | "corrupted">,
  hasTokenizer: boolean,
): Text {
  const { ids } = values;
  const isFirst = (head: Head, at: number) => !includesHead(values.off.slice(0, at), head);
  const interventions = [...values.off.filter(isFirst).map(zeroHead), ...values.interventions]
    .filter(({ disabled }) => !disabled)
    .map(({ name: _, ...one }) => one);
  const isText = hasTokenizer || ids === null;
  return {
    prompt: isText ? values.prompt : ids.join(" "),
    attribute: isText ? "prompt" : "ids",
    interventions,
    corrupted: interventions.some(patchesFromCorrupted) ? values.corrupted : null,
  };
}

/** Reads texts into a session; while one is being read, only the newest of the others counts. */
export class TextReader<M extends Readable> {
  #session: Session<M>;
  #last: { model: M | null; text: Text } | null = null;
  #turn = 0;
  /** The session's reading is that of the last call of `read`. */
  isRead = false;
  /** The last text is being read. */
  isReading = false;

  constructor(session: Session<M>) {
    this.#session = session;
  }

  /** Whether a text is another than the one that was read last, or that is being read. */
  isNew(text: Text) {
    const { model } = this.#session;
    return this.#last?.model !== model || !isEqual(this.#last.text, text);
  }

  /** The model was replaced: every text is new to it. */
  forget() {
    this.#turn += 1;
    this.#last = null;
    this.isRead = false;
    this.isReading = false;
  }

  /**
   * @param layer whose pattern is kept of a long text
   * @returns null when a newer text, or another model, was asked for meanwhile
   */
  async read(text: Text, layer: number): Promise<Reading | null> {
    const { model } = this.#session;
    const turn = ++this.#turn;
    this.#last = { model, text };
    if (!model) return null;
    Object.assign(this, { isRead: false, isReading: true });
    try {
      return await this.#read(text, layer, model, turn);
    } finally {
      if (turn === this.#turn) this.isReading = false;
    }
  }

  async #read(text: Text, layer: number, model: M, turn: number): Promise<Reading | null> {
    const isCurrent = () => turn === this.#turn && this.#session.model === model;
    const { prompt, attribute, interventions, corrupted } = text;
    if (prompt === "")
      throw createError(
        "InputError",
        "`prompt` is missing or empty: write the text that the model reads",
      );
    const isSimple = interventions.every((one) => zeroedHead(one) !== null);
    // Most figures need only heads that are switched off, which are interventions of the API already.
    const resolution = isSimple
      ? null
      : new (await import("../../session/resolution.js")).Resolution(
          model as unknown as Steerable,
          prompt,
          interventions,
          corrupted,
        );
    try {
      const resolved = resolution
        ? await resolution.resolve()
        : (interventions as readonly Intervention[]);
      if (!isCurrent()) return null;
      const reading = await this.#session.read(prompt, {
        ...{ layer, interventions: resolved, changes: changeWords(interventions) },
      });
      this.isRead = reading !== null && isCurrent();
      return reading;
    } catch (error) {
      if (!isCurrent()) return null;
      throw named(resolution ? await resolution.explain(error) : error, attribute);
    }
  }
}

/** An error of the API about its input names the attribute instead. One about an intervention has its name already. */
function named(error: unknown, attribute: string): unknown {
  const { name, message } = error as Error;
  return /^input: (?!the intervention)/.test(message)
    ? createError(name as "InputError", message.replace("input", `\`${attribute}\``))
    : error;
}
