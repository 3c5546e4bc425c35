// The tree of the model: what it shows of the present text, and the view that it opens.

import { page, session, store } from "./state.js";

/** The values at hook points that the tree shows are those of the text that was read last, with its interventions. */
export function showTreeText() {
  const { model, reading } = session;
  if (!model || !reading || !session.isRead) return;
  const { ids, tokens, interventions } = reading;
  page.tree.activation = async (name: string) => {
    const { cache } = await model.runWithCache(ids, { names: [name], interventions });
    return { tensor: cache.get(name), tokens };
  };
}

/** Shows a hook point in the activations view. */
export function openPoint({ name }: { name: string }) {
  store.dispatch({ type: "choose", choice: { view: "activations", hook: name } });
  page.figure.scrollIntoView({ block: "start" });
}
