// Fills a sample data center with orgs, as the product would have them. Only for the embedded samples: it makes the
// table public.orgs, and never changes one that has rows.
import pg from 'pg';
import { ORG_MIX, SAMPLE_COLUMNS } from './org-mix.js';

interface SampleMix {
  readonly orgs: number;
  /** Added to an org's number: an org lives in one data center, so its id occurs in one only. */
  readonly idOffset: number;
  readonly seed: number;
}

const SAMPLES = {
  in: { orgs: 18_000, idOffset: 1_000_000, seed: 1 },
  eu: { orgs: 24_000, idOffset: 2_000_000, seed: 2 },
  us: { orgs: 30_000, idOffset: 3_000_000, seed: 3 },
} as const satisfies Record<string, SampleMix>;

/** One of the sample data centers. */
export type SampleDataCenter = keyof typeof SAMPLES;

/** One org in so many is undecidable, so that the quarantine is not empty. */
const UNDECIDABLE_EVERY = 2_500;
const SEED_LOCK = 1_129_467_725;

export interface SeedReport {
  /** Orgs in the table now. */
  readonly orgs: number;
  /** False: the table had rows, and nothing was written. */
  readonly seeded: boolean;
}

/**
 * Makes and fills public.orgs unless it has rows, and runs the SQL `grants`; one
 * transaction, so a killed one leaves nothing. Several at once are safe.
 */
export async function seedSampleOrgs(url: string, dataCenter: SampleDataCenter, grants: string): Promise<SeedReport> {
  const client = new pg.Client({ connectionString: url, application_name: 'credit-rollout sample' });
  client.on('error', () => undefined); // the query that waits reports it
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [SEED_LOCK]);
    const seeded = await seed(client, SAMPLES[dataCenter]);
    await client.query(grants);
    await client.query('commit');
    const { rows } = await client.query<{ readonly orgs: number }>('select count(*)::int as orgs from public.orgs');
    return { orgs: rows[0]?.orgs ?? 0, seeded };
  } finally {
    await client.end();
  }
}

async function seed(client: pg.Client, { orgs, idOffset, seed: seedNumber }: SampleMix): Promise<boolean> {
  await client.query(`create table if not exists public.orgs (${SAMPLE_COLUMNS})`);
  const { rowCount } = await client.query('select from public.orgs limit 1');
  if (rowCount !== 0) return false;
  await client.query(`insert into public.orgs ${ORG_MIX}`, [1, orgs, idOffset, seedNumber, UNDECIDABLE_EVERY]);
  // the change feed finds edited orgs by it
  await client.query('create index if not exists orgs_updated_at_idx on public.orgs (updated_at)');
  await client.query('analyze public.orgs');
  return true;
}
