// Switches limits of calls on, into shadow or off: for a data center, or for one org of it. Gateways obey within 10 s.
import { type Enforce, type Enforcement, NOT_ENFORCED } from '../../domain/meter/decide-call.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import { isOrgKnown } from '../../stores/cell/org/protected-orgs.js';
import {
  findLastEnforcementChange,
  type LoggedDecision,
  lockEnforcement,
  readEnforcement,
  saveEnforcement,
} from '../../stores/cell/usage/enforcement.js';
import { appendAudit } from '../../stores/control/audit.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { getOrgId, orgNotFound } from '../org/find-org.js';

/** Of an org: `inherit` is what its data center has. */
export type EnforcementWish = Enforcement | 'inherit';

export interface EnforcementChange {
  readonly dataCenter: string;
  /** Null: all orgs of the data center that have nothing of their own. */
  readonly orgId: string | null;
  /** Left out: stays as it is. */
  readonly credits?: EnforcementWish | undefined;
  readonly concurrency?: EnforcementWish | undefined;
}

export interface EnforcementReport {
  readonly dataCenter: string;
  readonly orgId: string | null;
  /** What limits do now, and after the change. */
  readonly before: Enforce;
  readonly after: Enforce;
  /** What the org has of its own, before and after. */
  readonly own: { readonly before: Partial<Enforce>; readonly after: Partial<Enforce> };
  /** Who changed it last before; null: nobody has. */
  readonly lastChange: LoggedDecision | null;
  readonly executed: boolean;
}

/** One org of a source without an index on org_id is a scan. */
const LIMITS = { statementMs: 30_000 } as const;

/** Shows the change; with a reason it is made. Throws invalid_org_id, org_not_found. */
export async function setEnforcement(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  change: EnforcementChange,
  reason: string | null,
): Promise<EnforcementReport> {
  const { control, cells, actor } = context;
  const { dataCenter } = change;
  const cell = cells.get(dataCenter);
  if (reason === null) {
    const found = await cell.inTransaction('override', (tx) => planChange(tx, change), LIMITS);
    return { ...found, executed: false };
  }
  // who cannot be named changes nothing
  await control.inTransaction((tx) => identifyPerson(tx, actor));
  const { hash, ...report } = await cell.inTransaction(
    'override',
    async (tx) => {
      await lockEnforcement(tx);
      const found = await planChange(tx, change);
      await saveEnforcement(tx, found.orgId, found.orgId === null ? found.after : found.own.after);
      return { ...found, hash: found.orgId === null ? null : await hashOrgId(tx, found.orgId) };
    },
    LIMITS,
  );
  await control.inTransaction(async (tx) => {
    await identifyPerson(tx, actor);
    const org = hash === null ? {} : { orgs: 1, org_hash: hash };
    const { credits, concurrency } = report.after;
    await appendAudit(tx, { action: 'enforce', dataCenter, reason, details: { ...org, credits, concurrency } });
  });
  return { ...report, executed: true };
}

async function planChange(
  tx: CellTransaction,
  change: EnforcementChange,
): Promise<Omit<EnforcementReport, 'executed'>> {
  const { dataCenter } = change;
  const orgId = change.orgId === null ? null : await getKnownOrg(tx, dataCenter, change.orgId);
  const { general = NOT_ENFORCED, orgs } = await readEnforcement(tx, orgId === null ? [] : [orgId]);
  const own = orgId === null ? general : (orgs.get(orgId) ?? {});
  const changed = {
    credits: change.credits ?? own.credits,
    concurrency: change.concurrency ?? own.concurrency,
  };
  const after: Partial<Enforce> = {
    ...(isOwn(changed.credits) && { credits: changed.credits }),
    ...(isOwn(changed.concurrency) && { concurrency: changed.concurrency }),
  };
  return {
    dataCenter,
    orgId,
    before: { ...general, ...own },
    after: { ...general, ...after },
    lastChange: (await findLastEnforcementChange(tx, orgId)) ?? null,
    own: orgId === null ? { before: {}, after: {} } : { before: own, after },
  };
}

const isOwn = (wish: EnforcementWish | undefined): wish is Enforcement => wish !== undefined && wish !== 'inherit';

async function getKnownOrg(tx: CellTransaction, dataCenter: string, asked: string): Promise<string> {
  const orgId = await getOrgId(tx, { dataCenter, orgId: asked });
  if (!(await isOrgKnown(tx, orgId))) throw orgNotFound({ dataCenter, orgId });
  return orgId;
}
