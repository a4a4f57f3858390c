/** What can be taken away, and sending it to an archive. */
import { messageOf, post, type Result } from "../api";
import { byId, el } from "../dom";
import type { Server } from "../server_state";
import type { View } from "../view_state";

/** What people call the exports; the rest are named by their file. */
const NAMES: Record<string, string> = {
  "dicom.zip": "Corrected series (DICOM, zip)",
  "difference.zip": "Difference in HU (DICOM, zip)",
  "seg.dcm": "Metal (DICOM segmentation)",
  "corrected.nii.gz": "Corrected images (NIfTI)",
  "report.html": "Report (one page)",
  "picture.png": "Picture of this slice (PNG)",
};

export class ExportPanel {
  private key = "";
  private readonly status = el("p", { class: "hint", role: "status", id: "push-status" });
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly destination = el("input", {
    id: "destination", placeholder: "AET@host:port", autocomplete: "off", spellcheck: "false",
    pattern: "[^@\\s]{1,16}@[^@\\s]+:[0-9]{1,5}", "aria-describedby": "push-status",
  });

  constructor(
    private readonly server: Server,
    private readonly view: View,
  ) {}

  update(): void {
    const result = this.server.result(this.view.state.result);
    const key = JSON.stringify([result?.id, result?.exports, this.server.state.destinations]);
    if (key === this.key) return;
    this.key = key;
    const panel = byId("export-panel");
    if (result === null) {
      panel.replaceChildren(el("p", { class: "hint" }, "There is nothing to export before a correction."));
      return;
    }
    const links = result.exports.map((name) => el("li", {}, this.link(result, name)));
    const uneven = this.server.series(result.series)?.warnings.some((one) => one.includes("uneven")) ?? false;
    const gaps = uneven && result.exports.includes("corrected.nii.gz")
      ? [el("p", { class: "hint" }, "NIfTI knows one distance between slices: behind a gap of this series they lie in the wrong place. DICOM keeps them where they are.")]
      : [];
    panel.replaceChildren(el("p", { class: "caption" }, result.title), el("ul", { class: "exports" }, ...links), ...gaps, ...this.push(result));
  }

  private link(result: Result, name: string): HTMLElement {
    const address = `api/results/${result.id}/export/${name}`;
    const anchor = el("a", { href: address, download: "" }, NAMES[name] ?? `Corrected images (${name})`);
    if (name === "picture.png") {
      // The picture is of what is seen when it is asked for.
      anchor.addEventListener("click", () => {
        const { cross, window } = this.view.state;
        anchor.href = `${address}?k=${cross[2]}&width=${window.width}&level=${window.level}`;
      });
    }
    return anchor;
  }

  private push(result: Result): Node[] {
    if (!this.server.state.destinations) {
      return [el("p", { class: "hint" }, "To send to an archive, install unmetal[dicom].")];
    }
    if (!result.exports.includes("dicom.zip")) return [];
    this.status.textContent = "";
    this.problem.hidden = true;
    const send = el("button", { type: "submit" }, "Send");
    const form = el("form", { class: "row", novalidate: true }, el("label", { for: "destination" }, "Send to"), this.destination, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send(result, send);
    });
    return [form, this.status, this.problem];
  }

  private async send(result: Result, button: HTMLButtonElement): Promise<void> {
    this.problem.hidden = true;
    if (!this.destination.checkValidity() || this.destination.value === "") {
      this.problem.textContent = "Write the destination as AET@host:port, such as ARCHIVE@10.0.0.5:11112.";
      this.problem.hidden = false;
      return;
    }
    button.disabled = true;
    this.status.textContent = "Sending";
    try {
      const { sent } = await post<{ sent: number }>(`api/results/${result.id}/push`, { destination: this.destination.value });
      this.status.textContent = `${sent} images were sent to ${this.destination.value}.`;
    } catch (error) {
      this.status.textContent = "";
      this.problem.textContent = `Not sent: ${messageOf(error)}`;
      this.problem.hidden = false;
    }
    button.disabled = false;
  }
}
