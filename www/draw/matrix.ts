// Attention patterns as matrices, and max-pooling.

/** What `cache.get` returns, as far as drawing needs it. Row-major. `labels` names the positions of an axis. */
export type Tensor = {
  data: Float32Array;
  shape: readonly number[];
  axes: readonly string[];
  labels?: Readonly<Record<string, readonly string[]>>;
};
/** Row-major. In a pattern rows are queries and columns are keys. */
export type Matrix = { data: Float32Array; rows: number; columns: number };
/** A cell of an attention pattern. */
export type Pair = { query: number; key: number };
/** A cell of an attention pattern; with one of the two fields, a row or a column. */
export type Band = { query?: number; key?: number };

/** The length of an axis; 1 if the tensor does not have it. */
export function sizeOf(tensor: Tensor, axis: string) {
  const at = tensor.axes.indexOf(axis);
  return at < 0 ? 1 : tensor.shape[at];
}

/**
 * One head of a [batch head query key] or [head query key] tensor, without copying. A [query key] tensor has one head.
 */
export function headMatrix(tensor: Tensor, head: number): Matrix {
  const rows = sizeOf(tensor, "query");
  const columns = sizeOf(tensor, "key");
  const start = head * rows * columns;
  return { data: tensor.data.subarray(start, start + rows * columns), rows, columns };
}

/** Whether the causal mask hides a key from a query. The last row attends to every key. */
export function masked(matrix: Matrix, row: number, column: number) {
  return column > row + matrix.columns - matrix.rows;
}

/** How many values outside the causal mask are not finite. */
export function countUnmaskedNotFinite(matrix: Matrix) {
  let count = 0;
  for (let row = 0; row < matrix.rows; row++) {
    for (let column = 0; column < matrix.columns && !masked(matrix, row, column); column++)
      if (!Number.isFinite(matrix.data[row * matrix.columns + column])) count += 1;
  }
  return count;
}

/** The keys that a query attends to most, the strongest first. NaN comes before all numbers. */
export function strongestKeys(matrix: Matrix, query: number, count: number) {
  const row = matrix.data.subarray(query * matrix.columns, (query + 1) * matrix.columns);
  const order = (key: number) => (Number.isNaN(row[key]) ? Number.MAX_VALUE : row[key]);
  return Array.from(row.keys())
    .filter((key) => !masked(matrix, query, key))
    .sort((a, b) => order(b) - order(a))
    .slice(0, count);
}

/**
 * Each factor × factor block becomes its maximum, so that no bright cell is lost; NaN if one of its unmasked values is NaN.
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
 * Max-pools into exactly `bins` rows and columns; block sizes differ by at most one token. So thumbnails have one size
 * for texts of any length.
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
      if (value > data[at] || Number.isNaN(value)) data[at] = value; // no value is greater than NaN, so NaN stays
    }
  }
  return { data, rows: bins, columns: bins };
}

/**
 * Max-pools all heads of a tensor to at most `max` rows: enough for a thumbnail of a long text.
 * @returns axes head, query, key
 */
export function thumbnail(tensor: Tensor, max: number): Tensor {
  const heads = sizeOf(tensor, "head");
  const factor = Math.max(1, Math.ceil(sizeOf(tensor, "query") / max));
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
 * The pattern after more queries: existing rows keep their values, new rows are appended, and masked values are zero.
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

/** The largest absolute value of the finite values; 0 if all are 0. */
export function maxAbs({ data }: Matrix) {
  let max = 0;
  for (const value of data)
    if (Number.isFinite(value) && Math.abs(value) > max) max = Math.abs(value);
  return max;
}
