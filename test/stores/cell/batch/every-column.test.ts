// One column after the other, as the catalog lists them: each that is wrong in an allotment, other in the source than
// it was, or other than its plan is noticed by itself, while every other column and the sum stay as they were.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyRange, verifyRule } from '../../../../src/stores/cell/batch/verification.js';
import { rowHash } from '../../../../src/stores/cell/hashes.js';
import { compareRangeWithSource, readComparison } from '../../../../src/stores/cell/reconcile/drift.js';
import { applyAll, createTestCell, type TestCell, type TestOrg } from '../../../support/cell.js';
import { CHANGED_ORGS, changeEveryInput } from './changed-orgs.js';

/** What the rule neither takes nor gives: `verify` compares these with what was recorded. */
const NOT_OF_THE_RULE = ['checksum', 'computed_at', 'floor_edition', 'origin', 'run_id', 'version'];
/** What makes no difference: seats beside a negotiated limit, a floor below the plan or unpaid, since when it is unpaid. */
const RIGHT_ALL_THE_SAME = ['101 light_agents other', '102 floor other', '103 floor other', '103 unpaid_since other'];
/** What a plan promises: what decides, and the sum. */
const DIGESTED = [
  'additional_credits',
  'agents',
  'edition',
  'light_agents',
  'negotiated_limit',
  'paid',
  'total_credits',
];
const ALL = { lowerId: null, upperId: null };

/** By a negotiated limit, by seats, and unpaid. */
const ORGS: readonly TestOrg[] = [
  { org_id: 101, legacy_limit: 160_000 },
  { org_id: 102, agents: 100 },
  { org_id: 103, paid: false },
];

/** Copies of the allotments of ORGS from id 1,000 on, each with one column greater, other or null. */
const FALSIFY = `
create table public.falsified as
with base as (select a.org_id, to_jsonb(a) as image from credit_rollout.allotments a where a.org_id between 101 and 103),
other as (
  select b.org_id, c.column_name, w.way, b.image, b.image -> c.column_name as was,
    case when w.way = 'null' then 'null'::jsonb else case c.udt_name
      when 'bool' then to_jsonb(not (b.image ->> c.column_name)::boolean)
      when 'text' then to_jsonb(coalesce(b.image ->> c.column_name, '') || 'x')
      when 'date' then to_jsonb(coalesce((b.image ->> c.column_name)::date, '2024-01-01') + 1)
      when 'timestamptz' then to_jsonb((b.image ->> c.column_name)::timestamptz + interval '1 microsecond')
      else to_jsonb(coalesce((b.image ->> c.column_name)::bigint, 0) + 1) end end as becomes
  from base b cross join (values ('other'), ('null')) w (way) cross join information_schema.columns c
  where c.table_schema = 'credit_rollout' and c.table_name = 'allotments' and c.column_name <> 'org_id'
    and (w.way = 'other' or c.is_nullable = 'YES'))
select 1000 + row_number() over () as id, org_id, column_name as name, way,
  image || jsonb_build_object(column_name, becomes) as row
from other where was is distinct from becomes`;
const INSERT = `
insert into credit_rollout.allotments select b.* from public.falsified f
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, f.row || jsonb_build_object('org_id', f.id)) b`;

let cell: TestCell;
beforeAll(async () => {
  cell = await createTestCell({ orgs: [...CHANGED_ORGS, ...ORGS] });
  await applyAll(cell);
});
afterAll(() => cell.drop());

const asReader = <T>(act: Parameters<typeof cell.cell.inTransaction<T>>[1]): Promise<T> =>
  cell.cell.inTransaction('reader', act);
const names = async (where: string, values: readonly unknown[] = []): Promise<readonly string[]> =>
  (await cell.sql(`select distinct f.name from public.falsified f where ${where} order by 1`, values)).map(({ name }) =>
    String(name),
  );

describe('an input that the source has changed', () => {
  test('is counted by the verification and found by a night, each column by itself', async () => {
    expect(await asReader((tx) => verifyRange(tx, ALL, { runId: null }))).toMatchObject({ changedSince: 0 });
    await changeEveryInput(cell);
    const ids = CHANGED_ORGS.map(({ org_id }) => String(org_id));
    for (const sourceUnique of [false, true])
      expect(await asReader((tx) => verifyRange(tx, ALL, { runId: null, sourceUnique }))).toMatchObject({
        broken: [],
        changedSince: ids.length,
      });
    const found = await asReader(async (tx) => {
      const comparison = await readComparison(tx, 'all');
      return compareRangeWithSource(tx, ALL, { ...comparison, window: 'swept' });
    });
    expect(found.candidates.toSorted()).toEqual(ids);
  });
});

describe('a column of an allotment', () => {
  beforeAll(async () => {
    const checks = await cell.sql(`select conname from pg_constraint
      where conrelid = 'credit_rollout.allotments'::regclass and contype in ('c', 'f')`);
    for (const { conname } of checks)
      await cell.sql(`alter table credit_rollout.allotments drop constraint ${conname}`);
    await cell.sql(FALSIFY);
    await cell.rewritePast(INSERT);
  });

  test('breaks the rule by itself, but those that are compared with the record', async () => {
    const { broken } = await asReader((tx) => verifyRule(tx, ALL));
    const found = broken.filter((id) => Number(id) > 1_000);
    expect(broken).toEqual(found);
    const missed = await cell.sql(
      `select org_id || ' ' || name || ' ' || way as one from public.falsified
       where not id = any ($1::bigint[]) and not name = any ($2::text[]) order by 1`,
      [found, NOT_OF_THE_RULE],
    );
    expect(missed.map(({ one }) => one)).toEqual(RIGHT_ALL_THE_SAME);
  });

  test('changes the hash of a plan, where it decides or is what was decided', async () => {
    const changes = `exists (select from credit_rollout.allotments b, credit_rollout.allotments n
      where b.org_id = f.org_id and n.org_id = f.id and ${rowHash('b')} is distinct from
        (select ${rowHash('m')} from (select n.*) x, lateral jsonb_populate_record(null::credit_rollout.allotments,
          to_jsonb(n) || jsonb_build_object('org_id', b.org_id)) m))`;
    expect(await names(changes)).toEqual(DIGESTED);
    const [ids] = await cell.sql(`select ${rowHash('a')} <> ${rowHash('b')} as differs
      from credit_rollout.allotments a cross join lateral jsonb_populate_record(null::credit_rollout.allotments,
        to_jsonb(a) || '{"org_id": 7}') b where a.org_id = 101`);
    expect(ids).toEqual({ differs: true });
  });
});
