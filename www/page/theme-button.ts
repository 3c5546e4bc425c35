// The button that switches between light and dark. early.ts shows the choice on the next visit.

/** @param button is pressed to change the theme; nothing happens without one */
export function watchThemeButton(button: Element | null) {
  button?.addEventListener("click", () => {
    const { dataset } = document.documentElement;
    const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    dataset.theme = (dataset.theme ?? preferred) === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("candlescope-theme", dataset.theme);
    } catch {
      // Without storage, as in a sandboxed frame, the choice lasts until the page is closed.
    }
  });
}
