// The dry run of an undo: what it would do now, range by range, and whether it is possible. Writes nothing.
import { UNDOABLE_STAGES } from '../../domain/rollout/decide-undo.js';
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readGate } from '../../stores/cell/cutover/gate.js';
import { rejectChangedSource } from '../../stores/cell/identity.js';
import {
  countOlder,
  findOlderRun,
  findUndoableRun,
  listRangesOf,
  previewUndoRange,
  type UndoCounts,
  type UndoneOrg,
} from '../../stores/cell/undo/undo-plans.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { findOpenUndo } from '../../stores/control/undo-requests.js';
import type { EngineContext } from '../context.js';
import { getDataCenter } from '../data-center.js';

export type { UndoCounts, UndoneOrg };

export type UndoContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps'>;

export interface UndoReport {
  readonly dataCenter: string;
  /** `nothing`: no run is left that wrote. `requested`: a scheduler runs it. */
  readonly state: 'nothing' | 'dry_run' | 'proposed' | 'requested' | 'withdrawn';
  /** For example `in-u2`; null: nothing is proposed. */
  readonly undoId: string | null;
  /** The run that is taken back. */
  readonly undoes: bigint | null;
  readonly author: string | null;
  readonly approver: string | null;
  readonly reason: string | null;
  /** Of what is proposed: by this a second person approves it. */
  readonly digest: string | null;
  readonly counts: UndoCounts;
  /** The newest run before it that wrote and is not undone: another undo takes that back. Null: there is none. */
  readonly olderRun: bigint | null;
  /** Orgs that have what such older runs wrote; those that get it back by this undo are not among them. */
  readonly olderOrgs: number;
  /** The instant from which it is not possible any more, as it is configured; null: none. */
  readonly possibleUntil: Date | null;
  readonly possibleUntilLocal: string | null;
  /** Paid orgs that fall, and orgs that are left as they are: the first of each. For the person who asks. */
  readonly falling: readonly UndoneOrg[];
  readonly conflicts: readonly UndoneOrg[];
}

const NO_COUNTS: UndoCounts = {
  ...{ orgs: 0, deletes: 0, restores: 0, conflicts: 0, falls: 0, paidFalls: 0 },
  ...{ beforeCredits: '0', afterCredits: '0' },
};

const STATEMENT_MS = 30_000;

export interface UndoQuestion {
  readonly dataCenter: string;
  /** How many orgs of each list. */
  readonly limit: number;
}

/** `onProgress` gets the orgs read so far. Throws undo_refused, source_changed. */
export async function previewUndo(
  context: UndoContext,
  { dataCenter, limit }: UndoQuestion,
  onProgress: (orgs: number) => void = () => undefined,
): Promise<UndoReport> {
  const row = await readUndoable(context, dataCenter);
  const cell = context.cells.get(dataCenter);
  const undoes = await cell.inTransaction('override', async (tx) => {
    await rejectChangedSource(tx, dataCenter);
    return findUndoableRun(tx);
  });
  if (undoes === undefined) return { ...emptyReport(row), state: 'nothing' };
  const older = await readOlder(context, dataCenter, undoes);
  let counts = NO_COUNTS;
  const falling: UndoneOrg[] = [];
  const conflicts: UndoneOrg[] = [];
  for (const range of await cell.inTransaction('override', (tx) => listRangesOf(tx, undoes))) {
    const wanted = { falling: limit - falling.length, left: limit - conflicts.length };
    const found = await cell.inTransaction('override', (tx) => previewUndoRange(tx, undoes, range, wanted), {
      statementMs: STATEMENT_MS,
    });
    counts = addCounts(counts, found.counts);
    falling.push(...found.falling);
    conflicts.push(...found.left);
    onProgress(counts.orgs);
  }
  return { ...emptyReport(row), ...older, undoes, counts, falling, conflicts };
}

