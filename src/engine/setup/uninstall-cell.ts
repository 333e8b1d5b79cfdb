// `uninstall`: takes a data center out of the fleet and removes everything of ours from its cell, roles included.
// Refuses while something is under way or the product reads our schema. Never drops what is the product's.
import { advise, command } from '../../kernel/advice.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { lockFenceExclusive } from '../../stores/cell/batch/fence.js';
import { type CellTransaction, cellOwnerName } from '../../stores/cell/cell-database.js';
import { lockGate } from '../../stores/cell/cutover/gate.js';
import { listProductRoles } from '../../stores/cell/setup/dependents.js';
import { lockSchema } from '../../stores/cell/setup/schema.js';
import {
  DROP_SCHEMA,
  dropOwnedSql,
  dropRoles,
  dropRolesSql,
  dropSchema,
  hasOurSchema,
  type InstalledRole,
  isOwner,
  listGrantsOfOthers,
  listInstalledRoles,
  listOurTriggers,
  lockOurRelations,
} from '../../stores/cell/setup/uninstall.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { findMembership, removeDataCenter, restoreDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { requireControlOwner } from '../../stores/control/roles.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { lockSeenDataCenter, type SeenRevision, unknownDataCenter } from '../data-center.js';
import {
  listCellRefusals,
  listControlRefusals,
  listProductRefusals,
  type RemovalRefusal,
  rejectRemoval,
  type SignUpCalls,
} from './removal-refusals.js';
import { dropSignUpTrigger, removeChangeFeed } from './triggers.js';

export type { InstalledRole } from '../../stores/cell/setup/uninstall.js';
export type { RemovalRefusal } from './removal-refusals.js';

type UninstallContext = Pick<EngineContext, 'control' | 'cells' | 'clock' | 'actor' | 'wakeUps'>;

export interface UninstallPreview {
  readonly dataCenter: string;
  /** Null: it has left the fleet before. */
  readonly revision: number | null;
  /** What runs in the cell, in its order; none: it has nothing of ours. */
  readonly statements: readonly string[];
  readonly roles: readonly InstalledRole[];
  /** SQL for the owners of what `init` asked grants on: until they run it, these grants keep roles of ours. */
  readonly grants: readonly string[];
  /** Roles of the product that hold grants of ours: they lose them. */
  readonly productRoles: readonly string[];
  /** Why it is refused now; none: it is not. */
  readonly refusals: readonly RemovalRefusal[];
}

export interface UninstallReport extends Pick<UninstallPreview, 'dataCenter' | 'roles'> {
  /** What this login may not do, as SQL for a superuser; none: nothing of ours is left. */
  readonly left: readonly string[];
}

export interface UninstallRequest {
  readonly dataCenter: string;
  /** `stopped`: a person says that those of the last 24 hours were the last. */
  readonly signUps: SignUpCalls;
}

/** Changes nothing. Throws unknown_data_center, not_permitted. */
export async function previewUninstall(
  context: UninstallContext,
  { dataCenter, signUps }: UninstallRequest,
): Promise<UninstallPreview> {
  const { refusals: ofControl, revision } = await context.control.inTransaction((tx) => readControl(tx, dataCenter));
  return context.cells.get(dataCenter).asOwner(async (tx) => {
    const roles = await listInstalledRoles(tx, dataCenter);
    const installed = await hasOurSchema(tx);
    if (installed) await requireCellOwner(tx, dataCenter);
    const triggers = installed ? await listOurTriggers(tx) : [];
    const ofCell = installed ? await listAllCellRefusals(tx, { dataCenter, signUps }) : [];
    const free = roles.filter(({ usedElsewhere }) => !usedElsewhere).map(({ name }) => name);
    return {
      dataCenter,
      revision,
      statements: [
        ...triggers.map((name) => `drop trigger ${name}`),
        ...(installed ? [DROP_SCHEMA] : []),
        ...(free.length === 0 ? [] : [dropOwnedSql(...free), dropRolesSql(...free)]),
      ],
      roles,
      grants: await listGrantsOfOthers(tx, free),
      productRoles: installed ? (await listProductRoles(tx)).map(({ name }) => name) : [],
      refusals: [...ofControl, ...ofCell],
    };
  });
}

/**
 * Control first, so that no scheduler begins anything in the cell; it takes the data center back where that refuses.
 * Repeating it goes on where it ended. Throws unknown_data_center, revision_changed, removal_refused, not_permitted,
 * cell_busy.
 */
