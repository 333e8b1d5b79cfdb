// Writes one claimed batch: a range of a plan, a canary, a follow-up, or a repair. Decides nothing: the rule is in the
// cell. Throws when the rows that it wrote are not the expected ones, and the batch rolls back.
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  countDecisions,
  insertAllotments,
  listWrittenByThisRun,
  quarantineOrgs,
  type RangeOfRun,
  raiseAllotments,
  readWrittenRange,
  type WrittenRange,
} from '../../stores/cell/batch/allotments.js';
import type { BatchCounts, ClaimedBatch } from '../../stores/cell/batch/batches.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import {
  isRangeIntact,
  type PlannedCounts,
  writeByOrg,
  writeCanary,
  writeFollowUp,
} from '../../stores/cell/batch/planned-writes.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { writeRepair } from './write-repair.js';
import { writeUndo } from './write-undo.js';

/**
 * `insert`: the whole range in one statement, where no allotments exist; `raise`: the whole range, where some exist;
 * `per_org`: only the orgs of a plan that are still as planned.
 */
export type WriteStrategy = 'insert' | 'raise' | 'per_org';

/** The counts of a batch that writes no org. */
export const NOTHING_WRITTEN: BatchCounts = {
  orgs: 0,
  inserted: 0,
  raised: 0,
  unchanged: 0,
  stale: 0,
  quarantined: 0,
  falls: 0,
  totalCredits: '0',
};

/** Orgs came or went between two statements of one batch: the batch rolls back and is tried again. */
export class CountsDiffer extends Error {}

/** The result for a range is not what its plan says: the batch rolls back and is written org by org. */
export class PlanDiffers extends Error {}

export async function writeBatch(
  tx: CellTransaction,
  run: OpenRun,
  batch: ClaimedBatch,
  strategy: WriteStrategy,
): Promise<BatchCounts> {
  const { runId, cardHash, planId } = run;
  if (batch.kind === 'repair') return writeRepair(tx, run, batch);
  if (run.kind === 'undo') return writeUndo(tx, run, batch);
  if (planId === null) throw withoutPlan(runId);
  if (batch.kind === 'follow_up') return toCounts(await writeFollowUp(tx, batch.orgIds, run));
  if (batch.kind === 'canary') return toCounts(await writeCanary(tx, batch.orgIds, { runId, cardHash, planId }));
  const { pin } = batch;
  if (pin === null) throw withoutPlan(runId);
  if (strategy === 'per_org' || !pin.whole) return writeChanged(tx, { runId, cardHash, planId }, batch, pin.range);
  const range = { ...batch, runId, cardHash };
  const writtenByThisRun = strategy === 'insert' ? await listWrittenByThisRun(tx, range) : undefined;
  return writtenByThisRun === undefined
    ? writeRaised(tx, range, run.sourceUnique, pin)
    : writeFresh(tx, range, writtenByThisRun, { unique: run.sourceUnique, pin });
}

/** An earlier version could begin such a run. */
const withoutPlan = (runId: bigint): RolloutError =>
  new RolloutError('plan_unknown', { message: `Run ${runId} follows no plan; nothing more of it is written.` });

type Pin = NonNullable<ClaimedBatch['pin']>;

interface Expectation {
  readonly unique: boolean;
  readonly pin: Pin;
}

/** The range has no allotments but those of the run's canary: every other org is inserted, or cannot be decided. */
async function writeFresh(
  tx: CellTransaction,
  range: RangeOfRun,
  writtenByThisRun: readonly string[],
  { unique, pin }: Expectation,
): Promise<BatchCounts> {
  const inserted = await insertAllotments(tx, range, writtenByThisRun);
  const found = await readWrittenRange(tx, range, { unique, except: writtenByThisRun });
  assertPlanned(found, pin);
  const { orgs, written, addedCredits: totalCredits } = found;
  const before = writtenByThisRun.length;
  const quarantined = orgs === inserted + before ? 0 : await quarantineOrgs(tx, range, 'decided_first');
  if (written !== inserted + before || orgs !== written + quarantined) throw new CountsDiffer();
  return { inserted, raised: 0, totalCredits, orgs, quarantined, unchanged: before, falls: 0, stale: 0 };
}

/** The range has allotments: missing ones are inserted, those that rose are raised, the others are counted. */
async function writeRaised(tx: CellTransaction, range: RangeOfRun, unique: boolean, pin: Pin): Promise<BatchCounts> {
  const written = await raiseAllotments(tx, range);
  assertPlanned(await readWrittenRange(tx, range, { unique }), pin);
  const { orgs, quarantined, falls } = await countDecisions(tx, range);
  if (quarantined > 0) await quarantineOrgs(tx, range, 'decided');
  const unchanged = orgs - quarantined - written.inserted - written.raised;
  if (unchanged < 0) throw new CountsDiffer();
  return { ...written, orgs, quarantined, unchanged, falls, stale: 0 };
}

/** Compares number, sum and digest of the run's allotments in the range with the plan's. */
function assertPlanned(found: WrittenRange, pin: Pin): void {
  const same = found.digest === pin.digest && found.written === pin.touched && found.totalCredits === pin.credits;
  if (!same) throw new PlanDiffers();
}

/** Some orgs of the range are not as planned: they are left out, the others are written as planned. */
async function writeChanged(
  tx: CellTransaction,
  run: { readonly runId: bigint; readonly cardHash: string; readonly planId: bigint },
  batch: ClaimedBatch,
  planRange: number,
): Promise<BatchCounts> {
  const name = `Range ${planRange} of plan ${run.planId}`;
  if (!(await isRangeIntact(tx, run.planId, planRange)))
    throw new RolloutError('plan_edited', {
      message: `${name} no longer matches its digest; nothing of it was written.`,
    });
  return toCounts(await writeByOrg(tx, batch, { ...run, planRange }));
}

function toCounts(counts: PlannedCounts): BatchCounts {
  const unchanged = counts.orgs - counts.inserted - counts.raised - counts.stale - counts.quarantined;
  if (unchanged < 0) throw new CountsDiffer();
  return { ...counts, unchanged };
}
