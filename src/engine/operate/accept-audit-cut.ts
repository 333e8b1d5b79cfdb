// That control has lost a part of its audit is proposed by one person and approved by another: each head that a cell
// keeps of it, and none that is not lost. The database enters every step in the audit, and decides who may approve.
import { type AuditCut, type CellHead, isSameLoss, planCut } from '../../domain/operate/lost-heads.js';
import { advise, command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import { showCutId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type CutProposal,
  findAuditCut,
  findOpenAuditCut,
  insertAuditCut,
  listCutHeads,
  saveCutDecision,
} from '../../stores/control/audit-cuts.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { identifyPerson } from '../../stores/control/person.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { describeCuts, findLostHeads, listCellHeads } from './lost-heads.js';

export type { CutProposal } from '../../stores/control/audit-cuts.js';

type ReadContext = Pick<EngineContext, 'control' | 'cells'>;
type CutContext = ReadContext & Pick<EngineContext, 'actor'>;

/** What there is to accept, cell by cell; `dc`: of this one only. Throws invalid_argument where nothing is lost. */
export async function findAuditCuts(context: ReadContext, dc?: string): Promise<readonly AuditCut[]> {
  const kept = await listKept(context, dc);
  return context.control.inTransaction((tx) => findCuts(tx, kept));
}

async function listKept(context: ReadContext, dc: string | undefined): Promise<readonly CellHead[]> {
  const { kept } = await listCellHeads(context);
  return kept.filter(({ dataCenter }) => dc === undefined || dataCenter === dc);
}

/**
 * Where one login is for everybody, its author approves it at once, since nobody else could. Throws as findAuditCuts,
 * and audit_cut_open.
 */
export async function proposeAuditCut(context: CutContext, reason: string, dc?: string): Promise<CutProposal> {
  const kept = await listKept(context, dc);
  return context.control.inTransaction(async (tx) => {
    const person = await identifyPerson(tx, context.actor);
    const open = await findOpenAuditCut(tx);
    if (open !== null) throw openBefore(open);
    const proposed = await insertAuditCut(tx, { parts: planCut(await findCuts(tx, kept)), reason });
    return person.knownBy === 'machine' ? decide(tx, proposed, { state: 'accepted', reason }) : proposed;
  });
}

async function findCuts(...[tx, kept]: Parameters<typeof findLostHeads>): Promise<readonly AuditCut[]> {
  const { lost } = await findLostHeads(tx, kept);
  if (lost.length > 0) return describeCuts(tx, lost);
  throw new RolloutError('invalid_argument', {
    message: 'Control has every entry of the audit that cells keep heads of: there is nothing to accept.',
    next: 'Leave --accept-cut out.',
  });
}

/** Throws audit_cut_unknown, audit_cut_decided, audit_cut_outdated, same_person, database_unreachable. */
export async function approveAuditCut(context: CutContext, cutId: bigint, reason: string | null): Promise<CutProposal> {
  const { kept, compared } = await listCellHeads(context);
  try {
    return await context.control.inTransaction(async (tx) => {
      const person = await identifyPerson(tx, context.actor);
      const cut = await getOpenCut(tx, cutId);
      if (person.knownBy === 'login') requireSecondPerson(`The proposal ${showCutId(cutId)}`, cut.author, person);
      const unread = cut.dataCenters.find((id) => !compared.includes(id));
      if (unread !== undefined) throw notCompared(cutId, unread);
      const { lost } = await findLostHeads(
        tx,
        kept.filter(({ dataCenter }) => cut.dataCenters.includes(dataCenter)),
      );
      if (!isSameLoss(await listCutHeads(tx, cutId), planCut(await describeCuts(tx, lost)))) throw outdated(cutId);
      return decide(tx, cut, { state: 'accepted', reason });
    });
  } catch (error) {
    // control got back what it had lost, between our look and the commit
    throw classifyFailure(error).ours === 'audit_cut_lost_check' ? outdated(cutId) : error;
  }
}

/** Throws audit_cut_unknown when none waits. */
export function withdrawAuditCut(context: Pick<CutContext, 'control' | 'actor'>, reason: string): Promise<CutProposal> {
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const open = await findOpenAuditCut(tx);
    if (open !== null) return decide(tx, open, { state: 'withdrawn', reason });
    throw new RolloutError('audit_cut_unknown', {
      message: 'No proposal to accept a loss of the audit waits for its approval.',
    });
  });
}

async function getOpenCut(tx: ControlTransaction, cutId: bigint): Promise<CutProposal> {
  const cut = await findAuditCut(tx, cutId);
  if (cut === undefined)
    throw new RolloutError('audit_cut_unknown', {
      message: `There is no proposal ${showCutId(cutId)} to accept a loss of the audit.`,
    });
  if (cut.state !== 'proposed') throw decidedBefore(cut);
  return cut;
}

async function decide(
  tx: ControlTransaction,
  cut: CutProposal,
  decision: Parameters<typeof saveCutDecision>[2],
): Promise<CutProposal> {
  const decided = await saveCutDecision(tx, cut.cutId, decision);
  if (decided === undefined) throw decidedBefore((await findAuditCut(tx, cut.cutId)) ?? cut);
  return decided;
}

const WITHDRAW = command('audit --verify --accept-cut --withdraw --reason TEXT');

const openBefore = ({ cutId, author }: CutProposal): RolloutError =>
  new RolloutError('audit_cut_open', {
    message: `The proposal ${showCutId(cutId)} of ${showName(author)} to accept a loss of the audit waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${showCutId(cutId)}`}; or withdraw it: ${WITHDRAW}`,
  });

const outdated = (cutId: bigint): RolloutError =>
  new RolloutError('audit_cut_outdated', {
    message: `Control has lost other heads now than the proposal ${showCutId(cutId)} names. Nothing was accepted.`,
    next: advise`Withdraw it: ${WITHDRAW}; then see what is lost now, and propose it again: ${command('audit --verify --accept-cut')}`,
  });

const notCompared = (cutId: bigint, dataCenter: string): RolloutError =>
  new RolloutError('database_unreachable', {
    message: `The cell of data center "${dataCenter}" cannot be read: it must still keep what the proposal ${showCutId(cutId)} names. Nothing was accepted.`,
    next: advise`See why: ${command`doctor --dc ${dataCenter}`}; once it can be read, repeat: ${command`approve ${showCutId(cutId)}`}`,
  });

const decidedBefore = ({ cutId, state, approver }: CutProposal): RolloutError => {
  const by = approver === null ? '' : `, approved by ${showName(approver)}`;
  return new RolloutError('audit_cut_decided', {
    message: `The proposal ${showCutId(cutId)} was ${state} already${by}.`,
  });
};
