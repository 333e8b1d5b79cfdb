// Special cases that orgs ask for: added for an org, listed, and answered. An exception is granted by an ordinary
// override, which a second person approves; its text never leaves the cell.
import type { AuditAction } from '../../domain/operate/audit-action.js';
import { advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import { isOrgKnown } from '../../stores/cell/org/protected-orgs.js';
import {
  closeException,
  countExceptions,
  type ExceptionRow,
  type ExceptionState,
  findOpenException,
  insertException,
  linkException,
  listExceptionRows,
} from '../../stores/cell/usage/exceptions.js';
import { appendAudit } from '../../stores/control/audit.js';
import { identifyPerson } from '../../stores/control/person.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { getOrgId, type OrgName, orgNotFound } from '../org/find-org.js';
import { type OverrideReport, proposeOverride } from '../org/override-proposals.js';

type Context = Pick<EngineContext, 'control' | 'cells' | 'actor'>;

/** One org of a source without an index on org_id is a scan. */
const LIMITS = { statementMs: 30_000 } as const;
const MAX_TEXT = 4_000;

export interface ExceptionWish extends OrgName {
  readonly text: string;
  readonly wanted: bigint | null;
  /** Local date. */
  readonly until: string | null;
}

export interface ExceptionReport extends Pick<ExceptionRow, 'orgId' | 'text' | 'wanted' | 'until' | 'answer'> {
  readonly dataCenter: string;
  /** Null: it is not stored. */
  readonly exceptionId: bigint | null;
  readonly state: ExceptionState;
  readonly executed: boolean;
}

/** Checks it; with a reason it is stored. Throws invalid_argument, invalid_org_id, org_not_found, exception_open. */
export async function addException(
  context: Context,
  wish: ExceptionWish,
  reason: string | null,
): Promise<ExceptionReport> {
  rejectText(wish.text);
  const { dataCenter } = wish;
  const report = { ...wish, answer: null, state: 'open' as const };
  if (reason === null) {
    const orgId = await context.cells.get(dataCenter).inTransaction('override', (tx) => getFreeOrg(tx, wish), LIMITS);
    return { ...report, orgId, exceptionId: null, executed: false };
  }
  try {
    const cell = context.cells.get(dataCenter);
    const hash = await cell.inTransaction('override', async (tx) => hashOrgId(tx, await getFreeOrg(tx, wish)), LIMITS);
    const askedBy = await recordAudit(context, { action: 'exception', dataCenter, reason, hash });
    const stored = await cell.inTransaction(
      'override',
      async (tx) => {
        const orgId = await getFreeOrg(tx, wish);
        return { orgId, exceptionId: await insertException(tx, { ...wish, orgId, askedBy }) };
      },
      LIMITS,
    );
    return { ...report, ...stored, executed: true };
  } catch (error) {
    if (classifyFailure(error).object === 'exceptions_open_idx') throw alreadyOpen(wish);
    throw error;
  }
}

function rejectText(text: string): void {
  if (text.trim() !== '' && text.length <= MAX_TEXT) return;
  throw new RolloutError('invalid_argument', {
    message: `The text of an exception has ${text.length} characters; it must have 1 to ${MAX_TEXT}, and not only blanks.`,
    next: 'Say in a few sentences what the org needs.',
  });
}

async function getFreeOrg(tx: CellTransaction, wish: OrgName): Promise<string> {
  const orgId = await getOrgId(tx, wish);
  if (!(await isOrgKnown(tx, orgId))) throw orgNotFound(wish);
  if ((await findOpenException(tx, orgId)) !== undefined) throw alreadyOpen(wish);
  return orgId;
}

const alreadyOpen = ({ dataCenter, orgId }: OrgName): RolloutError =>
  new RolloutError('exception_open', {
    message: `The org ${quoteValue(orgId)} of data center "${dataCenter}" has an exception that waits for its answer.`,
    next: advise`Answer it first; see: ${command`exception list --dc ${dataCenter}`}`,
  });

export interface ExceptionList {
  readonly dataCenter: string;
  readonly counts: Readonly<Record<ExceptionState, number>>;
  readonly exceptions: readonly (Omit<ExceptionRow, 'overrideId'> & {
    /** For example `in-o3`. */
    readonly override: string | null;
  })[];
}

/** The open exceptions of a data center, or all of them. */
export async function listExceptions(
  context: Pick<EngineContext, 'cells'>,
  { dataCenter, ...which }: { readonly dataCenter: string; readonly which: 'open' | 'all'; readonly limit: number },
): Promise<ExceptionList> {
  const { counts, rows } = await context.cells.get(dataCenter).inTransaction('reader', async (tx) => ({
    counts: await countExceptions(tx),
    rows: await listExceptionRows(tx, which),
  }));
  const exceptions = rows.map(({ overrideId, ...row }) => ({
    ...row,
    override: overrideId === null ? null : showProposalId({ kind: 'override', dataCenter, proposalId: overrideId }),
  }));
  return { dataCenter, counts, exceptions };
}

export type ExceptionAnswer =
  | { readonly kind: 'override'; readonly floor: bigint | null }
  | { readonly kind: 'declined'; readonly answer: string }
  | { readonly kind: 'withdrawn' };

export interface AnsweredException extends ExceptionReport {
  /** The override that was proposed for it; null: none. */
  readonly proposal: OverrideReport | null;
}

/**
 * Shows the open exception of an org and what its answer would be; with a reason it is answered. Throws
 * exception_unknown, exception_waits, what an override throws, conflict.
 */
export async function answerException(
  context: Context,
  org: OrgName,
  answer: ExceptionAnswer,
  reason: string | null,
): Promise<AnsweredException> {
  const { dataCenter } = org;
  const cell = context.cells.get(dataCenter);
  const { exceptionId, ...open } = await cell.inTransaction('override', (tx) => getAnswerable(tx, org), LIMITS);
  const state = answer.kind === 'override' ? 'open' : answer.kind;
  const told = answer.kind === 'declined' ? answer.answer : null;
  if (told !== null) rejectText(told);
  const { orgId, text, wanted, until } = open;
  const report = { dataCenter, orgId, text, wanted, until, answer: told, exceptionId, state, proposal: null } as const;
  if (reason === null) return { ...report, executed: false };
  if (answer.kind === 'override') {
    const wish = { dataCenter, orgId, floor: answer.floor, reason };
    const proposal = await proposeOverride(context, wish, (tx, number) => linkException(tx, exceptionId, number));
    return { ...report, proposal, executed: true };
  }
  const hash = await cell.inTransaction('override', (tx) => hashOrgId(tx, orgId));
  const answeredBy = await recordAudit(context, { action: `exception_${answer.kind}`, dataCenter, reason, hash });
  await cell.inTransaction('override', async (tx) => {
    if (!(await closeException(tx, exceptionId, { state: answer.kind, answer: told, answeredBy })))
      throw new RolloutError('conflict', {
        message: `Data center "${dataCenter}": somebody else answered this exception at the same moment.`,
      });
  });
  return { ...report, executed: true };
}

async function getAnswerable(tx: CellTransaction, org: OrgName): Promise<ExceptionRow> {
  const open = await findOpenException(tx, await getOrgId(tx, org));
  const { dataCenter } = org;
  if (open === undefined)
    throw new RolloutError('exception_unknown', {
      message: `The org has no exception in data center "${dataCenter}" that waits for its answer.`,
      next: advise`See: ${command`exception list --dc ${dataCenter}`}`,
    });
  if (open.overrideId === null) return open;
  const override = showProposalId({ kind: 'override', dataCenter, proposalId: open.overrideId });
  throw new RolloutError('exception_waits', {
    message: `The exception of this org is answered by the override ${override}, which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${override}`} (or withdraw the override)`,
  });
}

/**
 * Before the cell is written, so that no change is without its audit row: control knows that there is one, and a hash
 * of whose. Returns the name of who acts.
 */
function recordAudit(
  { control, actor }: Context,
  entry: { readonly action: AuditAction; readonly dataCenter: string; readonly reason: string; readonly hash: string },
): Promise<string> {
  const { hash, ...rest } = entry;
  return control.inTransaction(async (tx) => {
    const { name } = await identifyPerson(tx, actor);
    await appendAudit(tx, { ...rest, details: { orgs: 1, org_hash: hash } });
    return name;
  });
}
