// Allotments that somebody's SQL changed, inserted or deleted: every column, higher, lower, null or another value,
// alone or with its sum, under a false cause, without our triggers. `verify` finds each, and no night lowers what
// nothing recorded explains.
import { afterEach, describe, expect, test } from 'vitest';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { toStoredCard } from '../../../src/engine/stored-card.js';
import { verifyRange } from '../../../src/stores/cell/batch/verification.js';
import { insertRateCard } from '../../../src/stores/cell/org/rates.js';
import { secondCard } from '../../domain/rate-card/sample-card.js';
import { applyAll, createTestCell, type TestCell } from '../../support/cell.js';
import { createLife, runNight } from './night.js';

const WAYS = {
  higher: (column: string) => `${column} = ${column} + 1000`,
  lower: (column: string) => `${column} = ${column} - 1000`,
  none: (column: string) => `${column} = null`,
} as const;

const NUMBERS = [
  ...['agents', 'light_agents', 'negotiated_limit', 'base_credits', 'variable_credits', 'additional_credits'],
  ...['legacy_limit', 'floor', 'grandfathered_credits', 'total_credits', 'concurrency_limit', 'run_id', 'version'],
];
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  edition: ["'professional'", "'express'", 'null'],
  paid: ['false', 'null'],
  floor_edition: ["'enterprise'", "'express'", 'null'],
  unpaid_since: ["'2026-01-01'", "'2020-01-01'"],
  winner: ["case winner when 'legacy' then 'credits' else 'legacy' end", 'null'],
  rate_card: [`'${secondCard.hash}'`, "'0123456789abcdef'", 'null'],
  origin: ["case origin when 'signup' then 'migrated' else 'signup' end", 'null'],
  computed_at: ["computed_at - interval '1 day'", "computed_at + interval '1 day'", 'null'],
  negotiated_limit: ['150000', '296534'],
  run_id: ['null', '99'],
};
/** Changes that the CHECKs let through together. */
const TOGETHER = [
  'agents = agents + 4, variable_credits = variable_credits + 1000, grandfathered_credits = grandfathered_credits - 1000',
  'agents = agents + 400, variable_credits = variable_credits + 100000, grandfathered_credits = 0, total_credits = total_credits + 75000',
  'base_credits = base_credits + 1000, total_credits = total_credits + 1000',
  'additional_credits = additional_credits + 1000, total_credits = total_credits + 1000',
  'additional_credits = additional_credits - 1000, total_credits = total_credits - 1000',
  'grandfathered_credits = grandfathered_credits + 1000, total_credits = total_credits + 1000',
  'grandfathered_credits = grandfathered_credits - 1000, floor = floor - 1000, total_credits = total_credits - 1000',
  'grandfathered_credits = grandfathered_credits + 1000, floor = floor + 1000, total_credits = total_credits + 1000',
  `grandfathered_credits = 0, floor = null, floor_edition = null, winner = 'credits', total_credits = total_credits - grandfathered_credits`,
  `paid = false, unpaid_since = '2026-11-01', base_credits = 5000, variable_credits = 0, grandfathered_credits = 0, winner = 'credits', total_credits = 5000 + additional_credits`,
  `floor_edition = 'enterprise', edition = 'enterprise'`,
  `negotiated_limit = 160000, legacy_limit = 160000, floor = 160000, grandfathered_credits = grandfathered_credits + 10000, total_credits = total_credits + 10000`,
  `origin = 'signup', floor = null, floor_edition = null, run_id = null, grandfathered_credits = 0, winner = 'credits', total_credits = total_credits - grandfathered_credits`,
];
const SUM = 'total_credits = base_credits + variable_credits + grandfathered_credits + additional_credits';

const CHANGES = [
  ...NUMBERS.flatMap((column) => Object.values(WAYS).map((way) => way(column))),
  ...Object.entries(OTHERS).flatMap(([column, values]) => values.map((value) => `${column} = ${value}`)),
  ...TOGETHER,
];

const EACH = [
  ...CHANGES,
  ...CHANGES.flatMap((change) => {
    const [, column, value] = /^((?:base|variable|grandfathered|additional)_credits) = ([^,]*)$/u.exec(change) ?? [];
    return column === undefined ? [] : [`${change}, ${SUM.replace(column, `(${value})`)}`];
  }),
];
/** What is set before each change. */
const MODES = {
  openly: 'select 1',
  'under a false cause': `set local credit_rollout.cause = 'edition'; set local credit_rollout.run_id = '1'`,
  'without triggers': 'set local session_replication_role = replica',
} as const;

interface Image {
  readonly total: bigint;
  readonly floor: bigint | null;
}

/** Applies to the n-th org the n-th change, where CHECKs and triggers let it through; returns which changed a row. */
const TAMPER = `create function public.tamper(changes jsonb, settings text, after integer) returns integer[] language plpgsql as $$
declare
  change text; n integer := after; changed integer[] := '{}'; old jsonb; new jsonb; kept text;
begin
  -- our triggers set the version, whatever is written there
  kept := case when settings like '%replica%' then '' else 'version' end;
  for change in select jsonb_array_elements_text(changes) loop
    n := n + 1;
    begin
      execute settings;
      select to_jsonb(a) - 'checksum' - kept into old from credit_rollout.allotments a where a.org_id = n;
      execute 'update credit_rollout.allotments set ' || change || ' where org_id = ' || n;
      select to_jsonb(a) - 'checksum' - kept into new from credit_rollout.allotments a where a.org_id = n;
    exception when integrity_constraint_violation or data_exception then new := old;
    end;
    set local session_replication_role = origin;
    if new <> old then changed := changed || n; end if;
  end loop;
  return changed;
end $$`;

