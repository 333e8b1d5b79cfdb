// Contender 1: the one statement that somebody who knows the rule and Postgres would write by hand. No fence, no
// checkpoint, no constraint but the primary key.
import type pg from 'pg';
import type { EditionRates, RateCard } from '../../src/domain/rate-card/rate-card.js';
import {
  type BenchBed,
  type Beside,
  DATA_CENTER,
  type Measure,
  nothingBeside,
  orgId,
  readTarget,
  resetTarget,
} from './bed.js';
import { withClient } from './database.js';

/** Makes `bench.rates`, one row per edition with its unpaid twin beside it. */
export async function createRates(client: pg.Client, card: RateCard): Promise<void> {
  const unpaid = card.editions.get(card.unpaid);
  if (unpaid === undefined) throw new Error('the card lacks its unpaid edition');
  await client.query(`create table bench.rates (edition text primary key, base bigint, per_agent bigint, concurrency int,
    unpaid_base bigint, unpaid_per_agent bigint, unpaid_concurrency int,
    legacy_flat bigint, legacy_per_user bigint, legacy_min bigint, legacy_max bigint)`);
  for (const rates of card.editions.values())
    await client.query('insert into bench.rates values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [
      ...paidColumns(rates),
      unpaid.base,
      unpaid.perAgent,
      unpaid.concurrency,
      ...legacyColumns(rates),
    ]);
  await client.query('analyze bench.rates');
}

const paidColumns = ({ edition, base, perAgent, concurrency }: EditionRates): readonly unknown[] => [
  edition,
  base,
  perAgent,
  concurrency,
];

const legacyColumns = ({ legacy }: EditionRates): readonly unknown[] =>
  legacy.kind === 'flat' ? [legacy.flat, null, null, null] : [null, legacy.perUser, legacy.min, legacy.max];

// OFFSET 0 keeps the layers apart, so that no term is computed twice: this is the fast way to write it
const TERMS = `
select t.org_id, t.edition, t.paid, t.agents, t.light_agents, t.legacy_limit as negotiated_limit,
  t.base as base_credits, t.variable as variable_credits, t.additional_credits, t.legacy,
  case when t.paid then t.legacy end as floor, case when t.paid then t.edition end as floor_edition,
  case when not t.paid then (now() at time zone '${DATA_CENTER.zone}')::date end as unpaid_since,
  case when t.paid and t.legacy > t.plan then t.legacy - t.plan else 0 end as grandfathered_credits,
  case when t.paid and t.legacy > t.plan then t.legacy else t.plan end + t.additional_credits as total_credits,
  t.concurrency, case when t.paid and t.legacy > t.plan then 'legacy' else 'credits' end as winner
from (
  select r.*, r.base + r.variable as plan
  from (
    select o.org_id, o.edition, o.paid, o.agents, o.light_agents, o.legacy_limit, o.additional_credits,
      case when o.paid then r.base else r.unpaid_base end as base,
      case when o.paid then r.per_agent else r.unpaid_per_agent end * o.agents as variable,
      case when o.paid then r.concurrency else r.unpaid_concurrency end as concurrency,
      coalesce(o.legacy_limit, r.legacy_flat, least(r.legacy_max,
        greatest(r.legacy_min, r.legacy_per_user * (o.agents + o.light_agents)))) as legacy
    from public.orgs o join bench.rates r on r.edition = o.edition
    where o.paid is not null and o.agents >= 0 and o.light_agents >= 0 and o.additional_credits >= 0
    offset 0) r
  offset 0) t`;

const INSERT = `
insert into bench.allotments (org_id, edition, paid, agents, light_agents, negotiated_limit, base_credits, variable_credits,
  additional_credits, legacy_limit, floor, floor_edition, unpaid_since, grandfathered_credits, total_credits,
  concurrency_limit, winner, origin, rate_card, run_id, version, computed_at)
select terms.*, 'migrated', $1::text, 1, 1, now() from (${TERMS}) terms`;

export async function measureInsertSelect(bed: BenchBed, beside: Beside = nothingBeside): Promise<Measure> {
  await resetTarget(bed);
  const ms = await withClient(bed.server.url(bed.cell), (client) =>
    beside(async () => {
      const started = performance.now();
      await client.query(INSERT, [bed.card.hash]);
      return performance.now() - started;
    }),
  );
  return { orgs: bed.orgs, ms, ...(await readTarget(bed)) };
}

/** What any contender must have written for the first `orgs` orgs. */
export async function readExpected(bed: BenchBed, orgs: number): Promise<Pick<Measure, 'written' | 'totalCredits'>> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    const { rows } = await client.query<{ readonly written: number; readonly total: string }>(
      `select count(*)::int as written, coalesce(sum(total_credits), 0)::text as total from (${TERMS}) terms where org_id <= $1`,
      [orgId(orgs)],
    );
    return { written: rows[0]?.written ?? 0, totalCredits: rows[0]?.total ?? '' };
  });
}
