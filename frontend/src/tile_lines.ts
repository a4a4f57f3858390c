/** Lines upon pictures: outlines, crosshair, regions of interest. */
import type { Outlines } from "./pictures";
import type { PlaneView } from "./planes";
import { cornersOf, type Roi } from "./rois";
import type { Triple } from "./volume";

/** Red as in the report; the others differ from it in lightness and in dashes, too. */
const METAL = "#ff3b30";
const LEFT_ALONE = "#00c2b2";
const NEAR = "#d6a8ff";
const DOUBTFUL = "#ffffff";
const ROI = "#39ff88";
const CHOSEN = "#ffcc00";

/** `pixel`: one point of the screen in the units of the canvas. */
export function drawOutlines(context: CanvasRenderingContext2D, outlines: Outlines, pixel: number): void {
  const { corrected, leftAlone, near, doubtful } = outlines;
  stroke(context, near, NEAR, pixel, [3, 3]);
  stroke(context, doubtful, DOUBTFUL, pixel, [1.5, 2.5]);
  stroke(context, leftAlone, LEFT_ALONE, 1.6 * pixel, [5, 2]);
  stroke(context, corrected, METAL, 1.6 * pixel, []);
}

function stroke(
  context: CanvasRenderingContext2D, path: Path2D | null, color: string, width: number, dashes: number[],
): void {
  if (path === null) return;
  context.setLineDash(dashes.map((dash) => dash * width));
  context.lineWidth = width;
  context.strokeStyle = color;
  context.stroke(path);
  context.setLineDash([]);
}

/** Two lines with a gap where they would meet: what is looked at stays free. */
export function drawCrosshair(
  context: CanvasRenderingContext2D, [x, y]: [number, number], width: number, height: number,
): void {
  const gap = 14;
  context.beginPath();
  for (const [x0, y0, x1, y1] of [
    [0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height],
  ]) {
    context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
    context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  }
  context.lineWidth = 1;
  context.strokeStyle = "rgb(120 220 255 / 0.6)";
  context.stroke();
}

export function drawRois(
  context: CanvasRenderingContext2D,
  rois: readonly Roi[],
  plane: PlaneView,
  index: number,
  toScreen: (point: Triple) => [number, number],
): void {
  for (const roi of rois) {
    if (roi.plane !== plane.plane || roi.index !== index) continue;
    const [from, to] = cornersOf(roi);
    const [x0, y0] = toScreen(from);
    const [x1, y1] = toScreen(to);
    context.beginPath();
    if (roi.shape === "line") {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    } else if (roi.shape === "rectangle") {
      context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    } else {
      context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
    }
    // A dark line under the bright one: it must be seen on bone as well as on air.
    context.lineWidth = 3.5;
    context.strokeStyle = "rgb(0 0 0 / 0.7)";
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = roi.chosen ? CHOSEN : ROI;
    context.stroke();
    context.fillStyle = roi.chosen ? CHOSEN : ROI;
    context.font = "bold 12px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.fillText(String(roi.number), Math.max(x0, x1) + 4, Math.min(y0, y1) + 4);
  }
}