/** What an undo of the run leaves to another one. */
export async function readOlder(
  { cells }: Pick<UndoContext, 'cells'>,
  dataCenter: string,
  undoes: bigint,
): Promise<Pick<UndoReport, 'olderRun' | 'olderOrgs'>> {
  const cell = cells.get(dataCenter);
  const olderRun = await cell.inTransaction('override', (tx) => findOlderRun(tx, undoes));
  if (olderRun === undefined) return { olderRun: null, olderOrgs: 0 };
  let olderOrgs = 0;
  for (const range of await cell.inTransaction('override', (tx) => listRangesOf(tx, undoes)))
    olderOrgs += await cell.inTransaction('override', (tx) => countOlder(tx, undoes, range));
  return { olderRun, olderOrgs };
}

export const emptyReport = (row: DataCenterRow): UndoReport => ({
  ...{
    dataCenter: row.id,
    state: 'dry_run',
    digest: null,
    undoId: null,
    undoes: null,
    author: null,
    approver: null,
    reason: null,
  },
  ...{
    counts: NO_COUNTS,
    olderRun: null,
    olderOrgs: 0,
    possibleUntil: row.cutoverAt,
    possibleUntilLocal: row.cutoverLocal,
  },
  ...{ falling: [], conflicts: [] },
});

function addCounts(sum: UndoCounts, more: UndoCounts): UndoCounts {
  return {
    orgs: sum.orgs + more.orgs,
    deletes: sum.deletes + more.deletes,
    restores: sum.restores + more.restores,
    conflicts: sum.conflicts + more.conflicts,
    falls: sum.falls + more.falls,
    paidFalls: sum.paidFalls + more.paidFalls,
    beforeCredits: String(BigInt(sum.beforeCredits) + BigInt(more.beforeCredits)),
    afterCredits: String(BigInt(sum.afterCredits) + BigInt(more.afterCredits)),
  };
}

/** The row of a data center in which an undo may be asked for now. Throws undo_refused, unknown_data_center. */
export async function readUndoable(
  { control, cells }: Pick<UndoContext, 'control' | 'cells'>,
  dataCenter: string,
): Promise<DataCenterRow> {
  const gate = await cells.get(dataCenter).inTransaction('reader', readGate);
  return control.inTransaction(async (tx) => {
    const row = await getDataCenter(tx, dataCenter);
    const begun =
      row.gateLatchedAt !== null ||
      gate.latchedAt !== null ||
      (gate.effectiveAt !== null && gate.effectiveAt <= (await readControlClock(tx)));
    if (begun)
      throw new RolloutError('undo_refused', {
        message: `The cut-over of data center "${dataCenter}" has begun: no org may go back to the old model.`,
        next: advise`To start sign-ups on the old model again: ${command`cutover reverse --dc ${dataCenter} --to WHEN --reason TEXT`}`,
      });
    await rejectUndoNow(tx, row);
    return row;
  });
}

/** Throws undo_refused where something is under way or asked for. */
export async function rejectUndoNow(
  tx: ControlTransaction,
  row: Pick<DataCenterRow, 'id' | 'stage' | 'intent' | 'requestedAt' | 'undoFailed' | 'gateLatchedAt'>,
): Promise<void> {
  const { id, stage, requestedAt } = row;
  const open = await findOpenUndo(tx, id);
  const resting = UNDOABLE_STAGES.includes(stage);
  if (open === undefined && resting && requestedAt === null) return;
  const why =
    open !== undefined && resting
      ? `${open.requestedBy} has asked for an undo already`
      : `it is at stage ${stage}${requestedAt === null ? '' : ', and a rollout is requested'}`;
  throw new RolloutError('undo_refused', {
    message: `Data center "${id}" cannot be undone now: ${why}.`,
    next: open !== undefined && resting ? adviseWithdrawal(open) : adviseFitting(id, row),
  });
}

const adviseWithdrawal = ({ dataCenter, undoId }: { readonly dataCenter: string; readonly undoId: bigint }): Advice => {
  const id = showProposalId({ kind: 'undo', dataCenter, proposalId: undoId });
  return advise`To withdraw it before it begins: ${command`undo --dc ${dataCenter} --withdraw ${id} --reason TEXT`}`;
};
