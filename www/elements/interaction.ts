/** Announces a sentence in a live region, once the pointer rests. */
export class LiveRegion {
  timer = 0;
  say(region: Element | null | undefined, sentence: string) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (region) region.textContent = sentence;
    }, 120);
  }
}
