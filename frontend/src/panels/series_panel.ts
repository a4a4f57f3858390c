/** Which series is looked at, at the top of the page. */
import { remove } from "../api";
import { byId, el } from "../dom";
import type { Selection } from "../selection";
import type { Server } from "../server_state";
import type { View } from "../view_state";

export class SeriesPanel {
  private key = "";

  constructor(
    private readonly server: Server,
    private readonly view: View,
    private readonly selection: Selection,
    private readonly onOpen: () => void,
  ) {}

  update(): void {
    const { series } = this.server.state;
    const key = JSON.stringify([series.map((one) => one.id), this.view.state.series]);
    if (key === this.key) return;
    this.key = key;
    const chosen = this.server.series(this.view.state.series);
    const parts: Node[] = [];
    if (chosen !== null) {
      const select = el("select", { id: "series", "aria-label": "Series", onchange: () => { this.selection.openSeries(select.value); } },
        ...series.map((one) => el("option", { value: one.id, selected: one === chosen }, `${one.title}${one.description === "" ? "" : `, ${one.description}`}`)));
      const close = el("button", { type: "button", id: "close-series", onclick: () => void remove(`api/series/${chosen.id}`).catch(() => null) }, "Close");
      parts.push(select, close);
      if (chosen.made_by_unmetal) parts.push(el("span", { class: "problem" }, "already corrected by unmetal"));
    }
    parts.push(el("button", { type: "button", id: "open-button", onclick: this.onOpen }, "Open"));
    byId("series-panel").replaceChildren(...parts);
  }
}
