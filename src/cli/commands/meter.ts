// `meter`: answers gateways on this machine whether a call is allowed. Needs the URLs of its cell and of its Redis;
// never uses the control database nor the queue.
import { isAbsolute } from 'node:path';
import { findDataCenter } from '../../compose.js';
import type { MeterListen } from '../../compose-meter.js';
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export interface MeterFlags {
  readonly dc: string;
  readonly listen: string;
}

export function runMeter(session: CliSession, { dc, listen }: MeterFlags): Promise<number> {
  const where = parseListen(listen);
  return withProgram(session, { policy: 'unchecked' }, async (program) => {
    const { id } = findDataCenter(program.config, dc);
    const { startMeter } = await import('../../compose-meter.js');
    const start = async () => {
      const meter = await startMeter(program, { dataCenter: id, listen: where });
      const counts = program.meterRedis(id) === undefined ? 'in its memory' : 'on its Redis';
      session.print(`▶ meter: serving ${id} at ${meter.address}, counting ${counts}`);
      return meter;
    };
    return serveUntilStopped(session, [{ start }]);
  });
}

const LOOPBACK = /^(127\.0\.0\.1|\[::1\]):(\d{1,5})$/u;
const MAX_SOCKET_BYTES = 107;
const MAX_PORT = 65_535;

/** @throws invalid_argument */
function parseListen(text: string): MeterListen {
  const path = text.startsWith('unix:') ? text.slice('unix:'.length) : undefined;
  if (path !== undefined && isAbsolute(path) && Buffer.byteLength(path) <= MAX_SOCKET_BYTES)
    return { kind: 'socket', path };
  const [, host, port] = LOOPBACK.exec(text) ?? [];
  if (host !== undefined && Number(port) <= MAX_PORT)
    return { kind: 'loopback', host: host === '127.0.0.1' ? host : '::1', port: Number(port) };
  throw new RolloutError('invalid_argument', {
    message: `--listen ${quoteValue(text)} is no place on this machine: a meter has no login, so it listens nowhere else.`,
    next: 'Write unix:/run/credit-rollout/meter.sock (a full path of at most 107 bytes), or 127.0.0.1:8429.',
  });
}
