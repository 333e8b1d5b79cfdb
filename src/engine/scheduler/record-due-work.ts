// Records what each round of a tick finds for every data center: its holds, one row of due work per local date, and the
// alarms before a cut-over. Runs in every round, so that a lost, doubled or late wake-up changes nothing; most rounds
// write nothing.
import { decideAlarms, isAlarming, listMissing } from '../../domain/calendar/decide-alarms.js';
import { decideNights } from '../../domain/calendar/decide-nights.js';
import type { DueChange, DueRow } from '../../domain/calendar/due-work.js';
import { appendUndecidable, asksForUndecidable, type Undecidable } from '../../domain/calendar/undecidable.js';
import { toSections } from '../../domain/config/policy.js';
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import { formatRelease, type Hold } from '../../domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { countQuarantine } from '../../stores/cell/batch/progress.js';
import { findNewestRun } from '../../stores/cell/batch/quarantine.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { listDueWorkOfEach, saveDueChange } from '../../stores/control/due-work.js';
import { type HoldRow, listAllHolds, saveHolds } from '../../stores/control/holds.js';
import { readPolicy } from '../../stores/control/policy.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';

/** The newest rows are enough: every date after the oldest of them has its row. */
const ROWS_READ = 60;

export interface CalendarQuestion {
  readonly dc: DataCenterSnapshot;
  readonly row: DataCenterRow;
  /** Why it does not move now. */
  readonly holds: readonly Hold[];
}

/** What is to be written for one data center. */
interface DueRecord {
  readonly dataCenter: string;
  /** Undefined: they are as they were. */
  readonly holds: readonly Hold[] | undefined;
  readonly changes: readonly DueChange[];
}

/** Reads once and writes at most once, however many data centers there are. Returns how many due rows were written. */
export async function recordDueWork(
  context: EngineContext,
  questions: readonly CalendarQuestion[],
  now: Date,
): Promise<number> {
  const records = await listRecords(context, questions, now);
  if (records.length === 0) return 0;
  const written = await context.control.inTransaction(async (tx) => {
    const saved: Saved[] = [];
    for (const record of records) saved.push(...(await saveRecord(tx, record)));
    return saved;
  });
  for (const one of written) warn(context, one);
  return written.length;
}

async function listRecords(
  context: EngineContext,
  questions: readonly CalendarQuestion[],
  now: Date,
): Promise<readonly DueRecord[]> {
  const { at, rowsOf, holdsOf } = await context.control.inTransaction(async (tx) => ({
    at: toSections(await readPolicy(tx)).reconcile.at,
    rowsOf: await listDueWorkOfEach(tx, ROWS_READ),
    holdsOf: await listAllHolds(tx),
  }));
  const records = questions.map(async (question): Promise<DueRecord> => {
    const { id } = question.dc;
    const changes = decideChanges(question, { at, rows: rowsOf(id), now });
    return {
      dataCenter: id,
      holds: isSame(holdsOf(id), question.holds) ? undefined : question.holds,
      changes: await Promise.all(changes.map((change) => completeNote(context, id, change))),
    };
  });
  return (await Promise.all(records)).filter(({ holds, changes }) => holds !== undefined || changes.length > 0);
}

const isSame = (known: readonly HoldRow[], holds: readonly Hold[]): boolean =>
  known.length === holds.length &&
  holds.every(({ code, value, limit, release, needsPerson }, position) => {
    const other = known[position];
    return (
      other?.code === code &&
      other.value === value &&
      other.limit === limit &&
      other.release === formatRelease(release) &&
      other.needsPerson === needsPerson
    );
  });

function decideChanges(
  { dc, row, holds }: CalendarQuestion,
  { at, rows, now }: { readonly at: string; readonly rows: readonly DueRow[]; readonly now: Date },
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

/** Reads the cell only for a row that is about to be written. */
const completeNote = async (context: EngineContext, dataCenter: string, change: DueChange): Promise<DueChange> =>
  asksForUndecidable(change)
    ? appendUndecidable(change, dataCenter, await readUndecidable(context, dataCenter))
    : change;

interface Saved {
  readonly dataCenter: string;
  readonly change: DueChange;
}

/** Another scheduler may have been faster: only what was written here is returned. */
async function saveRecord(
  tx: ControlTransaction,
  { dataCenter, holds, changes }: DueRecord,
): Promise<readonly Saved[]> {
  if (holds !== undefined)
    await saveHolds(
      tx,
      dataCenter,
      holds.map((hold) => ({ ...hold, release: formatRelease(hold.release) })),
    );
  const saved: Saved[] = [];
  for (const change of changes) {
    if (!(await saveDueChange(tx, dataCenter, change))) continue;
    saved.push({ dataCenter, change });
    const { work, note } = change;
    if (work !== 'reconcile') await appendAudit(tx, { action: work, dataCenter, reason: note });
  }
  return saved;
}

function warn({ log }: EngineContext, { dataCenter, change }: Saved): void {
  const { work, localDate, note } = change;
  const missed = change.kind === 'miss' || change.state === 'missed';
  if (missed || isAlarming(change))
    log.warn(missed ? 'due_work_missed' : 'cutover_alarm', { data_center: dataCenter, work, date: localDate, note });
}

/**
 * How many orgs the newest run of the cell could not decide. As fencer, which cannot read orgs. Never throws: that a
 * cell cannot be read is a result too.
 */
async function readUndecidable({ cells }: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<Undecidable> {
  try {
    return await cells.get(dataCenter).inTransaction('fencer', async (tx): Promise<Undecidable> => {
      const runId = await findNewestRun(tx);
      if (runId === undefined) return { kind: 'no_run' };
      const reasons = await countQuarantine(tx, runId);
      return { kind: 'counted', orgs: reasons.reduce((sum, { orgs }) => sum + orgs, 0) };
    });
  } catch (error) {
    if (isRolloutError(error)) return { kind: 'unreadable', code: error.code };
    const { kind, sqlstate } = classifyFailure(error);
    return { kind: 'unreadable', code: kind === 'other' ? toKnownCode(sqlstate ?? kind) : kind };
  }
}
