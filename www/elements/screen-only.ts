// What a screen needs and paper does not: controls. Exports leave it out, and so does printing.

/** Controls, and what only belongs to them. An element marks more with the class `screen-only`, and buttons that show values with `printed`. */
export const SCREEN_ONLY =
  "button:not(.printed), form, select, input, textarea, details, label:has(select, input), .controls, .found, .screen-only";
