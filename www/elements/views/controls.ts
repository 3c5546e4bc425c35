// Controls that views share: a row of choices, a number, and the styles of what stands above and below a picture.

import { css, html } from "lit";

export const controlStyles = css`
  .controls {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 1.1rem;
    margin: 0 0 0.7rem;
    font-size: 0.88rem;
  }
  .controls > label,
  .controls > .labelled {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
    color: var(--soft);
  }
  .controls input[type="number"] {
    width: 5rem;
    font-family: var(--mono);
    font-size: 0.82rem;
    color: var(--ink);
  }
  .controls select {
    font-size: 0.85rem;
    color: var(--ink);
  }
  .note {
    margin: 0 0 0.6rem;
    font-size: 0.92rem;
    max-width: 56rem;
    overflow-wrap: anywhere;
  }
  .warning {
    padding: 0.4rem 0.7rem;
    border-left: 3px solid var(--flame);
    border-radius: 3px;
    background: var(--glow);
  }
  .chip {
    color: var(--ink);
    background: var(--glow);
    border-radius: 3px;
    padding: 0.05em 0.25em;
    font-family: var(--mono);
    font-size: 0.88em;
    white-space: pre;
  }
  h2 {
    margin: 1rem 0 0.35rem;
    font-size: 0.98rem;
    font-weight: 600;
  }
`;

/** Pictures under each other; beside each other where there is room. */
export const partStyles = css`
  .parts {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.4rem 1.6rem;
    align-items: start;
  }
  @container figure (min-width: 760px) {
    .parts {
      grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    }
  }
`;

/** A group of buttons of which one is pressed. `options` are values and their titles. */
export function choiceOf<T extends string>(
  label: string,
  options: readonly (readonly [T, string])[],
  value: T,
  onChange: (value: T) => void,
) {
  return html`<span class="labelled"><span>${label}</span><span class="choice" role="group" aria-label=${label}>
    ${options.map(([one, title]) => html`<button aria-pressed=${one === value} @click=${() => onChange(one)}>${title}</button>`)}
  </span></span>`;
}

/** A whole number within bounds. Another entry is put back. */
export function numberOf(
  label: string,
  { name, value, min, max }: { name: string; value: number; min: number; max?: number },
  onChange: (value: number) => void,
) {
  const change = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const isFit = input.value !== "" && input.validity.valid;
    if (isFit) onChange(Number(input.value));
    else input.value = String(value);
  };
  return html`<label>${label} <input type="number" name=${name} min=${min} max=${max ?? ""} step="1" .value=${String(value)} @change=${change} /></label>`;
}
