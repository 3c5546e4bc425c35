// The snapshot that stands in an element, as the text of a script of type application/json.

import type { ReactiveController, ReactiveControllerHost } from "lit";

type Host = ReactiveControllerHost & HTMLElement;

export class InlineSnapshot implements ReactiveController {
  /** null if there is none, or if the parser has not got to it */
  text: string | null = null;

  #host: Host;
  #observer = new MutationObserver(() => this.#read());

  constructor(host: Host) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected() {
    this.#observer.observe(this.#host, { childList: true });
    document.addEventListener("DOMContentLoaded", this.#read);
    this.#read();
  }

  hostDisconnected() {
    this.#observer.disconnect();
    document.removeEventListener("DOMContentLoaded", this.#read);
  }

  #read = () => {
    if (document.readyState === "loading") return; // the parser may be inside of the script
    const script = this.#host.querySelector(':scope > script[type="application/json"]');
    const text = script?.textContent ?? null;
    if (text !== this.text) this.text = text;
    this.#host.requestUpdate(); // a caption may have come or gone too
  };
}
