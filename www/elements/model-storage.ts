// <model-storage>: the copies of models that this browser keeps, with their sizes, the room that there is, and buttons that remove
// one copy or all of them.

import { css, html } from "lit";

import { formatBytes } from "../draw/format.js";
import { plural } from "../session/architecture.js";
import { formatAgo, type StoredCopy } from "../session/gallery.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

/** A copy, and the bytes of its file. */
export type KeptModel = StoredCopy & { bytes: number };

/** What `navigator.storage.estimate()` gives. */
export type Room = { usage?: number; quota?: number };

export interface ModelStorageEvents {
  /** the key of a copy, or null for all of them */
  "storage-clear": string | null;
}

export class ModelStorage extends TypedElement<ModelStorageEvents> {
  static override properties = {
    copies: { attribute: false },
    room: { attribute: false },
    isAsking: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.88rem;
      }
      ul {
        margin: 0.3rem 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.1rem 0.8rem;
        padding: 0.3rem 0;
        border-top: 1px solid var(--line);
      }
      .what {
        flex: 1 1 14rem;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .name {
        font-weight: 600;
      }
      p {
        margin: 0.2rem 0;
      }
      button {
        font-size: 0.82rem;
        padding: 0.1em 0.7em;
      }
      .ask {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.3rem 0.6rem;
        padding: 0.35rem 0.7rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
      }
    `,
  ];

  /** Null while it is not known, or if the browser does not say. */
  declare copies: readonly KeptModel[] | null;
  declare room: Room | null;
  /** Whether all copies are really to be removed. */
  declare isAsking: boolean;

  constructor() {
    super();
    this.copies = null;
    this.room = null;
    this.isAsking = false;
  }

  override render() {
    const { copies } = this;
    if (copies === null)
      return html`<p class="soft">The browser does not say which models it keeps.</p>`;
    const total = copies.reduce((sum, { bytes }) => sum + bytes, 0);
    return html`
      <p role="status" tabindex="-1">${this.#summary(copies, total)}</p>
      ${copies.length > 0 ? html`<ul aria-label="copies that this browser keeps">${copies.map((one) => this.#copy(one))}</ul>` : ""}
      ${copies.length > 0 ? this.#clear(copies, total) : ""}
    `;
  }

  #summary(copies: readonly KeptModel[], total: number) {
    const { usage, quota } = this.room ?? {};
    const kept =
      copies.length === 0
        ? "This browser keeps no model. Models from an address are kept after a load, so that the next visit needs no download."
        : `${plural(copies.length, "copy").replace("copys", "copies")}, ${formatBytes(total)} together.`;
    const room =
      quota === undefined
        ? ""
        : ` The browser gives this site up to ${formatBytes(quota)}${usage === undefined ? "" : `, of which ${formatBytes(usage)} are used`}. It may remove copies when the disk is full.`;
    return kept + room;
  }

  #copy({ key, name, address, family, dtype, bytes, lastUsed }: KeptModel) {
    const facts = [
      formatBytes(bytes),
      dtype,
      family,
      address ?? "from disk",
      `used ${formatAgo(Date.now() - Number(lastUsed))}`,
    ];
    return html`<li>
      <span class="what"><span class="name">${name}</span> <span class="soft">${facts.join(" · ")}</span></span>
      <button aria-label="remove the copy of ${name} in ${dtype}" @click=${() => this.#remove(key)}>remove</button>
    </li>`;
  }

  #clear(copies: readonly KeptModel[], total: number) {
    if (!this.isAsking) return html`<button class="all" @click=${this.#ask}>remove all</button>`;
    const clear = () => {
      this.isAsking = false;
      this.#remove(null);
    };
    return html`<div class="ask" role="group" aria-label="remove all copies" @keydown=${this.#onKey}>
      <span>Remove ${copies.length === 1 ? "the copy" : `all ${copies.length} copies`} (${formatBytes(total)})? Models from an address must then be downloaded again.</span>
      <button class="yes" @click=${clear}>remove</button>
      <button class="no" @click=${this.#keep}>keep</button>
    </div>`;
  }

  /** The button that had the focus goes: the line that says what is left takes it. */
  #remove(key: string | null) {
    this.renderRoot.querySelector<HTMLElement>("[role=status]")?.focus();
    this.emit("storage-clear", key);
  }

  /** The question takes the focus, and gives it back. */
  async #ask() {
    this.isAsking = true;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".no")?.focus();
  }

  async #keep() {
    this.isAsking = false;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".all")?.focus();
  }

  #onKey(event: KeyboardEvent) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.#keep();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-storage": ModelStorage;
  }
}
