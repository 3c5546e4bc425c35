// The tree of the model: what it shows of the present text, and the view that it opens.

import { page, session, store } from "./state.js";

/**
 * The values at hook points that the tree shows are those of the text that was read last, with its interventions. A closed section
 * runs no text.
 */
export function showTreeText() {
  const { model, reading } = session;
  if (!model || !reading || !session.isRead || !page.parameters.open) return;
  const { ids, tokens, interventions } = reading;
  page.tree.activation = async (name: string) => {
    const { cache } = await model.runWithCache(ids, { names: [name], interventions });
    return { tensor: cache.get(name), tokens };
  };
}

/** Gives the tree what the state says. Its section opens if something is selected that was not. */
export function showTree() {
  const { tree: selected, treeSearch: search } = store.state;
  if (selected !== "" && selected !== page.tree.selected) page.parameters.open = true;
  Object.assign(page.tree, { selected, search });
}

/** Keeps what the visitor selected and searched for. */
export function keepTree({ selected, search }: { selected: string; search: string }) {
  const choice = { tree: selected, treeSearch: search };
  const isSearch = selected === store.state.tree;
  store.dispatch({ type: "choose", choice }, { merge: isSearch ? "tree search" : undefined });
}

/** Shows a hook point in the activations view. */
export function openPoint({ name }: { name: string }) {
  store.dispatch({ type: "choose", choice: { view: "activations", hook: name } });
  page.figure.scrollIntoView({ block: "start" });
}
