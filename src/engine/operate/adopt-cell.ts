// `adopt-cell`: makes the database that the configuration names the cell of its data center, where it was moved or
// upgraded on purpose. One person proposes it and a second approves; both see what the cell has of the work that
// control knows. Needs cells that are opened wherever they are.
import { decideAudit } from '../../domain/rollout/decide-audit.js';
import type { CellReading } from '../../domain/rollout/snapshot.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { type ProposalId, showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { readFreeze } from '../../stores/cell/batch/freezes.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { readServerFacts } from '../../stores/cell/identity.js';
import {
  adoptSealedCell,
  type CellPlace,
  hasAdoption,
  listMissingWork,
  listOpenRunIds,
  readMovedCell,
} from '../../stores/cell/setup/adoption.js';
import { appendAudit } from '../../stores/control/audit.js';
import {
  type CellProposal,
  type CellProposalKey,
  decideCellProposal,
  findNewestAdoption,
  insertCellProposal,
} from '../../stores/control/cell-proposals.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { listPlansInUse } from '../../stores/control/plans.js';
import { listKnownRuns } from '../../stores/control/runs.js';
import { sealAdoption } from '../../stores/control/seals.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, lockSeenDataCenter, rejectChanged, type SeenRevision } from '../data-center.js';
import { parsePlanName } from '../plan/plan-id.js';
import { readCell } from '../rollout/read-cell.js';
import { rejectEncoding } from '../setup/init-cell.js';
import { requireSecondPerson } from '../two-person-rule.js';

/** `cells`: opened wherever they are. */
export type AdoptionContext = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

export interface AdoptionReport {
  readonly dataCenter: string;
  /** Of the data center, as it was compared. */
  readonly revision: number;
  /** `in_place`: it is where it was, and there is nothing to adopt. */
  readonly state: 'in_place' | 'dry_run' | 'proposed' | 'withdrawn' | 'adopted';
  /** For example `in-a1`; null: nothing was proposed. */
  readonly adoption: string | null;
  readonly author: string | null;
  readonly approver: string | null;
  readonly from: CellPlace;
  readonly to: CellPlace;
  readonly timelineChanged: boolean;
  /** It was frozen before it was copied: the old database has no write of ours that this one does not have. */
  readonly frozen: boolean;
  /** It is not the copy that was adopted last. */
  readonly leftBehind: boolean;
  readonly stage: DataCenterRow['stage'];
  /** Epochs of the fence: in the cell, and the newest that control has seen; null: it has seen none. */
  readonly epoch: { readonly cell: bigint; readonly control: bigint | null };
  /** What control knows and this cell does not have: runs, and plans such as `in-7`. */
  readonly missing: { readonly runs: readonly bigint[]; readonly plans: readonly string[] };
  /** Runs that are open in this cell and unknown to control. */
  readonly unknownRuns: readonly bigint[];
  /** Why the auditor will roll it out again; null: it is what was verified, or was not verified. */
  readonly notVerified: string | null;
}

/** Writes nothing. Throws unknown_data_center, encoding_unsupported, wrong_cell where it is another data center's. */
export async function previewAdoption(context: AdoptionContext, dataCenter: string): Promise<AdoptionReport> {
  return (await compare(context, dataCenter)).report;
}

/** Throws revision_changed, adoption_open, adoption_refused where there is nothing to adopt. */
export async function proposeAdoption(
  context: AdoptionContext,
  { dataCenter, reason, ...seen }: { readonly dataCenter: string; readonly reason: string } & SeenRevision,
): Promise<AdoptionReport> {
  const { report, digest } = await compare(context, dataCenter, seen);
  if (report.state === 'in_place')
    throw new RolloutError('adoption_refused', {
      message: `The cell of data center "${dataCenter}" is where it was: there is nothing to adopt.`,
      next: 'Nothing is to be done.',
    });
  return context.control.inTransaction(async (tx) => {
    await lockSeenDataCenter(tx, dataCenter, seen);
    const { name: author } = await identifyPerson(tx, context.actor);
    const newest = await findNewestAdoption(tx, dataCenter);
    if (newest?.state === 'proposed') throw openBefore(newest);
    const key: CellProposalKey<'adoption'> = {
      dataCenter,
      kind: 'adoption',
      proposalId: (newest?.proposalId ?? 0n) + 1n,
      digest,
    };
    await insertCellProposal(tx, key);
    const adoption = showProposalId(key);
    await appendAudit(tx, { action: 'propose_adoption', dataCenter, reason, details: describe(report, adoption) });
    return { ...report, state: 'proposed', adoption, author };
  });
}

