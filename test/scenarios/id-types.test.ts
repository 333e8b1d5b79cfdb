// A whole run on every id type of the contract, with ids at their edges; and on sources of every shape.
import { afterEach, describe, expect, test } from 'vitest';
import { verifyDataCenter } from '../../src/engine/operate/verify-data-center.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { shareSealKey } from '../../src/engine/setup/share-seal-key.js';
import { cellOwnerName } from '../../src/stores/cell/cell-database.js';
import { createFleet, type Fleet, type FleetOptions } from '../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function runOn(
  options: FleetOptions,
  prepare: (fleet: Fleet) => Promise<void> = async () => undefined,
): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  await prepare(fleet);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.expectInvariants();
  return fleet;
}

const ids = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.cell(0).sql('select org_id::text as id from credit_rollout.allotments order by org_id')).map(
    (row) => row.id,
  );
const count = async (fleet: Fleet, sql: string): Promise<number> =>
  Number(Object.values((await fleet.cell(0).sql(sql))[0] ?? {})[0]);

const ODD = [
  '',
  ' ',
  'a',
  'A',
  'ä',
  'a b',
  "it's",
  'a"b',
  'a?b',
  'a$1',
  'a:b',
  '%',
  '\\',
  'ß',
  'ss',
  'é',
  'e\u0301',
  '日本',
  '😀',
  '10',
  '9',
  'null',
  'NULL',
  '-',
  '{}',
  'z'.repeat(300),
];

describe('ids', () => {
  test.each([
    ['smallint', ['-32768', '-1', '0', '1', '32767']],
    ['integer', ['-2147483648', '-7', '0', '2147483647']],
    ['bigint', ['-9223372036854775808', '-9007199254740993', '0', '9007199254740993', '9223372036854775807']],
    [
      'uuid',
      [
        '00000000-0000-0000-0000-000000000000',
        '7fffffff-0000-4000-8000-000000000001',
        'ffffffff-ffff-ffff-ffff-ffffffffffff',
      ],
    ],
    ['text', ODD],
    ['varchar', ODD],
  ] as const)('of type %s keep every edge', async (idType, edges) => {
    const more = await edgesAnd(idType, edges, 240);
    const fleet = await runOn({ cells: [{ idType, orgs: more.map((org_id) => ({ org_id })) }] });
    expect([...(await ids(fleet))].sort()).toEqual([...more].sort());
    expect(
      await fleet
        .cell(0)
        .sql('select kind, count(*)::int as batches from credit_rollout.batches group by kind order by kind'),
    ).toEqual([
      { kind: 'canary', batches: 1 },
      { kind: 'range', batches: Math.ceil(more.length / 100) },
    ]);
  });

  test.each(['en-x-icu', 'de-x-icu', 'C', 'und-x-icu'])(
    'as text collated %s are cut and compared as their cell does, editions letter by letter',
    async (collation) => {
      const some = await edgesAnd('text', ODD, 240);
      const fleet = await runOn({ cells: [{ idType: 'text', key: 'none', init: 'left' }] }, async (made) => {
        const cell = made.cell(0);
        await cell.sql(`alter table public.orgs alter column org_id type text collate "${collation}"`);
        await cell.sql('alter table public.orgs add primary key (org_id)');
        await cell.sql(`create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
          alter table public.orgs alter column edition type text collate public.any_case`);
        await cell.init();
        await shareSealKey(made.engine, cell.dataCenter.id, 'existing');
        await cell.insertOrgs(...some.map((org_id) => ({ org_id })), { org_id: 'loud', edition: 'STANDARD' });
      });
      expect(await fleet.cell(0).sql('select org_id::text as id, reason from credit_rollout.quarantine')).toEqual([
        { id: 'loud', reason: 'unknown_edition' },
      ]);
      expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(some.length);
      expect(
        await fleet
          .cell(0)
          .sql(
            `select c.collname from pg_type t join pg_collation c on c.oid = t.typcollation where t.typname = 'org_id'`,
          ),
      ).toEqual([{ collname: collation }]);
    },
  );
});

async function edgesAnd(idType: string, edges: readonly string[], others: number): Promise<readonly string[]> {
  const make = (n: number): string =>
    idType === 'uuid'
      ? `1${String(n).padStart(7, '0')}-0000-4000-8000-000000000000`
      : idType === 'text' || idType === 'varchar'
        ? `org ${n * 7919}`
        : String(n * 3 + 2);
  return [...edges, ...Array.from({ length: others }, (_, n) => make(n))];
}

