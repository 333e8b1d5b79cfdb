// What a meter writes and reads in a cell: what orgs used, and what they may use. As `meter`, but for the purge.
import type { Enforce } from '../../../domain/meter/decide-call.js';
import type { DayUsage, MeterModel, USAGE_COUNTERS } from '../../../domain/meter/usage.js';
import { selectRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

/** An array of what needs no quotes: the driver looks at each element, which takes as long as all the rest. */
const toArray = (values: readonly (number | MeterModel)[]): string => `{${values.join(',')}}`;

export interface RecordedUsage {
  /** Days of ids that no org can have, or that are too old or not here yet: these were not written. */
  readonly rejected: number;
  /** Orgs that reached 80 % of their total, for the first time on that day. */
  readonly alerts80: number;
  /** Orgs that were left with nothing, or refused for it, for the first time on that day. */
  readonly alerts100: number;
}

/**
 * Records absolute counters: stored is afterwards the larger of both, of each. One statement; the same org and day may
 * occur several times.
 */
export function recordUsageDays(tx: CellTransaction, days: readonly DayUsage[]): Promise<RecordedUsage> {
  return selectRow<RecordedUsage>(
    tx,
    `select rejected, alerts_80, alerts_100 from credit_rollout.record_metered_usage(:org_ids::text[], :days::date[],
       :models::text[], :calls::bigint[], :credits::bigint[], :calls_given_back::bigint[],
       :credits_given_back::bigint[], :by_credits::bigint[], :by_concurrency::bigint[], :peaks::bigint[],
       array(select jsonb_array_elements(:kinds::jsonb)), :shadow_by_credits::bigint[],
       :shadow_by_concurrency::bigint[])`,
    {
      org_ids: days.map(({ orgId }) => orgId),
      days: days.map(({ day }) => day),
      models: toArray(days.map(({ model }) => model)),
      calls: toArray(days.map(({ calls }) => calls)),
      credits: toArray(days.map(({ credits }) => credits)),
      calls_given_back: toArray(days.map(({ callsGivenBack }) => callsGivenBack)),
      credits_given_back: toArray(days.map(({ creditsGivenBack }) => creditsGivenBack)),
      by_credits: toArray(days.map(({ refusedByCredits }) => refusedByCredits)),
      by_concurrency: toArray(days.map(({ refusedByConcurrency }) => refusedByConcurrency)),
      peaks: toArray(days.map(({ peakInFlight }) => peakInFlight)),
      kinds: JSON.stringify(days.map(({ kinds }) => kinds)),
      shadow_by_credits: toArray(days.map(({ shadowByCredits }) => shadowByCredits)),
      shadow_by_concurrency: toArray(days.map(({ shadowByConcurrency }) => shadowByConcurrency)),
    },
  );
}

/** What the meter holds an org to. */
export interface OrgLimits {
  /** As the cell writes its id; left out: its row could not be read. */
  readonly orgId?: string;
  readonly model: MeterModel;
  /** Credits or calls a day; null: undecidable, and what is enforced today stays. */
  readonly capacity: bigint | null;
  /** Null: none is known, or the org is on the legacy model, which has none. */
  readonly concurrency: number | null;
  /** What its limits do, where that is not as in its data center. */
  readonly enforce?: Partial<Enforce>;
}

interface LimitsRow {
  /** As it was asked for. */
  readonly asked: string;
  readonly orgId: string;
  readonly model: MeterModel;
  readonly capacity: string | null;
  readonly concurrency: number | null;
}

const toLimits = ({ asked, orgId, model, capacity, concurrency }: LimitsRow): readonly [string, OrgLimits] => [
  asked,
  { orgId, model, capacity: toBigint(capacity), concurrency },
];

const ASKED = `unnest(:ids::text[], credit_rollout.read_org_ids(:ids::text[])) i (asked, org_id)`;

/** Of those of these orgs that have an allotment, by the id that was asked for. */
export async function readStoredLimits(
  tx: CellTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, OrgLimits>> {
  const rows = await selectRows<LimitsRow>(
    tx,
    `select i.asked, a.org_id::text as org_id, 'credits' as model, a.total_credits::text as capacity,
       a.concurrency_limit as concurrency
     from ${ASKED} join credit_rollout.allotments a on a.org_id = i.org_id`,
    { ids },
  );
  return new Map(rows.map(toLimits));
}

/**
 * The same from the view, key by key: a list of keys would not reach the inside of a view that counts duplicates.
 * OFFSET keeps each a query of its own. Ids that no org has are left out.
 */
export async function readViewedLimits(
  tx: CellTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, OrgLimits>> {
  const rows = await selectRows<LimitsRow>(
    tx,
    `select i.asked, c.org_id, c.model, c.capacity::text as capacity, null::integer as concurrency
     from ${ASKED} cross join lateral (
       select o.org_id::text as org_id, o.model, o.capacity from credit_rollout.org_capacity o
       where o.org_id = i.org_id limit 1 offset 0) c
     where i.org_id is not null`,
    { ids },
  );
  return new Map(rows.map(toLimits));
}

/** Deletes days and alerts that are no longer kept; returns how many. As the fencer. */
export async function purgeOldUsage(tx: CellTransaction, limit: number): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout.purge_usage(:limit::int) as purged',
    { limit },
  );
  return purged;
}

type StoredUsage = Omit<DayUsage, CounterName> & Readonly<Record<CounterName, string>>;
type CounterName = (typeof USAGE_COUNTERS)[number];

/** What is stored of these orgs for a local day: what a meter that lost its counters begins with. */
export async function listUsageOfDay(
  tx: CellTransaction,
  { ids, day }: { readonly ids: readonly string[]; readonly day: string },
): Promise<readonly DayUsage[]> {
  const rows = await selectRows<StoredUsage>(
    tx,
    `select i.asked as org_id, u.day::text as day, u.model, u.calls::text as calls, u.credits::text as credits,
       u.calls_given_back::text, u.credits_given_back::text, u.refused_by_credits::text,
       u.refused_by_concurrency::text, u.peak_in_flight::text,
       u.shadow_by_credits::text, u.shadow_by_concurrency::text, u.kinds
     from ${ASKED} join credit_rollout.usage_days u on u.org_id = i.org_id and u.day = :day::text::date`,
    { ids, day },
  );
  return rows.map((row) => ({
    ...row,
    calls: Number(row.calls),
    credits: Number(row.credits),
    callsGivenBack: Number(row.callsGivenBack),
    creditsGivenBack: Number(row.creditsGivenBack),
    refusedByCredits: Number(row.refusedByCredits),
    refusedByConcurrency: Number(row.refusedByConcurrency),
    peakInFlight: Number(row.peakInFlight),
    shadowByCredits: Number(row.shadowByCredits),
    shadowByConcurrency: Number(row.shadowByConcurrency),
  }));
}
