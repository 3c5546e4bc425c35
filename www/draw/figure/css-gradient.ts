// A computed `linear-gradient(…)` or `repeating-linear-gradient(…)` of CSS as a gradient of a figure.

import type { Box, Gradient, Ink } from "./shapes.js";

const SIDES: Readonly<Record<string, number>> = {
  "to top": 0,
  "to right": 90,
  "to bottom": 180,
  "to left": 270,
  "to top right": 45,
  "to right top": 45,
  "to bottom right": 135,
  "to right bottom": 135,
};

/** @returns null for any other image @param ink reads a CSS colour */
export function cssGradient(
  image: string,
  { x, y, width, height }: Box,
  ink: (colour: string) => Ink,
): Gradient | null {
  const [, repeating, inner] = /^(repeating-)?linear-gradient\((.*)\)$/.exec(image) ?? [];
  if (inner === undefined) return null;
  const parts = split(inner);
  const angle = SIDES[parts[0]] ?? (parts[0].endsWith("deg") ? Number.parseFloat(parts[0]) : null);
  const radians = ((angle ?? 180) * Math.PI) / 180;
  const [dx, dy] = [Math.sin(radians), -Math.cos(radians)];
  const length = Math.abs(width * dx) + Math.abs(height * dy);
  const [middleX, middleY] = [x + width / 2, y + height / 2];
  const stops = stopsOf(angle === null ? parts : parts.slice(1), length, ink);
  if (stops.length === 0) return null;
  return {
    from: [middleX - (dx * length) / 2, middleY - (dy * length) / 2],
    to: [middleX + (dx * length) / 2, middleY + (dy * length) / 2],
    stops: repeating ? repeated(stops) : stops,
  };
}

/** The arguments of a function, which may contain functions. */
function split(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

/** A place in a gradient: "40%", "2px", or "calc(50% - 1px)". */
function placeOf(text: string, length: number) {
  let place = 0;
  for (const [, sign, value, unit] of text.matchAll(/(?:([+-]) )?(-?[\d.]+)(%|px)?/g))
    place +=
      (sign === "-" ? -1 : 1) * (unit === "%" ? Number(value) / 100 : Number(value) / length);
  return place;
}

type Stops = { at: number; ink: Ink }[];

/** Stops without a place are spread evenly between their neighbours. */
function stopsOf(parts: readonly string[], length: number, ink: (colour: string) => Ink): Stops {
  const known = parts.flatMap((part) => {
    const [, colour, places] =
      /^([a-z#][\w#-]*(?:\([^)]*\))?)((?: (?:calc\([^)]*\)|-?[\d.]+(?:px|%)?))*)$/.exec(part) ?? [];
    if (colour === undefined) return [];
    const all = places.match(/calc\([^)]*\)|-?[\d.]+(?:px|%)?/g) ?? [];
    const found = all.length > 0 ? all.map((place) => placeOf(place, length)) : [NaN];
    return found.map((at) => ({ at, ink: ink(colour) }));
  });
  const last = known.length - 1;
  if (last < 0) return [];
  if (Number.isNaN(known[0].at)) known[0].at = 0;
  if (Number.isNaN(known[last].at)) known[last].at = 1;
  for (let i = 1; i < last; i++) {
    if (!Number.isNaN(known[i].at)) continue;
    let end = i;
    while (Number.isNaN(known[end].at)) end += 1;
    known[i].at = known[i - 1].at + (known[end].at - known[i - 1].at) / (end - i + 1);
  }
  return known.map(({ at, ink: own }) => ({
    at: Math.max(0, Math.min(1, at)),
    ink: clear(own, known),
  }));
}

/** `transparent` is black without opacity: between it and a colour, the colour fades instead of turning grey. */
function clear(own: Ink, all: Stops): Ink {
  if (own[3] > 0) return own;
  const [red, green, blue] = all.find(({ ink }) => ink[3] > 0)?.ink ?? own;
  return [red, green, blue, 0];
}

function repeated(stops: Stops): Stops {
  const [first, last] = [stops[0].at, stops[stops.length - 1].at];
  const period = last - first;
  if (!(period > 0.001)) return stops;
  const all: Stops = [];
  for (let start = 0; start < 1; start += period)
    for (const { at, ink } of stops) all.push({ at: Math.min(1, start + at - first), ink });
  return all;
}
