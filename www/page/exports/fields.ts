// What the visitor chooses for the files of a group of the export menu. It lasts until the page is closed.

import type { ExportField } from "../../elements/export-menu.js";

/** A choice that the entries of a group share. */
export interface PageField extends Pick<ExportField, "name" | "group" | "label"> {
  /** the value until the visitor chooses another one */
  fallback: string;
  /** the values with their words; absent for a text */
  choices?: () => readonly (readonly [value: string, title: string])[];
  /** what a text may be */
  suggestions?: () => readonly string[];
  /** what the present value means */
  says?: () => string;
  /** why it cannot be used; empty if it can */
  problem?: () => string;
}

const values: Map<string, string> = new Map();

export function chooseField(name: string, value: string) {
  values.set(name, value);
}

/** The value of a field. One that is no choice any more, because the page shows something else, is the first one. */
export function chosenValue({ name, fallback, choices }: PageField): string {
  const value = values.get(name) ?? fallback;
  const offered = choices?.();
  if (!offered || offered.some(([one]) => one === value)) return value;
  return offered[0]?.[0] ?? fallback;
}

/** As the menu shows it; null if there is no value. */
export function fieldOf(field: PageField): ExportField | null {
  const { name, group, label } = field;
  const choices = field.choices?.();
  if (choices && choices.length === 0) return null;
  return {
    ...{ name, group, label, choices, value: chosenValue(field) },
    ...{ suggestions: field.suggestions?.(), says: field.says?.(), problem: field.problem?.() },
  };
}
