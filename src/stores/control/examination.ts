// What `doctor` reads of the server that holds control. Nothing of a rollout.
import type { ControlTransaction } from './control-database.js';

export interface ControlFacts {
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly standby: boolean;
  readonly synchronousCommit: string;
  readonly now: Date;
}

export async function readControlFacts(tx: ControlTransaction): Promise<ControlFacts> {
  const { rows } =
    await tx.raw(`select current_setting('server_version_num')::int as version, pg_is_in_recovery() as standby,
    current_setting('synchronous_commit') as "synchronousCommit", clock_timestamp() as now`);
  return rows[0];
}
