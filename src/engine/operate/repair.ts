// `repair`: puts back allotments that break the rule, as the record and the rule say. What the cell computes is written
// in one transaction, while nothing else may write there. One person may raise; where a paid org would fall, a second
// person approves exactly those rows.
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { type ProposalId, showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { verifyRule } from '../../stores/cell/batch/verification.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import {
  applyRepair,
  digestRepair,
  type EditedOrg,
  findRepair,
  insertRepair,
  listRepairedOrgs,
  listRepairTargets,
} from '../../stores/cell/org/edited-allotments.js';
import { appendAudit } from '../../stores/control/audit.js';
import {
  type CellProposalKey,
  decideCellProposal,
  findCellProposal,
  insertCellProposal,
} from '../../stores/control/cell-proposals.js';
import { identifyPerson, type Person } from '../../stores/control/person.js';
import { sealRepair } from '../../stores/control/seals.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Seal } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, lockSeenDataCenter, type SeenRevision } from '../data-center.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { verifyDataCenter } from './verify-data-center.js';

export type { EditedOrg };

/** Orgs of one repair: it is one transaction. */
const MAX_REPAIRED = 1_000;
const STATEMENT_MS = 30_000;

export interface RepairReport {
  readonly dataCenter: string;
  /** Of the data center, as it was seen; null: it is not shown any more. */
  readonly revision: number | null;
  /** `nothing`: no allotment breaks the rule. */
  readonly state: 'nothing' | 'dry_run' | 'proposed' | 'applied';
  /** For example `in-p3`; null: nothing is proposed. */
  readonly repairId: string | null;
  readonly author: string | null;
  readonly approver: string | null;
  readonly reason: string | null;
  /** All that break the rule: also what the rule says nothing of, and what is left for another repair. */
  readonly mismatches: number;
  /** By id. Org data: for the person who asks. */
  readonly orgs: readonly EditedOrg[];
}

type RepairContext = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

/** What a repair would do now. Writes nothing. */
export async function previewRepair(context: RepairContext, dataCenter: string): Promise<RepairReport> {
  const { revision } = await context.control.inTransaction((tx) => getDataCenter(tx, dataCenter));
  const { mismatches, mismatched } = await verifyDataCenter(context, dataCenter, { limit: MAX_REPAIRED });
  const ids = mismatched.map(({ orgId }) => orgId);
  const orgs = await context.cells
    .get(dataCenter)
    .inTransaction('reader', (tx) => listRepairTargets(tx, ids), { statementMs: STATEMENT_MS });
  const state = mismatches === 0 ? 'nothing' : 'dry_run';
  return { dataCenter, revision, state, repairId: null, author: null, approver: null, reason: null, mismatches, orgs };
}

/** Applies what one person may; else proposes it. Throws data_center_busy, revision_changed, repair_refused. */
export async function executeRepair(
  context: RepairContext,
  { dataCenter, reason, ...seen }: { readonly dataCenter: string; readonly reason: string } & SeenRevision,
): Promise<RepairReport> {
  const author = await findRestingPerson(context, dataCenter, seen);
  const preview = await previewRepair(context, dataCenter);
  if (preview.state === 'nothing') return preview;
  const ids = preview.orgs.map(({ orgId }) => orgId);
  const proposed = await context.cells.get(dataCenter).inTransaction(
    'override',
    async (tx) => {
      const proposalId = await insertRepair(tx, { author: author.name, reason, ids });
      return proposalId === undefined ? undefined : { proposalId, digest: await digestRepair(tx, proposalId) };
    },
    { statementMs: STATEMENT_MS },
  );
  if (proposed === undefined) throw notRepairable(dataCenter);
  const key = { dataCenter, kind: 'repair', ...proposed } as const;
  const report = { ...preview, repairId: showProposalId(key), author: author.name, reason };
  const falling = preview.orgs.filter(({ lowers }) => lowers).length;
  const details = { repair: report.repairId, orgs: ids.length, falls: falling };
  await context.control.inTransaction(async (tx) => {
    await lockSeenDataCenter(tx, dataCenter, seen);
    await identifyPerson(tx, context.actor);
    if (falling > 0) await insertCellProposal(tx, key);
    await appendAudit(tx, { action: 'repair', dataCenter, reason, details });
  });
  if (falling > 0) return { ...report, state: 'proposed' };
  await applyAndVerify(context, key, null, { reason, details });
  return { ...report, state: 'applied' };
}