/** Throws adoption_unknown, adoption_outdated, same_person. */
export async function approveAdoption(
  context: AdoptionContext,
  id: ProposalId<'adoption'>,
  reason: string | null,
): Promise<AdoptionReport> {
  const { dataCenter } = id;
  const { report, digest } = await compare(context, dataCenter);
  const approved = await context.control.inTransaction(async (tx) => {
    const person = await identifyPerson(tx, context.actor);
    const proposal = await findNewestAdoption(tx, dataCenter);
    if (proposal?.proposalId !== id.proposalId || proposal.state === 'withdrawn') throw unknown(id);
    if (report.state === 'in_place' && proposal.state === 'approved') return { ...proposal, approver: person.name };
    requireSecondPerson(`The adoption ${showProposalId(id)}`, proposal.author, person);
    if (proposal.digest !== digest) throw outdated(id);
    if (!(await decideCellProposal(tx, proposal, 'approved'))) throw unknown(id);
    await appendAudit(tx, {
      action: 'approve_adoption',
      dataCenter,
      reason,
      details: describe(report, showProposalId(id)),
    });
    return { ...proposal, approver: person.name };
  });
  if (report.state !== 'in_place') await adopt(context, approved, id);
  const { author, approver } = approved;
  return { ...report, state: 'adopted', adoption: showProposalId(id), author, approver };
}

/** In another transaction than the approval: only what is committed is sealed. */
async function adopt(
  { control, cells }: AdoptionContext,
  key: CellProposalKey<'adoption'>,
  id: ProposalId<'adoption'>,
): Promise<void> {
  const seal = await control.inTransaction((tx) => sealAdoption(tx, key));
  if (seal === undefined) throw unknown(id);
  try {
    await cells.get(id.dataCenter).inTransaction('state', (tx) => adoptSealedCell(tx, seal));
  } catch (error) {
    throw classifyFailure(error).ours === 'adoption_outdated' ? outdated(id) : error;
  }
  const details = { adoption: showProposalId(id) };
  await control.inTransaction((tx) => appendAudit(tx, { action: 'adopt_cell', dataCenter: id.dataCenter, details }));
}

/** Throws revision_changed, adoption_unknown when none waits. */
export async function withdrawAdoption(
  context: AdoptionContext,
  { dataCenter, reason, ...seen }: { readonly dataCenter: string; readonly reason: string } & SeenRevision,
): Promise<Pick<AdoptionReport, 'dataCenter' | 'state' | 'adoption' | 'author'>> {
  return context.control.inTransaction(async (tx) => {
    await lockSeenDataCenter(tx, dataCenter, seen);
    await identifyPerson(tx, context.actor);
    const newest = await findNewestAdoption(tx, dataCenter);
    if (newest?.state !== 'proposed' || !(await decideCellProposal(tx, newest, 'withdrawn')))
      throw new RolloutError('adoption_unknown', {
        message: `Data center "${dataCenter}" has no proposal to adopt its cell that waits for approval.`,
      });
    const adoption = showProposalId(newest);
    const { author } = newest;
    await appendAudit(tx, { action: 'withdraw_adoption', dataCenter, reason, details: { adoption, author } });
    return { dataCenter, state: 'withdrawn', adoption, author };
  });
}

interface Compared {
  readonly report: AdoptionReport;
  readonly digest: string;
}

/** What control knows, then what the cell has of it. */
async function compare(
  { control, cells }: AdoptionContext,
  dataCenter: string,
  seen: SeenRevision = {},
): Promise<Compared> {
  const known = await control.inTransaction(async (tx) => ({
    row: await getDataCenter(tx, dataCenter),
    runs: await listKnownRuns(tx, dataCenter),
    plans: await listPlanNumbers(tx, dataCenter),
  }));
  rejectChanged(known.row, seen);
  const cell = cells.get(dataCenter);
  const reading = await readCell(() => cell, { runId: known.row.runId, adoption: null });
  return cell.inTransaction('state', async (tx) => {
    rejectEncoding(dataCenter, (await readServerFacts(tx)).encoding);
    const { report, digest } = await compareWithControl(tx, dataCenter, known);
    return { report: { ...report, notVerified: explainAudit(known.row, reading) }, digest };
  });
}

