// Values as JavaScript source text.

/** A line that is longer is broken. */
const MAX_LINE = 100;

/** Source text that stands for itself in a literal: the name of a variable, or a call. */
export class Code {
  constructor(readonly text: string) {}
}

/** A value as a literal. Fields that are undefined are left out. */
export function literal(value: unknown, indent = ""): string {
  if (value instanceof Code) return value.text;
  if (ArrayBuffer.isView(value)) return literal(Array.from(value as Float32Array), indent);
  if (Array.isArray(value)) {
    const items = value.map((one) => literal(one, `${indent}  `));
    return joined(
      "[",
      items,
      "]",
      indent,
      value.every((one) => typeof one === "number"),
    );
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, one]) => one !== undefined);
    const items = fields.map(([name, one]) => field(name, literal(one, `${indent}  `)));
    return joined("{", items, "}", indent, false);
  }
  if (typeof value === "string") return text(value);
  return Object.is(value, -0) ? "-0" : String(value); // NaN and infinities are names
}

/** JSON, which JavaScript reads as the same text. */
function text(value: string) {
  return JSON.stringify(value);
}

/** `model: model` is `model`. */
function field(name: string, value: string) {
  const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name);
  return key === value ? key : `${key}: ${value}`;
}

/** @param isDense numbers, which stay on one line */
function joined(open: string, items: string[], close: string, indent: string, isDense: boolean) {
  if (items.length === 0) return open + close;
  const space = open === "{" ? " " : "";
  const line = `${open}${space}${items.join(", ")}${space}${close}`;
  if (isDense || (line.length + indent.length <= MAX_LINE && !line.includes("\n"))) return line;
  const lines = items.map((one) => `${indent}  ${one},\n`).join("");
  return `${open}\n${lines}${indent}${close}`;
}

/** A text that can stand in a comment to the end of a line: a line separator in it would end the comment, and begin code. */
export function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
