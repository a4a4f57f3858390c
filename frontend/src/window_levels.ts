/** Windows: presets, and HU to grey. */
import type { Window } from "./api";
import type { Voxels } from "./volume";

export interface Preset {
  key: string;
  name: string;
  /** null: the DICOM header's own. */
  window: Window | null;
}

export const PRESETS: readonly Preset[] = [
  { key: "1", name: "Soft", window: { width: 400, level: 40 } },
  { key: "2", name: "Bone", window: { width: 2000, level: 500 } },
  { key: "3", name: "Lung", window: { width: 1500, level: -600 } },
  { key: "4", name: "Brain", window: { width: 80, level: 40 } },
  { key: "5", name: "Metal", window: { width: 6000, level: 1000 } },
  { key: "6", name: "Own", window: null },
];

export function clampWindow(window: Window): Window {
  const width = Math.min(20000, Math.max(1, Math.round(window.width)));
  const level = Math.min(20000, Math.max(-10000, Math.round(window.level)));
  return { width, level };
}

/** RGBA of one pixel as a little-endian 32-bit number. */
export function rgba(red: number, green: number, blue: number): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** HU to grey pixels, by a table over all 16-bit values: one look-up a pixel. */
export class Grey {
  private readonly table = new Uint32Array(65536);
  private low = NaN;
  private high = NaN;

  set(window: Window): void {
    const low = window.level - window.width / 2;
    const high = window.level + window.width / 2;
    if (low === this.low && high === this.high) return;
    this.low = low;
    this.high = high;
    for (let value = -32768; value < 32768; value++) {
      const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
      const level = Math.round(255 * share);
      this.table[value + 32768] = rgba(level, level, level);
    }
  }

  /** Grey of HU; what is beyond 16 bits is far beyond every window. Fractions are rounded. */
  lookup(): Uint32Array {
    return this.table;
  }

  static index(value: number): number {
    return Math.min(65535, Math.max(0, Math.round(value) + 32768));
  }

  static isWhole(voxels: Voxels): boolean {
    return !(voxels instanceof Float32Array);
  }
}
