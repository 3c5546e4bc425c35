// <model-tree>: a model's parameters as a tree of their checkpoint names, with shapes and counts.

import { css, html, LitElement } from "lit";
import type { Parameter } from "../api/generated.js";
import { formatCount } from "../draw/format.js";

import { base } from "./styles.js";

export type Branch = {
  name: string;
  count: number;
  parameter: Parameter | null;
  children: Map<string, Branch>;
};

/** A tree of the names, split at their dots, in the order of the list. */
export function branches(parameters: readonly Parameter[]): Branch {
  const root: Branch = { name: "", count: 0, parameter: null, children: new Map() };
  for (const parameter of parameters) {
    let branch = root;
    branch.count += parameter.count;
    for (const name of parameter.name.split(".")) {
      const child = branch.children.get(name) ?? {
        name,
        count: 0,
        parameter: null,
        children: new Map(),
      };
      branch.children.set(name, child);
      child.count += parameter.count;
      branch = child;
    }
    branch.parameter = parameter;
  }
  return root;
}

export class ModelTree extends LitElement {
  static override properties = {
    parameters: { attribute: false },
    count: { type: Number },
    notes: { attribute: false },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.9rem;
      }
      ul {
        list-style: none;
        margin: 0;
        padding-left: clamp(0.45rem, 2vw, 1.3rem);
        border-left: 1px solid var(--line);
      }
      ul.root {
        padding-left: 0;
        border: 0;
      }
      .line,
      summary {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto minmax(4.6rem, 7.5rem);
        gap: 0.3rem 0.8rem;
        padding: 0.1rem 0.3rem;
        border-radius: 4px;
        overflow-wrap: anywhere;
      }
      summary {
        cursor: pointer;
      }
      summary::before {
        content: "▸";
        color: var(--soft);
        width: 0.9em;
      }
      details[open] > summary::before {
        content: "▾";
      }
      summary {
        grid-template-columns: 0.9em minmax(0, 1fr) auto;
      }
      .line {
        padding-left: 1.1rem;
      }
      summary:hover,
      .line:hover {
        background: var(--glow);
      }
      .shape {
        color: var(--soft);
        text-align: right;
      }
      .count {
        text-align: right;
      }
      .total {
        margin: 0 0 0.6rem;
      }
    `,
  ];

  declare parameters: readonly Parameter[];
  /** The number of parameters of the model, in which a shared tensor counts once. */
  declare count: number | null;
  /** Sentences about what the model does not have. */
  declare notes: readonly string[];

  constructor() {
    super();
    this.parameters = [];
    this.count = null;
    this.notes = [];
  }

  override render() {
    const root = branches(this.parameters);
    return html`
      <p class="total"><span class="mono">${formatCount(this.count ?? root.count)}</span> parameters in <span class="mono">${this.parameters.length}</span> ${this.parameters.length === 1 ? "tensor" : "tensors"}. A tensor used in two places is listed, and counted, once.${this.notes.length > 0 ? ` ${this.notes.join(" ")}` : ""}</p>
      <ul class="root mono">${[...root.children.values()].map((branch) => this.#branch(branch, 0))}</ul>
    `;
  }

  #branch(branch: Branch, depth: number): unknown {
    const { parameter, children } = branch;
    if (parameter && children.size === 0) return this.#leaf(branch.name, parameter);
    const [only] = children.values();
    if (children.size === 1 && !parameter)
      return this.#branch({ ...only, name: `${branch.name}.${only.name}` }, depth);
    return html`<li>
      <details ?open=${depth === 0 && children.size > 1}>
        <summary><span>${branch.name}</span><span class="count">${formatCount(branch.count)}</span></summary>
        <ul>${[...children.values()].map((child) => this.#branch(child, depth + 1))}</ul>
      </details>
    </li>`;
  }

  #leaf(name: string, { shape, dtype, count }: Parameter) {
    return html`<li class="line" title=${dtype}>
      <span>${name}</span>
      <span class="shape">${shape.join(" × ")}</span>
      <span class="count">${formatCount(count)}</span>
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-tree": ModelTree;
  }
}
