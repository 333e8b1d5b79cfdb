// Listens on this machine, or says in one sentence why it cannot.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RolloutError } from '../kernel/rollout-error.js';

export interface ListenAddress {
  readonly host: string;
  /** 0: one that the system chooses. */
  readonly port: number;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses it',
  EACCES: 'this user may not use it',
  EADDRNOTAVAIL: 'this machine does not have this address',
};

export const createListenError = (place: string, why: string, cause?: unknown): RolloutError =>
  new RolloutError('listen_refused', { message: `Cannot listen on ${place}: ${why}.`, cause });

export const explainListening = (place: string, cause: NodeJS.ErrnoException): RolloutError =>
  createListenError(place, REASONS[cause.code ?? ''] ?? `the system answers ${cause.code ?? 'an error'}`, cause);

/** Returns where it listens. @throws listen_refused */
export async function listenOn(server: Server, { host, port }: ListenAddress): Promise<ListenAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    throw explainListening(formatAddress({ host, port }), cause);
  });
  return { host, port: (server.address() as AddressInfo).port };
}

export const formatAddress = ({ host, port }: ListenAddress): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
