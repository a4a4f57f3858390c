/** How planes of a volume lie on the screen, by radiological convention, and their letters. */
import type { Triple, Volume } from "./volume";

export type Plane = "axial" | "coronal" | "sagittal";
export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

/** The voxel axes that a plane shows, in the order in which the server names its points. */
const AXES: Record<Plane, { shown: [number, number]; through: number }> = {
  axial: { shown: [0, 1], through: 2 },
  coronal: { shown: [0, 2], through: 1 },
  sagittal: { shown: [1, 2], through: 0 },
};

/** Letters of the patient's directions, for negative and positive steps along x, y and z (RAS+). */
const LETTERS = [
  ["L", "R"],
  ["P", "A"],
  ["F", "H"],
];

/** An axis that lies more than this sine (15 degrees) off gets a second letter, as in "AH". */
const OBLIQUE = 0.26;

export interface PlaneView {
  plane: Plane;
  /** What the plane is in the patient, which is not its place in the file for reformatted series. */
  name: string;
  /** Voxel axes along the screen's width and height, and through it. */
  across: number;
  down: number;
  through: number;
  /** Whether voxel indices fall from left to right, from top to bottom. */
  flipAcross: boolean;
  flipDown: boolean;
  letters: { left: string; right: string; top: string; bottom: string } | null;
}

/** Views of the three planes; without letters and as stored where the patient's pose is unknown. */
export function planeViews(volume: Volume, oriented: boolean): Record<Plane, PlaneView> {
  const view = oriented ? orientedView : storedView;
  return {
    axial: view(volume, "axial"),
    coronal: view(volume, "coronal"),
    sagittal: view(volume, "sagittal"),
  };
}

function storedView(_volume: Volume, plane: Plane): PlaneView {
  const { shown, through } = AXES[plane];
  const [across, down] = shown;
  return {
    plane, name: plane, across, down, through, flipAcross: false, flipDown: false, letters: null,
  };
}

function orientedView(volume: Volume, plane: Plane): PlaneView {
  const directions = [0, 1, 2].map((axis) => direction(volume, axis));
  const patientAxes = nearestAxes(directions);
  const { shown, through } = AXES[plane];
  // Sagittal planes have front and back across the screen, the others right and left; axial ones
  // have the back below, the others the feet.
  const normal = patientAxes[through];
  const wantedAcross = normal === 0 ? 1 : 0;
  const across = patientAxes[shown[0]] === wantedAcross ? shown[0] : shown[1];
  const down = across === shown[0] ? shown[1] : shown[0];
  // Left on the screen is the patient's right, or front; top is front, or head: in RAS+ all the
  // positive ends, so indices run with the screen where their axis runs to the negative end.
  const flipAcross = directions[across][patientAxes[across]] > 0;
  const flipDown = directions[down][patientAxes[down]] > 0;
  const toRight = directions[across].map((part) => (flipAcross ? -part : part)) as Triple;
  const toBottom = directions[down].map((part) => (flipDown ? -part : part)) as Triple;
  const letters = {
    left: lettersOf(toRight.map((part) => -part) as Triple),
    right: lettersOf(toRight),
    top: lettersOf(toBottom.map((part) => -part) as Triple),
    bottom: lettersOf(toBottom),
  };
  const name = ["sagittal", "coronal", "axial"][normal];
  return { plane, name, across, down, through, flipAcross, flipDown, letters };
}

function direction(volume: Volume, axis: number): Triple {
  const column = volume.affine.map((row) => row[axis]);
  const length = Math.hypot(...column) || 1;
  return column.map((part) => part / length) as Triple;
}

/** mm between voxels along i, j and k. */
export function spacingOf(volume: Volume): Triple {
  return [0, 1, 2].map((axis) => Math.hypot(...volume.affine.map((row) => row[axis])) || 1) as Triple;
}

/** For each voxel axis the patient's axis nearest to it, each of them once. */
function nearestAxes(directions: Triple[]): Triple {
  const orders: Triple[] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const fit = (order: Triple): number =>
    order.reduce((sum, patient, axis) => sum + Math.abs(directions[axis][patient]), 0);
  return orders.reduce((best, order) => (fit(order) > fit(best) ? order : best));
}

function lettersOf(towards: Triple): string {
  return [0, 1, 2]
    .filter((axis) => Math.abs(towards[axis]) > OBLIQUE)
    .sort((a, b) => Math.abs(towards[b]) - Math.abs(towards[a]))
    .map((axis) => LETTERS[axis][towards[axis] > 0 ? 1 : 0])
    .join("");
}
