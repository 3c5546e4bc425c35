// Pixels of a canvas as rectangles. Every cell of a plot is a whole number of pixels of one colour, so nothing is lost.

/** In pixels. */
export interface Run {
  x: number;
  y: number;
  width: number;
  height: number;
  /** as the Uint32 view of an ImageData */
  pixel: number;
}

/**
 * The rectangles that cover all pixels which are not transparent: runs of one colour in a row, joined with equal runs above. So a
 * cell is one rectangle, and equal neighbours in a row are one together.
 */
export function runsOf(pixels: Uint32Array<ArrayBufferLike>, columns: number, rows: number): Run[] {
  const runs: Run[] = [];
  const above: (Run | undefined)[] = new Array(columns); // by x, the run that reached the row before
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; ) {
      const pixel = pixels[y * columns + x];
      let end = x + 1;
      while (end < columns && pixels[y * columns + end] === pixel) end += 1;
      const former = above[x];
      const width = end - x;
      if (pixel >>> 24 === 0) above[x] = undefined;
      else if (former?.pixel === pixel && former.width === width && former.y + former.height === y)
        former.height += 1;
      else {
        const run = { x, y, width, height: 1, pixel };
        above[x] = run;
        runs.push(run);
      }
      x = end;
    }
  }
  return runs;
}
