// How fast this browser's last download from another host was, for the times that the chooser gives.

const KEY = "candlescope-rate";
/** A smaller download says little: most of its time is waiting. */
const MIN_BYTES = 5e6;

/** Bytes a second; 0 if nothing was measured. */
export function measuredRate(): number {
  try {
    const rate = Number(localStorage.getItem(KEY));
    return rate > 0 && Number.isFinite(rate) ? rate : 0;
  } catch {
    return 0;
  }
}

/** Remembers a download. */
export function rememberRate(bytes: number | null, milliseconds: number) {
  if (bytes === null || bytes < MIN_BYTES || milliseconds <= 0) return;
  try {
    localStorage.setItem(KEY, String(Math.round((1000 * bytes) / milliseconds)));
  } catch {
    // Without storage it is measured again.
  }
}
