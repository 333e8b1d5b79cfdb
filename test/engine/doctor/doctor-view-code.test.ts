// A view of the product that calls a function: it runs with the rights of whoever reads the view, so `doctor` prints
// the GRANT for every role that reads it, that of the product too.
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import type { RolloutError } from '../../../src/kernel/rollout-error.js';
import { cellRoleName, cellSourceRoleName } from '../../../src/stores/cell/cell-database.js';
import { letOwnerRead, type TestCell } from '../../support/cell.js';
import { closeAll, closers, makeCell, problemsOf } from './doctor-scene.js';

afterEach(closeAll);

/** public.orgs is a view whose function reads app.extra, in a schema that only its owner may use. */
async function makeViewed(
  language: 'sql' | 'plpgsql',
  called: 'for a column' | 'for every row' = 'for a column',
): Promise<{ readonly cell: TestCell; readonly product: string }> {
  const cell = await makeCell({ init: 'left', orgs: [{ org_id: 7 }, { org_id: 8 }] });
  const product = `product_${randomBytes(4).toString('hex')}`;
  const body = 'select coalesce((select e.credits from app.extra e where e.org_id = org), 0)';
  await cell.sql(`create role ${product};
    alter table public.orgs rename to org_rows; create schema app;
    create table app.extra (org_id bigint primary key, credits bigint); insert into app.extra values (7, 70);
    create function public.extra_of(org bigint) returns bigint stable language ${language} as $$
      ${language === 'sql' ? body : `begin return (${body}); end`} $$;
    create view public.orgs as select org_id, edition, paid, agents, light_agents, public.extra_of(org_id) as additional_credits,
      legacy_limit, created_at, updated_at, peak_credits from public.org_rows ${called === 'for every row' ? 'where public.extra_of(org_id) >= 0' : ''}`);
  closers.push(() => cell.sql(`drop owned by ${product}; drop role ${product}`));
  await letOwnerRead(cell.sql, cell.dataCenter.id);
  return { cell, product };
}

/** The statements of a `fix` or `next`. */
const statementsOf = (advice: unknown): readonly string[] => String(advice).match(/GRANT [^;]+;/gu) ?? [];

test.each(['sql', 'plpgsql'] as const)(
  'doctor prints GRANTs until every role can run a view that calls %s',
  async (language) => {
    const { cell, product } = await makeViewed(language);
    await initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant: product });
    const granted: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const [failed] = (await problemsOf(cell)).filter(({ check }) => check === 'view code');
      if (failed === undefined) break;
      expect(failed).toMatchObject({ code: 'not_permitted', level: 'error' });
      const statements = statementsOf(failed.fix);
      for (const statement of statements) await cell.sql(statement);
      granted.push(...statements);
    }
    expect(granted.map((statement) => statement.replace(/ TO .*/u, ''))).toEqual([
      'GRANT USAGE ON SCHEMA app',
      'GRANT SELECT ON app.extra',
    ]);
    for (const statement of granted) expect(statement).toContain(product);
    expect(await problemsOf(cell)).toMatchObject([{ check: 'unique ids' }]);
    await cell.sql(`begin; set local role ${product}; select * from credit_rollout.org_capacity; commit`);
  },
);

test('init prints them too, for every role that reads the view, and the one that it is given', async () => {
  // so already what counts ids is denied, and nothing of the cell is there
  const { cell, product } = await makeViewed('plpgsql', 'for every row');
  const init = () =>
    initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant: product });
  for (const what of ['USAGE ON SCHEMA app', 'SELECT ON app.extra']) {
    const failed = await init().then(
      () => expect.unreachable('it was not denied'),
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: 'not_permitted', next: expect.stringContaining(`GRANT ${what} TO `) });
    const [statement = ''] = statementsOf((failed as RolloutError).next);
    for (const role of [product, cellRoleName(cell.dataCenter.id, 'planner'), cellSourceRoleName(cell.dataCenter.id)])
      expect(statement).toContain(role);
    await cell.sql(statement);
  }
  await init();
  expect(await problemsOf(cell)).toMatchObject([{ check: 'unique ids' }]);
});

test('doctor names what one role lacks, and what the product lacks', async () => {
  const { cell, product } = await makeViewed('plpgsql');
  const { id } = cell.dataCenter;
  await cell.sql('grant usage on schema app to public; grant select on app.extra to public');
  await initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant: product });
  const planner = cellRoleName(id, 'planner');
  const others = (await cell.sql(
    `select string_agg(quote_ident(rolname), ', ') as roles from pg_roles where rolname like $1 and rolname <> $2`,
    [`credit_rollout_${id}_%`, planner],
  )) as readonly { readonly roles: string }[];
  await cell.sql(
    `revoke select on app.extra from public; grant select on app.extra to ${others[0]?.roles}, ${product}`,
  );
  const found = async () => (await problemsOf(cell)).filter(({ check }) => check === 'view code');
  expect(await found()).toMatchObject([{ fix: [`As their owner run: GRANT SELECT ON app.extra TO ${planner};`] }]);
  await cell.sql(`grant select on app.extra to ${planner}; revoke select on app.extra from ${product}`);
  expect(await found()).toMatchObject([{ fix: [`As their owner run: GRANT SELECT ON app.extra TO ${product};`] }]);
});

test('doctor names a VOLATILE function of the view or of one below, and what makes it STABLE', async () => {
  const cell = await makeCell({ init: 'left', orgs: [{ org_id: 7 }] });
  await cell.sql(`alter table public.orgs rename to org_rows;
    create function public.as_is(given bigint) returns bigint language plpgsql as $$ begin return given; end $$;
    create function public.left_alone(given bigint) returns bigint language plpgsql stable as $$ begin return given; end $$;
    create view public.inner_orgs as select org_id, edition, paid, public.as_is(agents) as agents, light_agents,
      public.left_alone(additional_credits) as additional_credits, legacy_limit, created_at from public.org_rows;
    create view public.orgs as select * from public.inner_orgs`);
  await letOwnerRead(cell.sql, cell.dataCenter.id);
  await cell.init();
  const statement = 'ALTER FUNCTION public.as_is(given bigint) STABLE;';
  const [found] = (await problemsOf(cell)).filter(({ check }) => check === 'view code');
  expect(found).toMatchObject({ level: 'warning', found: expect.stringContaining('public.as_is(given bigint)') });
  expect(String(found?.fix)).toContain(statement);
  expect(String(found?.found)).not.toContain('left_alone');
  await cell.sql(statement);
  expect((await problemsOf(cell)).filter(({ check }) => check === 'view code')).toEqual([]);
});
