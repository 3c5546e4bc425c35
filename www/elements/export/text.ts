// The text of a page as lines with their places.

import type { Recorder } from "../../draw/figure/recorder.js";
import type { Font, Ink } from "../../draw/figure/shapes.js";

export interface TextLook {
  style: CSSStyleDeclaration;
  ink: Ink;
  /** the right edge of a box that cuts its text; Infinity for none */
  right: number;
}

/** One line of a text node. */
interface Fragment {
  text: string;
  box: DOMRect;
}

export function recordText(
  recorder: Recorder,
  node: Text,
  { style, ink, right }: TextLook,
  origin: { x: number; y: number },
) {
  const font = fontOfStyle(style);
  for (const { text, box } of fragmentsOf(node, style)) {
    const shown = transformText(text, style);
    if (shown.trim() === "") continue;
    const { measure } = recorder.environment;
    const spelled = canvasFont(font);
    const cut =
      box.right > right + 1
        ? ellipsis(shown, right - box.left, (one) => measure(one, spelled).width)
        : shown;
    const {
      width,
      fontBoundingBoxAscent: ascent,
      fontBoundingBoxDescent: descent,
    } = measure(cut, spelled);
    if (style.writingMode.startsWith("vertical")) {
      // The only vertical text is the title of an axis, which reads upwards: a quarter turn.
      const x = box.left - origin.x + (box.width - ascent - descent) / 2 + ascent;
      recorder.text({
        text: cut,
        x: 0,
        y: 0,
        font,
        ink,
        width,
        matrix: [0, -1, 1, 0, x, box.bottom - origin.y],
      });
      continue;
    }
    const y = box.top - origin.y + (box.height - ascent - descent) / 2 + ascent;
    recorder.text({ text: cut, x: box.left - origin.x, y, font, ink, width });
  }
}

export function fontOfStyle({
  fontFamily,
  fontSize,
  fontWeight,
  fontStyle,
}: CSSStyleDeclaration): Font {
  return {
    family: fontFamily,
    size: Number.parseFloat(fontSize),
    weight: fontWeight,
    style: fontStyle,
  };
}

export function canvasFont({ style, weight, size, family }: Font) {
  return `${style || "normal"} ${weight || "normal"} ${size}px ${family}`;
}

/** The parts of a text node that are each in one line. Spaces around a text that collapses are left out, with their width. */
function fragmentsOf(node: Text, { whiteSpace }: CSSStyleDeclaration): Fragment[] {
  const { data } = node;
  const isKept = whiteSpace.startsWith("pre") || whiteSpace === "break-spaces";
  const range = document.createRange();
  const start = isKept ? 0 : data.length - data.trimStart().length;
  const end = isKept ? data.length : data.trimEnd().length;
  if (start >= end) return [];
  range.setStart(node, start);
  range.setEnd(node, end);
  const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 0 && height > 0);
  const collapsed = (text: string) =>
    isKept ? text.replaceAll("\n", "") : text.replace(/\s+/g, " ");
  if (boxes.length === 0) return [];
  if (boxes.length === 1) return [{ text: collapsed(data.slice(start, end)), box: boxes[0] }];
  const lines: Fragment[] = [];
  let at = start;
  for (const character of data.slice(start, end)) {
    range.setStart(node, at);
    range.setEnd(node, at + character.length);
    at += character.length;
    const [box] = range.getClientRects();
    if (!box || box.width === 0) continue;
    const last = lines.at(-1);
    if (last && Math.abs(last.box.top - box.top) < box.height / 2) {
      const { left, top, height } = last.box;
      last.text += character;
      last.box = new DOMRect(left, top, box.right - left, height);
    } else if (isKept || character.trim() !== "") lines.push({ text: character, box });
  }
  return lines.map(({ text, box }) => ({ text: collapsed(text), box }));
}

function transformText(text: string, { textTransform }: CSSStyleDeclaration) {
  if (textTransform === "uppercase") return text.toUpperCase();
  return textTransform === "lowercase" ? text.toLowerCase() : text;
}

function ellipsis(text: string, room: number, widthOf: (text: string) => number) {
  const characters = [...text];
  while (characters.length > 0 && widthOf(`${characters.join("")}…`) > room) characters.pop();
  return characters.length > 0 ? `${characters.join("")}…` : "";
}
