// Requests the rollout of data centers: pins the instants once, and writes the request. The scheduler starts the runs.
import { toSections } from '../../domain/config/policy.js';
import type { BatchSetting, DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { CHOSEN_SIZES } from '../../domain/plan/batch-size.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { rejectChangedSource } from '../../stores/cell/identity.js';
import { countsLightAgentsAlike, findPromiseChange, insertRateCard } from '../../stores/cell/org/rates.js';
import { isAttached } from '../../stores/cell/setup/schema.js';
import { countNullIds } from '../../stores/cell/setup/source.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import {
  type DataCenterRow,
  listDataCenters,
  lockDataCenter,
  type RequestedSettings,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { readPolicy } from '../../stores/control/policy.js';
import { pinRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { rejectChanged, type SeenRevision } from '../data-center.js';
import { missingInControl, pinInstants } from '../pin-instants.js';
import { requirePlanToFollow } from '../plan/require-plan.js';
import { findFittingSource, rejectNullIds, toAttached } from '../setup/init-cell.js';
import { toStoredCard } from '../stored-card.js';
import { rejectClosedWindows } from './rollout-checks.js';

/** `revision`: of the one data center that is named. */
export interface ApplyRequest extends SeenRevision {
  readonly config: RolloutConfig;
  readonly card: RateCard;
  readonly dataCenters: readonly DataCenterConfig[];
  readonly reason: string | null;
  /**
   * `at_its_turn`: a plan is made when the data center may start. With a plan's id: exactly that plan, of the one data
   * center that is named.
   */
  readonly follow?: 'at_its_turn' | { readonly planId: string };
}

/**
 * Writes the request for every named data center, or throws data_center_busy, revision_changed, source_* and the like,
 * and writes none.
 */
export async function requestApply(context: EngineContext, request: ApplyRequest): Promise<void> {
  for (const dataCenter of request.dataCenters) await prepareCell(context, dataCenter, request.card);
  if (typeof request.follow === 'object') await checkFollowedPlan(context, request, request.follow.planId);
  await context.control.inTransaction(async (tx) => {
    const now = await readControlClock(tx);
    const policy = toSections(await readPolicy(tx));
    for (const dataCenter of request.dataCenters) rejectClosedWindows(dataCenter, policy.rollout.windows, now);
    const pinned = await pinRollout(tx, request.card.hash, request.card.name);
    // of all data centers, also those that this configuration does not name
    if (pinned) for (const { id } of await listDataCenters(tx)) await pinInstants(tx, id, policy);
    for (const dataCenter of request.dataCenters) await requestOne(context, tx, dataCenter, request);
  });
  await context.wakeUps.wakeSchedulers();
}

/**
 * The named plan must belong to the data center and be made with the configured card. Throws as requirePlanToFollow.
 */
export async function checkFollowedPlan(
  context: EngineContext,
  { dataCenters, card, config }: Pick<ApplyRequest, 'dataCenters' | 'card' | 'config'>,
  planId: string,
): Promise<void> {
  const [dataCenter, another] = dataCenters;
  if (dataCenter === undefined || another !== undefined)
    throw new RolloutError('invalid_argument', {
      message: `A plan ("${planId}") belongs to one data center; name exactly that one.`,
    });
  const retentionDays = config.rollout.planRetentionDays;
  const asked = { planId, dataCenter: dataCenter.id, retentionDays };
  const plan = await requirePlanToFollow(context, asked);
  if (plan.cardHash !== card.hash)
    throw new RolloutError('plan_unknown', {
      message: `The plan "${planId}" was made with the rate card ${plan.cardHash}, but the configured one is ${card.hash}.`,
      next: 'Apply it with the configuration that it was made with, or plan again.',
    });
}

/** Checks that the source is still the one that init read, and adds the card's rows to the cell. Needs no owner. */
async function prepareCell(context: EngineContext, dataCenter: DataCenterConfig, card: RateCard): Promise<void> {
  const cell = context.cells.get(dataCenter.id);
  const read = { statementMs: 60_000 }; // counting null ids reads a whole view
  await cell.inTransaction('planner', (tx) => assertSourceUnchanged(tx, dataCenter, card), read);
  await cell.inTransaction('state', (tx) => insertRateCard(tx, toStoredCard(card)));
  await cell.inTransaction('planner', (tx) => assertPromiseKept(tx, dataCenter, card));
}

async function assertSourceUnchanged(tx: CellTransaction, dataCenter: DataCenterConfig, card: RateCard): Promise<void> {
  const { id, source: name } = dataCenter;
  const source = await findFittingSource(tx, dataCenter, card);
  await rejectChangedSource(tx, id);
  if (!(await isAttached(tx, toAttached(source), source.signature)))
    throw new RolloutError('source_changed', {
      message: `Data center "${id}": its views were made from another state of ${name}, or by another version.`,
    });
  rejectNullIds(await countNullIds(tx), dataCenter);
}

/** Floors depend on the legacy half and the order of editions: a card may not change them while floors exist. */
async function assertPromiseKept(tx: CellTransaction, { id }: DataCenterConfig, card: RateCard): Promise<void> {
  const found = await findPromiseChange(tx, card.hash);
  const change = found && `edition "${found.edition}" ${found.change}`;
  const broken =
    change ?? ((await countsLightAgentsAlike(tx, card.hash)) ? undefined : 'it counts light agents differently');
  if (broken !== undefined)
    throw new RolloutError('rate_card_changes_promise', {
      message: `The rate card ${card.name} changes what floors in data center "${id}" were promised by: ${broken}.`,
    });
}

async function requestOne(
  context: EngineContext,
  tx: ControlTransaction,
  { id }: DataCenterConfig,
  request: ApplyRequest,
): Promise<void> {
  const row = await lockDataCenter(tx, id);
  if (row === undefined) throw missingInControl(id);
  rejectChanged(row, request);
  assertIdle(row);
  const { batchSize, lanes } = request.config.rollout;
  const { follow = 'at_its_turn' } = request;
  await identifyPerson(tx, context.actor);
  // the database adds the settings of the policy
  await transitionDataCenter(tx, row, {
    intent: 'run',
    requestedAt: await readControlClock(tx),
    requestReason: request.reason,
    planId: typeof follow === 'object' ? follow.planId : null,
    settings: { cardHash: request.card.hash, ...toSizing(batchSize), lanes },
  });
  await appendAudit(tx, {
    action: 'apply',
    dataCenter: id,
    reason: request.reason,
    details: {
      card: request.card.hash,
      batch_size: batchSize,
      lanes,
      ...(typeof follow === 'object' && { plan: follow.planId }),
    },
  });
}

/** A worker of an earlier version takes the number. */
const toSizing = (batchSize: BatchSetting): Pick<RequestedSettings, 'batchSize' | 'batchSizing'> =>
  batchSize === 'auto' ? { batchSize: CHOSEN_SIZES.most, batchSizing: 'auto' } : { batchSize, batchSizing: 'fixed' };

function assertIdle(
  row: Pick<DataCenterRow, 'id' | 'stage' | 'intent' | 'requestedAt' | 'undoFailed' | 'gateLatchedAt'>,
): void {
  const { id, stage, requestedAt } = row;
  if (requestedAt === null && RESTING_STAGES.includes(stage)) return;
  const requested = requestedAt === null ? '' : ', requested';
  throw new RolloutError('data_center_busy', {
    message: `Data center "${id}" has a rollout under way already (stage ${stage}${requested}).`,
    next: adviseFitting(id, row),
  });
}
