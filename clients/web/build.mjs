// Builds `dist/` (the files that the server embeds), or bundles and runs the tests.
//
//   node build.mjs            dist/, minified, the same bytes on every machine
//   node build.mjs --watch    dist/ again after each change
//   node build.mjs --test     the tests of `test/`, under node's own runner
//   node build.mjs --bundle FILE OUT   one program of `test/` for Node, for tests that do not run in it
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

/** What decides the bytes of the bundle: fixed names, no source map, no paths, no clock. */
const bundle = {
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx" },
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome123", "firefox120", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  // The SDK is bundled from its source; nobody has to build it first.
  conditions: ["source"],
  minify: true,
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
};

/** What runs in Node keeps its names, and the lines of its source. */
const forNode = {
  absWorkingDir: here,
  conditions: ["source"],
  bundle: true,
  platform: "node",
  format: "esm",
  sourcemap: "inline",
  logLevel: "warning",
};

function copyStatic() {
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(join(here, "static")).sort()) {
    copyFileSync(join(here, "static", name), join(dist, name));
  }
}

function report() {
  for (const name of readdirSync(dist).sort()) {
    const bytes = readFileSync(join(dist, name));
    console.log(`${name.padEnd(14)} ${String(bytes.length).padStart(7)} B  ${String(gzipSync(bytes).length).padStart(6)} B gzipped`);
  }
}

async function build() {
  rmSync(dist, { recursive: true, force: true });
  copyStatic();
  await esbuild.build(bundle);
  report();
}

async function watch() {
  copyStatic();
  const context = await esbuild.context({ ...bundle, logLevel: "info" });
  await context.watch();
}

async function test() {
  const out = mkdtempSync(join(tmpdir(), "web-test-"));
  try {
    const tests = ["test", "sdk/test"].flatMap((folder) =>
      readdirSync(join(here, folder)).filter((name) => name.endsWith(".test.ts")).sort().map((name) => `${folder}/${name}`),
    );
    await esbuild.build({ ...forNode, entryPoints: tests, outdir: out, outbase: ".", outExtension: { ".js": ".mjs" } });
    const files = tests.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
    // Node has a WebSocket of its own from version 22; version 20 has it behind this flag.
    const webSocket = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-websocket"] : [];
    const runner = [...webSocket, "--enable-source-maps", "--test", ...files];
    return spawnSync(process.execPath, runner, { stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function program(entry, outfile) {
  await esbuild.build({ ...forNode, entryPoints: [entry], outfile });
}

if (process.argv[2] === "--bundle") await program(process.argv[3], process.argv[4]);
else if (process.argv.includes("--test")) process.exitCode = await test();
else if (process.argv.includes("--watch")) await watch();
else await build();
