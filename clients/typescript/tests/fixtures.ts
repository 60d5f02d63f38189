// What tests share: a client whose sessions go with it, and a session on the site's first page.
import { randomUUID } from "node:crypto";
import { test as base, inject } from "vitest";
import { BrowserClient, type Session } from "../src/node.js";

interface Fixtures {
  site: string;
  service: string;
  /** A name that no other session has. */
  called: string;
  client: BrowserClient;
  session: Session;
}

export const test = base.extend<Fixtures>({
  // Which fixtures one needs, vitest reads from the pattern; also from an empty one.
  site: async ({}, use) => use(inject("site")),
  service: async ({}, use) => use(inject("service")),
  called: async ({}, use) => use(`test-${randomUUID().slice(0, 13)}`),
  client: async ({ service, called }, use) => {
    const client = new BrowserClient(service);
    await use(client);
    // Other test files have sessions of their own meanwhile.
    for (const session of await client.listSessions()) {
      const title = session.sessionName ?? session.roomName ?? "";
      if (title.startsWith(called)) await session.close({ profile: session.sessionName !== null });
    }
  },
  // Of a room, because such a browser starts the soonest.
  session: async ({ client, called, site }, use) =>
    use(await client.createSession(null, { room_name: called, url: `${site}/`, viewport: [800, 600] })),
});

/** Looks until it answers something true, and answers that. */
export async function until<T>(look: () => Promise<T>, withinMs: number, what: string): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms; last seen ${JSON.stringify(seen)}`);
    await new Promise((over) => setTimeout(over, 50));
  }
}
