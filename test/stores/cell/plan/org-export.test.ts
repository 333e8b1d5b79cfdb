// The list of every org on a real cell: what `decided` gives, one line for each org, harmless in a spreadsheet.
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { exportOrgs } from '../../../../src/engine/plan/export-orgs.js';
import type { CellTransaction } from '../../../../src/stores/cell/cell-database.js';
import { EXPORT_COLUMNS, streamOrgs } from '../../../../src/stores/cell/plan/org-export.js';
import { classifyFailure } from '../../../../src/stores/postgres-failure.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions } from '../../../support/cell.js';
import { fillCell } from '../../../support/fleet.js';
import { parseCsv } from '../../../support/parse-csv.js';

const made: TestCell[] = [];
const makeCell = async (options?: TestCellOptions): Promise<TestCell> => {
  const cell = await createTestCell(options);
  made.push(cell);
  return cell;
};
afterEach(async () => {
  await Promise.all(made.splice(0).map((cell) => cell.drop()));
});

/** As the engine plans: as planner, in one snapshot. */
const plan = <T>({ cell }: TestCell, fn: (tx: CellTransaction) => Promise<T>): Promise<T> =>
  cell.inTransaction(
    'planner',
    async (tx) => {
      await tx.raw('set transaction isolation level repeatable read');
      return fn(tx);
    },
    { statementMs: 30_000 },
  );

const readCsv = (cell: TestCell): Promise<string> =>
  plan(cell, async (tx) => text(await streamOrgs(tx, cell.card.hash)));

type Line = Readonly<Record<string, string | null>>;

async function readLines(cell: TestCell): Promise<readonly Line[]> {
  const [titles = [], ...rows] = parseCsv(await readCsv(cell));
  expect(titles).toEqual(EXPORT_COLUMNS);
  return rows.map((row) => Object.fromEntries(EXPORT_COLUMNS.map((column, index) => [column, row[index] ?? null])));
}

const TERMS = [
  'base_credits',
  'variable_credits',
  'grandfathered_credits',
  'legacy_limit',
  'floor',
  'total_credits',
  'winner',
  'movement',
];
const INPUTS = ['agents', 'light_agents', 'negotiated_limit', 'additional_credits', 'reason'];

/** The same from `decided`, as the superuser. */
async function readDecided({ sql, card }: TestCell): Promise<readonly Line[]> {
  const rows = await sql(
    `select d.*, d.org_id::text as org_id, d.paid::text as paid_text,
       coalesce(d.prior_total::numeric, d.legacy_limit::numeric + d.additional_credits) as before
     from credit_rollout.decided(null, null, null, $1) d order by d.org_id`,
    [card.hash],
  );
  return rows.map((row) => {
    const decided = row.reason === null;
    const pick = (column: string) => [column, row[column] === null ? null : String(row[column])] as const;
    return {
      ...Object.fromEntries(EXPORT_COLUMNS.map((column) => [column, null])),
      ...Object.fromEntries([...['org_id', 'edition'], ...INPUTS, ...(decided ? TERMS : [])].map(pick)),
      paid: row.paid_text === null ? null : String(row.paid_text),
      before_credits: decided ? String(row.before) : null,
      change_credits: decided ? String(BigInt(String(row.total_credits)) - BigInt(String(row.before))) : null,
    };
  });
}

