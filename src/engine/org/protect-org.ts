// Protects one org: no canary includes it, and a plan that would write it needs a person. Runs as override, the only
// role of people that may read orgs and write about one.
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import {
  countProtectedOrgs,
  deleteProtectedOrg,
  insertProtectedOrg,
  isOrgKnown,
  isProtected,
} from '../../stores/cell/org/protected-orgs.js';
import { appendAudit } from '../../stores/control/audit.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { getOrgId, orgNotFound } from './find-org.js';

export interface ProtectRequest {
  readonly dataCenter: string;
  readonly orgId: string;
  readonly to: 'protected' | 'unprotected';
  readonly reason: string | null;
}

export interface ProtectReport {
  readonly dataCenter: string;
  readonly orgId: string;
  readonly state: ProtectRequest['to'];
  /** False: it was in that state already, and nothing was written. */
  readonly changed: boolean;
  /** Orgs of the data center that are protected now. */
  readonly protectedOrgs: number;
}

/** One org of a source without an index on org_id is a scan. */
const LIMITS = { statementMs: 30_000 } as const;

/** Throws invalid_org_id, org_not_found. Repeating it is harmless. */
export async function protectOrg(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  request: ProtectRequest,
): Promise<ProtectReport> {
  const { dataCenter, to, reason } = request;
  const cell = context.cells.get(dataCenter);
  const { orgId, hash, changed } = await cell.inTransaction('override', (tx) => readOrg(tx, request), LIMITS);
  if (changed) {
    // before the cell, so that no protection is without its audit row
    const protectedBy = await context.control.inTransaction(async (tx) => {
      const action = to === 'protected' ? 'protect' : 'unprotect';
      const details = { orgs: 1, org_hash: hash };
      await appendAudit(tx, { action, dataCenter, reason, details });
      return (await identifyPerson(tx, context.actor)).name;
    });
    await cell.inTransaction('override', (tx) =>
      to === 'protected' ? insertProtectedOrg(tx, { orgId, reason, protectedBy }) : deleteProtectedOrg(tx, orgId),
    );
  }
  const protectedOrgs = await cell.inTransaction('override', countProtectedOrgs);
  return { dataCenter, orgId, state: to, changed, protectedOrgs };
}

async function readOrg(
  tx: CellTransaction,
  request: ProtectRequest,
): Promise<{ readonly orgId: string; readonly hash: string; readonly changed: boolean }> {
  const orgId = await getOrgId(tx, request);
  if (request.to === 'protected' && !(await isOrgKnown(tx, orgId))) throw orgNotFound(request);
  const changed = (await isProtected(tx, orgId)) !== (request.to === 'protected');
  return { orgId, hash: await hashOrgId(tx, orgId), changed };
}
