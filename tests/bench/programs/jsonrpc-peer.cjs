'use strict';

/** JSON-RPC over stdio as node does it best: vscode-jsonrpc, with its own framing. */

const rpc = require('vscode-jsonrpc/node');

const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(process.stdin),
  new rpc.StreamMessageWriter(process.stdout),
);
connection.onRequest('initialize', () => ({ protocolVersion: 1, pid: process.pid }));
connection.onRequest('ping', () => 'pong');
connection.onClose(() => process.exit(0));
connection.listen();
