// Raises the allotments of single orgs, each with its cause. Falls, first decisions, and changes of inputs alone are
// left to the nightly run.
import type { Cause } from '../../domain/reconcile/cause.js';
import { nameCause } from '../../domain/reconcile/name-cause.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  type EditedOrgs,
  listRaises,
  lockRaises,
  type Raise,
  writeRaises,
} from '../../stores/cell/feed/feed-writes.js';

/** Returns how many it raised. The caller holds the fence lock, and single writes are allowed. */
export async function raiseOrgs(tx: CellTransaction, edited: EditedOrgs): Promise<number> {
  const { by } = edited;
  const listed = await listRaises(tx, edited);
  if (listed.length === 0) return 0;
  // decided again under the locks: an override may have been applied in between
  const changed = new Set(await lockRaises(tx, listed));
  const raises = [
    ...listed.filter(({ orgId }) => !changed.has(orgId)),
    ...(await listRaises(tx, { orgIds: [...changed], by })),
  ];
  let raised = 0;
  for (const [cause, orgIds] of groupByCause(raises)) raised += await writeRaises(tx, cause, { orgIds, by });
  return raised;
}

function groupByCause(raises: readonly Raise[]): ReadonlyMap<Cause, readonly string[]> {
  const groups = new Map<Cause, string[]>();
  for (const { orgId, stored, found } of raises) {
    // the kind of sign-up matters only to orgs without an allotment, and a raise lowers no floor
    const cause = nameCause(
      { kind: 'allotment', lapsed: false, mark: 'none', card: 'same', proposedFor: null, ...stored },
      { kind: 'org', signedUp: 'before_rollout', ...found },
    );
    const group = groups.get(cause);
    if (group === undefined) groups.set(cause, [orgId]);
    else group.push(orgId);
  }
  return groups;
}
