// Asks for the rollout of data centers: pins instants once, writes the request; the scheduler does the rest.
import { parseLocalInstant } from '../domain/calendar/parse-instant.js';
import type { DataCenterConfig, RolloutConfig } from '../domain/config/rollout-config.js';
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { RESTING_STAGES } from '../domain/rollout/stage.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { countsLightAgentsAlike, findPromiseChange, insertRateCard } from '../stores/cell/rates.js';
import { isAttached } from '../stores/cell/schema.js';
import { appendAudit } from '../stores/control/audit.js';
import { type ControlTransaction, readActor, readControlClock } from '../stores/control/control-database.js';
import { type DataCenterRow, lockDataCenter, transitionDataCenter } from '../stores/control/data-centers.js';
import { pinRollout } from '../stores/control/rollout.js';
import type { EngineContext } from './context.js';
import { explainFailure } from './explain-failure.js';
import { findFittingSource, refuseNullIds, toAttached } from './init-cell.js';
import { toStoredCard } from './stored-card.js';

export interface ApplyRequest {
  readonly config: RolloutConfig;
  readonly card: RateCard;
  readonly dataCenters: readonly DataCenterConfig[];
  readonly reason: string | null;
}

/** Writes the request for every named data center, or for none: throws data_center_busy, source_* and the like before. */
export async function requestApply(context: EngineContext, request: ApplyRequest): Promise<void> {
  assertSupported(request.config);
  for (const dataCenter of request.dataCenters) await prepareCell(context, dataCenter, request.card);
  await context.control.inTransaction(async (tx) => {
    const pinned = await pinRollout(tx, request.card.hash, request.card.name);
    if (pinned) for (const dataCenter of request.config.dataCenters) await pinInstants(tx, dataCenter, request.config);
    for (const dataCenter of request.dataCenters) await requestOne(context, tx, dataCenter, request);
  });
  await context.bells.wakeSchedulers();
}

/** The source must still be the one that init read; the card's rows are added to the cell. Needs no owner. */
async function prepareCell(context: EngineContext, dataCenter: DataCenterConfig, card: RateCard): Promise<void> {
  const cell = context.cells.get(dataCenter.id);
  try {
    const read = { statementMs: 60_000 }; // counting null ids reads a whole view
    await cell.inTransaction('planner', (tx) => assertSourceUnchanged(tx, dataCenter, card), read);
    await cell.inTransaction('fencer', (tx) => insertRateCard(tx, toStoredCard(card)));
    await cell.inTransaction('planner', (tx) => assertPromiseKept(tx, dataCenter, card));
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter.id}"`);
  }
}

async function assertSourceUnchanged(tx: CellTransaction, dataCenter: DataCenterConfig, card: RateCard): Promise<void> {
  const source = await findFittingSource(tx, dataCenter, card);
  if (!(await isAttached(tx, toAttached(source), source.signature)))
    throw new RolloutError('source_changed', {
      message: `The views of data center "${dataCenter.id}" were made from another state of ${dataCenter.source}, or by another version.`,
    });
  await refuseNullIds(tx, dataCenter);
}

/** The legacy half and the order of editions are what floors were promised by: fixed while there are any. */
async function assertPromiseKept(tx: CellTransaction, dataCenter: DataCenterConfig, card: RateCard): Promise<void> {
  const found = await findPromiseChange(tx, card.hash);
  const change = found && `edition "${found.edition}" ${found.change}`;
  const broken =
    change ?? ((await countsLightAgentsAlike(tx, card.hash)) ? undefined : 'it counts light agents otherwise');
  if (broken !== undefined)
    throw new RolloutError('rate_card_changes_promise', {
      message: `The rate card ${card.name} changes what floors in data center "${dataCenter.id}" were promised by: ${broken}.`,
    });
}

/** A safeguard that is asked for and not enforced is worse than none: refused until a version enforces it. */
function assertSupported({ rollout }: RolloutConfig): void {
  const { quarantinedShare: _, ...rails } = rollout.guardRails;
  const asked = [
    ...(rollout.approval === 'required' ? ['rollout.approval: required'] : []),
    ...(rollout.canaryWaitMs > 0 ? ['rollout.canaryWait'] : []),
    ...Object.entries(rails).flatMap(([key, value]) => (value === undefined ? [] : [`rollout.guardRails.${key}`])),
  ];
  if (asked[0] !== undefined)
    throw new RolloutError('unsupported_setting', {
      message: `The configuration asks for ${asked[0]}, which this version does not enforce; nothing was asked for.`,
    });
}

async function pinInstants(tx: ControlTransaction, dataCenter: DataCenterConfig, config: RolloutConfig): Promise<void> {
  const row = await lockDataCenter(tx, dataCenter.id);
  if (row === undefined) throw missing(dataCenter.id);
  const { notBefore } = config.rollout;
  const { cutover } = config.signups;
  const start = notBefore === undefined ? undefined : parseLocalInstant(notBefore, dataCenter.zone);
  const instant = cutover === undefined ? undefined : parseLocalInstant(cutover, dataCenter.zone);
  await transitionDataCenter(tx, row, {
    notBeforeAt: start?.instant ?? null,
    notBeforeLocal: start === undefined ? null : `${start.local} ${start.zone}`,
    cutoverAt: instant?.instant ?? null,
    cutoverLocal: instant === undefined ? null : `${instant.local} ${instant.zone}`,
  });
}

const missing = (id: string): RolloutError =>
  new RolloutError('not_initialised', { message: `The control database does not know data center "${id}" yet.` });

async function requestOne(
  context: EngineContext,
  tx: ControlTransaction,
  { id }: DataCenterConfig,
  request: ApplyRequest,
): Promise<void> {
  const row = await lockDataCenter(tx, id);
  if (row === undefined) throw missing(id);
  assertIdle(row);
  const { batchSize, lanes, bakeMs, bakeQuery, windows } = request.config.rollout;
  await transitionDataCenter(tx, row, {
    intent: 'run',
    requestedAt: await readControlClock(tx),
    requestedBy: await readActor(tx, context.actor),
    requestReason: request.reason,
    settings: { cardHash: request.card.hash, batchSize, lanes, bakeMs, bakeQuery, windows },
  });
  await appendAudit(tx, {
    actor: context.actor,
    action: 'apply',
    dataCenter: id,
    reason: request.reason,
    details: { card: request.card.hash, batch_size: batchSize, lanes },
  });
}

function assertIdle(row: DataCenterRow): void {
  if (row.requestedAt !== null || !RESTING_STAGES.includes(row.stage))
    throw new RolloutError('data_center_busy', {
      message: `Data center "${row.id}" has a rollout under way already (stage ${row.stage}${row.requestedAt === null ? '' : ', asked for'}).`,
    });
}
