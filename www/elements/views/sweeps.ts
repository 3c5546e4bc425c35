// What <patching-view> and <paths-view> share: when a sweep can be computed, the choices of metric and direction, and why not.

import { css, html } from "lit";

import { announced, truncate, type Token } from "../../draw/token.js";
import { align, unequalParts } from "../../session/align.js";
import { plural } from "../../session/architecture.js";
import type { Reading } from "../../session/reading.js";
import type { Measure, Sweep, SweepDirection } from "../../session/sweeps.js";
import type { SweepTopic } from "../../session/sweep-table.js";
import { controlStyles } from "./controls.js";
import { choiceStyles, type FigureState } from "./view.js";

export interface SweepSettings {
  direction: SweepDirection;
  /** The loss of the patched prompt, instead of the logit of an answer. */
  loss: boolean;
  /** Whether the normalized numbers are drawn. */
  normalized: boolean;
}

export const sweepStyles = [
  choiceStyles,
  controlStyles,
  css`
    .controls label {
      max-width: 100%;
    }
    .controls select {
      min-width: 0;
    }
    .controls input[type="number"] {
      width: 4.4rem;
    }
    .why {
      max-width: 46rem;
    }
    .runs {
      margin: 0 0 0.5rem;
      font-size: 0.9rem;
    }
    .applied {
      margin: 0.6rem 0 0;
      padding: 0.4rem 0.7rem;
      border-left: 3px solid var(--flame);
      border-radius: 3px;
      background: var(--glow);
      font-size: 0.9rem;
      overflow-wrap: anywhere;
    }
  `,
];

/** The prompts of a sweep, or why there is none, in words. */
export function promptsOf(
  { reading, corrupted, answer }: FigureState,
  { loss }: Pick<SweepSettings, "loss">,
): { reading: Reading; corrupted: Reading } | { why: string } {
  if (!reading) return { why: "There is no text." };
  if (!corrupted)
    return {
      why: "Choose a second prompt first, the corrupted one: a text of as many tokens that leads to another answer.",
    };
  if (reading.ids.length !== corrupted.ids.length)
    return { why: lengthsDiffer(reading, corrupted) };
  if (reading.ids.join() === corrupted.ids.join())
    return {
      why: "Both prompts are the same, so a patch changes nothing. Change the second prompt.",
    };
  if (loss && reading.ids.length < 2) return { why: "The loss needs at least two tokens." };
  if (!loss && answer === null)
    return { why: "Choose an answer first: the token whose logit the patches are measured by." };
  return { reading, corrupted };
}

function lengthsDiffer(reading: Reading, corrupted: Reading) {
  const [first] = unequalParts(align(reading.ids, corrupted.ids));
  const quoted = ({ tokens }: Reading, positions: readonly number[]) =>
    positions.length === 0
      ? "nothing"
      : `${positions.map((at) => truncate(tokens[at], 20)).join("|")} (${plural(positions.length, "token")})`;
  const where = first
    ? ` Where the clean prompt has ${quoted(reading, first.clean)}, the corrupted one has ${quoted(corrupted, first.corrupted)}.`
    : "";
  return `The clean prompt has ${plural(reading.ids.length, "token")} and the corrupted one ${corrupted.ids.length}. Patching takes values position by position, so both must have the same number.${where}`;
}

/** The metric of the figure. A position that the text does not have is left to the API, which refuses it. */
export function measureOf({ answer, against, position }: FigureState, loss: boolean): Measure {
  return { answer, against, position, loss };
}

/** What is measured, in words. */
export function metricWords({ answer, against, loss }: Measure): string {
  const logit = (token: string | number) =>
    `logit of ${typeof token === "number" ? `token ${token}` : announced(token)}`;
  if (loss) return "loss";
  if (answer === null) return "";
  return against === null ? logit(answer) : `${logit(answer)} minus ${logit(against)}`;
}

/** The choices that every sweep has. */
export function sweepControls(
  { direction, loss, normalized }: SweepSettings,
  hasNormalized: boolean,
  remember: (settings: Partial<SweepSettings>) => void,
) {
  const choice = (
    label: string,
    options: readonly [string, string, boolean, Partial<SweepSettings>][],
  ) =>
    html`<span class="choice" role="group" aria-label=${label}>${options.map(([text, title, isPressed, settings]) => html`<button title=${title} aria-pressed=${isPressed} @click=${() => remember(settings)}>${text}</button>`)}</span>`;
  return html`
    ${choice("direction", [
      [
        "denoise",
        "clean values into the corrupted run: what suffices for the answer",
        direction === "denoise",
        { direction: "denoise" },
      ],
      [
        "noise",
        "corrupted values into the clean run: what the answer needs",
        direction === "noise",
        { direction: "noise" },
      ],
    ])}
    ${choice("metric", [
      ["logits", "the logit of the answer, less that of the wrong answer", !loss, { loss: false }],
      ["loss", "the mean loss of the tokens of the patched prompt", loss, { loss: true }],
    ])}
    ${
      hasNormalized
        ? choice("numbers", [
            [
              "normalized",
              "1 is the clean run, 0 the corrupted run",
              normalized,
              { normalized: true },
            ],
            ["raw", "the metric itself", !normalized, { normalized: false }],
          ])
        : ""
    }
  `;
}

/**
 * What the numbers are between, in words.
 * @param more what else there is to say
 */
export function runsSentence(
  { clean, corrupted, normalized }: Sweep,
  topic: SweepTopic,
  more: string,
) {
  const number = (value: number) => html`<span class="mono">${numberText(value)}</span>`;
  const values =
    topic.direction === "denoise"
      ? html`Clean values go into the corrupted run: what suffices to bring the answer back.`
      : html`Corrupted values go into the clean run: what the answer needs.`;
  return html`<p class="runs">${values} ${capitalized(topic.metric)}: ${number(clean)} in the clean run, ${number(corrupted)} in the corrupted run.${topic.isEstimate ? " All numbers are estimates from one backward pass, to first order." : ""}${normalized ? "" : " They are the same or not finite, so nothing can be normalized."} <span class="soft">${more}</span></p>`;
}

function capitalized(text: string) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function numberText(value: number) {
  return Number.isFinite(value) ? value.toFixed(4).replace("-", "−") : "not finite";
}

/** The tokens of both prompts. */
export function tokensOfBoth(prompts: { reading: Reading; corrupted: Reading }): {
  clean: readonly Token[];
  corrupted: readonly Token[];
} {
  return { clean: prompts.reading.tokens, corrupted: prompts.corrupted.tokens };
}
