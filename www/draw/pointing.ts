// The line from a card to the control that it points at.

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

type Point = { x: number; y: number };

const clamp = (value: number, min: number, max: number) => Math.min(max, Math.max(min, value));

/** Whether two boxes share a point. */
export function isOver(a: Box, b: Box) {
  return (
    a.left <= b.left + b.width &&
    b.left <= a.left + a.width &&
    a.top <= b.top + b.height &&
    b.top <= a.top + a.height
  );
}

/** The shortest line between two boxes that are apart, between the middles of the parts that face each other. */
export function lineBetween(from: Box, to: Box): { from: Point; to: Point } {
  const [x, y] = [span("left", "width"), span("top", "height")];
  return { from: { x: x.from, y: y.from }, to: { x: x.to, y: y.to } };

  function span(start: "left" | "top", size: "width" | "height") {
    const [a, b] = [from[start], to[start]];
    const [aEnd, bEnd] = [a + from[size], b + to[size]];
    const [low, high] = [Math.max(a, b), Math.min(aEnd, bEnd)];
    if (low <= high) return { from: (low + high) / 2, to: (low + high) / 2 };
    return { from: clamp(b, a, aEnd), to: clamp(a, b, bEnd) };
  }
}
