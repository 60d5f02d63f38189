// What the compiler must take and must refuse of whoever uses the package. `npm run check` reads this; nothing runs it.
import { BrowserClient, type Event, NotFound, type SessionRecord } from "../src/node.js";

export async function written(): Promise<SessionRecord["state"]> {
  const client = new BrowserClient("http://localhost:8765");
  const session = await client.ensureSession("shop", { viewport: [800, 600], idle_timeout_s: 60, dialogs: "accept" });
  await session.navigate("https://example.com", { wait_until: "load" });
  await session.waitFor({ selector: "#a", state: "visible" });
  const count: number = await session.executeJs<number>("document.links.length");
  for await (const event of session.events({ types: ["console"] })) {
    const every: Event = event;
    if (every.type === "console") return written.name.length > every.text.length + count ? "live" : "closed";
    // @ts-expect-error only those of the console have it
    void event.text;
  }
  try {
    const { data } = await client.api.GET("/sessions/{room_name}/recording", { params: { path: { room_name: "x" } } });
    void data;
  } catch (error) {
    if (error instanceof NotFound) return error.hint === null ? "closed" : "stored";
  }
  return session.record.state;
}

export function refused(client: BrowserClient): void {
  // @ts-expect-error no such field
  void client.ensureSession("shop", { no_such_field: 1 });
  // @ts-expect-error no such policy
  void client.ensureSession("shop", { dialogs: "perhaps" });
  // @ts-expect-error no such path
  void client.api.GET("/no/such/path");
}
