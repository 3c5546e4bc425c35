// Writes the measurements as rows with targets: all of them into bench/results.json and bench/README.md, five rows into README.md.

import { readFileSync, writeFileSync } from "node:fs";

/** Bytes of the weights in each dtype: the matrices, and everything else in f32. */
const MATRICES = 12 * 12 * 768 * 768 + 50257 * 768;
const REST = 4 * (1024 * 768 + 12 * 13 * 768 + 2 * 768);
const WEIGHTS = { f32: 4 * MATRICES + REST, q8: (1 + 4 / 64) * MATRICES + REST };

/** Floating-point operations of a forward pass over `t` tokens, with the logits of every position. */
const operations = (t) => 2 * t * MATRICES + 12 * 2 * t * t * 768;

/** The rows of the table in README.md, which shows one thread only: measurement and peer. */
const README_ROWS = [
  "f32 prefill 64, onnxruntime-web",
  "f32 decode, onnxruntime-web",
  "q8 decode, wllama",
  "navigation to first pattern, cold, this machine's network, allowed",
  "wasm and scripts for a first pattern, brotli, allowed",
];

/** @param {any} found the measurements of each part of run.mjs */
export function write(found) {
  const rows = [
    ...raceRows(found),
    ...growthRows(found),
    ...nativeRows(found),
    ...batchRows(found),
    ...loadRows(found),
    ...gradientRows(found),
    ...pageRows(found),
    ...storageRows(found),
  ];
  const { limits, rounds } = found.race ?? {};
  const machine = {
    ...found.machine,
    chromium: found.chromium,
    rounds,
    readGBs: round(limits?.read),
    simdGFLOPs: round(limits?.simd),
    relaxedGFLOPs: round(limits?.relaxed),
  };
  writeFileSync(
    "bench/results.json",
    `${JSON.stringify({ machine, rows, raw: found }, null, 2)}\n`,
  );
  put("README.md", summary(machine, rows));
  put("bench/README.md", markdown(machine, rows, found).join("\n\n"));
}

/** Replaces the text between the marks. @param {string} file @param {string} text */
function put(file, text) {
  const old = readFileSync(file, "utf8");
  writeFileSync(
    file,
    old.replace(
      /(<!-- results -->)[\s\S]*(<!-- end -->)/,
      (_, before, after) => `${before}\n${text}\n${after}`,
    ),
  );
}

/**
 * One row of the table. `ratio` is the peer's cost divided by ours. An allowed maximum counts as a peer.
 * @param {string} id
 * @param {{ precision?: string, threads?: number, tokens?: number, unit?: string, peerName: string, target?: number | null, limit?: number }} about
 */
function row(
  id,
  ours,
  peer,
  { precision = "f32", threads = 1, tokens = 0, unit = "ms", peerName, target = 1, limit },
) {
  if (!(ours > 0) || !(peer > 0)) return [];
  const ratio = peer / ours;
  const ofLimit =
    limit === undefined ? {} : { limit: round(limit), ofLimit: round(limit / ours, 2) };
  return [
    {
      id,
      precision,
      threads,
      tokens,
      ours: round(ours),
      peer: round(peer),
      peerName,
      unit,
      ratio: round(ratio, 2),
      ...ofLimit,
      target,
      met: target === null ? null : ratio >= target,
    },
  ];
}

