// The checks that control and cells have in common: version, primary, durability. Pure.
import type { Examiner, Finding } from './finding.js';

export interface ServerReading {
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly standby: boolean;
  readonly synchronousCommit: string;
}

const OLDEST = 14;
const NEWEST = 18;

/** Whether the server's version is supported, and which it is. */
export function examineVersion(examiner: Examiner, { version }: Pick<ServerReading, 'version'>): Finding {
  const major = Math.trunc(version / 10_000);
  if (major >= OLDEST && major <= NEWEST) return examiner.ok('version', `PostgreSQL ${major}.${version % 10_000}`);
  const found = `PostgreSQL ${major}; supported are ${OLDEST} to ${NEWEST}`;
  return examiner.error('version', found, `Use PostgreSQL ${OLDEST} to ${NEWEST}.`, 'unsupported_version');
}

export function examinePrimary(examiner: Examiner, { standby }: ServerReading): Finding {
  return standby
    ? examiner.error('primary', 'a standby (in recovery)', 'Point the URL at the primary.', 'cell_is_standby')
    : examiner.ok('primary', 'a primary');
}

/** What is acknowledged must survive a crash: `off` loses it, `local` and `remote_write` may lose it in a failover. */
export function examineDurability(examiner: Examiner, { synchronousCommit }: ServerReading): Finding {
  const found = `synchronous_commit is ${synchronousCommit}`;
  const fix = 'As the owner run: ALTER DATABASE … SET synchronous_commit = on, and reconnect.';
  if (['on', 'remote_apply'].includes(synchronousCommit)) return examiner.ok('synchronous_commit', found);
  return synchronousCommit === 'off'
    ? examiner.error('synchronous_commit', `${found}: a crash loses batches that were reported done`, fix)
    : examiner.warning('synchronous_commit', `${found}: a failover may lose batches that were reported done`, fix);
}
