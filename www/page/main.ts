// The page: the one place that knows both the model and the elements. It loads, reads, writes, and remembers in the address.

import { loadModel } from "../api/candlescope.js";
import { formatCount } from "../draw/format.js";
import { continued } from "../draw/token.js";
import * as hash from "./hash.js";
import { BUNDLED, letGo } from "./opening.js";
import { foreignHost } from "./foreign.js";
import {
  extend,
  Reader,
  type Reading,
  type Intervention,
  type Alternative,
} from "../session/reading.js";
import { strongestInduction } from "../session/scores.js";

import "../elements/define/error-notice.js";
import "../elements/define/load-consent.js";
import "../elements/define/load-progress.js";
import "../elements/define/model-chooser.js";
import "../elements/define/model-report.js";
import "../elements/define/model-tree.js";
import "../elements/define/next-tokens.js";
import "../elements/define/scope-figure.js";
import { VIEWS, type ScopeFigure } from "../elements/scope-figure.js";
import "../elements/define/switched-off.js";
import type { Choice, ModelChooser } from "../elements/model-chooser.js";
import type { Head } from "../elements/attention-heads.js";
import type { NextTokens, Sampling } from "../elements/next-tokens.js";
import type { LoadProgress } from "../elements/load-progress.js";
import type { LoadConsent } from "../elements/load-consent.js";
import type { ErrorNotice } from "../elements/error-notice.js";
import type { ModelReport } from "../elements/model-report.js";
import type { ModelTree } from "../elements/model-tree.js";
import type { SwitchedOff } from "../elements/switched-off.js";

export type Model = Awaited<ReturnType<typeof loadModel>>;

const SENTENCE =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing.";
/** The notebook's experiment: the same sentence twice, so that a head can copy. */
const OPENING = `${SENTENCE} ${SENTENCE}`;

const one = <T extends Element>(selector: string): T => document.querySelector(selector) as T;
const page = {
  prompt: one("#prompt") as HTMLTextAreaElement,
  figure: one("scope-figure") as ScopeFigure,
  next: one("next-tokens") as NextTokens,
  chooser: one("model-chooser") as ModelChooser,
  progress: one("load-progress") as LoadProgress,
  consent: one("load-consent") as LoadConsent,
  notice: one("error-notice") as ErrorNotice,
  report: one("model-report") as ModelReport,
  tree: one("model-tree") as ModelTree,
  off: one("switched-off") as SwitchedOff,
};

/** What the page is about now. */
const now = {
  model: null as Model | null,
  reader: null as Reader | null,
  reading: null as Reading | null,
  /** That is the text's, by this model and with these heads off: neither under way nor failed. */
  isRead: false,
  source: BUNDLED[0].source,
  name: BUNDLED[0].name,
  /** What to show once the reader of the page has agreed to load a model. */
  viewAsked: undefined as hash.Shown | undefined,
  /** What the address asked to show, until a model is there that may not have all of it. */
  asked: {} as hash.Shown,
  /** The reader of the page chose a head; until then the strongest one is shown. */
  headChosen: false,
  /** Heads that are switched off, and the same as the model takes it. */
  off: [] as readonly Head[],
  interventions: [] as readonly Intervention[],
  /** The text may be longer than the context, because the model wrote it: its end is read. */
  cropped: false,
  /** Position whose continuation is shown; null for the end of the text. */
  position: null as number | null,
  loading: null as AbortController | null,
  writing: null as AbortController | null,
  /** The readings in progress. Only the newest is shown. */
  readings: new Set() as Set<AbortController & { started: number }>,
  /** What is being computed for the view on show. */
  preparing: null as { reading: Reading | null; asked: string; job: AbortController } | null,
};

// ---- errors, in place ----

function tell(error: unknown) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  page.notice.error = { name, message };
  page.notice.toggleAttribute("shown", true);
}

function hush() {
  page.notice.error = null;
  page.notice.toggleAttribute("shown", false);
}

// ---- loading ----

/**
 * Loads a model. Until it is there, the old one stays in use under its own name; if the load fails, it stays for good.
 * @param choice keep: in the browser's storage (default true)
 * @param view what to show of it, if an address says so
 */
