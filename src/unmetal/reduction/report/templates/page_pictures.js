// The pictures of the page in any window. Everything comes from the page: its policy lets no
// request leave it. Without scripts, and in browsers of before 2023, the page shows still pictures.

if (typeof DecompressionStream === "undefined") return;

const config = JSON.parse(document.getElementById("page-data").textContent);
const numbers = config.slices.map((one) => one.number);
const unpacked = new Map();
let shown = { ...config.window };

// ---- HU: `slice_values.pack_slices` says how they are written.

const bytesOf = async (text) => {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

const plane = (bytes, start) => {
  const size = config.rows * config.columns, values = new Int32Array(size);
  for (let place = 0, value = 0; place < size; place++) {
    const coded = bytes[start + place] | (bytes[start + size + place] << 8);
    const left = place % config.columns ? value : 0;
    value = ((left + ((coded >> 1) ^ -(coded & 1))) << 16) >> 16;
    values[place] = value;
  }
  return values;
};

const decode = async (number) => {
  const bytes = await bytesOf(document.getElementById(`hu-${number}`).textContent);
  const before = plane(bytes, 0), change = plane(bytes, 2 * before.length);
  const after = before.map((value, place) => config.step * (((value + change[place]) << 16) >> 16));
  return { before: before.map((value) => config.step * value), after };
};

const values = (number) => {
  if (!unpacked.has(number)) unpacked.set(number, decode(number));
  return unpacked.get(number);
};

// ---- Pictures in a window.

const paint = (canvas, hu, [top, left, rows, columns], window) => {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const low = window.level - window.width / 2, scale = 255 / window.width;
  for (let row = 0, at = 0; row < rows; row++) {
    let place = (top + row) * config.columns + left;
    for (let column = 0; column < columns; column++, place++, at += 4) {
      const gray = (hu[place] - low) * scale; // an ImageData clamps and rounds
      image.data[at] = image.data[at + 1] = image.data[at + 2] = gray;
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
};

const label = (canvas) => {
  const context = canvas.getContext("2d"), size = Math.max(8, canvas.width * 0.028);
  context.font = `${size}px sans-serif`;
  context.lineWidth = 2;
  context.fillStyle = "#fff";
  context.strokeText(config.label, 0.6 * size, canvas.height - 0.7 * size);
  context.fillText(config.label, 0.6 * size, canvas.height - 0.7 * size);
};

// A small crop is magnified first: its label could not be read otherwise.
const enlarged = (canvas) => {
  const times = Math.ceil(config.leastPixels / canvas.width);
  if (times === 1) return canvas;
  const large = document.createElement("canvas");
  large.width = times * canvas.width;
  large.height = times * canvas.height;
  large.getContext("2d").drawImage(canvas, 0, 0, large.width, large.height);
  return large;
};

const boxOf = (image) => image.dataset.box.split(" ").map(Number);

const redraw = async () => {
  const window = shown, canvas = document.createElement("canvas");
  for (const image of document.querySelectorAll("image[data-values]")) {
    const hu = await values(Number(image.dataset.slice));
    if (window !== shown) return; // another window was chosen meanwhile
    paint(canvas, hu[image.dataset.values], boxOf(image), window);
    const picture = enlarged(canvas);
    label(picture);
    image.setAttribute("href", picture.toDataURL("image/png"));
  }
  document.body.dataset.drawn = `${window.width} ${window.level}`;
};

const minus = (value) => String(Math.round(value)).replace("-", "−");
const signed = (value) => (value > 0 ? `+${minus(value)}` : minus(value));

// dragged: while the pointer moves only the viewer follows, the pictures of the page at its end.
const setWindow = (window, dragged = false) => {
  shown = window;
  for (const button of document.querySelectorAll("button[data-window]")) {
    const own = config.windows[button.dataset.window];
    const pressed = own && own.width === window.width && own.level === window.level;
    button.setAttribute("aria-pressed", String(Boolean(pressed)));
  }
  for (const text of document.querySelectorAll(".window-now")) {
    text.textContent = `W ${minus(window.width)} L ${minus(window.level)} HU`;
  }
  if (!dragged) redraw();
  if (viewer.open) view.paint();
};

const say = (hu, row, column) => {
  const place = row * config.columns + column, before = hu.before[place], after = hu.after[place];
  const at = (start, index) => start + Math.floor((index + 0.5) * config.shrink);
  const where = `row ${at(config.top, row)}, column ${at(config.left, column)}`;
  const change = signed(after - before);
  return `${where}: before ${minus(before)} HU, after ${minus(after)} HU (${change})`;
};
