// Seeded random choices, the same in Node and in a page.

/** A generator of numbers in [0, 1): mulberry32. @param {number} seed */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Choices drawn from one generator. */
export class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.next = generator(seed);
  }

  /** A whole number from 0 to `below` - 1. @param {number} below */
  below(below) {
    return Math.floor(this.next() * below);
  }

  /** @param {number} probability */
  chance(probability) {
    return this.next() < probability;
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.below(list.length)];
  }

  /** A list of up to `length` values. @template T @param {number} length @param {() => T} make @returns {T[]} */
  list(length, make) {
    return Array.from({ length: this.below(length + 1) }, make);
  }
}