async function load({ source, name, keep = true }: Choice & { keep?: boolean }, view?: hash.Shown) {
  now.loading?.abort();
  now.writing?.abort();
  const loading = (now.loading = new AbortController());
  hush();
  page.consent.request = null;
  Object.assign(page.progress, { name, stage: "", file: "", loaded: 0, total: null });
  page.progress.hidden = false;
  try {
    const model = await loadModel(source, {
      keep,
      signal: loading.signal,
      onProgress: ({ stage, file, loaded, total }) => {
        if (now.loading === loading)
          Object.assign(page.progress, { stage, file, loaded, total: total ?? null });
      },
    });
    if (now.loading !== loading) return model.dispose();
    page.progress.hidden = true; // the first text is read without it
    await use(model, typeof source === "string" ? source : "", name, view);
  } catch (error) {
    if (now.loading !== loading) return;
    tell(error);
    if (now.model) remember(); // the address names the model that stays
  } finally {
    if (now.loading === loading) page.progress.hidden = true;
  }
}

async function use(model: Model, source: string, name: string, view?: hash.Shown) {
  const former = now.model;
  clear();
  Object.assign(now, {
    model,
    reader: new Reader(model as any),
    source,
    name,
    headChosen: former === null && now.headChosen,
  });
  if (former && former !== model) former.dispose();
  one("#model-name").textContent = `${name}, ${millions(model.parameterCount)}`;
  one("#parameter-count").textContent =
    `${formatCount(model.parameterCount)} in ${model.parameters.length} tensors`;
  Object.assign(page.tree, { parameters: model.parameters, count: model.parameterCount });
  page.report.notices = model.report ?? [];
  page.chooser.current = source;
  Object.assign(page.figure, { vocabulary: model.config.vocab_size, points: model.hookPoints });
  if (former) Object.assign(page.figure, { lock: null, lensLock: null });
  if (view) apply(view);
  const absent = absentParts(now.asked);
  now.asked = {};
  if (!model.hookPoints.some(({ name }) => name === page.figure.hook))
    page.figure.hook = `blocks.${model.config.n_layer - 1}.hook_resid_post`;
  switchOff(now.off.filter(exists));
  open("choose", false);
  await read();
  if (absent.length > 0 && now.model === model && now.isRead) tell(problem(absent.join("; ")));
}

/** The abort reason of a generation whose text was replaced. */
const REPLACED = "the text was replaced";

/** Takes everything that the former model computed off the page. */
function clear() {
  now.writing?.abort(REPLACED);
  now.preparing?.job.abort();
  now.reader?.cancel();
  Object.assign(now, { reading: null, isRead: false, preparing: null });
  Object.assign(page.figure, {
    reading: null,
    lens: null,
    value: null,
    random: null,
    stale: false,
    generated: Infinity,
  });
  clearNext();
  one("#count").textContent = "";
  Object.assign(one("#copy"), { value: "", hidden: true });
  one("#copied").textContent = "";
}

/** Removes from the page the next tokens and the effect of the heads that are switched off. */
function clearNext() {
  asked += 1; // an answer under way is no longer wanted
  Object.assign(page.next, {
    alternatives: [],
    notFinite: false,
    token: "",
    truth: -1,
    disabled: true,
    note: "",
  });
  page.off.change = null;
}

/** An error without advice, because its message has it. */
function problem(message: string) {
  return Object.assign(new Error(message), { name: "" });
}

/** Whether the model has this head. */
function exists({ layer, head }: Head) {
  const config = now.model?.config;
  return config !== undefined && layer < config.n_layer && head < config.n_head;
}

/** What an address asks for and this model or page does not have. */
function absentParts({ layer, head, view, off = [], hook }: hash.Shown): string[] {
  const { config, hookPoints } = now.model as Model;
  const heads = [
    ...off,
    ...(layer === undefined && head === undefined ? [] : [{ layer: layer ?? 0, head: head ?? 0 }]),
  ].filter((one) => !exists(one));
  const absent = [...new Set(heads.map((one) => `${one.layer}.${one.head}`))];
  return [
    ...(absent.length > 0
      ? [
          `The address asks for head ${absent.join(", ")}, but this model has ${config.n_layer} layers of ${config.n_head} heads, counted from 0`,
        ]
      : []),
    ...(view !== undefined && !isView(view)
      ? [`The address asks for the view "${view.slice(0, 40)}", which this page does not have`]
      : []),
    ...(hook !== undefined && !hookPoints.some(({ name }) => name === hook)
      ? [
          `The address asks for the hook point "${hook.slice(0, 80)}", which this model does not have`,
        ]
      : []),
  ];
}

