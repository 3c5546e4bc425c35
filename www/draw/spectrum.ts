// Where the parts of two small plots are: singular values as columns, and eigenvalues as points of the complex plane.

export type Column = { x: number; y: number; width: number; height: number };

/** One column for each value, with the largest as high as the plot. A value that is not finite has the full height. */
export function columnsOf(values: ArrayLike<number>, width: number, height: number): Column[] {
  let max = 0;
  for (let i = 0; i < values.length; i++)
    if (Number.isFinite(values[i])) max = Math.max(max, values[i]);
  const step = width / Math.max(1, values.length);
  const gap = step >= 4 ? 1 : 0;
  return Array.from({ length: values.length }, (_, i) => {
    const share = Number.isFinite(values[i]) ? values[i] / (max || 1) : 1;
    const tall = Math.max(0.5, share * height);
    return { x: i * step, y: height - tall, width: Math.max(0.5, step - gap), height: tall };
  });
}

export interface Plane {
  /** The magnitude at the edge. */
  max: number;
  /** The place of a complex number; the middle of the plot is zero, and the imaginary axis points up. */
  place: (re: number, im: number) => { x: number; y: number };
}

/**
 * The complex plane around zero with the same scale on both axes.
 * @param parts the real and the imaginary part of each number, one after the other
 * @param size of the square
 * @param margin for points at the edge
 */
export function planeOf(parts: ArrayLike<number>, size: number, margin: number): Plane {
  let max = 0;
  for (let i = 0; i < parts.length; i++)
    if (Number.isFinite(parts[i])) max = Math.max(max, Math.abs(parts[i]));
  const unit = (size / 2 - margin) / (max || 1);
  return { max, place: (re, im) => ({ x: size / 2 + re * unit, y: size / 2 - im * unit }) };
}