export async function uninstallCell(
  context: UninstallContext,
  { reason, revision, ...request }: UninstallRequest & SeenRevision & { readonly reason: string },
): Promise<UninstallReport> {
  const { dataCenter } = request;
  rejectRemoval(dataCenter, (await previewUninstall(context, request)).refusals);
  const before = await leaveFleet(context, dataCenter, reason, { revision });
  let emptied: Pick<UninstallReport, 'roles' | 'left'>;
  try {
    emptied = await emptyCell(context, request);
  } catch (error) {
    if (before === 'in_fleet') await bringBack(context, dataCenter);
    throw error;
  }
  await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    await removeDataCenter(tx, dataCenter, 'as_new');
    const dropped = emptied.roles.filter(({ usedElsewhere }) => !usedElsewhere).map(({ name }) => name);
    await appendAudit(tx, {
      action: 'uninstall',
      dataCenter,
      reason,
      details: { roles: dropped, left: emptied.left.length, sign_ups: request.signUps },
    });
  });
  await context.wakeUps.deleteQueue(dataCenter);
  return { dataCenter, ...emptied };
}

function leaveFleet(
  context: UninstallContext,
  dataCenter: string,
  reason: string,
  seen: SeenRevision,
): Promise<'in_fleet' | 'removed' | 'unknown'> {
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const membership = await findMembership(tx, dataCenter);
    rejectRemoval(dataCenter, (await readControl(tx, dataCenter, seen)).refusals);
    if (membership === 'in_fleet') {
      await removeDataCenter(tx, dataCenter, 'as_it_is');
      await appendAudit(tx, { action: 'remove_data_center', dataCenter, reason });
    }
    return membership;
  });
}

/** Its cell refused after all. */
export function bringBack(
  { control, actor }: Pick<EngineContext, 'control' | 'actor'>,
  dataCenter: string,
): Promise<void> {
  return control.inTransaction(async (tx) => {
    await identifyPerson(tx, actor);
    await restoreDataCenter(tx, dataCenter);
    await appendAudit(tx, { action: 'add_data_center', dataCenter, reason: 'its cell refused that it is taken out' });
  });
}

/** One that was taken out before has nothing under way. Throws unknown_data_center, not_permitted. */
async function readControl(
  tx: ControlTransaction,
  dataCenter: string,
  seen: SeenRevision = {},
): Promise<Pick<UninstallPreview, 'refusals' | 'revision'>> {
  await requireControlOwner(tx);
  const membership = await findMembership(tx, dataCenter);
  if (membership === 'unknown') throw unknownDataCenter(dataCenter);
  if (membership === 'removed') return { refusals: [], revision: null };
  const row = await lockSeenDataCenter(tx, dataCenter, seen);
  return { refusals: await listControlRefusals(tx, row), revision: row.revision };
}

const listAllCellRefusals = async (
  tx: CellTransaction,
  { dataCenter, signUps }: UninstallRequest,
): Promise<readonly RemovalRefusal[]> => [
  ...(await listCellRefusals(tx, dataCenter)),
  ...(await listProductRefusals(tx, dataCenter, signUps)),
];

async function requireCellOwner(tx: CellTransaction, dataCenter: string): Promise<void> {
  if (await isOwner(tx)) return;
  throw new RolloutError('not_permitted', {
    message: `Data center "${dataCenter}": only the login that runs init, a member of ${cellOwnerName(dataCenter)}, may remove what is ours.`,
    next: advise`Run it with that login in the URL of the cell, as ${command('init')} is run.`,
  });
}

const ATTEMPTS = 20;
const PAUSE_MS = 500;

/** One transaction, after our triggers are off the product's table: all of it, or nothing. */
async function emptyCell(
  { cells, clock }: UninstallContext,
  request: UninstallRequest,
): Promise<Pick<UninstallReport, 'roles' | 'left'>> {
  const { dataCenter } = request;
  const cell = cells.get(dataCenter);
  if (await cell.asOwner(hasOurSchema)) {
    await removeChangeFeed(cell, clock);
    await dropSignUpTrigger(cell, clock);
  }
  const empty = (): Promise<Pick<UninstallReport, 'roles' | 'left'>> =>
    cell.asOwner(async (tx) => {
      await lockSchema(tx);
      const roles = await listInstalledRoles(tx, dataCenter);
      if (await hasOurSchema(tx)) {
        // nothing of ours commits any more, no sign-up asks, and nobody begins to depend on us
        await lockFenceExclusive(tx);
        await lockGate(tx, 'queues');
        await lockOurRelations(tx);
        rejectRemoval(dataCenter, await listAllCellRefusals(tx, request));
        await dropSchema(tx);
      }
      return { roles, left: await dropRoles(tx, roles) };
    });
  return retryWithBackoff(empty, {
    clock,
    attempts: ATTEMPTS,
    pauseMs: () => PAUSE_MS,
    retriesError: (error) => classifyFailure(error).kind === 'retry',
  });
}
