// Threads on a host that sets no headers: `<script src="isolate.js"></script>` in a page, before everything else, makes it
// cross-origin isolated. The same file is the page's script and its service worker, which adds the two headers that the host
// leaves out. The first visit loads the page twice; what comes from other sites must allow it (CORS or CORP).

if (typeof document === "undefined") serve();
else register();

/** In the service worker. */
function serve() {
  const worker = /** @type {any} */ (self);
  worker.addEventListener("install", () => worker.skipWaiting());
  worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
  worker.addEventListener("fetch", (/** @type {any} */ event) => {
    // What a browser asks of its cache alone cannot be fetched again.
    if (event.request.cache === "only-if-cached" && event.request.mode !== "same-origin") return;
    event.respondWith(isolated(event.request));
  });
}

/** @param {Request} request */
async function isolated(request) {
  const response = await fetch(request);
  if (response.status === 0) return response; // of another site, and closed to us
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "cross-origin");
  const empty = [204, 205, 304].includes(response.status);
  return new Response(empty ? null : response.body, { status: response.status, statusText: response.statusText, headers });
}

/** In the page. */
async function register() {
  if (globalThis.crossOriginIsolated || !globalThis.isSecureContext || !("serviceWorker" in navigator)) return;
  const address = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  const tried = "candlescope-isolated";
  try {
    await navigator.serviceWorker.register(address);
    await navigator.serviceWorker.ready;
    if (sessionStorage.getItem(tried)) return; // it was of no use: rather one thread than a page that reloads for ever
    sessionStorage.setItem(tried, "1");
    location.reload();
  } catch (error) {
    console.info(`the page stays in one thread: ${error}`);
  }
}
