/** All keys, by group, in a dialog. */
import { byId, el } from "../dom";
import type { Key, Keys } from "../keys";

const MOUSE: [string, string][] = [
  ["Wheel", "scroll through slices"],
  ["Ctrl and wheel, two fingers", "zoom"],
  ["Left button, one finger", "the chosen tool"],
  ["Right button", "window: right widens, down darkens (a higher level)"],
  ["Middle button", "pan"],
];

export function helpDialog(table: readonly Key[], keys: Keys, version: () => string): { open: () => void } {
  const dialog = byId("help") as HTMLDialogElement;
  const groups = [...new Set(table.map((key) => key.group))];
  const lists = groups.map((group) =>
    section(group, table.filter((key) => key.group === group).map((key) => [key.shown, key.what])),
  );
  const single = el("input", { type: "checkbox", id: "single-keys", checked: true, onchange: () => { keys.enabled = single.checked; } });
  const about = el("p", { class: "hint" });
  dialog.append(
    el("div", { class: "help-head" }, el("h2", { id: "help-title" }, "Keys, mouse and touch"),
      el("button", { type: "button", onclick: () => { dialog.close(); } }, "Close")),
    el("div", { class: "help-lists" }, ...lists, section("Mouse and touch", MOUSE)),
    el("label", { class: "check" }, single, "keys of one character (switch off when dictating)"),
    about,
  );
  return {
    open: () => {
      about.textContent = `unmetal ${version()}. Research use only: not a medical device. Nothing leaves this machine.`;
      dialog.showModal();
    },
  };
}

function section(name: string, rows: [string, string][]): HTMLElement {
  const body = rows.map(([keys, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, keys)), el("td", {}, what)));
  return el("section", {}, el("h3", {}, name), el("table", {}, el("tbody", {}, ...body)));
}
