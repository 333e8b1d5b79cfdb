// The org that a person typed, as its cell spells it. Never looks whether it exists.
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { parseOrgId } from '../../stores/cell/org/orgs.js';

export interface OrgName {
  readonly dataCenter: string;
  /** As typed. */
  readonly orgId: string;
}

/** `7` for `007` where ids are numbers. Throws invalid_org_id. */
export async function getOrgId(tx: CellTransaction, { dataCenter, orgId }: OrgName): Promise<string> {
  const id = await parseOrgId(tx, orgId);
  if (id !== undefined) return id;
  throw new RolloutError('invalid_org_id', {
    message: `${quoteValue(orgId)} is not an org id of the type that data center "${dataCenter}" uses.`,
  });
}

export const orgNotFound = ({ dataCenter, orgId }: OrgName): RolloutError =>
  new RolloutError('org_not_found', {
    message: `Data center "${dataCenter}" has no org ${quoteValue(orgId)}, neither in its source nor among the allotments.`,
  });
