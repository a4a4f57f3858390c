/** HU along a line, as a small chart. */
import { svg } from "../dom";

const [WIDTH, HEIGHT] = [300, 150];
const MARGIN = { left: 42, right: 8, top: 18, bottom: 26 };
/** The original light and dashed, the corrected one orange: apart without colour, too. */
const STYLES = [
  { color: "#e8edf2", dashes: "4 3" },
  { color: "#ffb000", dashes: "" },
];

export function profileChart(mm: number[], lines: { name: string; values: number[] }[]): SVGElement {
  const all = lines.flatMap((line) => line.values);
  const ticks = niceTicks(Math.min(...all), Math.max(...all));
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const end = mm[mm.length - 1] || 1;
  const x = (value: number): number => MARGIN.left + (value / end) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number =>
    HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const grid = ticks.flatMap((tick) => [
    svg("line", { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(tick), y2: y(tick), stroke: "#3a444e" }),
    svg("text", { x: MARGIN.left - 5, y: y(tick) + 4, "text-anchor": "end", class: "tick" }, String(tick).replace("-", "−")),
  ]);
  const paths = lines.map((line, number) => {
    const points = line.values.map((value, place) => `${x(mm[place]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const { color, dashes } = STYLES[Math.min(number, 1)];
    return svg("polyline", { points, fill: "none", stroke: color, "stroke-width": 1.6, "stroke-dasharray": dashes });
  });
  const legend = lines.flatMap((line, number) => {
    const left = MARGIN.left + number * 110;
    const { color, dashes } = STYLES[Math.min(number, 1)];
    return [
      svg("line", { x1: left, x2: left + 20, y1: 8, y2: 8, stroke: color, "stroke-width": 2, "stroke-dasharray": dashes }),
      svg("text", { x: left + 25, y: 12, class: "tick" }, line.name),
    ];
  });
  const axis = [
    svg("text", { x: MARGIN.left, y: HEIGHT - 8, class: "tick" }, "0"),
    svg("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 8, "text-anchor": "end", class: "tick" }, `${end.toFixed(0)} mm`),
    svg("text", { x: 4, y: 12, class: "tick" }, "HU"),
  ];
  const names = lines.map((line) => line.name).join(" and ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "profile", role: "img", "aria-label": `HU along the line, ${names}` },
    ...grid, ...paths, ...legend, ...axis);
}

/** Round numbers that hold a range, four steps or so. */
export function niceTicks(low: number, high: number): number[] {
  const rough = Math.max(1, high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? 10 * power;
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}
