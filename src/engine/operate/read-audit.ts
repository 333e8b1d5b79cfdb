// The newest audit entries of control, for people. Reads only.
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type AuditFilter, type AuditRow, listAudit } from '../../stores/control/audit.js';
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

/** At most `limit`. Throws invalid_instant, and invalid_argument where the time is empty. */
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
  const found = await control.inTransaction((tx) => listAudit(tx, limit + 1, { ...filter, from: start, to: end }));
  return { entries: found.slice(0, limit), more: found.length > limit };
}
