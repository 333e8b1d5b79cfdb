// `calendar`: gathers what is pinned, asked for and recorded, and lays it out. Writes nothing, and moves nothing.
import type { CalendarFacts, OneOff } from '../../domain/calendar/calendar-event.js';
import { type CalendarPage, layOutCalendar } from '../../domain/calendar/lay-out-calendar.js';
import { parsePeriod } from '../../domain/calendar/period.js';
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { type DataCenterRow, listDataCenters } from '../../stores/control/data-centers.js';
import { type DueWorkRow, listDueWork } from '../../stores/control/due-work.js';
import { readReconcile, readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { type DataCenterStatus, readStatus } from './read-status.js';

export interface CalendarRequest {
  readonly config: RolloutConfig;
  /** The data centers to show; what blocks them is found among all. */
  readonly dataCenters: readonly DataCenterConfig[];
  /** Local date or time in each zone; left out: now. */
  readonly from?: string | undefined;
  /** Likewise, not included; left out: 14 days later. */
  readonly to?: string | undefined;
}

export interface Calendar {
  /** By control's clock. */
  readonly at: Date;
  /** The first apply has pinned the instants; before, they are those of the configuration. */
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
    toFacts({ dataCenter, position, config }, stored, status.dataCenters),
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
    const { at } = (await readReconcile(tx)) ?? config.reconcile;
    return { pinned: (await readRollout(tx)).pinnedAt !== null, nightAt: at, rows, due };
  });
}

interface Configured {
  readonly dataCenter: DataCenterConfig;
  readonly position: number;
  readonly config: RolloutConfig;
}

/** One that `init` has not seen yet has only its configuration. */
function toFacts(
  { dataCenter: { id, zone }, position, config }: Configured,
  stored: Stored,
  statuses: readonly DataCenterStatus[],
): CalendarFacts {
  const row = stored.rows.find((candidate) => candidate.id === id);
  const moving = row !== undefined && (row.requestedAt !== null || !RESTING_STAGES.includes(row.stage));
  // a resting data center is next carried out with the settings of the configuration
  const { windows, bakeMs } = (moving ? row.settings : null) ?? config.rollout;
  return {
    id,
    position: row?.position ?? position,
    zone,
    stage: row?.stage ?? 'pending',
    intent: row?.intent ?? 'run',
    requested: row !== undefined && row.requestedAt !== null,
    ...listInstants(row, stored.pinned, config, zone),
    windows,
    bakeMs,
    bakeUntil: row?.bakeUntil ?? null,
    nightAt: stored.nightAt,
    doneAt: row?.doneAt ?? null,
    gate: readGate(row),
    holds: statuses.find((status) => status.id === id)?.holds ?? [],
    rows: stored.due.filter(({ dataCenter }) => dataCenter === id),
  };
}

function listInstants(
  row: DataCenterRow | undefined,
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

const readGate = (row: DataCenterRow | undefined): CalendarFacts['gate'] => ({
  configuredAt: row?.gateConfiguredAt ?? null,
  effectiveAt: row?.gateEffectiveAt ?? null,
  latchedAt: row?.gateLatchedAt ?? null,
  sweptAt: row?.gateSweptAt ?? null,
});
