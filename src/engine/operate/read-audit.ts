// The newest audit entries of control, for people. Reads only.
import { type AuditRow, listAudit } from '../../stores/control/audit.js';
import type { EngineContext } from '../context.js';

/** The newest first, at most `limit`; of one data center, or of all. */
export function readAudit(
  { control }: Pick<EngineContext, 'control'>,
  limit: number,
  dataCenter?: string,
): Promise<readonly AuditRow[]> {
  return control.inTransaction((tx) => listAudit(tx, limit, dataCenter));
}