describe('sources', () => {
  test('an empty table is done at once', async () => {
    const fleet = await runOn({ orgs: 0 });
    expect(await ids(fleet)).toEqual([]);
  });

  test('one org', async () => {
    const fleet = await runOn({ orgs: 1 });
    expect(await ids(fleet)).toEqual(['1']);
  });

  test('a view with a join, of which a batch reads only its range', async () => {
    const fleet = await runOn({ cells: [{ view: true }], orgs: 0 }, async (made) => {
      const cell = made.cell(0);
      await cell.sql(`create table public.plans (org_id bigint primary key, edition text, seats integer);
        insert into public.plans select n, 'professional', n % 90 from generate_series(1, 4000) n;
        insert into public.org_rows (org_id, paid, created_at) select n, true, '2024-01-01' from generate_series(1, 4000) n;
        create or replace view public.orgs as select o.org_id, p.edition, o.paid, p.seats::bigint as agents, 0::bigint as light_agents,
          0::bigint as additional_credits, null::bigint as legacy_limit, o.created_at, o.updated_at, o.peak_credits
          from public.org_rows o join public.plans p using (org_id);
        analyze`);
    });
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(4_000);
    const plan = await fleet
      .cell(0)
      .sql(`explain (analyze, costs off, timing off, summary off) select * from credit_rollout.source_orgs
      where org_id >= '100'::credit_rollout.org_id and org_id < '200'::credit_rollout.org_id`);
    const scan = plan.map((line) => String(line['QUERY PLAN'])).find((line) => line.includes('on org_rows'));
    const rows = /actual rows=(\d+)/u.exec(scan ?? '')?.[1];
    expect(Number(rows)).toBeLessThanOrEqual(100);
  });

  test('a mixed-case relation with dots in its name', async () => {
    const fleet = await createFleet({ orgs: 150 });
    dropped.push(fleet.drop);
    const cell = fleet.cell(0);
    await cell.sql(
      'create schema "Desk.Live"; alter table public.orgs rename to "Org.Rows"; alter table public."Org.Rows" set schema "Desk.Live"',
    );
    await cell.sql(`grant usage on schema "Desk.Live" to "${cellOwnerName(cell.dataCenter.id)}"`);
    const source = { ...cell.dataCenter, source: '"Desk.Live"."Org.Rows"' };
    expect((await initCell(cell.cell, { dataCenter: source, card: cell.card, lapseGraceDays: 30 })).source).toBe(
      '"Desk.Live"."Org.Rows"',
    );
    expect((await verifyDataCenter(fleet.engine, cell.dataCenter.id)).appeared).toBe(150);
  });

  test('duplicates without a unique index are quarantined once, across batch borders too', async () => {
    const fleet = await runOn({ cells: [{ key: 'none' }], orgs: 500 }, async (made) => {
      await made.cell(0).sql(`insert into public.orgs select * from public.orgs where org_id in (1, 100, 101, 250, 500);
        insert into public.orgs select o.* from public.orgs o, generate_series(1, 150) where o.org_id = 300`);
    });
    expect(
      await fleet
        .cell(0)
        .sql(`select org_id from credit_rollout.quarantine where reason = 'duplicate_id' order by org_id`),
    ).toEqual(['1', '100', '101', '250', '300', '500'].map((org_id) => ({ org_id })));
    expect(
      await count(fleet, `select count(*) from credit_rollout.allotments where org_id in (1, 100, 101, 250, 300, 500)`),
    ).toBe(0);
  });

  test('every reason for quarantine quarantines its org and no other', async () => {
    const MAX = 2n ** 63n - 1n;
    const bad = {
      unknown_edition: { edition: 'retired' },
      null_edition: { edition: null },
      null_paid: { paid: null },
      null_agents: { agents: null },
      null_light_agents: { light_agents: null },
      null_additional_credits: { additional_credits: null },
      null_created_at: { created_at: null },
      negative_agents: { agents: -1 },
      negative_light_agents: { light_agents: -1 },
      negative_additional_credits: { additional_credits: -1 },
      negative_legacy_limit: { legacy_limit: -1 },
      overflow: { agents: MAX },
      overflow_by_purchase: { additional_credits: MAX },
    };
    const fleet = await runOn({
      cells: [{ orgs: [{}, ...Object.values(bad), { legacy_limit: MAX }, {}] }],
      rollout: '{ batchSize: 100, guardRails: { quarantinedShare: 1 } }', // nearly all of them are
    });
    const reasons = (await fleet.cell(0).sql('select reason from credit_rollout.quarantine order by org_id')).map(
      (row) => row.reason,
    );
    expect(reasons).toEqual(Object.keys(bad).map((key) => key.replace('_by_purchase', '')));
    expect(await ids(fleet)).toEqual(['1', '15', '16']);
  });
});
