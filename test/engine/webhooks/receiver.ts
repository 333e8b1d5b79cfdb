// A webhook's receiver on loopback, with real HTTP.
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Webhook } from '../../../src/domain/config/resolve-webhook.js';

export interface Received {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly isSigned: boolean;
  readonly headers: IncomingHttpHeaders;
}

export interface Receiver {
  readonly webhook: Webhook;
  /** What was sent here, attempts that were refused included. */
  readonly received: readonly Received[];
  /** What it answers from now on: a status, or nothing at all. */
  answer(status: number | 'nothing', location?: string): void;
  close(): Promise<void>;
}

const KEY = Buffer.from('a key of a test, of 32 bytes ....');

export async function startReceiver(name = 'ops'): Promise<Receiver> {
  const received: Received[] = [];
  let status: number | 'nothing' = 204;
  let location: string | undefined;
  const server = createServer((request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    void text(request).then((body) => {
      const { headers } = request;
      const id = String(headers['webhook-id']);
      const signed = `${id}.${headers['webhook-timestamp']}.${body}`;
      const isSigned =
        headers['webhook-signature'] === `v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`;
      received.push({ ...JSON.parse(body), id, isSigned, headers });
      if (status === 'nothing') return;
      response.writeHead(status, location === undefined ? {} : { location });
      response.end('marker of the receiver');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    webhook: { name, url: `http://127.0.0.1:${port}/hook`, key: KEY, link: null },
    received,
    answer: (next, to) => {
      status = next;
      location = to;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
