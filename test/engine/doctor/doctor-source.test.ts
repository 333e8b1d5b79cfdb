// `doctor` on the product's table: its columns, keys, nulls and editions are made faulty on purpose, and the finding
// names the fix.

import { afterEach, describe, expect, test } from 'vitest';
import { checkEditions, checkInputs } from '../../../src/engine/doctor/check-source-rows.js';
import { createFindingRecorder, type Finding } from '../../../src/engine/doctor/finding.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { advise, command } from '../../../src/kernel/advice.js';
import { letOwnerRead } from '../../support/cell.js';
import { explained } from '../../support/explained.js';
import { checkCells, closeAll, makeCell, of, problemsOf } from './doctor-scene.js';

afterEach(closeAll);

describe('checkCell', () => {
  test('finds a source that is not there, and one in a system schema', async () => {
    const cell = await makeCell();
    const at = (source: string) => problemsOf(cell, { dataCenters: [{ ...cell.dataCenter, source }] });
    expect(await at('public.Orgs')).toMatchObject([{ check: 'source', code: 'source_not_found' }]);
    expect(await at('pg_catalog.pg_class')).toMatchObject([{ check: 'source', code: 'invalid_source_name' }]);
  });

  test('lists every column at fault with what was found', async () => {
    const cell = await makeCell({ init: 'left' });
    await cell.sql(
      'alter table public.orgs drop column paid, alter column agents type numeric, drop column light_agents',
    );
    expect(await problemsOf(cell)).toMatchObject([
      { code: 'source_column_missing', found: expect.stringContaining('has no column paid (boolean)') },
      {
        code: 'source_column_type',
        found: 'public.orgs has agents as numeric; it must be smallint, integer or bigint',
      },
      { code: 'source_column_missing', found: expect.stringContaining('light_agents') },
      { check: 'schema' },
    ]);
  });

  test.each([checkEditions, checkInputs])('gives up to measure a view that is slow: %o', async (check) => {
    const cell = await makeCell({ view: true, orgs: [{}] });
    await cell.sql('create or replace view public.orgs as select r.* from public.org_rows r, pg_sleep(60)');
    const record = createFindingRecorder({ subject: 'eu', title: 'Data center "eu"' }, 'x');
    expect(await check({ cell: cell.cell, card: cell.card, countLimitMs: 100 }, record)).toMatchObject([
      { level: 'warning', found: 'not measured: longer than 0.1 s', fix: expect.anything() },
    ]);
  });

  test('reports that the source changed since init', async () => {
    const cell = await makeCell();
    await cell.sql('alter table public.orgs add column region text');
    expect(await problemsOf(cell)).toEqual([]); // a column that we do not read
    await cell.sql(
      'alter table public.orgs drop constraint orgs_pkey; create unique index on public.orgs (org_id, region); create index on public.orgs (org_id)',
    );
    expect(await problemsOf(cell)).toMatchObject([
      { check: 'unique ids', level: 'warning' },
      { check: 'attached', code: 'source_changed', fix: advise`Run: ${command('init')}` },
    ]);
  });

  test('warns that the id check of a view is expensive, and names the index that a table needs', async () => {
    const [view, bare] = [await makeCell({ view: true }), await makeCell({ key: 'none' })];
    expect(await problemsOf(view)).toMatchObject([
      { check: 'unique ids', level: 'warning', found: expect.stringContaining('(view)') },
    ]);
    expect(await problemsOf(bare)).toMatchObject([
      { check: 'unique ids', fix: expect.stringContaining('CREATE UNIQUE INDEX CONCURRENTLY ON public.orgs (org_id)') },
      {
        check: 'key ranges',
        level: 'warning',
        fix: expect.stringContaining('CREATE INDEX CONCURRENTLY ON public.orgs'),
      },
    ]);
  });

  test('takes an index for a proof only where it has every row, and finds the id that is there twice', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{ org_id: 7 }, { org_id: 8 }] });
    await cell.sql(`create table public.archived () inherits (public.orgs);
      insert into public.archived select * from only public.orgs where org_id = 7`);
    await cell.init();
    expect(await problemsOf(cell)).toMatchObject([{ check: 'unique ids', level: 'warning' }]);
    expect(await cell.sql('select org_id, reason from credit_rollout.assessed order by 1')).toMatchObject([
      { org_id: '7', reason: 'duplicate_id' },
      { org_id: '7', reason: 'duplicate_id' },
      { org_id: '8', reason: null },
    ]);
  });

  test('says that a materialized view was never refreshed, read directly or through a view; so does init', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}] });
    const { sql, dataCenter } = cell;
    await sql(
      'alter table public.orgs rename to rows; create materialized view public.orgs as table rows with no data',
    );
    const found = { check: 'source', level: 'error', code: 'source_not_populated' };
    expect((await problemsOf(cell))[0]).toMatchObject({
      ...found,
      fix: 'As its owner run: REFRESH MATERIALIZED VIEW public.orgs;',
    });
    await expect(cell.init()).rejects.toMatchObject({ code: 'source_not_populated' });
    await sql('create view public.through as table public.orgs');
    const through = { ...dataCenter, source: 'public.through' };
    expect(await problemsOf(cell, { dataCenters: [through] })).toContainEqual(
      expect.objectContaining({ code: 'source_not_populated' }),
    );
    await letOwnerRead(sql, dataCenter.id);
    const init = initCell(cell.cell, { dataCenter: through, card: cell.card, lapseGraceDays: 30 });
    await expect(explained(init)).rejects.toMatchObject({ code: 'source_not_populated' });
    await sql('refresh materialized view public.orgs');
    await cell.init();
  });

  test('counts rows without an id and orgs of editions that the card lacks', async () => {
    const cell = await makeCell({ key: 'none' });
    await cell.insertOrgs(
      { org_id: null },
      { org_id: null },
      { edition: 'gold' },
      { edition: 'gold' },
      { edition: null },
      {},
    );
    const found = (await problemsOf(cell)).slice(2);
    expect(found).toMatchObject([
      { check: 'null ids', level: 'error', code: 'source_null_ids', found: '2 rows have no org_id' },
      { check: 'editions', level: 'warning', found: expect.stringContaining('gold (2), none at all (1)') },
    ]);
  });

  test('counts by reason the orgs that nulls and negative numbers quarantined, as a run does', async () => {
    const cell = await makeCell({
      orgs: [
        {},
        ...Array.from({ length: 3 }, () => ({ additional_credits: null })),
        { paid: null, additional_credits: null },
        { agents: null },
        { light_agents: null },
        { created_at: null },
        { agents: -1, light_agents: -1 },
        { light_agents: -1 },
        { additional_credits: -1 },
        { legacy_limit: -1 },
        { legacy_limit: null },
        { edition: 'gold', agents: null },
      ],
    });
    const [, inputs] = await problemsOf(cell);
    const rule =
      await cell.sql(`select string_agg(reason || ' (' || orgs || ')', ', ' order by orgs desc, reason) as listed
      from (select reason, count(*) as orgs from credit_rollout.assessed
            where reason is not null and reason <> 'unknown_edition' group by reason) q`);
    expect(rule).toEqual([{ listed: expect.stringContaining('null_additional_credits (3), negative_') }]);
    expect(inputs).toMatchObject({ check: 'inputs', level: 'warning' });
    expect(inputs?.found).toBe(
      `nulls and negative numbers, with their orgs: ${rule[0]?.listed}; these orgs are quarantined`,
    );
  });

  test('warns where a row cannot be read, which stops no run', async () => {
    const cell = await makeCell({ view: true, orgs: [{ org_id: 1 }, { org_id: 2, additional_credits: null }] });
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id = 1 then 1 / (org_id - 1) else agents end as agents, light_agents, additional_credits, legacy_limit,
      created_at, updated_at, peak_credits from public.org_rows`);
    expect((await problemsOf(cell)).filter(({ check }) => check === 'inputs')).toMatchObject([
      { level: 'warning', found: expect.stringContaining('raises an error when its columns are read') },
    ]);
  });

  test('takes no null in light_agents for a problem where the card does not count them', async () => {
    const cell = await makeCell({ orgs: [{ light_agents: null }] });
    const card = { ...cell.card, lightAgentsCountAsUsers: false };
    const isInputs = ({ check }: Finding): boolean => check === 'inputs';
    expect(of(await checkCells([cell], { card }), cell.dataCenter.id).filter(isInputs)).toMatchObject([
      { level: 'ok' },
    ]);
    expect(of(await checkCells([cell]), cell.dataCenter.id).filter(isInputs)).toMatchObject([{ level: 'warning' }]);
  });
});
