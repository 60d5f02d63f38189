// What is sent again and what is not, how failures on the way are told, and who is let in.
import { readFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { Service, freePort } from "../scripts/service.mjs";
import {
  BrowserClient,
  ConnectionFailed,
  Forbidden,
  GhostcastError,
  InvalidInput,
  NotFound,
  ServiceError,
  Unauthenticated,
  Unavailable,
  VERSION,
} from "../src/node.js";
import { KINDS, serviceError } from "../src/errors.js";
import { backoffs } from "../src/wire.js";
import { test, until } from "./fixtures.js";

const TOKEN = "a-token-of-the-tests, ümlaut+/";

/** Gives the answers that a test has put down: a status, or null to hang up. Then it is healthy. */
class Scripted {
  answers: (number | null)[] = [];
  asked: string[] = [];
  readonly #server: Server = createServer((request, response) => {
    this.asked.push(request.method ?? "");
    const answer = this.answers.length > 0 ? this.answers.shift() : 200;
    if (answer === null || answer === undefined) request.socket.destroy();
    else if (answer !== 0) response.writeHead(answer).end(answer === 200 ? '{"status": "healthy"}' : "<h1>busy</h1>");
  });

  async start(): Promise<string> {
    await new Promise<void>((listening) => this.#server.listen(0, "127.0.0.1", listening));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  end(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function thrown<T extends Error>(kind: new (...given: never[]) => T, call: Promise<unknown>): Promise<T> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error as T;
}

describe("a service that is not well", () => {
  const scripted = new Scripted();
  let url: string;
  beforeAll(async () => {
    url = await scripted.start();
  });
  afterAll(() => scripted.end());

  const script = (...answers: (number | null)[]): void => {
    scripted.answers = answers;
    scripted.asked = [];
  };

  test("a GET is sent again", async () => {
    script(503, null);
    expect((await new BrowserClient(url).serverHealth()).status).toBe("healthy");
    expect(scripted.asked).toEqual(["GET", "GET", "GET"]);
  });

  test("a GET is not sent again for ever", async () => {
    script(503, 503, 503, 503);
    const busy = await thrown(Unavailable, new BrowserClient(url, { retries: 1 }).serverHealth());
    expect(busy.status).toBe(503);
    expect(busy.sentence).toContain("busy");
    expect(scripted.asked).toHaveLength(2);
  });

  test("what may have been done is not sent again", async () => {
    const client = new BrowserClient(url);
    script(503);
    await thrown(Unavailable, client.createSession("a"));
    script(null);
    const lost = await thrown(ConnectionFailed, client.createSession("a"));
    expect(lost.mayHaveBeenDone).toBe(true);
    expect(scripted.asked).toEqual(["POST"]);
    script(null);
    await thrown(ConnectionFailed, client.deleteSession("a"));
    expect(scripted.asked).toEqual(["DELETE"]);
  });

  test("an answer that does not come", async () => {
    script(0);
    const late = await thrown(ConnectionFailed, new BrowserClient(url, { timeout_ms: 200 }).serverHealth());
    expect(late.mayHaveBeenDone).toBe(true);
    expect(late.message).toContain("in time");
    expect(scripted.asked).toHaveLength(1);
  });

  test("something else that listens there", async () => {
    script(404);
    expect((await thrown(NotFound, new BrowserClient(url).serverHealth())).kind).toBe("not_found");
    script(201);
    await expect(new BrowserClient(url).serverHealth()).rejects.toThrow("is not the service");
  });

  test("nothing that listens there", async () => {
    const client = new BrowserClient(`http://127.0.0.1:${await freePort()}`);
    const lost = await thrown(ConnectionFailed, client.serverHealth());
    expect(lost.mayHaveBeenDone).toBe(false);
    expect(lost.message).toContain("no connection");
    expect(lost).toBeInstanceOf(GhostcastError);
  });

  test("a caller who hangs up hears of that, and of nothing else", async () => {
    script(0);
    const call = new BrowserClient(url).api.GET("/health", { signal: AbortSignal.timeout(100) });
    await expect(call).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("a service with a token", () => {
  let guarded: Service;
  beforeAll(async () => {
    guarded = await Service.start({ GHOSTCAST_SERVER__TOKEN: TOKEN.replace("ü", "u") });
  });
  afterAll(() => guarded.end());
  const token = TOKEN.replace("ü", "u");

  test("a token opens everything", async ({ called }) => {
    const session = await new BrowserClient(guarded.url, { token }).createSession(null, { room_name: called });
    const stream = session.events({ since: 0, types: ["all"] });
    expect((await stream.take({ timeout_ms: 5_000 })).seq).toBeGreaterThan(0);
    stream.close();
    await session.close();
  });

  test("a wrong token is refused, on both ways", async ({ called }) => {
    const right = await new BrowserClient(guarded.url, { token }).createSession(null, { room_name: called });
    const client = new BrowserClient(guarded.url, { token: "wrong" });
    expect((await thrown(Unauthenticated, client.listSessions())).status).toBe(401);
    expect((await client.serverHealth()).status).toBe("healthy");
    const share = await right.share({ ttl_s: 60 });
    const secret = share.url.split("#share=")[1] ?? "";
    const viewer = await new BrowserClient(guarded.url, { token: secret }).getSession(called);
    await thrown(Forbidden, viewer.scroll("down"));
    const stream = await viewer.events().connect();
    expect(await right.revokeShares()).toBe(1);
    await thrown(Unauthenticated, stream.take({ timeout_ms: 10_000 }));
    await thrown(Unauthenticated, viewer.events().connect());
    await right.close();
  });
});

describe("versions", () => {
  test("are the service's", async ({ client }) => {
    const manifest = readFileSync(new URL("../../../Cargo.toml", import.meta.url), "utf8");
    const own = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
    expect(/^version = "([^"]+)"/m.exec(manifest)?.[1]).toBe(VERSION);
    expect(own.version).toBe(VERSION);
    expect((await client.serverHealth()).version).toBe(VERSION);
  });

  test("that differ are said, once", async ({ service, called }) => {
    const told: string[] = [];
    const another = async (request: Request): Promise<Response> => {
      const response = await fetch(request);
      if (!request.url.endsWith("/health")) return response;
      return Response.json({ ...(await response.json()), version: "9.1.0" });
    };
    const client = new BrowserClient(service, { fetch: another, warn: (message) => told.push(message) });
    const session = await client.createSession(null, { room_name: called });
    await client.getSession(called);
    await session.close();
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("9.1.0");
    expect(told[0]).toContain(VERSION);
  });
});

describe("errors", () => {
  test("have a class for every kind of the service", () => {
    const source = readFileSync(new URL("../../../src/error.rs", import.meta.url), "utf8");
    const listed = source.split("pub enum ErrorKind {")[1]?.split("}")[0] ?? "";
    const names = [...listed.matchAll(/^\s*(\w+),/gm)].map((found) => found[1]);
    expect(Object.values(KINDS).map((made) => made.name).sort()).toEqual(names.sort());
    for (const [kind, made] of Object.entries(KINDS)) {
      const error = serviceError(400, JSON.stringify({ error: { kind, message: "no", hint: "go", request_id: "r" } }), null);
      expect(error).toBeInstanceOf(made);
      expect(error).toMatchObject({ name: made.name, kind, message: "no (go)", sentence: "no", hint: "go", requestId: "r" });
    }
  });

  test("of something between, or of a kind that is not known, are errors too", () => {
    expect(serviceError(418, "<html>no</html>", "r")).toMatchObject({ name: "InvalidInput", requestId: "r" });
    expect(serviceError(502, "", null)).toBeInstanceOf(Unavailable);
    const unknown = serviceError(499, '{"error": {"kind": "new", "message": "no"}}', null);
    expect(unknown.name).toBe(ServiceError.name);
    expect(unknown.kind).toBe("new");
  });
});

test("pauses grow to a bound", () => {
  const pauses: number[] = [];
  for (const pause of backoffs()) if (pauses.push(pause) === 50) break;
  expect(pauses[0]).toBeGreaterThanOrEqual(50);
  expect(Math.min(...pauses.slice(10))).toBeGreaterThanOrEqual(2_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(4_000);
});

test("a base URL needs its scheme", () => {
  expect(() => new BrowserClient("localhost:8765")).toThrow(TypeError);
});

test("what has no method has its path", async ({ client }) => {
  const { data } = await client.api.GET("/jobs");
  expect(data?.jobs).toEqual([]);
  await thrown(InvalidInput, client.api.POST("/drain", { body: { timeout_s: -1 } as never }));
  await until(async () => (await client.serverHealth()).status === "healthy", 5_000, "it goes on");
});