describe('streamOrgs', () => {
  test('lists what the rule gives for every org, in order, over several ranges', async () => {
    const cell = await makeCell();
    await fillCell(cell, 12_345);
    const lines = await readLines(cell);
    expect(lines).toHaveLength(12_345);
    expect(lines).toEqual(await readDecided(cell));
  });

  test('compares with the stored allotments', async () => {
    const cell = await makeCell();
    await fillCell(cell, 300);
    await applyAll(cell);
    await cell.sql('update public.orgs set agents = agents + 100 where org_id % 3 = 0');
    await cell.sql('update public.orgs set agents = 0 where org_id % 7 = 0');
    const lines = await readLines(cell);
    expect(new Set(lines.map(({ movement }) => movement))).toEqual(new Set(['raise', 'fall', 'same', 'inputs', null]));
    expect(lines).toEqual(await readDecided(cell));
  });

  test('gives an undecidable org its reason and inputs, no terms, and what it has', async () => {
    const cell = await makeCell({ orgs: [{ agents: 10 }, { agents: 20 }] });
    await applyAll(cell);
    await cell.sql(`update public.orgs set agents = null where org_id = 1`);
    await cell.insertOrgs({ edition: 'retired', agents: -5 });
    expect(await readLines(cell)).toMatchObject([
      { org_id: '1', reason: 'null_agents', total_credits: null, before_credits: '52500', change_credits: null },
      { org_id: '2', reason: null, movement: 'same' },
      { org_id: '3', reason: 'unknown_edition', edition: 'retired', agents: '-5', before_credits: null, winner: null },
    ]);
  });

  test('is exact beyond 2^63', async () => {
    const cell = await makeCell({
      orgs: [{ paid: false, legacy_limit: 2n ** 62n, additional_credits: 2n ** 62n + 1n }],
    });
    expect(await readLines(cell)).toMatchObject([
      {
        before_credits: String(2n ** 63n + 1n),
        total_credits: String(2n ** 62n + 5_001n),
        change_credits: String(5_000n - 2n ** 62n),
      },
    ]);
  });

  test.each(['=1+1', '+1', '-1+1', '@SUM(A1)', '\tx', '\rx', ' =1'])('makes the text %j harmless', async (id) => {
    const cell = await makeCell({ idType: 'text', orgs: [{ org_id: id, edition: '=cmd|x' }] });
    expect(await readLines(cell)).toMatchObject([{ org_id: `'${id}`, edition: "'=cmd|x" }]);
  });

  test('keeps other texts as they are', async () => {
    const ids = ['a,b', 'quote "x"', 'two\nlines', "o'; drop table x --", 'back\\slash', '100% ?', 'ü€😀', ''];
    const cell = await makeCell({ idType: 'text', orgs: ids.map((id) => ({ org_id: id })) });
    expect((await readLines(cell)).map(({ org_id }) => org_id).toSorted()).toEqual(ids.toSorted());
  });

  test('leaves negative numbers numbers', async () => {
    const cell = await makeCell({ orgs: [{ org_id: -7 }] });
    expect(await readLines(cell)).toMatchObject([{ org_id: '-7' }]);
    const texts = await makeCell({ idType: 'text', orgs: [{ org_id: '-7' }] });
    expect(await readLines(texts)).toMatchObject([{ org_id: '-7' }]);
  });

  test('has one line for an id that occurs twice', async () => {
    const cell = await makeCell({ key: 'index', orgs: [{ org_id: 1 }, { org_id: 1, agents: 5 }, { org_id: 2 }] });
    expect(await readLines(cell)).toMatchObject([
      { org_id: '1', reason: 'duplicate_id', agents: '5', total_credits: null },
      { org_id: '2', reason: null },
    ]);
  });

  test('has a line for an org that cannot be read, and every other org', async () => {
    const cell = await makeCell({ view: true, orgs: Array.from({ length: 40 }, () => ({})) });
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id in (1, 17, 18, 40) then agents / (org_id - org_id) else agents end as agents, light_agents,
      additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    const lines = await readLines(cell);
    expect(lines.map(({ org_id }) => org_id)).toEqual(Array.from({ length: 40 }, (_, n) => String(n + 1)));
    const unreadable = lines.filter(({ reason }) => reason === 'unreadable');
    expect(unreadable.map(({ org_id }) => org_id)).toEqual(['1', '17', '18', '40']);
    expect(unreadable[0]).toMatchObject({ agents: null, total_credits: null });
    expect(lines.filter(({ total_credits }) => total_credits !== null)).toHaveLength(36);
  });

  test('has only titles for an empty cell', async () => {
    expect(await readCsv(await makeCell({ orgs: [] }))).toBe(`${EXPORT_COLUMNS.join(',')}\n`);
  });
});

describe('exportOrgs', () => {
  test('rejects with the error of the reader, and leaves the transaction usable', async () => {
    const cell = await makeCell();
    await fillCell(cell, 20_000);
    const after = await plan(cell, async (tx) => {
      const failure = exportOrgs(tx, cell.card.hash, async (csv) => {
        for await (const _ of csv) throw new Error('disk full');
      });
      await expect(failure).rejects.toThrow('disk full');
      return (await tx.raw('select 1 as one')).rows;
    });
    expect(after).toEqual([{ one: 1 }]);
  });

  test('waits for a slow reader', async () => {
    const cell = await makeCell();
    await fillCell(cell, 12_000);
    let bytes = 0;
    await plan(cell, (tx) =>
      exportOrgs(tx, cell.card.hash, async (csv) => {
        for await (const chunk of csv) {
          bytes += chunk.length;
          // at most one range waits to be read
          expect(csv.readableLength).toBeLessThan(1_000_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    expect(bytes).toBe(Buffer.byteLength(await readCsv(cell)));
  });

  test('rejects with the error of the database', async () => {
    const cell = await makeCell();
    await fillCell(cell, 12_000);
    const running = plan(cell, (tx) =>
      exportOrgs(tx, cell.card.hash, async (csv) => {
        for await (const _ of csv)
          await cell.sql(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()`,
          );
      }),
    );
    expect(classifyFailure(await running.catch((error) => error)).kind).toBe('retry');
  });
});
