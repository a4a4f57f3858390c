// ---- The viewer: one slice large, before and after under one pointer.

const viewer = document.getElementById("viewer"), stage = document.getElementById("stage");
const planes = [...stage.querySelectorAll(".plane")];
const by = (name, root = viewer) => root.querySelector(`.${name}`);

const view = {
  at: 0, mode: "pair", map: 0, zoom: 1, x: 0.5, y: 0.5, curtain: 0.5, pointer: null, hu: null,

  async open(number) {
    this.at = Math.max(0, numbers.indexOf(number));
    if (!viewer.open) viewer.showModal();
    stage.focus();
    await this.load();
  },

  async move(by) {
    const next = Math.min(numbers.length - 1, Math.max(0, this.at + by));
    if (next === this.at) return;
    this.at = next;
    await this.load();
  },

  async load() {
    const one = config.slices[this.at], hu = await values(one.number);
    if (one !== config.slices[this.at]) return; // scrolled on meanwhile
    this.hu = hu;
    by("viewer-title").textContent = one.title;
    by("viewer-count").textContent = `${this.at + 1} of ${numbers.length} shown here`;
    const panels = [...document.querySelectorAll(`#slice-${one.number} .panel svg`)];
    const lines = panels.find((svg) => svg.dataset.values === "after") || panels[0];
    this.maps = panels.filter((svg) => !svg.dataset.values);
    this.map = Math.min(this.map, this.maps.length);
    for (const plane of planes) {
      const copy = lines.cloneNode(true);
      copy.querySelectorAll("image, use").forEach((picture) => picture.remove());
      copy.setAttribute("aria-hidden", "true");
      by("lines", plane).replaceChildren(copy);
    }
    this.paint();
    this.place();
    this.read();
    viewer.dataset.slice = one.number;
  },

  paint() {
    if (!this.hu) return;
    const whole = [0, 0, config.rows, config.columns];
    paint(by("under", planes[0]), this.hu.before, whole, shown);
    paint(by("under", planes[1]), this.hu.after, whole, shown);
    paint(by("over", planes[1]), this.hu.before, whole, shown);
  },

  place() {
    viewer.dataset.mode = this.mode;
    const shape = config.width / config.height;
    for (const plane of planes) {
      const room = plane.parentElement.getBoundingClientRect();
      const width = Math.min(room.width, room.height * shape);
      plane.style.width = `${width}px`;
      plane.style.height = `${width / shape}px`;
      // A letter's size is in mm of the picture: as large on the screen whatever the zoom.
      plane.style.setProperty("--unit", config.width / width / this.zoom);
      const shift = [this.x, this.y].map((part) => 100 * (0.5 - part) * (this.zoom - 1));
      plane.style.transform = `translate(${shift[0]}%, ${shift[1]}%) scale(${this.zoom})`;
    }
    const [, main] = planes, map = this.maps?.[this.map - 1];
    const right = `${100 - 100 * this.curtain}%`;
    by("over", main).style.clipPath = this.mode === "curtain" ? `inset(0 ${right} 0 0)` : "";
    by("map", main).hidden = !map;
    if (map) by("map", main).src = map.querySelector("image").getAttribute("href");
    const names = { curtain: "before | after" };
    by("name", main.parentElement).textContent = map
      ? config.legends[map.getAttribute("aria-label")]
      : names[this.mode] || "after";
    viewer.querySelectorAll("button[data-mode]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode));
    });
    by("to-map").setAttribute("aria-pressed", String(this.map > 0));
  },

  blink(on) {
    viewer.classList.toggle("blink", on);
    by("blink").setAttribute("aria-pressed", String(on));
    if (on) by("name", planes[1].parentElement).textContent = "BEFORE";
    else this.place();
  },

  zoomTo(zoom, at = this.pointer) {
    this.zoom = Math.min(8, Math.max(1, zoom));
    if (at) [this.x, this.y] = at;
    this.place();
  },

  // Shares of the plane, whatever its zoom, from the left and from above.
  share(event) {
    const plane = event.target.closest(".pane")?.querySelector(".plane") || planes[1];
    const box = plane.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  },

  read() {
    const inside = this.pointer?.every((part) => part >= 0 && part < 1);
    for (const plane of planes) {
      by("cross", plane).hidden = !inside;
      if (!inside) continue;
      by("cross", plane).style.left = `${100 * this.pointer[0]}%`;
      by("cross", plane).style.top = `${100 * this.pointer[1]}%`;
    }
    const [column, row] = (this.pointer || [0, 0]).map((part, axis) =>
      Math.floor(part * (axis ? config.rows : config.columns)));
    const hint = "Point at the picture to read HU.";
    by("readout").textContent = inside ? say(this.hu, row, column) : hint;
  },
};

const setMode = (mode) => {
  view.mode = mode;
  view.place();
};
const nextMap = () => {
  view.map = (view.map + 1) % (1 + (view.maps?.length || 0));
  view.place();
};
const lines = () => {
  const off = viewer.classList.toggle("bare");
  by("to-lines").setAttribute("aria-pressed", String(!off));
};

