// `calendar`: reads what is pinned, requested and recorded, and lays it out by date. Writes nothing.
import type { CalendarFacts, OneOff } from '../../domain/calendar/calendar-event.js';
import { type CalendarPage, layOutCalendar } from '../../domain/calendar/lay-out-calendar.js';
import { parsePeriod } from '../../domain/calendar/period.js';
import { applyPolicy } from '../../domain/config/policy.js';
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { type DataCenterRow, listDataCenters, type PinnedTimes } from '../../stores/control/data-centers.js';
import { type DueWorkRow, listDueWork } from '../../stores/control/due-work.js';
import { readPolicy } from '../../stores/control/policy.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { toLastSeenGate } from '../cutover/cutover-facts.js';
import { type DataCenterStatus, readStatus } from './read-status.js';

export interface CalendarRequest {
  readonly config: RolloutConfig;
  /** The data centers to show; what blocks them is found among all. */
  readonly dataCenters: readonly DataCenterConfig[];
  /** Local date or time in each zone; now when left out. */
  readonly from?: string | undefined;
  /** Likewise, not included; 14 days later when left out. */
  readonly to?: string | undefined;
}

export interface Calendar {
  /** By control's clock. */
  readonly at: Date;
  /** False before the first apply: the instants are those of the configuration. */
  readonly pinned: boolean;
  readonly pages: readonly CalendarPage[];
}

/** More rows than the longest period has. */
const MAX_ROWS = 4_000;

/** Throws not_initialised before the first `init`, invalid_instant, invalid_argument. */
export async function readCalendar(context: EngineContext, request: CalendarRequest): Promise<Calendar> {
  const { config } = request;
  const status = await readStatus(context);
  const stored = await readStored(context, config);
  const facts = config.dataCenters.map((dataCenter, position) =>
    toCalendarFacts({ dataCenter, position, config }, stored, status.dataCenters),
  );
  const shown = new Set(request.dataCenters.map(({ id }) => id));
  const pages = layOutCalendar(facts, status.at, ({ zone }) => parsePeriod(request, zone, status.at));
  return { at: status.at, pinned: stored.pinned, pages: pages.filter(({ id }) => shown.has(id)) };
}

interface Stored {
  readonly pinned: boolean;
  readonly nightAt: string;
  readonly rows: readonly DataCenterRow[];
  readonly due: readonly DueWorkRow[];
}

async function readStored({ control }: EngineContext, config: RolloutConfig): Promise<Stored> {
  return control.inTransaction(async (tx) => {
    const rows = await listDataCenters(tx);
    const due: DueWorkRow[] = [];
    for (const { id } of rows) due.push(...(await listDueWork(tx, { dataCenter: id, limit: MAX_ROWS })));
    const { at } = applyPolicy(config, await readPolicy(tx)).reconcile;
    return { pinned: (await readRollout(tx)).pinnedAt !== null, nightAt: at, rows, due };
  });
}

interface Configured {
  readonly dataCenter: DataCenterConfig;
  readonly position: number;
  readonly config: RolloutConfig;
}

/** A data center that `init` has not seen yet has only its configuration. */
function toCalendarFacts(
  { dataCenter: { id, zone }, position, config }: Configured,
  stored: Stored,
  statuses: readonly DataCenterStatus[],
): CalendarFacts {
  const row = stored.rows.find((candidate) => candidate.id === id);
  const underWay = row !== undefined && (row.requestedAt !== null || !RESTING_STAGES.includes(row.stage));
  // the next rollout of a resting data center takes its settings from the configuration
  const { windows, bakeMs } = (underWay ? row.settings : null) ?? config.rollout;
  return {
    id,
    position: row?.position ?? position,
    zone,
    stage: row?.stage ?? 'pending',
    intent: row?.intent ?? 'run',
    pausedUntil: row?.pausedUntil ?? null,
    requested: row !== undefined && row.requestedAt !== null,
    ...listInstants(row, stored.pinned, config, zone),
    windows,
    bakeMs,
    bakeUntil: row?.bakeUntil ?? null,
    nightAt: stored.nightAt,
    doneAt: row?.doneAt ?? null,
    gate: row === undefined ? NO_GATE : toLastSeenGate(row),
    holds: statuses.find((status) => status.id === id)?.holds ?? [],
    rows: stored.due.filter(({ dataCenter }) => dataCenter === id),
  };
}

function listInstants(
  row: PinnedTimes | undefined,
  pinned: boolean,
  { rollout, signups }: RolloutConfig,
  zone: string,
): Pick<CalendarFacts, 'notBefore' | 'cutover'> {
  if (pinned && row !== undefined)
    return {
      notBefore: asPinned(row.notBeforeAt, row.notBeforeLocal),
      cutover: asPinned(row.cutoverAt, row.cutoverLocal),
    };
  return { notBefore: asConfigured(rollout.notBefore, zone), cutover: asConfigured(signups.cutover, zone) };
}

const asPinned = (at: Date | null, local: string | null): OneOff | null =>
  at && { at, local: local ?? at.toISOString() };

function asConfigured(text: string | undefined, zone: string): OneOff | null {
  if (text === undefined) return null;
  const { instant, local } = parseLocalInstant(text, zone);
  return { at: instant, local: `${local} ${zone}` };
}

const NO_GATE: CalendarFacts['gate'] = { configuredAt: null, effectiveAt: null, latchedAt: null, sweptAt: null };
