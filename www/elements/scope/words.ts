// The words of sentences about attributes.

/** `view="lents"`, shortened. */
export function attribute(name: string, value: unknown) {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `\`${name.toLowerCase()}="${text.length > 60 ? `${text.slice(0, 59)}…` : text}"\``;
}

export function listed(names: readonly string[]) {
  return names.map((name) => `\`${name}\``).join(", ");
}

/** "layers 0 to 3" */
export function range(noun: string, count: number) {
  return count === 1 ? `only ${noun} 0` : `${noun}s 0 to ${count - 1}`;
}
