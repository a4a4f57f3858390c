/** Colours of differences and of expected errors; the same as in the report. */

/** HU of change that is not coloured: noise, and what no reader would see. */
export const DEAD_ZONE = 30;
/** HU of expected error: drawn from, not to be trusted from (as in the report), end of the scale. */
export const ERROR_SHOWN_FROM = 40;
export const DO_NOT_TRUST = 120;
export const ERROR_LIMIT = 240;

/** Darker and brighter than the original. Blue and orange stay apart for the colour-blind. */
const FELL = [77, 166, 255];
const ROSE = [255, 176, 0];

/** Stops of plasma (matplotlib), whose lightness grows evenly. */
const PLASMA = [
  [13, 8, 135], [84, 2, 163], [139, 10, 165], [185, 50, 137], [219, 92, 104], [244, 136, 73],
  [254, 188, 43], [240, 249, 33],
];

export interface Ink {
  red: number;
  green: number;
  blue: number;
  /** 0 to 1. */
  opacity: number;
}

/** Signed HU of change to ink; none within the dead zone. */
export function differenceInk(hu: number, limit: number): Ink {
  const size = Math.abs(hu);
  const [red, green, blue] = hu < 0 ? FELL : ROSE;
  if (size < DEAD_ZONE) return { red, green, blue, opacity: 0 };
  // Not from nothing: the edge of the dead zone must be seen.
  const share = Math.min(1, (size - DEAD_ZONE) / Math.max(1, limit - DEAD_ZONE));
  return { red, green, blue, opacity: 0.25 + 0.7 * share };
}

/** HU of expected error to ink. */
export function errorInk(hu: number): Ink {
  const place = (Math.min(1, Math.max(0, hu / ERROR_LIMIT))) * (PLASMA.length - 1);
  const first = Math.min(PLASMA.length - 2, Math.floor(place));
  const [red, green, blue] = PLASMA[first].map((part, channel) =>
    Math.round(part + (place - first) * (PLASMA[first + 1][channel] - part)),
  );
  return { red, green, blue, opacity: hu < ERROR_SHOWN_FROM ? 0 : 0.65 };
}

export function css(ink: Ink): string {
  return `rgb(${ink.red} ${ink.green} ${ink.blue} / ${ink.opacity})`;
}

/** Inks of whole HU from -limit to limit, in a table that `inkAt` reads: one look-up a pixel. */
export function inkTable(limit: number, ink: (hu: number) => Ink): Float32Array {
  const table = new Float32Array(4 * (2 * limit + 1));
  for (let hu = -limit; hu <= limit; hu++) {
    const { red, green, blue, opacity } = ink(hu);
    table.set([red, green, blue, opacity], 4 * (hu + limit));
  }
  return table;
}
