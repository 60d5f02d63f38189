// Writes `dist`: the modules with their types, and all of it as one file for a page that has no bundler.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
execFileSync("npx", ["--no-install", "tsc", "--project", "tsconfig.json"], { stdio: "inherit" });
// Whatever only Node.js has would not be found for a browser, and fails here.
await build({
  entryPoints: ["src/index.ts"],
  outfile: "dist/ghostcast.bundle.js",
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  legalComments: "inline",
});
