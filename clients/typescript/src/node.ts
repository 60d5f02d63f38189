// The same for Node.js, whose older versions have no WebSocket.

import { WebSocket as NodeWebSocket } from "ws";
import { useWebSocket } from "./events.js";

useWebSocket(NodeWebSocket as unknown as typeof WebSocket);

export * from "./index.js";
