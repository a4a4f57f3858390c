/** Voxels in memory, as the server sent them. */

export type Voxels =
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>;
export type Triple = [number, number, number];

export class Volume {
  /** Slices that have arrived, from the first on. */
  loaded = 0;

  constructor(
    readonly data: Voxels,
    /** columns, rows, slices: the axes i, j, k of all that follows */
    readonly dims: Triple,
    /** 3 rows of 4: voxel indices to mm towards the patient's right, front and head (RAS+) */
    readonly affine: number[][],
    /** The NIfTI header it came with, for masks on the same grid. */
    readonly header: Uint8Array<ArrayBuffer>,
  ) {}

  /** Steps in `data` from one voxel to the next along i, j and k. */
  get strides(): Triple {
    return [1, this.dims[0], this.dims[0] * this.dims[1]];
  }

  /** The value of the voxel that a point in voxel indices lies in; null outside or not yet there. */
  at(point: Triple): number | null {
    const [i, j, k] = point.map(Math.round) as Triple;
    const [columns, rows] = this.dims;
    if (i < 0 || j < 0 || k < 0 || i >= columns || j >= rows || k >= this.loaded) return null;
    return this.data[i + columns * (j + rows * k)];
  }
}
