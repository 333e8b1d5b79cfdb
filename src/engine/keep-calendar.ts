// Writes what the calendar makes due: one nightly row per data center and local date, and the alarms before a cut-over.
// Asked at every look, so that a lost, doubled or late ring changes nothing.
import { decideAlarms, isAlarming, listMissing } from '../domain/calendar/decide-alarms.js';
import { decideNights } from '../domain/calendar/decide-nights.js';
import type { DueChange } from '../domain/calendar/due-work.js';
import { asksForUndecidable, noteUndecidable } from '../domain/calendar/undecidable.js';
import type { Hold } from '../domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../domain/rollout/snapshot.js';
import { appendAudit } from '../stores/control/audit.js';
import type { DataCenterRow } from '../stores/control/data-centers.js';
import { type DueWorkRow, listDueWork, saveDueChange } from '../stores/control/due-work.js';
import { readReconcile } from '../stores/control/rollout.js';
import type { EngineContext } from './context.js';
import { countUndecidable } from './count-undecidable.js';

/** The newest are enough: every date after the oldest of them has its row. */
const LOOKED_AT = 60;
const DEFAULT_AT = '00:15';

export interface CalendarQuestion {
  readonly dc: DataCenterSnapshot;
  readonly row: DataCenterRow;
  /** Why it does not move now. */
  readonly holds: readonly Hold[];
  readonly now: Date;
}

/** Returns how many rows were written. */
export async function keepCalendar(context: EngineContext, question: CalendarQuestion): Promise<number> {
  const { dc } = question;
  const { at, rows } = await context.control.inTransaction(async (tx) => ({
    at: (await readReconcile(tx))?.at ?? DEFAULT_AT,
    rows: await listDueWork(tx, { dataCenter: dc.id, most: LOOKED_AT }),
  }));
  const changes = decideChanges(question, at, rows);
  let written = 0;
  for (const change of changes)
    if (await saveChange(context, dc.id, await completeNote(context, dc.id, change))) written += 1;
  return written;
}

function decideChanges(
  { dc, row, holds, now }: CalendarQuestion,
  at: string,
  rows: readonly DueWorkRow[],
): readonly DueChange[] {
  const heldBy = holds[0] === undefined ? (dc.stage === 'done' ? null : `stage ${dc.stage}`) : holds[0].code;
  const nights = decideNights({ zone: dc.zone, at, since: row.doneAt, rows, heldBy, now });
  const alarms = decideAlarms({
    zone: dc.zone,
    cutoverAt: dc.cutoverAt,
    setAt: row.cutoverSetAt,
    rows,
    gate: dc.knownGate,
    missing: listMissing(dc, holds),
    now,
  });
  return [...nights, ...alarms];
}

/** Asks the cell only for a row that is about to be written. */
const completeNote = async (context: EngineContext, dataCenter: string, change: DueChange): Promise<DueChange> =>
  asksForUndecidable(change)
    ? noteUndecidable(change, dataCenter, await countUndecidable(context, dataCenter))
    : change;

async function saveChange(context: EngineContext, dataCenter: string, change: DueChange): Promise<boolean> {
  const { work, localDate, note } = change;
  const saved = await context.control.inTransaction(async (tx) => {
    const written = await saveDueChange(tx, dataCenter, change);
    if (written && work !== 'reconcile')
      await appendAudit(tx, { actor: context.actor, action: work, dataCenter, reason: note });
    return written;
  });
  const missed = change.kind === 'miss' || change.state === 'missed';
  if (saved && (missed || isAlarming(change)))
    context.log.warn(missed ? 'due_work_missed' : 'cutover_alarm', {
      data_center: dataCenter,
      work,
      date: localDate,
      note,
    });
  return saved;
}
