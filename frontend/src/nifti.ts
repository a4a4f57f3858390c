/** NIfTI-1 in and out: what the server sends, uncompressed and little-endian, and masks for it. */
import { Volume, type Voxels } from "./volume";

const HEADER_BYTES = 352;
const UINT8 = 2;
const INT16 = 4;
const FLOAT32 = 16;

/**
 * Fetch a volume. It is handed over as soon as its header is there, and fills slice by slice:
 * `volume.loaded` says how many slices are there, and `onProgress` is called when it grows.
 */
export async function fetchVolume(
  address: string,
  onProgress: (volume: Volume) => void,
  signal: AbortSignal,
): Promise<Volume> {
  const response = await fetch(address, { signal });
  if (!response.ok || response.body === null) {
    throw new Error(`the server did not send the images (${response.status})`);
  }
  const reader = response.body.getReader();
  const head = new Uint8Array(HEADER_BYTES);
  let volume: Volume | null = null;
  let target: Uint8Array = head;
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    let chunk: Uint8Array = value;
    if (volume === null) {
      const part = chunk.subarray(0, HEADER_BYTES - filled);
      head.set(part, filled);
      filled += part.length;
      if (filled < HEADER_BYTES) continue;
      chunk = chunk.subarray(part.length);
      volume = readHeader(head);
      target = new Uint8Array(volume.data.buffer);
      filled = 0;
    }
    target.set(chunk, filled);
    filled += chunk.length;
    const slices = Math.floor((filled / target.length) * volume.dims[2]);
    if (slices > volume.loaded) {
      volume.loaded = slices;
      onProgress(volume);
    }
  }
  if (volume === null || filled < target.length) throw new Error("the images came incomplete");
  return volume;
}

function readHeader(head: Uint8Array): Volume {
  const view = new DataView(head.buffer);
  const dims: [number, number, number] = [1, 1, 1];
  for (let axis = 0; axis < Math.min(3, view.getInt16(40, true)); axis++) {
    dims[axis] = view.getInt16(42 + 2 * axis, true);
  }
  const slope = view.getFloat32(112, true);
  if ((slope !== 0 && slope !== 1) || view.getFloat32(116, true) !== 0) {
    throw new Error("the images came scaled, which this page does not read");
  }
  // The three rows of the sform: voxel indices to mm, to the patient's right, front and head.
  const affine = [0, 1, 2].map((row) =>
    [0, 1, 2, 3].map((column) => view.getFloat32(280 + 16 * row + 4 * column, true)),
  );
  const voxels = allocate(view.getInt16(70, true), dims[0] * dims[1] * dims[2]);
  return new Volume(voxels, dims, affine, head.slice());
}

function allocate(datatype: number, count: number): Voxels {
  if (datatype === UINT8) return new Uint8Array(count);
  if (datatype === INT16) return new Int16Array(count);
  if (datatype === FLOAT32) return new Float32Array(count);
  throw new Error(`the images came as NIfTI type ${datatype}, which this page does not read`);
}

/** A mask on the grid of `like`, as a NIfTI file. */
export function maskFile(mask: Uint8Array<ArrayBuffer>, like: Volume): Blob {
  const head = like.header.slice();
  const view = new DataView(head.buffer);
  view.setInt16(70, UINT8, true);
  view.setInt16(72, 8, true);
  view.setFloat32(108, HEADER_BYTES, true);
  view.setFloat32(112, 1, true);
  view.setFloat32(116, 0, true);
  return new Blob([head, mask]);
}
