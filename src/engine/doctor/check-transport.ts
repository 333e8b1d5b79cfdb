// Checks of `doctor` on how a URL goes over the network: beyond this machine it should be encrypted, and the server
// should prove who it is.
import type { Transport } from '../../domain/config/server-url.js';
import type { Finding, FindingRecorder } from './finding.js';

/** How the connections of a URL go; each throws what its first use would. */
export interface Transports {
  readonly control: () => Transport;
  /** Of the queue that the configuration names. */
  readonly queue: () => Transport;
  readonly cell: (dataCenter: string) => Transport;
  /** Undefined: the data center's meter has no Redis. */
  readonly meter: (dataCenter: string) => Transport | undefined;
}

const POSTGRES_FIX =
  'Add sslmode=verify-full to its URL, and sslrootcert=FILE where the authority is your own: docs/how-to/tls.md';
const QUEUE_FIX =
  'Use a rediss:// URL, or sslmode=verify-full on Postgres, and sslrootcert=FILE where the authority is your own: docs/how-to/tls.md';
const METER_FIX = 'Use a rediss:// URL, and sslrootcert=FILE where the authority is your own: docs/how-to/tls.md';
const FIXES = { postgres: POSTGRES_FIX, queue: QUEUE_FIX, meter: METER_FIX } as const;

export function checkTransport(transport: Transport, record: FindingRecorder, server: keyof typeof FIXES): Finding {
  const fix = FIXES[server];
  switch (transport) {
    case 'local':
      return record.ok('does not leave this machine');
    case 'verified':
      return record.ok('encrypted, and the server proves with its certificate who it is');
    case 'unverified':
      return record.warning('encrypted, but anybody in between could answer in the place of the server', fix);
    case 'plain':
      return record.warning('goes to another machine, and may be read and changed on the way: no TLS is required', fix);
  }
}
