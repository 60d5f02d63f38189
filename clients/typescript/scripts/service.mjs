// A `ghostcast serve` of one's own: on a free port, with its own state, ended with all it started.
import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS = 15_000;
const STOP_MS = 10_000;
const LOOK_MS = 50;

/** The service's program; without it nothing here can be tested, so nothing may seem to be. */
function binary() {
  const path = process.env.GHOSTCAST_BIN ?? "";
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`set GHOSTCAST_BIN to the service's binary; it is "${path}"`);
  }
  return resolve(path);
}

/** A port of loopback that nobody listens on at this moment. */
export async function freePort() {
  const probe = createServer();
  await new Promise((listening) => probe.listen(0, "127.0.0.1", listening));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

/** One process of the service, which can be stopped and started again on the same port and state. */
export class Service {
  #process;

  constructor(port, env) {
    this.home = mkdtempSync(join(tmpdir(), "ghostcast-client-"));
    this.url = `http://127.0.0.1:${port}`;
    this.port = port;
    this.env = env;
  }

  /** Starts one on a free port, with these settings beside. */
  static async start(env = {}) {
    const service = new Service(await freePort(), env);
    await service.start();
    return service;
  }

  /** Starts it and waits until it answers. */
  async start() {
    mkdirSync(join(this.home, "tmp"), { recursive: true });
    // Keys that it does not know are refused, and what is set for another service is not for this one.
    const theirs = Object.entries(process.env).filter(([name]) => !/^(GHOSTCAST|LIVEKIT)_/.test(name));
    const env = {
      ...Object.fromEntries(theirs),
      GHOSTCAST_STATE__DIRECTORY: join(this.home, "state"),
      TMPDIR: join(this.home, "tmp"),
      ...this.env,
    };
    const log = openSync(join(this.home, "log.txt"), "a");
    const options = { cwd: this.home, env, stdio: ["ignore", log, log] };
    this.#process = spawn(binary(), ["serve", "--listen", `127.0.0.1:${this.port}`], options);
    const deadline = Date.now() + START_MS;
    while (!(await this.#isUp())) {
      if (this.#process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the service does not start:\n${readFileSync(join(this.home, "log.txt"), "utf8").slice(-3000)}`);
      }
      await sleep(LOOK_MS);
    }
  }

  /** Ends it; its browsers end with it. */
  async stop() {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((end) => running.once("exit", end));
    running.kill("SIGTERM");
    const killing = setTimeout(() => running.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(killing);
  }

  /** Ends it and removes what it has written. */
  async end() {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  async #isUp() {
    try {
      return (await fetch(`${this.url}/health`)).ok;
    } catch {
      return false;
    }
  }
}
