// Events: in order, replayed, and back after the service was away. The scenarios have what is in them.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { Service, freePort } from "../scripts/service.mjs";
import { BrowserClient, ConnectionFailed, type Event, type EventStream, NoEvent } from "../src/node.js";
import { test } from "./fixtures.js";

/** The next event of a type; events before it are passed over. */
async function next<T extends Event["type"]>(stream: EventStream, type: T): Promise<Extract<Event, { type: T }>> {
  for (;;) {
    const event = await stream.take({ timeout_ms: 20_000 });
    if (event.type === type) return event as Extract<Event, { type: T }>;
  }
}

test("a loop over a stream ends when it is closed, and closes it when it is left", async ({ session, site }) => {
  const left = session.events({ since: 0, types: ["page_navigation"] });
  for await (const event of left) {
    expect(event).toMatchObject({ type: "page_navigation", url: `${site}/`, session_id: session.sessionId });
    break;
  }
  await expect(left.take()).rejects.toThrow("closed");
  const closed = await session.events().connect();
  setTimeout(() => closed.close(), 200);
  const seen: Event[] = [];
  for await (const event of closed) seen.push(event);
  expect(seen).toEqual([]);
  await closed.connect();
  await session.act("refresh");
  expect((await closed.take({ timeout_ms: 5_000 })).seq).toBeGreaterThan(0);
  closed.close();
});

test("whoever takes slowly hears everything in order, or how much was missed", async ({ session }) => {
  const stream = await session.events({ types: ["all"] }).connect();
  // More than wait on either side.
  await session.executeJs("for (let n = 0; n < 12000; n += 1) console.log(String(n))", { timeout_ms: 20_000 });
  await sleep(1_000);
  await session.executeJs("console.log('the last')");
  let [first, last, counted] = [0, 0, 0];
  for (let isOver = false; !isOver; ) {
    const event = await stream.take({ timeout_ms: 10_000 });
    expect(event.seq).toBeGreaterThan(last);
    last = event.seq;
    first ||= event.seq;
    counted += event.type === "lagged" ? event.missed : 1;
    isOver = event.type === "console" && event.text === "the last";
  }
  expect(counted).toBe(last - first + 1);
  expect(counted).toBeGreaterThan(5_000);
  stream.close();
});

test("a service that stays away is given up", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const pretended = async (): Promise<Response> => Response.json({ session_id: "x", room_name: "x" });
  const { signal } = new AbortController();
  const client = new BrowserClient(url, { fetch: (request) => (/x$/.test(request.url) ? pretended() : fetch(request, { signal })) });
  const stream = (await client.getSession("x")).events({ reconnect_ms: 500 });
  const began = Date.now();
  await expect(stream.take()).rejects.toThrow(ConnectionFailed);
  expect(Date.now() - began).toBeLessThan(5_000);
});

describe("a service that is started again", () => {
  let lone: Service;
  beforeEach(async () => {
    lone = await Service.start();
  });
  afterEach(() => lone.end());

  test("goes on, and says that its counting is another", async ({ site, called }) => {
    const session = await new BrowserClient(lone.url).createSession(called, { url: `${site}/` });
    const stream = session.events({ since: 0, types: ["page_navigation"] });
    expect((await next(stream, "page_navigation")).url).toBe(`${site}/`);
    const { epoch } = stream;
    expect(epoch).toBeTruthy();
    await lone.stop();
    await expect(stream.take({ timeout_ms: 300 })).rejects.toThrow(NoEvent);
    const restarted = sleep(500).then(() => lone.start());
    const lagged = await next(stream, "lagged");
    expect(lagged.epoch).toBe(stream.epoch);
    expect(lagged.epoch).not.toBe(epoch);
    await restarted;
    await session.navigate(`${site}/other`);
    for (;;) if ((await next(stream, "page_navigation")).url === `${site}/other`) break;
    stream.close();
  });
});