function millions(count: number) {
  return count >= 1e9
    ? `${(count / 1e9).toFixed(1)}B`
    : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)}M`;
}

// ---- reading ----

/**
 * Reads the text of the prompt box. While a text is read the last figure stays, dimmed; only the newest text is drawn. If
 * the text cannot be read, the last figure stays dimmed and the error says why. A worker that has died is replaced once.
 */
async function read(isRetry = false) {
  const { reader } = now;
  if (!reader) return;
  page.figure.stale = now.reading !== null;
  now.isRead = false;
  now.preparing?.job.abort(); // of the former text
  now.preparing = null;
  const onLayer = (part: Reading) => {
    if (now.reader === reader) show(part);
  };
  const job = startReading();
  try {
    const { interventions, cropped: crop } = now;
    const reading = await reader.read(page.prompt.value, {
      layer: page.figure.layer,
      onLayer,
      interventions,
      crop,
      signal: job.signal,
    });
    if (!reading || now.reader !== reader) return; // a newer text or another model
    now.cropped = reading.dropped > 0;
    show(reading);
    now.isRead = true;
    page.figure.stale = false;
    hush();
  } catch (error) {
    if (now.reader !== reader) return;
    if (!isRetry && (error as Error).name === "WorkerError") return await read(true); // a new worker starts
    clearNext();
    one("#count").textContent = "";
    tell(error);
  } finally {
    endReading(job);
  }
}

/** A reading that takes longer than this can be stopped by a button. */
const STOP_AFTER_MS = 1000;

/** Begins what the stop button ends. */
function startReading() {
  const job = Object.assign(new AbortController(), { started: performance.now() });
  now.readings.add(job);
  setTimeout(showStop, STOP_AFTER_MS);
  return job;
}

function endReading(job: AbortController & { started: number }) {
  now.readings.delete(job);
  showStop();
}

function showStop() {
  const isLong = [...now.readings].some(
    ({ signal, started }) => !signal.aborted && performance.now() - started >= STOP_AFTER_MS - 1,
  );
  (one("#stop") as HTMLElement).hidden = !isLong;
}

/** Stops the readings under way. If the model does not answer, its worker is restarted. */
function stopReading() {
  for (const job of now.readings) job.abort();
}

function show(reading: Reading) {
  now.reading = reading;
  if (!now.headChosen && reading.scores.length > 0) {
    const { layer, head } = strongestInduction(reading.scores);
    Object.assign(page.figure, { layer, head });
  }
  clampHead();
  page.figure.reading = reading;
  page.next.disabled = false;
  tellCount(reading);
  fillNext();
  prepare();
  setTimeout(remember); // another task: the browser takes its time for a new address
}

function tellCount({ ids, dropped }: Reading) {
  const context = now.model?.config.n_positions;
  one("#count").textContent = dropped
    ? `the last ${ids.length} of ${ids.length + dropped} tokens: more the model cannot read at once`
    : `${ids.length} of ${context} tokens`;
}

/** Computes what the view on show needs beyond the reading. What was begun for another text or view is left off. */
async function prepare() {
  const { reader, preparing } = now;
  const { needs, reading, hook } = page.figure;
  const what = { reading, asked: `${needs} ${hook}`, job: new AbortController() };
  if (preparing && preparing.reading === reading && preparing.asked === what.asked) return;
  preparing?.job.abort();
  now.preparing = null;
  if (!reader || !reading || !needs || now.writing) return;
  now.preparing = what;
  try {
    const prepared = await reader.prepare(reading, needs, hook, what.job.signal);
    if (now.preparing === what) Object.assign(page.figure, prepared);
  } catch (error) {
    if (now.preparing === what) tell(error);
  } finally {
    if (now.preparing === what) now.preparing = null;
  }
}

/** A head from an address, or from a larger model, may not exist in this one. */
function clampHead() {
  const config = now.model?.config;
  if (!config) return;
  page.figure.layer = Math.min(page.figure.layer, config.n_layer - 1);
  page.figure.head = Math.min(page.figure.head, config.n_head - 1);
}

async function needLayer(layer: number) {
  const { reader, reading } = now;
  if (!reader || !reading || reading.patterns[layer]) return;
  const fuller = await reader
    .layer(reading, layer)
    .catch((error) => void (now.reading === reading && tell(error)));
  if (!fuller || now.reading !== reading) return;
  now.reading = fuller;
  page.figure.reading = fuller;
}

// ---- switching heads off ----

/** Switches exactly these heads off, and tells the elements. */
function switchOff(off: readonly Head[]) {
  const layers = [...new Set(off.map(({ layer }) => layer))];
  now.off = off;
  now.interventions = layers.map((layer) => {
    const heads = off.filter((one) => one.layer === layer).map(({ head }) => head);
    return {
      at: `blocks.${layer}.attn.hook_z`,
      head: heads.length === 1 ? heads[0] : heads,
      do: "zero",
    };
  });
  page.figure.off = off;
  Object.assign(page.off, { heads: off, change: null });
  nameSwitch();
}

/** Switches a head off, or on again. */
function toggle({ layer, head }: Head) {
  if (!now.model || now.writing) return;
  const others = now.off.filter((one) => one.layer !== layer || one.head !== head);
  switchOff(others.length < now.off.length ? others : [...now.off, { layer, head }]);
  now.headChosen = true; // the picture stays with the head that was switched
  read();
}

/** The button beside the head's name says what it will do to the head that is chosen. */
function nameSwitch() {
  const { layer, head } = page.figure;
  const isOff = page.figure.isOff({ layer, head });
  const button = one("#off");
  button.textContent = isOff ? `switch ${layer}.${head} on again` : `switch ${layer}.${head} off`;
  button.setAttribute("aria-pressed", String(isOff));
  (button as HTMLButtonElement).disabled = now.model === null || now.writing !== null;
}

// ---- what comes next ----

/** Counts what is asked about the next token: only the newest answer is shown. */
let asked = 0;
let resting = 0;

/** The likeliest tokens after the position in question. */
async function fillNext() {
  const { reader, reading, position } = now;
  if (!reader || !reading) return;
  nameSwitch();
  const turn = ++asked;
  const after = Math.min(position ?? Infinity, reading.ids.length - 1);
  try {
    const alternatives = await reader.alternatives(reading, after);
    const change = await reader.change(reading, after);
    if (turn !== asked || now.reading !== reading) return;
    page.off.change = change;
    if (alternatives?.length === 0) return;
    Object.assign(page.next, {
      position: after,
      token: reading.tokens[after],
      truth: reading.ids[after + 1] ?? -1,
      alternatives: alternatives ?? [],
      notFinite: alternatives === null,
    });
  } catch (error) {
    if (turn !== asked || now.reading !== reading) return;
    clearNext();
    tell(error);
  }
}

/** Lets the model go on with the text, token by token. */
async function write(sampling: Sampling) {
  const { model, reader } = now;
  if (!model || !reader || now.writing) return;
  const writing = (now.writing = new AbortController());
  page.next.note = "";
  try {
    if (!now.isRead || now.reading?.text !== page.prompt.value) await read(); // what is typed but not yet read
    const start = now.reading;
    if (!start || start.text !== page.prompt.value) return;
    Object.assign(page.next, { generating: true });
    nameSwitch();
    Object.assign(page.prompt, { readOnly: true });
    now.cropped = true;
    await stream(start, { ...sampling, interventions: now.interventions, signal: writing.signal });
  } catch (error) {
    if ((error as Error).name !== "AbortError") tell(error);
  } finally {
    now.writing = null;
    page.next.generating = false;
    page.prompt.readOnly = false;
  }
  await read(); // the last token's own row
}

/** Patterns grow row by row while the text is short enough to copy them at every step (16 MB). */
const GROWN = 4 * 2 ** 20;

async function stream(start: Reading, options: Record<string, any>) {
  const { model } = now;
  if (!model) return;
  let reading = start;
  const { n_layer: layers, n_head: heads, n_positions: context } = model.config;
  const grows =
    layers * heads * Math.min(context, start.ids.length + options.maxNewTokens) ** 2 <= GROWN;
  const written = start.dropped + start.ids.length; // tokens of the text before the model's own
  const names = grows ? ["blocks.*.attn.hook_pattern"] : [];
  // A text box that is told its text lays the page out at once: so in the frame that does it anyway.
  let frame = 0;
  const showText = () => {
    if (options.signal.reason !== REPLACED) page.prompt.value = reading.text;
  };
  try {
    for await (const step of model.generate(start.ids, { ...options, stopAtEos: true, names })) {
      if (options.signal.aborted || now.model !== model) break;
      reading = extend(reading, grows ? step : { ...step, cache: undefined }, context);
      now.reading = reading;
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(showText);
      Object.assign(page.figure, { reading, generated: Math.max(0, written - reading.dropped) });
      tellCount(reading);
      Object.assign(page.next, {
        position: reading.ids.length - 2,
        token: reading.tokens.at(-2),
        truth: step.id,
        alternatives: step.top,
        notFinite: false,
      });
    }
  } finally {
    cancelAnimationFrame(frame);
    showText();
  }
}

/** Goes on from a position with another token. */
function pick({ id, string, after }: Alternative & { after: number }) {
  const { reading } = now;
  if (!reading) return;
  const text = continued(reading.tokens.slice(0, after + 1), string);
  if (text === null)
    return tell(
      problem(
        "This token is a part of a character, and with it the text would end in the middle of one. The text stays as it is: choose another token, or let the model write",
      ),
    );
  if (string === `⟨${id}⟩`)
    return tell(
      problem(
        `The tokenizer has no text for token ${id}. The text stays as it is: choose another token`,
      ),
    );
  page.prompt.value = text;
  page.figure.generated = Infinity;
  read();
}

// ---- the address ----

function remember() {
  const { figure, prompt } = page;
  const shown: hash.Shown = { layer: figure.layer, head: figure.head };
  if (now.source !== BUNDLED[0].source) shown.model = now.source;
  if (prompt.value !== OPENING) shown.prompt = prompt.value;
  if (figure.view !== "attention") shown.view = figure.view;
  if (figure.scale !== "linear") shown.scale = figure.scale;
  if (figure.direction !== "from") shown.direction = figure.direction;
  if (figure.lock) shown.lock = figure.lock;
  if (now.off.length > 0) shown.off = [...now.off];
  if (figure.view === "activations") shown.hook = figure.hook;
  try {
    history.replaceState(null, "", `#${hash.write(shown)}`);
  } catch {
    // a sandboxed frame may not, and a browser may limit how often: the address stays as it was
  }
}

