/** Slices of volumes as pixels: greys by a table, colours laid over them. */
import { DEAD_ZONE, ERROR_LIMIT, ERROR_SHOWN_FROM, differenceInk, errorInk, inkTable } from "./color_maps";
import type { PlaneView } from "./planes";
import type { Volume } from "./volume";
import { Grey } from "./window_levels";

/** Where the pixels of a slice lie in a volume: the first one, and the steps right and down. */
export interface Walk {
  width: number;
  height: number;
  start: number;
  right: number;
  down: number;
}

export function walk(volume: Volume, view: PlaneView, index: number): Walk {
  const { dims, strides } = volume;
  const width = dims[view.across];
  const height = dims[view.down];
  let start = index * strides[view.through];
  let right = strides[view.across];
  let down = strides[view.down];
  if (view.flipAcross) {
    start += (width - 1) * right;
    right = -right;
  }
  if (view.flipDown) {
    start += (height - 1) * down;
    down = -down;
  }
  return { width, height, start, right, down };
}

export function paintGrey(pixels: Uint32Array, volume: Volume, steps: Walk, grey: Grey): void {
  const { width, height, start, right, down } = steps;
  const table = grey.lookup();
  const { data } = volume;
  const whole = Grey.isWhole(data);
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let at = start + row * down;
    // Two loops, for the one with whole numbers is the one that must be quick.
    if (whole) for (let x = 0; x < width; x++, at += right) pixels[pixel++] = table[data[at] + 32768];
    else for (let x = 0; x < width; x++, at += right) pixels[pixel++] = table[Grey.index(data[at])];
  }
}

/** Lay the signed change in HU over grey pixels. */
export function paintDifference(
  pixels: Uint32Array, original: Volume, corrected: Volume, steps: Walk, limit: number,
): void {
  const table = differenceTable(limit);
  const before = original.data;
  const after = corrected.data;
  forEachPixel(steps, (pixel, at) => {
    const change = after[at] - before[at];
    if (change < DEAD_ZONE && change > -DEAD_ZONE) return;
    blend(pixels, pixel, table, limit + Math.round(Math.max(-limit, Math.min(limit, change))));
  });
}

/** Lay the expected error in HU over grey pixels. */
export function paintError(pixels: Uint32Array, error: Volume, steps: Walk): void {
  const { data } = error;
  forEachPixel(steps, (pixel, at) => {
    if (data[at] < ERROR_SHOWN_FROM) return;
    blend(pixels, pixel, ERROR_TABLE, ERROR_LIMIT + Math.round(Math.min(ERROR_LIMIT, data[at])));
  });
}

/** Lay one colour over the pixels of a mask. */
export function paintMask(
  pixels: Uint32Array, mask: Uint8Array, steps: Walk, color: [number, number, number, number],
): void {
  const table = Float32Array.from(color);
  forEachPixel(steps, (pixel, at) => {
    if (mask[at] > 0) blend(pixels, pixel, table, 0);
  });
}

const ERROR_TABLE = inkTable(ERROR_LIMIT, errorInk);
const differenceTables = new Map<number, Float32Array>();

function differenceTable(limit: number): Float32Array {
  let table = differenceTables.get(limit);
  if (table === undefined) {
    table = inkTable(limit, (hu) => differenceInk(hu, limit));
    differenceTables.set(limit, table);
  }
  return table;
}

function forEachPixel(steps: Walk, visit: (pixel: number, at: number) => void): void {
  const { width, height, start, right, down } = steps;
  let pixel = 0;
  for (let row = 0; row < height; row++) {
    let at = start + row * down;
    for (let x = 0; x < width; x++, at += right) visit(pixel++, at);
  }
}

function blend(pixels: Uint32Array, pixel: number, table: Float32Array, entry: number): void {
  const opacity = table[4 * entry + 3];
  const under = (pixels[pixel] & 255) * (1 - opacity);
  const red = under + opacity * table[4 * entry];
  const green = ((pixels[pixel] >> 8) & 255) * (1 - opacity) + opacity * table[4 * entry + 1];
  const blue = ((pixels[pixel] >> 16) & 255) * (1 - opacity) + opacity * table[4 * entry + 2];
  pixels[pixel] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