async function listPlanNumbers(tx: ControlTransaction, dataCenter: string): Promise<readonly bigint[]> {
  const names = (await listPlansInUse(tx)).map(parsePlanName);
  return names.flatMap((name) => (name?.dataCenter === dataCenter ? [name.number] : []));
}

interface KnownInControl {
  readonly row: DataCenterRow;
  readonly runs: readonly bigint[];
  readonly plans: readonly bigint[];
}

async function compareWithControl(
  tx: CellTransaction,
  dataCenter: string,
  { row, runs, plans }: KnownInControl,
): Promise<Compared> {
  const { from, to, timelineChanged, digest } = await readMovedCell(tx);
  const fence = await readFence(tx);
  const missing = await listMissingWork(tx, { runs, plans });
  const freeze = await readFreeze(tx);
  // in its place, and yet not the copy that was adopted last: to be adopted again, where that is meant
  const leftBehind = row.adoption !== null && !(await hasAdoption(tx, row.adoption));
  const moved =
    leftBehind ||
    from.systemIdentifier !== to.systemIdentifier ||
    from.databaseName !== to.databaseName ||
    timelineChanged;
  return {
    digest,
    report: {
      dataCenter,
      revision: row.revision,
      state: moved ? 'dry_run' : 'in_place',
      adoption: null,
      author: null,
      approver: null,
      from,
      to,
      timelineChanged,
      // proven: nothing that began before it was still open when it was copied
      frozen: freeze !== null && freeze.acknowledgedAt !== null,
      leftBehind,
      stage: row.stage,
      epoch: { cell: fence.epoch, control: row.epoch },
      missing: { runs: missing.runs, plans: missing.plans.map((number) => `${dataCenter}-${number}`) },
      unknownRuns: (await listOpenRunIds(tx)).filter((run) => !runs.includes(run)),
      notVerified: null,
    },
  };
}

/** As the auditor will see it once it is adopted. */
function explainAudit({ stage, epoch }: Pick<DataCenterRow, 'stage' | 'epoch'>, cell: CellReading): string | null {
  if ((stage !== 'done' && stage !== 'baking') || cell.kind !== 'read') return null;
  return decideAudit({ epoch }, { ...cell, fence: { ...cell.fence, sameTimeline: true } }) ?? null;
}

const describe = ({ from, to, missing, unknownRuns }: AdoptionReport, adoption: string) => ({
  adoption,
  from_system: from.systemIdentifier,
  from_database: from.databaseName,
  to_system: to.systemIdentifier,
  to_database: to.databaseName,
  missing_runs: missing.runs.map(String),
  missing_plans: missing.plans,
  unknown_runs: unknownRuns.map(String),
});

const withdraw = (dataCenter: string): Advice =>
  advise`Withdraw it, and propose it again: ${command`adopt-cell --dc ${dataCenter} --withdraw --reason TEXT`}`;

const openBefore = (proposal: CellProposal & CellProposalKey<'adoption'>): RolloutError =>
  new RolloutError('adoption_open', {
    message: `The cell of data center "${proposal.dataCenter}" has the proposal ${showProposalId(proposal)} of "${proposal.author}", which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${showProposalId(proposal)}`}; or withdraw it: ${command`adopt-cell --dc ${proposal.dataCenter} --withdraw --reason TEXT`}`,
  });

const unknown = (id: ProposalId<'adoption'>): RolloutError =>
  new RolloutError('adoption_unknown', {
    message: `Data center "${id.dataCenter}" has no proposal ${showProposalId(id)} to adopt its cell that waits.`,
    next: advise`See what it is, and propose it: ${command`adopt-cell --dc ${id.dataCenter}`}`,
  });

const outdated = (id: ProposalId<'adoption'>): RolloutError =>
  new RolloutError('adoption_outdated', {
    message: `The database of data center "${id.dataCenter}" is not what the proposal ${showProposalId(id)} was made of.`,
    next: withdraw(id.dataCenter),
  });
