// Shapes on a canvas, larger than on the screen.

import { type Fill, type Ink, isGradient, type Shape, type Stroke } from "./shapes.js";

/** The shapes' rectangles and pictures have whole pixels, so that cells keep their exact colours. @param scale pixels of the canvas per CSS pixel */
export function paintShapes(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  shapes: readonly Shape[],
  scale: number,
) {
  for (const shape of shapes) {
    context.save();
    context.scale(scale, scale);
    paintShape(context, shape, scale);
    context.restore();
  }
}

function paintShape(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  shape: Shape,
  scale: number,
) {
  const whole = (value: number) => Math.round(value * scale) / scale;
  switch (shape.kind) {
    case "rect": {
      const { fill, stroke, isCell } = shape;
      const edge = isCell ? whole : (value: number) => value;
      const [x, y] = [edge(shape.x), edge(shape.y)];
      const [width, height] = [edge(shape.x + shape.width) - x, edge(shape.y + shape.height) - y];
      const path = new Path2D();
      if (shape.radius > 0) path.roundRect(x, y, width, height, shape.radius);
      else path.rect(x, y, width, height);
      return paintPath(context, path, fill, stroke);
    }
    case "path":
      if (shape.transform) context.transform(...shape.transform);
      return paintPath(context, new Path2D(shape.d), shape.fill, shape.stroke);
    case "text": {
      const { style, weight, size, family } = shape.font;
      if (shape.transform) context.transform(...shape.transform);
      context.font = `${style || "normal"} ${weight || "normal"} ${size}px ${family}`;
      context.fillStyle = colour(shape.ink);
      return context.fillText(shape.text, shape.x, shape.y);
    }
    case "image": {
      const picture = new OffscreenCanvas(shape.columns, shape.rows);
      picture
        .getContext("2d")
        ?.putImageData(
          new ImageData(new Uint8ClampedArray(shape.pixels.buffer), shape.columns, shape.rows),
          0,
          0,
        );
      context.imageSmoothingEnabled = false;
      return context.drawImage(picture, shape.x, shape.y, shape.width, shape.height);
    }
  }
}

function paintPath(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  path: Path2D,
  fill: Fill | null,
  stroke: Stroke | null,
) {
  if (fill) {
    context.fillStyle = isGradient(fill) ? gradientOn(context, fill) : colour(fill);
    context.fill(path);
  }
  if (!stroke || stroke.width === 0) return;
  context.strokeStyle = colour(stroke.ink);
  context.lineWidth = stroke.width;
  context.setLineDash([...stroke.dash]);
  context.stroke(path);
}

function gradientOn(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  { from, to, stops }: Exclude<Fill, Ink>,
) {
  const made = context.createLinearGradient(...from, ...to);
  for (const { at, ink } of stops) made.addColorStop(at, colour(ink));
  return made;
}

function colour([red, green, blue, alpha]: Ink) {
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}