let cell: TestCell;
afterEach(() => cell.drop());

/** By seats 150,000 calls, of which 25,000 are grandfathered; some negotiated, some bought. */
async function makeOrgs(orgs: number): Promise<void> {
  cell = await createTestCell();
  await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, legacy_limit,
      created_at)
    select n, 'standard', true, 300, 0, n % 2 * 2000, case n % 3 when 0 then 150000 end, '2024-03-01 12:00+00'
    from generate_series(1, ${orgs}) n`);
  await applyAll(cell, { batchSize: 200 });
  await createLife(cell).cutOver();
}

async function verify() {
  const { mismatches, unaccounted } = await verifyDataCenter(cell.context, cell.dataCenter.id);
  const all = { lowerId: null, upperId: null };
  const { broken } = await cell.cell.inTransaction('reader', (tx) => verifyRange(tx, all, { runId: null }));
  expect(broken).toHaveLength(mismatches);
  return { broken: broken.map(Number).sort((one, other) => one - other), unaccounted };
}

const readImages = async (): Promise<ReadonlyMap<number, Image>> =>
  new Map(
    (await cell.sql('select org_id, total_credits as total, floor from credit_rollout.allotments')).map((row) => [
      Number(row.org_id),
      { total: BigInt(String(row.total)), floor: row.floor === null ? null : BigInt(String(row.floor)) },
    ]),
  );

describe('an allotment that was changed by hand', () => {
  test('is found, whatever column was changed, and no night lowers it below what is recorded', async () => {
    await makeOrgs(EACH.length * 3 + 40);
    await cell.cell.asOwner((tx) => insertRateCard(tx, toStoredCard(secondCard)));
    expect(await verify()).toEqual({ broken: [], unaccounted: 0 });
    const recorded = await readImages();
    await cell.sql(TAMPER);
    const names = new Map<number, string>();
    for (const [place, [mode, set]] of Object.entries(MODES).entries()) {
      const after = place * EACH.length;
      const [row] = await cell.sql('select public.tamper($1::jsonb, $2, $3) as changed', [
        JSON.stringify(EACH),
        set,
        after,
      ]);
      for (const id of (row?.changed ?? []) as readonly number[]) names.set(id, `${mode}: ${EACH[id - after - 1]}`);
    }
    expect(names.size).toBeGreaterThan(EACH.length);
    const { broken } = await verify();
    expect([...names].filter(([id]) => !broken.includes(id)).map(([, name]) => name)).toEqual([]);
    expect(broken).toHaveLength(names.size);

    const tampered = await readImages();
    await runNight(cell, { falls: 'accepted' });
    const healed = await readImages();
    const lowered = [...names].filter(([id, name]) => {
      const [before, now, was] = [recorded.get(id), healed.get(id), tampered.get(id)];
      if (before === undefined || now === undefined || was === undefined) return true;
      // what was changed without a record is never taken for granted
      const least = name.startsWith('without triggers') || was.total < before.total ? was : before;
      return now.total < least.total || (now.floor ?? -1n) < (least.floor ?? -1n);
    });
    expect(lowered.map(([, name]) => name)).toEqual([]);
  });
});

describe('an allotment that was deleted by hand', () => {
  const HOW = [
    'delete from credit_rollout.allotments where org_id = 7',
    `set local credit_rollout.cause = 'gone'; set local credit_rollout.run_id = '1'; delete from credit_rollout.allotments where org_id = 7`,
    'set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 7',
  ];
  test.each(HOW)('is found: %s', async (sql) => {
    await makeOrgs(40);
    await cell.sql(`begin; ${sql}; commit`);
    expect((await verify()).broken).toEqual([7]);
    // after the retention of plans what a run counted is left
    await cell.sql('delete from credit_rollout.plans; delete from credit_rollout.plan_ranges');
    const { broken, unaccounted } = await verify();
    expect(broken.length + unaccounted).toBe(1);
    await runNight(cell);
    expect((await readImages()).get(7)).toEqual({ total: 152_000n, floor: 150_000n });
  });
});

describe('an allotment that was inserted by hand', () => {
  const copy = (
    id: number,
    changes = '{}',
  ) => `insert into credit_rollout.allotments select b.* from credit_rollout.allotments a
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments, to_jsonb(a) || jsonb_build_object('org_id', ${id}) || '${changes}') b
    where a.org_id = 7`;
  test.each([
    copy(999),
    `set local session_replication_role = replica; ${copy(999)}`,
    copy(999, '{"run_id": null, "checksum": null}'),
    copy(
      999,
      '{"run_id": null, "checksum": null, "origin": "signup", "floor": null, "floor_edition": null, "computed_at": "2025-01-01"}',
    ),
  ])('is found: %#', async (sql) => {
    await makeOrgs(40);
    await cell.sql(`begin; ${sql}; commit`);
    expect((await verify()).broken).toEqual([999]);
  });
});
