// Summaries of repeated measurements.

/** @param {number[]} values @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** The median of all values but the first, which is the warm-up. @param {number[]} values */
export function warmMedian(values) {
  return median(values.length > 1 ? values.slice(1) : values);
}

/**
 * The same record with each value replaced.
 * @template T, R @param {Record<string, T>} record @param {(value: T) => R} change @returns {Record<string, R>}
 */
export function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
