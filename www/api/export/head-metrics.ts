// Numbers that place a head among others, of its attention over some texts, as HeadVis defines them (data_pipeline.py).

/** The attention of one head on one text: T × T, row-major, 0 above the diagonal. */
export interface HeadText {
  pattern: Float32Array;
  tokens: readonly string[];
}

/** What HeadVis shows as the axes of its scatter plot, with the words for a tooltip. */
export const METRICS = {
  self_attention_score: "mean attention to the own position",
  previous_token_score: "mean attention to the previous position",
  pattern_entropy: "mean entropy of each query's attention, in nats",
  qk_distance: "mean distance from query to key, weighted by attention",
  qk_distance_variance: "variance of the distance from query to key, weighted by attention",
  induction_score:
    "mean attention to the position after an earlier occurrence of the query's token",
};

/** A head whose attention is 0 everywhere, as after an intervention, has no distance: JSON would make null of it, which is drawn at 0. */
export type HeadMetrics = Partial<Record<keyof typeof METRICS, number>>;

/** The largest attention outside of the first row and the first column, which HeadVis leaves out of every maximum. */
export function maxActivation({ pattern, tokens }: HeadText): number {
  const length = tokens.length;
  let max = 0;
  for (let query = 1; query < length; query++)
    for (let key = 1; key <= query; key++) max = Math.max(max, pattern[query * length + key]);
  return max;
}

/** Means over every position of every text. @param texts of at least two tokens each */
export function headMetrics(texts: readonly HeadText[]): HeadMetrics {
  let [positions, own, previous, entropy, induction] = [0, 0, 0, 0, 0];
  let [mass, distance, squares] = [0, 0, 0];
  for (const { pattern, tokens } of texts) {
    const length = tokens.length;
    positions += length;
    for (let query = 0; query < length; query++) {
      for (let key = 0; key <= query; key++) {
        const value = pattern[query * length + key];
        const away = query - key;
        if (away === 0) own += value;
        if (away === 1) previous += value;
        if (key > 0 && tokens[key - 1] === tokens[query]) induction += value;
        if (value > 0) entropy -= value * Math.log(value);
        mass += value;
        distance += value * away;
        squares += value * away * away;
      }
    }
  }
  const mean = distance / mass;
  const distances = {
    qk_distance: mean,
    qk_distance_variance: Math.max(0, squares / mass - mean * mean),
  };
  return {
    self_attention_score: own / positions,
    previous_token_score: previous / (positions - texts.length), // the first token has no previous one
    pattern_entropy: entropy / positions,
    ...(mass === 0 ? {} : distances),
    induction_score: induction / positions,
  };
}

/** How much attention the texts' tokens give ("query") or get ("key"), by token, as shares of all of it. Empty if there is none. */
export function topTokens(texts: readonly HeadText[], side: "query" | "key", count: number) {
  const sums = new Map<string, number>();
  let total = 0;
  for (const { pattern, tokens } of texts)
    for (let query = 0; query < tokens.length; query++)
      for (let key = 0; key <= query; key++) {
        const value = pattern[query * tokens.length + key];
        const token = tokens[side === "query" ? query : key];
        sums.set(token, (sums.get(token) ?? 0) + value);
        total += value;
      }
  if (total === 0) return [];
  return [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([token, weight]) => ({ token, weight: weight / total }));
}
