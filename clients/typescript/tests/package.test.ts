// The package as a whole: all of it is tested, and what is written about it is so.
import { execFile } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "vitest";
import { BrowserClient, EventStream, Session } from "../src/node.js";
import { Page } from "../src/page.js";
import { test } from "./fixtures.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const HIDDEN = ["constructor", "at", "bounded", "done", "indexOf", "heard"];

test("every method is tested", () => {
  const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".test.ts"));
  const texts = files.map((name) => read(`tests/${name}`)).join("");
  const calls = read("../scenarios.json").replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  for (const made of [BrowserClient, Page, Session, EventStream]) {
    for (const name of Object.getOwnPropertyNames(made.prototype).filter((one) => !HIDDEN.includes(one))) {
      const isTested = new RegExp(`\\.${name}\\b`).test(texts) || calls.includes(`"do": "${name}"`);
      expect(isTested, `${made.name}.${name}`).toBe(true);
    }
  }
});

test("the licence is that of the service", () => {
  expect(read("LICENSE")).toBe(read("../../LICENSE"));
});

test("the first example of the README does what it says", async ({ client, service, site, called }) => {
  const example = /```js\n(.*?)```/s.exec(read("README.md"))?.[1] ?? "";
  const mine = example.replace("https://example.com", `${site}/`).replace('"shop"', `"${called}"`);
  expect(mine).not.toBe(example);
  // Beside what it imports by the package's own name.
  const file = fileURLToPath(new URL("../dist/readme.mjs", import.meta.url));
  writeFileSync(file, mine);
  const env = { ...process.env, GHOSTCAST_URL: service };
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
  const [title, failed, size] = stdout.trim().split("\n");
  expect(title).toBe("Home true");
  expect(failed).toMatch(/^condition_not_met /);
  expect(size).toMatch(/^\d{4,} bytes$/);
  expect((await client.endedSession(called)).reason).toBe("closed");
});

test("a handle says what it knows of its session", async ({ session, called }) => {
  expect(session.roomName).toBe(called);
  expect(session.sessionName).toBeNull();
  expect(session.record.session_id).toBe(session.sessionId);
  expect(session.reused).toBe(false);
  expect(session.isActive).toBe(true);
  const stream = await session.events({ since: 0 }).connect();
  expect(stream.seq).toBe(0);
  await session.close();
  expect(session.isActive).toBe(false);
  stream.close();
});
