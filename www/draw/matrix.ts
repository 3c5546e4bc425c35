// A head's pattern as a matrix, sliced out of a captured tensor without copying; and max-pooling.

/** What cache.get returns; elements need no more of it than this. */
export type Tensor = { data: Float32Array; shape: readonly number[]; axes: readonly string[] };
/** row-major; rows are queries, columns keys */
export type Matrix = { data: Float32Array; rows: number; columns: number };

export function sizeOf(tensor: Tensor, axis: string) {
  const at = tensor.axes.indexOf(axis);
  return at < 0 ? 1 : tensor.shape[at];
}

/**
 * One head of a [batch head query key] or [head query key] tensor; a [query key] tensor is its own only head.
 */
export function headMatrix(tensor: Tensor, head: number): Matrix {
  const rows = sizeOf(tensor, "query");
  const columns = sizeOf(tensor, "key");
  const start = head * rows * columns;
  return { data: tensor.data.subarray(start, start + rows * columns), rows, columns };
}

/** The future that a query may not see. */
export function masked(matrix: Matrix, row: number, column: number) {
  return column > row + matrix.columns - matrix.rows;
}

/**
 * Every factor × factor block becomes its maximum, so that no bright cell is lost; NaN if it holds one that a query may see.
 */
export function maxPool(matrix: Matrix, factor: number): Matrix {
  if (factor === 1) return matrix;
  const rows = Math.ceil(matrix.rows / factor);
  const columns = Math.ceil(matrix.columns / factor);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < matrix.rows; row++) {
    const from = row * matrix.columns;
    const to = Math.floor(row / factor) * columns;
    for (let column = 0; column < matrix.columns; column++) {
      const at = to + Math.floor(column / factor);
      const value = matrix.data[from + column];
      if (value > data[at] || (Number.isNaN(value) && !masked(matrix, row, column)))
        data[at] = value;
    }
  }
  return { data, rows, columns };
}

/**
 * Pooled into exactly `bins` rows and columns, blocks differing by one token at most: thumbnails of one size for texts of any length.
 * @param matrix square
 */
export function maxPoolTo(matrix: Matrix, bins: number): Matrix {
  if (matrix.rows <= bins) return matrix;
  const bin = Uint32Array.from({ length: matrix.rows }, (_, at) =>
    Math.floor((at * bins) / matrix.rows),
  );
  const data = new Float32Array(bins * bins);
  for (let row = 0; row < matrix.rows; row++) {
    for (let column = 0; column <= row; column++) {
      const at = bin[row] * bins + bin[column];
      const value = matrix.data[row * matrix.columns + column];
      if (value > data[at] || Number.isNaN(value)) data[at] = value; // nothing is greater than NaN, so NaN stays
    }
  }
  return { data, rows: bins, columns: bins };
}

/**
 * All heads of a tensor pooled until at most `most` rows are left: what a thumbnail needs of a long text.
 * @returns axes head, query, key
 */
export function thumbnail(tensor: Tensor, most: number): Tensor {
  const heads = sizeOf(tensor, "head");
  const factor = Math.max(1, Math.ceil(sizeOf(tensor, "query") / most));
  const pooled = Array.from({ length: heads }, (_, head) =>
    maxPool(headMatrix(tensor, head), factor),
  );
  const size = pooled[0].data.length;
  const data = new Float32Array(heads * size);
  pooled.forEach((matrix, head) => data.set(matrix.data, head * size));
  return {
    data,
    shape: [heads, pooled[0].rows, pooled[0].columns],
    axes: ["head", "query", "key"],
  };
}

/**
 * The pattern after `rows` more queries: old rows keep their values, new rows come below, the new future is zero.
 * @param pattern [1 head query key]
 * @param rows [1 head newer key]
 */
export function grow(pattern: Tensor, rows: Tensor): Tensor {
  const heads = sizeOf(pattern, "head");
  const old = sizeOf(pattern, "query");
  const size = sizeOf(rows, "key");
  const data = new Float32Array(heads * size * size);
  for (let head = 0; head < heads; head++) {
    const before = headMatrix(pattern, head);
    for (let row = 0; row < old; row++) {
      data.set(before.data.subarray(row * old, (row + 1) * old), (head * size + row) * size);
    }
    data.set(headMatrix(rows, head).data, (head * size + old) * size);
  }
  return { data, shape: [1, heads, size, size], axes: ["batch", "head", "query", "key"] };
}
