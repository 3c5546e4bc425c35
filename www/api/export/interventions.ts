// Interventions as text, for files of the numbers that they changed.

/** A longer list of numbers is written as its length: the file says what was changed, not every value. */
const MAX_NUMBERS = 1024;

/** @param interventions as they are sent to the worker: plain data with typed arrays. @returns JSON; empty for none */
export function interventionsText(interventions: unknown): string {
  if (!Array.isArray(interventions) || interventions.length === 0) return "";
  return JSON.stringify(interventions, (_, value: unknown) => {
    if (!ArrayBuffer.isView(value)) return value;
    const numbers = value as Float32Array;
    return numbers.length > MAX_NUMBERS ? `${numbers.length} numbers` : Array.from(numbers);
  });
}
