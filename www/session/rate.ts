// How fast a file is loaded, and how long the rest takes: smoothed, so that the numbers can be read.

/** The rate follows a change within about this time. */
const SMOOTHING_MS = 3000;
/** Bytes that arrive within this time are counted together. */
const MIN_INTERVAL_MS = 200;
/** A rate is known after this time. */
const WARM_UP_MS = 1000;

export class Rate {
  #start: number | null = null;
  #last = { time: 0, file: "", loaded: 0 };
  #perMs: number | null = null;

  /** Counts what is there of a file at a time, in milliseconds. Each file begins at 0. */
  add(time: number, file: string, loaded: number) {
    const { time: before, file: former, loaded: already } = this.#last;
    if (this.#start === null) this.#start = time;
    else if (file === former && loaded >= already) {
      const elapsed = time - before;
      if (elapsed < MIN_INTERVAL_MS) return;
      const current = (loaded - already) / elapsed;
      const weight = 1 - Math.exp(-elapsed / SMOOTHING_MS);
      this.#perMs = this.#perMs === null ? current : this.#perMs + weight * (current - this.#perMs);
    }
    this.#last = { time, file, loaded };
  }

  /** Bytes per second; null while it is not known, or if nothing arrives. */
  get perSecond(): number | null {
    const isKnown = this.#start !== null && this.#last.time - this.#start >= WARM_UP_MS;
    return isKnown && this.#perMs !== null && this.#perMs * 1000 >= 1 ? this.#perMs * 1000 : null;
  }

  /** Seconds until `total` bytes of the file are there; null while the rate is not known. */
  left(total: number): number | null {
    const { perSecond } = this;
    return perSecond === null ? null : Math.max(0, total - this.#last.loaded) / perSecond;
  }
}

/** A time in words, as coarse as an estimate is. */
export function formatLeft(seconds: number): string {
  if (seconds < 5) return "a few seconds left";
  if (seconds < 57.5) return `about ${5 * Math.round(seconds / 5)} s left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `about ${Math.max(1, minutes)} min left`;
  return `about ${Math.round(minutes / 60)} hours left`;
}