function raceRows({ race }) {
  if (!race) return [];
  const { limits, racers } = race;
  const time = (name, precision, threads, id) =>
    racers.find(
      (racer) => racer.name === name && racer.precision === precision && racer.threads === threads,
    )?.times[id];
  const against = (peerName, precision, threads, id, tokens, target, limit) =>
    row(
      `${precision} ${id}`,
      time("candlescope", precision, threads, id),
      time(peerName, precision, threads, id),
      { precision, threads, tokens, peerName, target, limit },
    );
  const arithmetic = (tokens, threads) => operations(tokens) / limits.relaxed / threads / 1e6;
  const rates = { 1: limits.read, 2: limits.readTwo ?? 2 * limits.read };
  const reading = (precision, threads) => WEIGHTS[precision] / rates[threads] / 1e6;
  /** Another form of Candlescope against a peer's pass over the same tokens in q8 or f32. */
  const form = (label, name, precision, peerPrecision, threads, tokens, target, limit) =>
    row(
      `${precision} prefill ${tokens}${label}`,
      time(name, precision, threads, `prefill ${tokens}`),
      time("onnxruntime-web", peerPrecision, threads, `prefill ${tokens}`),
      { precision, threads, tokens, peerName: `onnxruntime-web ${peerPrecision}`, target, limit },
    );
  const plain = "candlescope, plain SIMD";
  const forms = [64, 256].flatMap((tokens) => [
    ...form(
      ", plain SIMD",
      plain,
      "f32",
      "f32",
      1,
      tokens,
      1.15,
      operations(tokens) / limits.simd / 1e6,
    ),
    ...form(", plain SIMD", plain, "q8", "q8", 1, tokens, 1),
    ...form("", "candlescope", "q4", "q8", 1, tokens, 1.4),
    ...form("", "candlescope", "q4", "q8", 2, tokens, 1.4),
  ]);
  /** The part of the reading limit of two threads that decoding must reach. */
  const decoding = ["f32", "q8"].flatMap((precision) =>
    row(
      `${precision} decode, 0.85 of what two threads read`,
      time("candlescope", precision, 2, "decode"),
      reading(precision, 2) / 0.85,
      { precision, threads: 2, tokens: 1, peerName: "allowed", limit: reading(precision, 2) },
    ),
  );
  const threads = [1, 2].flatMap((threads) => [
    ...against("onnxruntime-web", "f32", threads, "prefill 64", 64, 1.2, arithmetic(64, threads)),
    ...against(
      "onnxruntime-web",
      "f32",
      threads,
      "prefill 256",
      256,
      1.25,
      arithmetic(256, threads),
    ),
    ...against("onnxruntime-web", "f32", threads, "decode", 1, 1.15, reading("f32", threads)),
    ...against("onnxruntime-web", "q8", threads, "prefill 64", 64, 1.4),
    ...against("onnxruntime-web", "q8", threads, "prefill 256", 256, 1.4),
    ...against(
      "onnxruntime-web",
      "q8",
      threads,
      "decode",
      1,
      threads === 1 ? 3 : null,
      reading("q8", threads),
    ),
  ]);
  const memory = ["f32", "q8"].flatMap((precision) => {
    const ours = racers.find(
      (racer) =>
        racer.name === "candlescope" && racer.precision === precision && racer.threads === 1,
    );
    const weights = WEIGHTS[precision] / 1e6;
    return row(
      `wasm memory after load, ${round(weights)} MB of weights`,
      ours?.memory / 1e6,
      1.2 * weights + 48,
      { precision, unit: "MB", peerName: "allowed" },
    );
  });
  return [
    ...threads,
    ...forms,
    ...decoding,
    ...against("wllama", "q8", 1, "decode", 1, 6, reading("q8", 1)),
    ...memory,
    ...row(
      "plain SIMD against relaxed, prefill 256",
      time("candlescope, plain SIMD", "f32", 1, "prefill 256"),
      time("candlescope", "f32", 1, "prefill 256"),
      { tokens: 256, peerName: "relaxed SIMD", target: 0.65 },
    ),
  ];
}

function growthRows({ growth }) {
  if (!growth) return [];
  const { 256: short, 1024: long } = growth.byLength;
  const allowed = (1.1 * short * operations(1024)) / operations(256);
  return [
    ...row(
      "capture of every default point, 256 tokens",
      growth.capture?.captured,
      1.1 * growth.capture?.plain,
      { tokens: 256, peerName: "1.1 plain passes" },
    ),
    ...row("prefill of 1,024 tokens", long, allowed, {
      tokens: 1024,
      peerName: "as the operations grow from 256 tokens, plus 10 %",
    }),
  ];
}

/** Texts of 32 tokens: 0.75 of the runs, which is a ratio of 1.33. */
function batchRows({ batch }) {
  return (batch ?? []).flatMap(({ model, threads, length, texts, batch: ours, runs }) =>
    row(`${texts} texts of ${length} tokens as a batch, ${model}`, ours, runs, {
      tokens: texts * length,
      threads,
      peerName: `${texts} runs`,
      target: length === 32 ? 1.33 : null,
    }),
  );
}

function nativeRows({ native }) {
  return (native ?? []).flatMap(
    ({ threads, version, plain, captured, peerPlain, peerCaptured }) => {
      const about = { tokens: 256, threads, peerName: `TransformerLens ${version}` };
      return [
        ...row("forward pass of 256 tokens through the API", plain, peerPlain, {
          ...about,
          target: null,
        }),
        ...row('runWithCache("*") of 256 tokens', captured, peerCaptured, about),
      ];
    },
  );
}

function loadRows({ load }) {
  if (!load) return [];
  const { threads, times } = load;
  return ["f16", "q8", "q4"].flatMap((precision) =>
    row(
      `124M model from this machine's network as ${precision}`,
      times[precision],
      1.3 * times.f32,
      {
        precision,
        threads,
        peerName: "1.3 times as f32",
      },
    ),
  );
}

function gradientRows({ gradients }) {
  return (gradients ?? []).flatMap(({ threads, tokens, forward, difference, loss }) =>
    Object.entries({ "a difference of two logits": difference, "the loss": loss }).flatMap(
      ([what, both]) =>
        row(`forward and backward pass of ${what}, ${tokens} tokens`, both, 2.6 * forward, {
          tokens,
          threads,
          peerName: "2.6 forward passes",
        }),
    ),
  );
}