/** Takes over what an address asks to show. */
function apply(asked: hash.Shown) {
  const { prompt, layer, head, view, scale, direction, lock, off, hook } = asked;
  page.prompt.value = prompt ?? OPENING;
  now.cropped = prompt !== undefined; // the model may have written it
  now.headChosen = layer !== undefined || head !== undefined;
  now.asked = asked;
  Object.assign(page.figure, {
    layer: layer ?? 0,
    head: head ?? 0,
    view: view !== undefined && isView(view) ? view : "attention",
    scale: scale ?? "linear",
    direction: direction ?? "from",
    lock: lock ?? null,
    hook: hook ?? page.figure.hook,
  });
  switchOff(off ?? []);
}

function isView(name: string) {
  return Object.hasOwn(VIEWS, name);
}

/**
 * Loads the model that an address names, after a question if it comes from another host.
 * @param view what to show once the model is there
 */
function openAddress(asked: hash.Shown, view: hash.Shown | undefined = asked) {
  const source = asked.model ?? BUNDLED[0].source;
  const name =
    BUNDLED.find((one) => one.source === source)?.name ??
    source.replace(/\/$/, "").split("/").at(-1) ??
    source;
  const host = foreignHost(source, document.baseURI);
  if (host === null) return load({ source, name }, view);
  now.loading?.abort();
  hush();
  now.viewAsked = view;
  page.consent.request = { source, name, host };
  return Promise.resolve();
}

