// Two prompts token by token: which position of one belongs to which position of the other.

/** A position of each prompt; null where one prompt has no token for the other's. */
export interface AlignedPair {
  clean: number | null;
  corrupted: number | null;
  /** both hold the same token */
  isSame: boolean;
}

/**
 * Aligns two sequences of token ids. Sequences of the same length are aligned position by position, as patching does. Otherwise
 * their longest common subsequence is aligned, and the tokens between two common ones are paired from the right, because a name of
 * several tokens is known at its last one. What is left over has no partner.
 * @returns in the order of both prompts; every position of either occurs once
 */
export function align(clean: ArrayLike<number>, corrupted: ArrayLike<number>): AlignedPair[] {
  if (clean.length === corrupted.length)
    return Array.from(clean, (id, at) => ({
      clean: at,
      corrupted: at,
      isSame: id === corrupted[at],
    }));
  const pairs: AlignedPair[] = [];
  let [left, right] = [0, 0];
  for (const [cleanEnd, corruptedEnd] of [
    ...commonPositions(clean, corrupted),
    [clean.length, corrupted.length],
  ]) {
    pairs.push(...pairFromTheRight([left, cleanEnd], [right, corruptedEnd]));
    if (cleanEnd < clean.length)
      pairs.push({ clean: cleanEnd, corrupted: corruptedEnd, isSame: true });
    [left, right] = [cleanEnd + 1, corruptedEnd + 1];
  }
  return pairs;
}

/** Positions of different tokens, between two common ones. */
function pairFromTheRight(
  [cleanStart, cleanEnd]: [number, number],
  [corruptedStart, corruptedEnd]: [number, number],
): AlignedPair[] {
  const [cleanCount, corruptedCount] = [cleanEnd - cleanStart, corruptedEnd - corruptedStart];
  const paired = Math.min(cleanCount, corruptedCount);
  const alone = (start: number, count: number) =>
    Array.from({ length: count - paired }, (_, i) => start + i);
  const pair = (clean: number | null, corrupted: number | null) => ({
    ...{ clean, corrupted },
    isSame: false,
  });
  return [
    ...alone(cleanStart, cleanCount).map((at) => pair(at, null)),
    ...alone(corruptedStart, corruptedCount).map((at) => pair(null, at)),
    ...Array.from({ length: paired }, (_, i) =>
      pair(cleanEnd - paired + i, corruptedEnd - paired + i),
    ),
  ];
}

/** The positions of a longest common subsequence, in order. Of several, the one that matches earliest. */
function commonPositions(a: ArrayLike<number>, b: ArrayLike<number>): [number, number][] {
  const width = b.length + 1;
  /** [i, j]: the length of the longest common subsequence of a from i and b from j */
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      lengths[at] =
        a[i] === b[j]
          ? lengths[at + width + 1] + 1
          : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  const found: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) found.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return found;
}

/** The parts in which two prompts have different numbers of tokens, as the positions of each. */
export function unequalParts(
  pairs: readonly AlignedPair[],
): { clean: number[]; corrupted: number[] }[] {
  const parts: { clean: number[]; corrupted: number[] }[] = [];
  let part: { clean: number[]; corrupted: number[] } | null = null;
  for (const { clean, corrupted, isSame } of pairs) {
    if (isSame) {
      part = null;
      continue;
    }
    if (!part) parts.push((part = { clean: [], corrupted: [] }));
    if (clean !== null) part.clean.push(clean);
    if (corrupted !== null) part.corrupted.push(corrupted);
  }
  return parts.filter((one) => one.clean.length !== one.corrupted.length);
}
