// The interventions of a state, computed for one model and one text.

import type { Intervention } from "../api/generated.js";
import type { LabIntervention } from "../state/interventions.js";
import { croppedInput, inputOf, type Steerable } from "./directions.js";
import { blame, resolveEach } from "./interventions.js";

export class Resolution {
  #each: Intervention[][] = [];

  constructor(
    readonly model: Steerable,
    readonly text: string,
    readonly list: readonly LabIntervention[],
    readonly corrupted: string | null,
  ) {}

  /** The interventions as the API takes them. */
  async resolve(): Promise<Intervention[]> {
    if (this.list.every(({ disabled }) => disabled)) return [];
    const input = inputOf(this.model, this.text);
    const { corrupted } = this;
    this.#each = await resolveEach(this.model, this.list, { input, corrupted });
    return this.#each.flat();
  }

  /** The error of the reading, with the name of the intervention that it is about. */
  async explain(error: unknown): Promise<unknown> {
    if (this.#each.flat().length === 0) return error;
    try {
      const input = await croppedInput(this.model, inputOf(this.model, this.text));
      return await blame(this.model, this.list, this.#each, { error, input });
    } catch {
      return error; // the text itself cannot be read
    }
  }
}