function pageRows({ page }) {
  if (!page) return [];
  return [
    ...row(
      "navigation to first pattern, cold, this machine's network",
      page.firstPattern.cold,
      1000,
      { peerName: "allowed" },
    ),
    ...row("wasm and scripts for a first pattern, brotli", page.files.brotli / 1e3, 850, {
      unit: "kB",
      peerName: "allowed",
    }),
    ...row(
      "longest frame while hovering over 12 by 12 heads of 64 tokens",
      page.drawing.longestFrame,
      50,
      { tokens: 64, peerName: "allowed" },
    ),
    // Browsers report only tasks over 50 ms: 50 stands for "none".
    ...row(
      "longest task of the main thread while 64 tokens are generated",
      Math.max(50, page.writing?.longestTask),
      50,
      { tokens: 64, peerName: "allowed" },
    ),
  ];
}

function storageRows({ storage }) {
  if (!storage) return [];
  return row("124M model from the browser's storage", storage.load, 2.5 * storage.read, {
    peerName: "2.5 times reading the same bytes",
  });
}

const line = (...cells) => `| ${cells.join(" | ")} |`;
const heading = (...cells) => [line(...cells), line(...cells.map(() => "---"))];

/** The table in README.md. */
function summary(machine, rows) {
  const chosen = rows.filter(
    ({ id, threads, peerName }) => threads === 1 && README_ROWS.includes(`${id}, ${peerName}`),
  );
  return [
    `${machine.cpu}, ${machine.cores} cores, Chromium ${machine.chromium}, one thread; medians of ${machine.rounds} rounds.`,
    "",
    ...heading("measurement", "Candlescope", "peer or allowed maximum", "", "ratio"),
    ...chosen.map(({ id, ours, peer, unit, peerName, ratio }) =>
      line(id, `${ours} ${unit}`, `${peer} ${unit}`, peerName, ratio),
    ),
  ].join("\n");
}

/** The tables in bench/README.md. */
function markdown(machine, rows, { race, growth, page }) {
  const verdict = ({ target, met }) =>
    target === null ? "" : `${target} ${met ? "met" : "**not met**"}`;
  const parts = [
    [
      `${machine.cpu}, ${machine.cores} cores, Chromium ${machine.chromium}; medians of ${machine.rounds} rounds. Limits in wasm with one thread: reads ${machine.readGBs} GB/s; f32 arithmetic ${machine.simdGFLOPs} GFLOP/s with plain SIMD, ${machine.relaxedGFLOPs} with relaxed SIMD.`,
      "",
      ...heading(
        "measurement",
        "threads",
        "Candlescope",
        "peer or allowed maximum",
        "",
        "ratio",
        "target",
        "fraction of the limit",
      ),
      ...rows.map((row) =>
        line(
          row.id,
          row.threads,
          `${row.ours} ${row.unit}`,
          `${row.peer} ${row.unit}`,
          row.peerName,
          row.ratio,
          verdict(row),
          row.ofLimit ?? "",
        ),
      ),
    ],
  ];
  if (race) {
    const times = (racer) =>
      ["prefill 64", "prefill 256", "decode"].map((id) => round(racer.times[id]));
    const megabytes = ({ memory }) => (memory ? round(memory / 1e6) : "");
    parts.push([
      "All engines, in ms:",
      "",
      ...heading(
        "engine",
        "precision",
        "threads",
        "prefill 64",
        "prefill 256",
        "decode, per token",
        "load",
        "wasm memory, MB",
      ),
      ...race.racers.map((racer) =>
        line(
          racer.name,
          racer.precision,
          racer.threads,
          ...times(racer),
          round(racer.loading) ?? "",
          megabytes(racer),
        ),
      ),
    ]);
  }
  if (growth) {
    parts.push([
      "A forward pass of Candlescope, f32, one thread, in ms:",
      "",
      ...heading("GPT-2 124M, tokens", "time"),
      ...Object.entries(growth.byLength).map(([tokens, ms]) => line(tokens, round(ms))),
    ]);
    parts.push([
      ...heading("64 tokens, random weights", "time"),
      ...Object.entries(growth.byShape).map(([shape, ms]) => line(shape, round(ms))),
    ]);
  }
  if (page) {
    const { firstPattern, files, drawing, writing } = page;
    parts.push([
      `The page: first pattern after ${round(firstPattern.cold)} ms, ${round(firstPattern.again)} ms on a second visit; ${round(files.raw / 1e3)} kB of scripts and wasm, ${round(files.brotli / 1e3)} kB in brotli; hovering over 12 by 12 heads: median frame ${round(drawing.medianFrame)} ms, longest ${round(drawing.longestFrame)} ms, ${drawing.longTasks} tasks over 50 ms; while ${writing?.tokens} tokens are generated: ${writing?.longTasks} tasks over 50 ms.`,
    ]);
  }
  return parts.map((lines) => lines.join("\n"));
}

function round(value, digits = 1) {
  return value === undefined ? undefined : Number(value.toFixed(digits));
}

// `node bench/browser/report.mjs` writes the tables again from bench/results.json.
if (process.argv[1]?.endsWith("report.mjs"))
  write(JSON.parse(readFileSync("bench/results.json", "utf8")).raw);
