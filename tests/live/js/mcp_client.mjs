// What the official TypeScript SDK sees of Ghostcast's MCP door, as JSON on standard output.
//
//   node mcp_client.mjs SDK_DIR http URL PAGE SLOW
//   node mcp_client.mjs SDK_DIR stdio COMMAND PAGE SLOW ARG...

import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [sdk, kind, target, page, slow, ...args] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(sdk, 'dist/esm', path)));
const { Client } = await load('client/index.js');
const { StreamableHTTPClientTransport } = await load('client/streamableHttp.js');
const { StdioClientTransport } = await load('client/stdio.js');
const { CallToolResultSchema } = await load('types.js');

const room = `js-${Math.random().toString(36).slice(2, 10)}`;
const seen = {};
const transport = kind === 'http'
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args, stderr: 'ignore' });
const client = new Client({ name: 'test', version: '1.0.0' });
await client.connect(transport);
seen.server = client.getServerVersion().name;
seen.tools = (await client.listTools()).tools.map((tool) => tool.name);

const call = (name, fields, options) =>
  client.callTool({ name, arguments: { room_name: room, ...fields } }, undefined, options);
const act = (action_type, params, options) =>
  call('execute_action', { action_type, params }, options);

seen.started = (await call('start_browser_session', {})).structuredContent.state;
seen.opened = (await act('navigate', { url: page })).structuredContent.url;
seen.title = (await call('get_browser_context', {})).structuredContent.title;
const failed = await act('click', { index: 9999 });
seen.failed = [failed.isError, failed.structuredContent.error_kind];
const absent = await call('pause_browser_session', { room_name: 'nobody-is-here' });
seen.absent = [absent.isError, absent.structuredContent.error_kind];
seen.unknown = await client.callTool({ name: 'no_such_tool', arguments: {} }).catch((e) => e.code);

const progress = [];
const late = await act('navigate', { url: slow }, { onprogress: (note) => progress.push(note) });
seen.progress = progress.length > 0 && typeof progress[0].message === 'string';
seen.late = late.structuredContent.status;

const barge = new AbortController();
setTimeout(() => barge.abort('the user spoke'), 300);
seen.cancelled = await act('wait', { seconds: 3 }, { signal: barge.signal })
  .then(() => false, () => true);
await act('refresh', {});

if (kind === 'http') {
  // The connection breaks in the middle of a call; by its token the answer comes nevertheless.
  let token;
  const request = {
    method: 'tools/call',
    params: { name: 'execute_action',
      arguments: { room_name: room, action_type: 'wait', params: { seconds: 2 } } },
  };
  const waiting = client.request(request, CallToolResultSchema,
    { onresumptiontoken: (given) => { token = given; } });
  waiting.catch(() => undefined);
  const deadline = Date.now() + 3000;
  while (!token && Date.now() < deadline) await new Promise((done) => setTimeout(done, 20));
  const session = transport.sessionId;
  await transport.close();
  const again = new StreamableHTTPClientTransport(new URL(target), { sessionId: session });
  const heard = new Promise((done) => { again.onmessage = done; });
  await again.start();
  await again.resumeStream(token);
  const answer = await Promise.race([heard, new Promise((d) => setTimeout(d, 6000, null))]);
  seen.resumed = answer?.result?.structuredContent?.success ?? null;
  await again.close();
} else {
  await call('close_browser_session', {});
  await client.close();
}
process.stdout.write(JSON.stringify(seen));
process.exit(0);
