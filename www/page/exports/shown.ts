// What the page shows now, and why nothing of it can be exported: numbers of another text, or none.

import { entryOf, isView } from "../../elements/views/index.js";
import type { FigureView } from "../../elements/views/view.js";
import { page, session, state } from "../state.js";

/** Why nothing can be exported now; null if the figure shows the text of the box. */
export function whyNotRead(): string | null {
  if (state.generating) return "the model is writing the text: wait for it, or stop it";
  if (!session.reading) return "no text is read yet";
  return !session.isRead || page.figure.stale
    ? "the figure shows a former text or model: wait until the new one is read"
    : null;
}

/** Why what the views show cannot be exported now; null if it is about the text, and complete. */
export function whyNotComputed(): string | null {
  const { figure } = page;
  if (figure.needs) return "what the view shows is not computed yet: wait for it";
  for (const name of Object.keys(figure.requests)) {
    const { isCurrent = false, error = null } = session.results[name] ?? {};
    if (error) return `what “${titleOf(name)}” shows could not be computed`;
    if (!isCurrent)
      return `what “${titleOf(name)}” shows is not computed yet: press its button first`;
  }
  return null;
}

function titleOf(name: string) {
  return entryOf(name).title;
}

/** The elements of the views on show: one, or two beside each other. */
export function shownViews(): FigureView[] {
  const panels = page.figure.renderRoot.querySelectorAll("section.view > *");
  return [...panels].filter((one): one is FigureView =>
    isView((one as Partial<FigureView>).name ?? ""),
  );
}

/**
 * Notes what the numbers on the page depend on.
 * @returns whether they still do: a file that was made while something changed may be partly about each
 */
export function watchShown(): () => boolean {
  const noted = shownNow();
  return () => shownNow().every((one, at) => one === noted[at]);
}

function shownNow(): readonly unknown[] {
  const { reading, model, corrupted } = session;
  const { layer, head, view, beside, views } = page.figure;
  return [model, reading?.ids, corrupted?.ids, layer, head, view, beside, views];
}
