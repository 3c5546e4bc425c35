// Numbers as text: a value that is not finite has a word or a sign, and a minus is U+2212.

/** The words for NaN in a sentence. */
export const NOT_A_NUMBER = "not a number";

/** @param digits formats a finite number */
export function formatNumber(value: number | null | undefined, digits: (value: number) => string) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_A_NUMBER;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return digits(value).replace("-", "−");
}

/** Attention or a score between 0 and 1, with two decimals. */
export function formatAttention(value: number) {
  return formatNumber(value, (finite) => finite.toFixed(2));
}

/** A log-probability or a loss in nats, with two decimals. */
export function formatLogProb(value: number) {
  return formatNumber(value, (finite) => finite.toFixed(2));
}

/** @param digits significant digits */
export function formatSignificant(value: number, digits: number) {
  return formatNumber(value, (finite) => finite.toPrecision(digits));
}

/** The shortest text with at most `digits` significant digits. 7 give every digit that an f32 holds. */
export function formatShort(value: number, digits: number) {
  return formatNumber(value, (finite) => Number(finite.toPrecision(digits)).toString());
}

/** A count with thousands separators. The first `toLocaleString` of a page takes 70 ms, so this is done by hand. */
export function formatCount(count: number) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A size in bytes, in decimal units as file sizes are given. */
export function formatBytes(count: number) {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(0)} kB`;
  if (count < 1e9) return `${(count / 1e6).toFixed(1)} MB`;
  return `${(count / 1e9).toFixed(2)} GB`;
}
