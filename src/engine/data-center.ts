// Finds the row of a data center that a person named in control.
import type { PauseReading } from '../domain/rollout/snapshot.js';
import { advise, command } from '../kernel/advice.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import {
  type DataCenterRow,
  listDataCenters,
  lockDataCenter,
  type RecordedPause,
} from '../stores/control/data-centers.js';

/** Throws unknown_data_center. */
export async function getDataCenter(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = (await listDataCenters(tx)).find(({ id }) => id === dataCenter);
  if (row === undefined) throw unknownDataCenter(dataCenter);
  return row;
}

/** For a decision that will be written in this transaction. Throws unknown_data_center. */
export async function lockKnownDataCenter(tx: ControlTransaction, dataCenter: string): Promise<DataCenterRow> {
  const row = await lockDataCenter(tx, dataCenter);
  if (row === undefined) throw unknownDataCenter(dataCenter);
  return row;
}

export const unknownDataCenter = (id: string): RolloutError =>
  new RolloutError('unknown_data_center', { message: `The control database knows no data center "${id}".` });

/** What a person saw before they gave a command; undefined: they do not say. */
export interface SeenRevision {
  readonly revision?: number | undefined;
}

/**
 * Refuses what was chosen by an older state. Needs the row's lock: what is decided in the same transaction is decided
 * on the revision that was compared. Throws revision_changed with the present state.
 */
export function rejectChanged(row: DataCenterRow, { revision }: SeenRevision): void {
  if (revision === undefined || revision === row.revision) return;
  throw new RolloutError('revision_changed', {
    message:
      `Data center "${row.id}" was changed since it was seen: it has revision ${row.revision} now, not ${revision}. ` +
      `It is ${describeRow(row)}.`,
    next: advise`Run: ${command('status')}, then decide again.`,
  });
}

/** The locked row, as it was seen. Throws unknown_data_center, revision_changed. */
export async function lockSeenDataCenter(
  tx: ControlTransaction,
  dataCenter: string,
  seen: SeenRevision,
): Promise<DataCenterRow> {
  const row = await lockKnownDataCenter(tx, dataCenter);
  rejectChanged(row, seen);
  return row;
}

/** "at stage migrating, paused since … by ana (deploy), until …". */
function describeRow(row: DataCenterRow): string {
  const pause = toPause(row);
  const stage = `at stage ${row.stage}${row.requestedAt === null ? '' : `, requested by ${row.requestedBy}`}`;
  if (row.intent === 'abort') return `${stage}, and is being aborted`;
  if (pause === null) return stage;
  const since = pause.since === null ? '' : ` since ${pause.since.toISOString()}`;
  const by = pause.by === null ? '' : ` by ${pause.by}`;
  const reason = pause.reason === null ? '' : ` (${pause.reason})`;
  return `${stage}, paused${since}${by}${reason}${pause.until === null ? '' : `, until ${pause.until.toISOString()}`}`;
}

export const toPause = (row: RecordedPause & Pick<DataCenterRow, 'intent'>): PauseReading | null =>
  row.intent !== 'pause'
    ? null
    : { since: row.pausedAt, by: row.pausedBy, reason: row.pauseReason, until: row.pausedUntil };
