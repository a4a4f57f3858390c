// Bundles src/ into the package data that `unmetal view` serves: node build.mjs [FOLDER].
// No hashes, dates or absolute paths go in, so that the same source gives the same bytes.
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const here = (path) => new URL(path, import.meta.url).pathname;
const out = process.argv[2] ?? here("../src/unmetal/viewer/page");

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here("."),
  entryPoints: { viewer: "src/main.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
for (const name of ["index.html", "viewer.css", "icon.svg", "LICENSES.txt"]) {
  await copyFile(here(`src/static/${name}`), `${out}/${name}`);
}