/** The second person's approval, which applies it. Throws repair_unknown, same_person, data_center_busy, conflict. */
export async function approveRepair(
  context: RepairContext,
  id: ProposalId<'repair'>,
  reason: string | null,
): Promise<RepairReport> {
  const { dataCenter } = id;
  const person = await findRestingPerson(context, dataCenter);
  const name = showProposalId(id);
  const { repair, orgs, digest } = await context.cells.get(dataCenter).inTransaction('override', async (tx) => {
    const found = await findRepair(tx, id.proposalId);
    if (found === undefined) throw unknown(id, 'is not in its cell');
    if (found.state !== 'proposed') throw unknown(id, `was ${found.state} already`);
    return {
      repair: found,
      orgs: await listRepairedOrgs(tx, id.proposalId),
      digest: await digestRepair(tx, id.proposalId),
    };
  });
  const key = { ...id, digest };
  const details = { repair: name, orgs: orgs.length, falls: orgs.filter(({ lowers }) => lowers).length };
  await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const known = await findCellProposal(tx, key);
    if (known === undefined) throw unknown(id, 'as it is in its cell is not known to control');
    requireSecondPerson(`The repair ${name}`, known.author, person);
    if (!(await decideCellProposal(tx, key, 'approved'))) throw unknown(id, 'was withdrawn already');
    await appendAudit(tx, { action: 'approve', dataCenter, reason, details });
  });
  // in another transaction: only what is committed is sealed
  const seal = await context.control.inTransaction((tx) => sealRepair(tx, key));
  if (seal === undefined) throw unknown(id, 'was withdrawn already');
  await applyAndVerify(context, key, seal, { reason, details });
  const { author } = repair;
  const named = { repairId: name, author, approver: person.name, reason: repair.reason };
  return { dataCenter, revision: null, state: 'applied', ...named, mismatches: orgs.length, orgs };
}

const unknown = (id: ProposalId<'repair'>, why: string): RolloutError =>
  new RolloutError('repair_unknown', {
    message: `The repair ${showProposalId(id)} ${why}.`,
    next: advise`See what is wrong now: ${command`repair --dc ${id.dataCenter}`}`,
  });

const notRepairable = (dataCenter: string): RolloutError =>
  new RolloutError('repair_refused', {
    message: `The rule and the record do not say what to put back in data center "${dataCenter}".`,
  });

/** Nothing of ours may be under way there. */
async function findRestingPerson(context: RepairContext, dataCenter: string, seen: SeenRevision = {}): Promise<Person> {
  return context.control.inTransaction(async (tx) => {
    const row = await lockSeenDataCenter(tx, dataCenter, seen);
    const { stage, requestedAt } = row;
    if (!STAGES.includes(stage) || requestedAt !== null)
      throw busy(dataCenter, `it is at stage ${stage}`, adviseFitting(dataCenter, row));
    return identifyPerson(tx, context.actor);
  });
}

/** Stages in which the cell has allotments and no rollout writes them. */
const STAGES: readonly string[] = ['done', 'aborted', 'failed'];

const WHEN_IDLE = advise`Repeat it when it is done, aborted or failed; see: ${command('status')}`;

const busy = (dataCenter: string, why: string, next: Advice = WHEN_IDLE): RolloutError =>
  new RolloutError('data_center_busy', {
    message: `Allotments are put back while nothing else is written. Data center "${dataCenter}" is not idle: ${why}.`,
    next,
  });

interface Audited {
  readonly reason: string | null;
  readonly details: Readonly<Record<string, string | number>>;
}

/** One transaction: what is written passes the independent verification, or nothing is written. */
async function applyAndVerify(
  context: RepairContext,
  key: CellProposalKey,
  seal: Seal | null,
  { reason, details }: Audited,
): Promise<void> {
  const { dataCenter, proposalId } = key;
  await writeInCell(context.cells.get(dataCenter), proposalId, seal).catch((error: unknown) => {
    throw explainRepair(error, dataCenter);
  });
  await context.control.inTransaction((tx) =>
    appendAudit(tx, { action: 'repair_applied', dataCenter, reason, details }),
  );
}

function writeInCell(cell: CellDatabase, repairId: bigint, seal: Seal | null): Promise<void> {
  return cell.inTransaction(
    'override',
    async (tx) => {
      await applyRepair(tx, repairId, seal);
      const onlyIds = (await listRepairedOrgs(tx, repairId)).map(({ orgId }) => orgId);
      const { broken } = await verifyRule(tx, { lowerId: null, upperId: null, onlyIds });
      if (broken.length > 0)
        throw new RolloutError('verification_mismatch', {
          message: `What would be put back in data center "${cell.dataCenter}" breaks the rule; nothing was written.`,
        });
    },
    { statementMs: STATEMENT_MS },
  );
}

function explainRepair(error: unknown, dataCenter: string): unknown {
  switch (classifyFailure(error).ours) {
    case 'repairs_need_rest':
      return busy(dataCenter, 'a run is open there, or it is frozen');
    case 'repairs_outdated':
    case 'repairs_decided_once':
      return new RolloutError('conflict', {
        message: `An allotment of data center "${dataCenter}" was changed, or its repair decided; nothing was written.`,
        next: advise`Repeat: ${command`repair --dc ${dataCenter}`}`,
        cause: error,
      });
    default:
      return error;
  }
}
