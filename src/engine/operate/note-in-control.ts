// Writes what happened in cells into control's audit where control can be reached. Never fails and never waits for long:
// the rows in the cells are the record, and a control database that is down must not keep anybody from stopping writes.
import { appendAudit } from '../../stores/control/audit.js';
import { forgetSingleWrites } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

export interface ControlNote {
  readonly action: string;
  readonly dataCenters: readonly string[];
  readonly reason: string | null;
}

/** Longest that control is waited for, in ms. */
const PATIENCE_MS = 2_000;

/** One audit row per data center, or none; false when control could not be asked in time. */
export async function noteInControl(
  context: Pick<EngineContext, 'control' | 'actor' | 'log' | 'clock'>,
  { action, dataCenters, reason }: ControlNote,
): Promise<boolean> {
  if (dataCenters.length === 0) return true;
  const written = context.control
    .inTransaction(async (tx) => {
      for (const dataCenter of dataCenters) {
        await appendAudit(tx, { actor: context.actor, action, dataCenter, reason });
        // a freeze stopped its change feed: the next look lets it through again
        await forgetSingleWrites(tx, dataCenter);
      }
      return true;
    })
    .catch((err) => {
      context.log.debug('audit_lost', { action, err });
      return false;
    });
  const over = new AbortController();
  try {
    return await Promise.race([written, context.clock.sleep(PATIENCE_MS, over.signal).then(() => false)]);
  } finally {
    over.abort();
  }
}
