// Checks of `doctor` on a PostgreSQL server, that of control or of a cell: version, primary, durability, clock. Pure.
import { ERRORS } from '../../kernel/error-codes.js';
import { isSupportedPostgres, SUPPORTED_POSTGRES } from '../setup/init-cell.js';
import type { Finding, FindingRecorder } from './finding.js';

export interface ServerReading {
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly standby: boolean;
  readonly synchronousCommit: string;
  readonly readOnly: boolean;
}

/** Whether the server's version is supported, and which it is. */
export function checkVersion({ version }: Pick<ServerReading, 'version'>, record: FindingRecorder): Finding {
  const major = Math.trunc(version / 10_000);
  if (isSupportedPostgres(version)) return record.ok(`PostgreSQL ${major}.${version % 10_000}`);
  const { oldest, newest } = SUPPORTED_POSTGRES;
  const found = `PostgreSQL ${major}; supported are ${oldest} to ${newest}`;
  return record.error(found, `Use PostgreSQL ${oldest} to ${newest}.`, 'unsupported_version');
}

export function checkPrimary({ standby }: Pick<ServerReading, 'standby'>, record: FindingRecorder): Finding {
  return standby
    ? record.error('a standby (in recovery)', 'Point the URL at the primary.', 'cell_is_standby')
    : record.ok('a primary');
}

/** Providers make a database read-only when its disk is full, and people do before they move it. */
export function checkWritable({ readOnly }: Pick<ServerReading, 'readOnly'>, record: FindingRecorder): Finding {
  if (!readOnly) return record.ok('it accepts writes');
  const found = 'it accepts no writes now: its transactions are read-only';
  return record.error(found, ERRORS.read_only.next, 'read_only');
}

/** What is acknowledged must survive a crash: `off` loses it, `local` and `remote_write` may lose it in a failover. */
export function checkDurability(
  { synchronousCommit }: Pick<ServerReading, 'synchronousCommit'>,
  record: FindingRecorder,
): Finding {
  const found = `synchronous_commit is ${synchronousCommit}`;
  const fix = 'As the owner run: ALTER DATABASE … SET synchronous_commit = on, and reconnect.';
  if (['on', 'remote_apply'].includes(synchronousCommit)) return record.ok(found);
  return synchronousCommit === 'off'
    ? record.error(`${found}: a crash loses batches that were reported done`, fix)
    : record.warning(`${found}: a failover may lose batches that were reported done`, fix);
}

/** A server's clock, and ours just before and after it was read. */
export interface ClockReading {
  readonly before: Date;
  readonly server: Date;
  readonly after: Date;
}

const MAX_DIFFERENCE_MS = 2_000;

/** Warns of a difference above 2 s; the time that the answer took counts for neither side. */
export function checkClock({ clock }: { readonly clock: ClockReading }, record: FindingRecorder): Finding {
  const { before, server, after } = clock;
  const tookMs = after.getTime() - before.getTime();
  const aheadMs = server.getTime() - before.getTime() - tookMs / 2;
  if (Math.abs(aheadMs) <= MAX_DIFFERENCE_MS + tookMs / 2)
    return record.ok(`within ${MAX_DIFFERENCE_MS / 1000} s of ours`);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const found = `${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ours; cut-overs go by the cell's clock`;
  return record.warning(found, 'Synchronize the clocks of both machines by NTP.');
}
