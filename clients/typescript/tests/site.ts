// The web that the tested browser sees: the pages of clients/site on loopback, and what a test adds.
import { readFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";

const PAGES: Readonly<Record<string, [type: string, file: string]>> = {
  "/": ["text/html", "index.html"],
  "/other": ["text/html", "other.html"],
  "/file.txt": ["application/octet-stream", "file.txt"],
};

export interface Site {
  url: string;
  end(): Promise<void>;
}

/** Serves the pages, and further ones by their paths. */
export async function serveSite(more: Readonly<Record<string, [type: string, body: string]>> = {}): Promise<Site> {
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const page = PAGES[path];
    const own: [string, string | Buffer] | undefined = page
      ? [page[0], readFileSync(new URL(`../../site/${page[1]}`, import.meta.url))]
      : more[path];
    const [type, body] = own ?? ["text/plain", "nothing"];
    response.writeHead(own ? 200 : 404, { "Content-Type": `${type}; charset=utf-8` }).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    end: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