/** What is on show, as the model's own methods take it. */
function asCall() {
  const { figure, prompt } = page;
  const names =
    { attention: [`blocks.${figure.layer}.attn.hook_pattern`], activations: [figure.hook] }[
      figure.view
    ] ?? [];
  return {
    input:
      now.reading && now.reading.text === prompt.value && now.reading.dropped
        ? now.reading.ids
        : prompt.value,
    names,
    interventions: now.interventions,
  };
}

/** What the share menu copies, by its button. */
const COPIES: Record<string, () => string | Promise<string>> = {
  address: () => {
    remember();
    return location.href;
  },
  python: async () => (now.model ? now.model.toPython({ runWithCache: asCall() }) : ""),
  json: () => JSON.stringify({ model: now.source, ...asCall(), input: page.prompt.value }, null, 2),
};

async function copy(button: HTMLButtonElement) {
  const said = one("#copied");
  const shown = one("#copy") as HTMLTextAreaElement;
  try {
    const text = await COPIES[button.value]();
    Object.assign(shown, { value: text, hidden: false, scrollTop: 0 });
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied:";
    } catch {
      said.textContent = "The browser lets no page copy here. Take it from this box:";
      shown.select();
    }
  } catch (error) {
    tell(error);
  }
}

// ---- the page's own controls ----

