// The newest audit entries of control, for people. Reads only.
import { type AuditRow, listAudit } from '../../stores/control/audit.js';
import type { EngineContext } from '../context.js';

export interface AuditList {
  /** The newest first. */
  readonly entries: readonly AuditRow[];
  /** There are older ones. */
  readonly more: boolean;
}

/** At most `limit`; of one data center, or of all. */
export async function readAudit(
  { control }: Pick<EngineContext, 'control'>,
  limit: number,
  dataCenter?: string,
): Promise<AuditList> {
  const found = await control.inTransaction((tx) => listAudit(tx, limit + 1, dataCenter));
  return { entries: found.slice(0, limit), more: found.length > limit };
}
