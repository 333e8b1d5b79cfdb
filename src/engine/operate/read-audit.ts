// The newest audit entries of control, for people. Reads only.
import { AUDIT_ACTIONS } from '../../domain/operate/audit-action.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { advise, command } from '../../kernel/advice.js';
import { findNearest } from '../../kernel/nearest-word.js';
import { showName } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type AuditFilter, type AuditRow, listAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { EngineContext } from '../context.js';

export interface AuditList {
  /** The newest first. */
  readonly entries: readonly AuditRow[];
  /** There are older ones. */
  readonly more: boolean;
}

/** Which entries; what is left out does not limit them. */
export interface AuditQuestion extends Pick<AuditFilter, 'dataCenter' | 'actor' | 'action'> {
  /** Local dates or times in `zone`; `to` is not included. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly zone: string;
}

/** At most `limit`. Throws invalid_instant; invalid_argument where the time is empty, or there is no such action. */
export async function readAudit(
  { control }: Pick<EngineContext, 'control'>,
  limit: number,
  { zone, from, to, ...filter }: AuditQuestion,
): Promise<AuditList> {
  const [start, end] = [from, to].map((text) =>
    text === undefined ? undefined : parseLocalInstant(text, zone).instant,
  );
  if (start !== undefined && end !== undefined && end <= start)
    throw new RolloutError('invalid_argument', {
      message: `The time from ${start.toISOString()} until ${end.toISOString()} (${zone}) is empty.`,
      next: 'Give a --to that is later than --from.',
    });
  const found = await control.inTransaction(async (tx) => {
    const list = await listAudit(tx, limit + 1, { ...filter, from: start, to: end });
    if (list.length === 0 && filter.action !== undefined) await rejectUnknown(tx, filter.action);
    return list;
  });
  return { entries: found.slice(0, limit), more: found.length > limit };
}

/** An action that no version recorded: nobody is told that nothing was done where the word is wrong. */
async function rejectUnknown(tx: ControlTransaction, action: string): Promise<void> {
  if (AUDIT_ACTIONS.some((known) => known === action) || (await listAudit(tx, 1, { action })).length > 0) return;
  const meant = findNearest(action, AUDIT_ACTIONS);
  throw new RolloutError('invalid_argument', {
    message: `The audit knows no action ${showName(action)}.`,
    next:
      meant === undefined
        ? advise`See in the list which there are: ${command('audit')}`
        : advise`Did you mean ${command`audit --action ${meant}`}?`,
  });
}