function open(button: "choose" | "help" | "share", state?: boolean) {
  const control = one(`#${button}`);
  const section = document.getElementById(
    control.getAttribute("aria-controls") ?? "",
  ) as HTMLElement;
  section.hidden = !(state ?? section.hidden);
  control.setAttribute("aria-expanded", String(!section.hidden));
}

function switchTheme() {
  const dark =
    document.documentElement.dataset.theme ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const theme = dark === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("candlescope-theme", theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function onKey(event: KeyboardEvent) {
  const inText =
    event.composedPath()[0] instanceof HTMLElement &&
    (event.composedPath()[0] as HTMLElement).matches("input, textarea, select");
  if (event.key === "/" && !inText && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    page.prompt.focus();
  } else if (event.key === "x" && !inText && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const { layer, head } = page.figure.shownHead;
    toggle({ layer, head });
  } else if (event.key === "Escape") {
    if (inText) (event.composedPath()[0] as HTMLElement).blur();
    else if (page.figure.lock) {
      page.figure.lock = null;
      remember();
    }
  }
}

function on<T>(name: string, act: (detail: T) => unknown) {
  document.addEventListener(name, (event) => act((event as CustomEvent<T>).detail));
}

on("model-choose", load);
on("load-cancel", () => now.loading?.abort());
on("error-dismiss", hush);
on("head-restore", (head: Head | null) => {
  if (head) return toggle(head);
  if (now.writing) return;
  switchOff([]);
  read();
});
on("generate", write);
on("generate-stop", () => now.writing?.abort());
on("token-pick", pick);
on("position-focus", (position: number | null) => {
  now.position = position;
  clearTimeout(resting);
  resting = window.setTimeout(() => !now.writing && fillNext(), 40); // what is only passed over is not asked for
});
on("figure-change", (choice: Record<string, any>) => {
  if ("layer" in choice) {
    now.headChosen = true;
    needLayer(choice.layer);
    nameSwitch();
  }
  prepare();
  remember();
});
page.prompt.addEventListener("input", () => {
  page.figure.generated = Infinity;
  read();
});
one("#choose").addEventListener("click", () => open("choose"));
one("#help").addEventListener("click", () => open("help"));
one("#theme").addEventListener("click", switchTheme);
one("#share").addEventListener("click", () => open("share"));
one("#sharing").addEventListener("click", (event) => {
  const button = (event.target as Element).closest("button");
  if (button) copy(button);
});
one("#stop").addEventListener("click", stopReading);
one("#off").addEventListener("click", () =>
  toggle({ layer: page.figure.layer, head: page.figure.head }),
);
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", async () => {
  const asked = hash.read(location.hash);
  if ((asked.model ?? BUNDLED[0].source) !== now.source || !now.model)
    return void openAddress(asked);
  now.loading?.abort(); // of a model that an earlier address named
  now.writing?.abort(REPLACED);
  page.consent.request = null;
  apply(asked);
  const absent = absentParts(asked);
  now.asked = {};
  switchOff(now.off.filter(exists));
  await read();
  if (absent.length > 0 && now.isRead) tell(problem(absent.join("; ")));
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("dropping", event.dataTransfer?.types.includes("Files"));
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  open("choose", true);
  page.chooser.take([...(event.dataTransfer?.files ?? [])]);
});

page.chooser.bundled = BUNDLED;
on("load-consent", (choice: Choice & { keep: boolean }) => load(choice, now.viewAsked));
on("load-refuse", () => {
  page.consent.request = null;
  if (now.model) remember();
  else load(BUNDLED[0]);
});
const first = hash.read(location.hash);
apply(first); // the text can be edited while the model loads
openAddress(first, undefined).finally(letGo);
