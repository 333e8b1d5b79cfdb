// Raises the allotments of single orgs, each with its cause. Falls, first decisions, and changes of inputs alone are
// left to the nightly run.
import type { Cause } from '../../domain/reconcile/cause.js';
import { nameCause } from '../../domain/reconcile/name-cause.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  type EditedOrgs,
  type LockedAllotment,
  listRaises,
  lockStored,
  type Raise,
  writeRaises,
} from '../../stores/cell/feed/feed-writes.js';

/** Returns how many it raised. The caller holds the fence lock, and single writes are allowed. */
export async function raiseOrgs(tx: CellTransaction, edited: EditedOrgs): Promise<number> {
  const { by } = edited;
  const listed = await listRaises(tx, edited);
  if (listed.length === 0) return 0;
  const locked = await lockStored(
    tx,
    listed.map(({ orgId }) => orgId),
  );
  const isCurrent = ({ orgId, version }: Raise): boolean => locked.get(orgId)?.version === version;
  // decided again under the locks: an override may have been applied in between
  const changed = listed.filter((raise) => !isCurrent(raise)).map(({ orgId }) => orgId);
  const raises = [...listed.filter(isCurrent), ...(await listRaises(tx, { orgIds: changed, by }))];
  let raised = 0;
  for (const [cause, orgIds] of groupByCause(raises, locked)) raised += await writeRaises(tx, cause, { orgIds, by });
  return raised;
}

function groupByCause(
  raises: readonly Raise[],
  locked: ReadonlyMap<string, LockedAllotment>,
): ReadonlyMap<Cause, readonly string[]> {
  const groups = new Map<Cause, string[]>();
  for (const { orgId, found } of raises) {
    const stored = locked.get(orgId)?.stored;
    if (stored === undefined) continue;
    // the kind of sign-up matters only to orgs without an allotment, and a raise lowers no floor
    const cause = nameCause(
      { kind: 'allotment', lapsed: false, mark: 'none', card: 'same', proposedFor: null, ...stored },
      { kind: 'org', signedUp: 'before_rollout', ...found },
    );
    groups.set(cause, [...(groups.get(cause) ?? []), orgId]);
  }
  return groups;
}
