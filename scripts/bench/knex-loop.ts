// Contender 2: the loop that most teams would write: read 1,000 orgs, compute in JavaScript, upsert, go on behind the
// last.
import type { Knex } from 'knex';
import { openPostgres } from '../../src/platform/postgres.js';
import { type BenchBed, type Beside, type Measure, nothingBeside, readTarget, resetTarget } from './bed.js';
import { computeRow, type OrgRow } from './compute-row.js';

const PAGE = 1_000;
export const ORG_FIELDS = [
  'org_id',
  'edition',
  'paid',
  'agents',
  'light_agents',
  'additional_credits',
  'legacy_limit',
] as const;

export async function measureKnexLoop(bed: BenchBed, beside: Beside = nothingBeside): Promise<Measure> {
  await resetTarget(bed);
  const db = openPostgres({ url: bed.server.url(bed.cell), applicationName: 'credit-rollout bench', max: 2 });
  try {
    const ms = await beside(async () => {
      const started = performance.now();
      for (let last: string | undefined = '0'; last !== undefined; ) last = await upsertPage(db, bed, last);
      return performance.now() - started;
    });
    return { orgs: bed.orgs, ms, ...(await readTarget(bed)) };
  } finally {
    await db.destroy();
  }
}

/** Returns the last id of the page; undefined behind the last one. */
async function upsertPage(db: Knex, { card }: BenchBed, after: string): Promise<string | undefined> {
  const page: readonly OrgRow[] = await db('public.orgs')
    .select(...ORG_FIELDS)
    .where('org_id', '>', after)
    .orderBy('org_id')
    .limit(PAGE);
  const today = new Date().toISOString().slice(0, 10);
  const rows = page.flatMap((org) => computeRow(org, card, today) ?? []);
  if (rows.length > 0) await db('bench.allotments').insert(rows).onConflict('org_id').merge();
  return page.at(-1)?.org_id;
}
