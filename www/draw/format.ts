// Numbers as text: a value that is not finite has a word or a sign, and a minus is U+2212.

/** The words for NaN in a sentence. */
export const NOT_A_NUMBER = "not a number";

/** @param digits formats a finite number */
export function formatNumber(value: number | null | undefined, digits: (value: number) => string) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_A_NUMBER;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return digits(value).replaceAll("-", "−");
}

/** Attention or a score between 0 and 1, with two decimals. */
export function formatAttention(value: number) {
  return formatNumber(value, (finite) => finite.toFixed(2));
}

/** A log-probability or a loss in nats, with two decimals. */
export function formatLogProb(value: number) {
  return formatNumber(value, (finite) => finite.toFixed(2));
}

/** A probability: two decimals, or as many as a small one needs, or as one that is almost 1 needs to differ from 1. */
export function formatProbability(value: number) {
  return formatNumber(value, (finite) => {
    if (finite > 0.995 && finite < 1)
      return finite.toFixed(Math.min(7, Math.ceil(-Math.log10(1 - finite))));
    if (finite === 0 || finite >= 0.0995) return finite.toFixed(2);
    return finite >= 0.00095 ? finite.toPrecision(2) : finite.toExponential(1);
  });
}

/** The most decimals of a change. The numbers are f32. */
const MAX_DECIMALS = 7;

/**
 * Two numbers with as many decimals as their difference needs: 0.0104 and 0.0098.
 * @param alone formats a number that would be 0 with these decimals, or that does not change
 */
export function formatChange(
  before: number,
  after: number,
  alone: (value: number) => string = formatLogProb,
): [before: string, after: string] {
  const difference = Math.abs(before - after);
  if (!Number.isFinite(difference) || difference === 0) return [alone(before), alone(after)];
  const needed = Math.ceil(Math.log10(2 / difference) - 1e-9);
  const decimals = Math.max(2, Math.min(MAX_DECIMALS, needed));
  const format = (value: number) =>
    needed > MAX_DECIMALS
      ? formatShort(value, 7)
      : value !== 0 && Math.abs(value) < 10 ** -decimals
        ? alone(value)
        : formatNumber(value, (finite) => finite.toFixed(decimals));
  return [format(before), format(after)];
}

/** Two probabilities with as many digits as their difference needs. */
export function formatProbabilities(before: number, after: number) {
  return formatChange(before, after, formatProbability);
}

/** @param digits significant digits */
export function formatSignificant(value: number, digits: number) {
  return formatNumber(value, (finite) => finite.toPrecision(digits));
}

/** The shortest text with at most `digits` significant digits. 7 give every digit that an f32 holds. */
export function formatShort(value: number, digits: number) {
  return formatNumber(value, (finite) => Number(finite.toPrecision(digits)).toString());
}

/** The shortest text that an f32 is read back from, so that no digit of it is lost; a whole number of 32 bits as it is. */
export function formatExact(value: number) {
  return formatNumber(value, (finite) => {
    if (Math.fround(finite) !== finite) return String(finite);
    let digits = 1;
    while (digits < 9 && Math.fround(Number(finite.toPrecision(digits))) !== finite) digits += 1;
    return Number(finite.toPrecision(digits)).toString();
  });
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
