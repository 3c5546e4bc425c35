// A classic script, so that a chosen theme does not flash. The page of the lab uses the same key.
try {
  const theme = localStorage.getItem("candlescope-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A sandboxed frame has no storage.
}
