// The newest audit entries of control, for people. Reads only.
import { type AuditRow, listAudit } from '../../stores/control/audit.js';
import type { EngineContext } from '../context.js';

/** The newest `most` entries, newest first; of one data center, or of all. */
export async function readAudit(
  context: Pick<EngineContext, 'control'>,
  most: number,
  dataCenter?: string,
): Promise<readonly AuditRow[]> {
  return context.control.inTransaction((tx) => listAudit(tx, most, dataCenter));
}
