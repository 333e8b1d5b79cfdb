import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type SampleDataCenter, seedSampleOrgs } from '../../src/sample/seed-orgs.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const SIZES = { in: 18_000, eu: 24_000, us: 30_000 } as const;
const UNDECIDABLE_ORGS = { in: 7, eu: 10, us: 12 } as const;
const DATA_CENTERS = ['in', 'eu', 'us'] as const satisfies readonly SampleDataCenter[];
const UNDECIDABLE = `paid is null or agents is null or agents < 0 or edition = 'starter_2019'`;
// full agents for which legacy wins without light agents and negotiated limits: docs/reference/life-of-an-org.md
const LEGACY_WINS = `paid and light_agents = 0 and legacy_limit is null and (
  edition = 'express' and agents between 167 and 249 or edition = 'standard' and agents between 201 and 799
  or edition = 'professional' and agents between 151 and 1849
  or edition in ('enterprise', 'zoho_one', 'crm_plus', 'service_plus') and agents between 201 and 4899)`;

const GRANTS = letOwnerReadSql('seed-test', 'public.orgs');
const databases = new Map<SampleDataCenter, TestDatabase>();

async function query<Row extends pg.QueryResultRow>(
  dataCenter: SampleDataCenter,
  sql: string,
): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: databases.get(dataCenter)?.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const count = async (dataCenter: SampleDataCenter, where: string): Promise<number> =>
  (await query<{ n: number }>(dataCenter, `select count(*)::int as n from public.orgs where ${where}`))[0]?.n ?? 0;

const digest = async (dataCenter: SampleDataCenter): Promise<string | undefined> => {
  const sql = `select md5(string_agg(md5(o::text), '' order by org_id)) as digest from public.orgs o`;
  return (await query<{ digest: string }>(dataCenter, sql))[0]?.digest;
};

beforeAll(async () => {
  for (const dataCenter of DATA_CENTERS) databases.set(dataCenter, await createTestDatabase(`seed_${dataCenter}`));
});
afterAll(async () => {
  for (const database of databases.values()) await database.drop();
});

describe.each(DATA_CENTERS)('seedSampleOrgs %s', (dataCenter) => {
  test('fills the table once and leaves it alone afterwards', async () => {
    const url = databases.get(dataCenter)?.url ?? '';
    const [one, two] = await Promise.all([
      seedSampleOrgs(url, dataCenter, GRANTS),
      seedSampleOrgs(url, dataCenter, GRANTS),
    ]);
    expect([one.orgs, two.orgs]).toEqual([SIZES[dataCenter], SIZES[dataCenter]]);
    expect([one.seeded, two.seeded].sort()).toEqual([false, true]);
    expect(await seedSampleOrgs(url, dataCenter, GRANTS)).toEqual({ orgs: SIZES[dataCenter], seeded: false });
  });

  test('gives the same orgs every time', async () => {
    const before = await digest(dataCenter);
    await query(dataCenter, 'drop table public.orgs');
    await seedSampleOrgs(databases.get(dataCenter)?.url ?? '', dataCenter, GRANTS);
    expect(await digest(dataCenter)).toBe(before);
  });

  test('holds every edition, paid and unpaid, where legacy wins and where credits win', async () => {
    const rows = await query<{ edition: string; paid: number; unpaid: number; legacy: number; credits: number }>(
      dataCenter,
      `select edition, count(*) filter (where paid)::int as paid, count(*) filter (where not paid)::int as unpaid,
         count(*) filter (where ${LEGACY_WINS})::int as legacy,
         count(*) filter (where paid and light_agents = 0 and legacy_limit is null and not (${LEGACY_WINS}))::int as credits
       from public.orgs where not (${UNDECIDABLE}) group by edition order by edition`,
    );
    const paying = rows.filter((row) => row.edition !== 'free');
    expect(rows.map((row) => row.edition)).toEqual([
      'crm_plus',
      'enterprise',
      'express',
      'free',
      'professional',
      'service_plus',
      'standard',
      'zoho_one',
    ]);
    expect(paying.filter((row) => Math.min(row.paid, row.unpaid, row.legacy, row.credits) < 5)).toEqual([]);
    expect(rows.find((row) => row.edition === 'free')).toMatchObject({ paid: 0 });
  });

  test.each([
    ['light agents', 'paid and light_agents > 0'],
    ['a negotiated limit below the formula', `paid and edition = 'professional' and legacy_limit < 1000 * agents`],
    [
      'a negotiated limit above the formula',
      `paid and edition = 'professional' and legacy_limit > 1000 * (agents + light_agents)`,
    ],
    ['a negotiated limit that outlived its subscription', `not paid and legacy_limit is not null`],
    ['a purchase on a grandfathered org', `additional_credits > 0 and ${LEGACY_WINS}`],
    ['a purchase of an unpaid org', 'not paid and additional_credits > 0'],
    ['a trial of a paid edition', `not paid and edition <> 'free' and created_at > '2025-09-05'`],
    ['a lapsed subscription', `not paid and edition <> 'free' and created_at < '2024-10-01'`],
    ['an org above the legacy maximum', `paid and edition in ('standard', 'professional') and agents > 500`],
  ])('holds %s', async (_what, where) => {
    expect(await count(dataCenter, where)).toBeGreaterThan(0);
  });

  test('holds a few undecidable orgs of every kind', async () => {
    const kinds = [`edition = 'starter_2019'`, 'agents is null', 'agents < 0', 'paid is null'];
    const counts = await Promise.all(kinds.map((where) => count(dataCenter, where)));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(await count(dataCenter, UNDECIDABLE)).toBe(UNDECIDABLE_ORGS[dataCenter]);
  });
});

const KILL = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'credit-rollout sample' and wait_event_type = 'Lock'`;

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

describe('seedSampleOrgs', () => {
  test('begins anew after it was killed half way', async () => {
    const database = await createTestDatabase('seed_killed');
    const [blocker, killer] = await Promise.all([connect(database.url), connect(database.url)]);
    // it waits after its rows are inserted: analyze writes here
    await blocker.query('begin; lock table pg_catalog.pg_statistic in share mode');
    const killed = expect(seedSampleOrgs(database.url, 'in', GRANTS)).rejects.toThrow(/terminat/u);
    await vi.waitUntil(async () => (await killer.query(KILL)).rowCount === 1, { timeout: 120_000 });
    await killed;
    await Promise.all([blocker.end(), killer.end()]);
    expect(await seedSampleOrgs(database.url, 'in', GRANTS)).toEqual({ orgs: SIZES.in, seeded: true });
    await database.drop();
  });
});
