// The same client in a page: the bundle, in the Chromium of another service, since pages do not reach their own.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { Service } from "../scripts/service.mjs";
import { test } from "./fixtures.js";
import { type Site, serveSite } from "./site.js";

const TOKEN = "a-token-of-the-tests";

let site: Site;
let service: Service;
beforeAll(async () => {
  const bundle = readFileSync(new URL("../dist/ghostcast.bundle.js", import.meta.url), "utf8");
  const page = `<!doctype html><title>Page</title><script type="module">
    import * as ghostcast from "/ghostcast.js";
    Object.assign(window, ghostcast);
  </script>`;
  site = await serveSite({ "/page": ["text/html", page], "/ghostcast.js": ["text/javascript", bundle] });
  service = await Service.start({
    GHOSTCAST_SERVER__TOKEN: TOKEN,
    GHOSTCAST_SERVER__ALLOWED_ORIGINS: JSON.stringify([site.url]),
  });
});
afterAll(async () => {
  await service?.end();
  await site?.end();
});

test("a page starts a session, acts in it, hears of it and ends it", async ({ client, called }) => {
  const page = await client.createSession(null, { room_name: called, url: `${site.url}/page` });
  await page.waitFor({ function: "window.BrowserClient" });
  const script = `
    const client = new BrowserClient(args.service, { token: args.token });
    const session = await client.ensureSession(args.name, { url: args.site + "/", storage: "none" });
    const stream = await session.events().connect();
    await session.click("#press");
    const heard = await stream.take({ timeout_ms: 10000 });
    const said = await session.executeJs("document.querySelector('#said').textContent");
    const picture = await session.screenshot({ clip: { x: 0, y: 0, width: 30, height: 20 } });
    const failed = await session.click(4000).catch((error) => error);
    stream.close();
    await session.close();
    const gone = await session.refresh().catch((error) => error);
    const refused = await new BrowserClient(args.service, { token: "wrong" }).getSession(args.name).catch((error) => error);
    return [heard.type, said, picture.length > 60, failed.name, failed.kind, gone.name, refused.kind];`;
  const args = { service: service.url, token: TOKEN, site: site.url, name: `${called}-2` };
  const came = await page.executeJs(`return (async () => {${script}})()`, { args, timeout_ms: 60_000 });
  expect(came).toEqual([
    "action_completed",
    "clicked",
    true,
    "ActionFailed",
    "element_not_found",
    "NotFound",
    "unauthenticated",
  ]);
  const elsewhere = await page.executeJs(
    `return new BrowserClient(args.service).listSessions().catch((error) => [error.name, error.message])`,
    { args: { service: client.baseUrl } },
  );
  expect(elsewhere).toEqual(["ConnectionFailed", expect.stringContaining("server.allowed_origins")]);
  await page.close();
});
