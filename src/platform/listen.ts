// Listens on an address of this machine, or says in one sentence why it cannot.
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

/** Returns where it listens. @throws address_unusable */
export async function listenOn(server: Server, { host, port }: ListenAddress): Promise<ListenAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = REASONS[error.code ?? ''] ?? `the system answers ${error.code ?? 'an error'}`;
      reject(
        new RolloutError('address_unusable', {
          message: `Cannot listen on ${formatAddress({ host, port })}: ${why}.`,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  return { host, port: (server.address() as AddressInfo).port };
}

export const formatAddress = ({ host, port }: ListenAddress): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