const acts = {
  ArrowDown: () => view.move(1), ArrowRight: () => view.move(1), PageDown: () => view.move(1),
  ArrowUp: () => view.move(-1), ArrowLeft: () => view.move(-1), PageUp: () => view.move(-1),
  Home: () => view.move(-numbers.length), End: () => view.move(numbers.length),
  s: () => setMode("pair"), a: () => setMode("one"), c: () => setMode("curtain"),
  d: nextMap, o: lines,
  "+": () => view.zoomTo(view.zoom * 1.5), "=": () => view.zoomTo(view.zoom * 1.5),
  "-": () => view.zoomTo(view.zoom / 1.5), 0: () => view.zoomTo(1, [0.5, 0.5]),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const window = config.windows[Number(event.key) - 1];
  if (window) return setWindow(window);
  if (!viewer.open) return undefined;
  const act = acts[event.key] || acts[event.key.toLowerCase()];
  if (event.key === " " && event.target.tagName !== "BUTTON") view.blink(true);
  else if (act) act();
  else return undefined;
  return event.preventDefault();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " " && viewer.classList.contains("blink")) view.blink(false);
});

// ---- Pointer: the wheel scrolls slices, with Ctrl it zooms; drag pans, the right button windows.

let turned = 0, drag = null;
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const times = event.deltaY < 0 ? 1.25 : 0.8;
  if (event.ctrlKey) return view.zoomTo(view.zoom * times, view.share(event));
  turned += event.deltaY;
  if (Math.abs(turned) < 40) return undefined;
  view.move(Math.sign(turned));
  turned = 0;
  return undefined;
}, { passive: false });
stage.addEventListener("contextmenu", (event) => event.preventDefault());
stage.addEventListener("pointerdown", (event) => {
  const { button, clientX: x, clientY: y } = event;
  drag = { button, x, y, window: shown, at: [view.x, view.y] };
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointerup", () => {
  if (drag?.button === 2) setWindow(shown);
  drag = null;
});
stage.addEventListener("pointermove", (event) => {
  const { clientX, clientY } = event;
  const target = document.elementFromPoint(clientX, clientY)?.closest(".pane");
  view.pointer = target ? view.share({ target, clientX, clientY }) : null;
  view.read();
  if (view.mode === "curtain" && view.pointer && (!drag || view.zoom === 1)) {
    view.curtain = Math.min(1, Math.max(0, view.pointer[0]));
    view.place();
  }
  if (!drag) return;
  const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
  if (drag.button === 2) {
    const width = Math.max(1, drag.window.width + 2 * x);
    setWindow({ width, level: drag.window.level + y }, true);
  } else if (view.zoom > 1) {
    const box = planes[1].getBoundingClientRect(), fit = view.zoom / (view.zoom - 1);
    const part = (moved, length, old) => Math.min(1, Math.max(0, old - (moved / length) * fit));
    view.x = part(x, box.width, drag.at[0]);
    view.y = part(y, box.height, drag.at[1]);
    view.place();
  }
});
stage.addEventListener("pointerleave", () => {
  view.pointer = null;
  view.read();
});

// ---- Buttons and links.

const press = {
  "previous": () => view.move(-1), "next": () => view.move(1), "to-map": nextMap,
  "to-lines": lines, "closer": () => view.zoomTo(view.zoom * 1.5),
  "farther": () => view.zoomTo(view.zoom / 1.5), "leave": () => viewer.close(),
  "blink": () => view.blink(!viewer.classList.contains("blink")),
};
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open], .panel svg[data-slice]");
  const button = event.target.closest("button");
  if (button?.dataset.window) setWindow(config.windows[button.dataset.window]);
  else if (button?.dataset.mode) setMode(button.dataset.mode);
  else if (button && press[button.dataset.press]) press[button.dataset.press]();
  else if (opener && !viewer.contains(opener)) {
    const number = Number(opener.dataset.open || opener.dataset.slice);
    if (!numbers.includes(number)) return;
    event.preventDefault();
    view.open(number);
  }
  // After a click the keys are the viewer's again; from the keyboard the focus stays.
  if (button && viewer.contains(button) && event.detail) stage.focus();
});
document.addEventListener("mousemove", async (event) => {
  const svg = event.target.closest?.(".panel svg[data-slice]");
  const out = document.getElementById("hu-now");
  if (!svg || viewer.open) {
    out.textContent = "";
    return;
  }
  const [top, left, rows, columns] = boxOf(svg), box = svg.getBoundingClientRect();
  const row = top + Math.floor(((event.clientY - box.top) / box.height) * rows);
  const column = left + Math.floor(((event.clientX - box.left) / box.width) * columns);
  const hu = await values(Number(svg.dataset.slice));
  const inside = row >= 0 && row < config.rows && column >= 0 && column < config.columns;
  if (inside) out.textContent = say(hu, row, column);
});
window.addEventListener("resize", () => viewer.open && view.place());

document.documentElement.classList.remove("still");
setWindow(shown);
