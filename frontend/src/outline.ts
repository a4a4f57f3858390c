/** Outlines of masks along the edges of their pixels: sharp at every zoom, in every plane. */
import type { Walk } from "./slice_pixels";
import type { Voxels } from "./volume";

/**
 * Edges between pixels from `low` to `high` and others, as a path in pixels of the slice: (0, 0) is
 * the corner of the first pixel. Null where the slice holds none.
 */
export function outline(voxels: Voxels, steps: Walk, low: number, high: number): Path2D | null {
  const { width, height, start, right, down } = steps;
  const within = (at: number): boolean => voxels[at] >= low && voxels[at] <= high;
  const inside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && within(start + x * right + y * down);
  const path = new Path2D();
  let any = false;
  for (let y = 0; y < height; y++) {
    let at = start + y * down;
    for (let x = 0; x < width; x++, at += right) {
      if (!within(at)) continue;
      any = true;
      if (!inside(x, y - 1)) line(path, x, y, x + 1, y);
      if (!inside(x, y + 1)) line(path, x, y + 1, x + 1, y + 1);
      if (!inside(x - 1, y)) line(path, x, y, x, y + 1);
      if (!inside(x + 1, y)) line(path, x + 1, y, x + 1, y + 1);
    }
  }
  return any ? path : null;
}

function line(path: Path2D, x0: number, y0: number, x1: number, y1: number): void {
  path.moveTo(x0, y0);
  path.lineTo(x1, y1);
}
