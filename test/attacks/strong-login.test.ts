// Kind 7. A login that could give everything away does not run code of somebody weaker: it is told which login to use.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makePlan } from '../../src/engine/plan/make-plan.js';
import { cellOwnerName } from '../../src/stores/cell/cell-database.js';
import { execute } from '../../src/stores/query.js';
import { contextOf, createTestCell, type TestCell } from '../support/cell.js';
import { openTestCell } from '../support/open-context.js';

let cell: TestCell;
const opened: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  cell = await createTestCell({ view: true, orgs: [{}, {}] });
  await cell.sql(`create role weak_author; grant create, usage on schema public to weak_author;
    grant select on public.org_rows to weak_author;
    create role strong_member login password 'secret' createrole`);
  await cell.sql(`grant "${cellOwnerName(cell.dataCenter.id)}", pg_read_all_data to strong_member`);
  for (const role of ['reader', 'planner', 'worker', 'override', 'meter'])
    await cell.sql(`grant "credit_rollout_${cell.dataCenter.id}_${role}" to strong_member`);
  // what the code of the view tries: it succeeds wherever it has the rights of a superuser
  await cell.sql(`create function public.rise() returns boolean language plpgsql as $$
    begin
      perform set_config('role', 'none', true);
      execute 'alter role weak_author superuser';
      return true;
    exception when others then return true;
    end $$`);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  await cell.sql('alter view public.orgs owner to current_user; alter function public.rise() owner to current_user');
});
afterAll(async () => {
  await cell.sql('drop owned by weak_author, strong_member; drop role weak_author, strong_member');
  await cell.drop();
});

/** As a process that begins now. */
function open(login?: string) {
  const url = new URL(cell.url);
  if (login !== undefined) {
    url.username = login;
    url.password = 'secret';
  }
  const one = openTestCell(url.href, cell.dataCenter.id);
  opened.push(one);
  return one;
}

const READ = 'select count(*) from credit_rollout.source_orgs';
const readAs = (role: 'reader' | 'planner' | 'worker' | 'override' | 'meter', login?: string) =>
  open(login).inTransaction(role, (tx) =>
    execute(tx, role === 'meter' ? 'select from credit_rollout.org_capacity' : READ),
  );

const REFUSED = { code: 'login_too_strong', message: expect.stringContaining('code of weak_author in the source') };
const risen = async () => (await cell.sql(`select rolsuper from pg_roles where rolname = 'weak_author'`))[0]?.rolsuper;

describe('a login that may do everything', () => {
  test.each(['reader', 'planner', 'worker', 'override', 'meter'] as const)(
    'reads no view of somebody weaker, as %s',
    async (role) => {
      await cell.sql(`create or replace view public.orgs as select * from public.org_rows where public.rise()`);
      await cell.sql('alter view public.orgs owner to weak_author');
      await expect(readAs(role)).rejects.toMatchObject(REFUSED);
      await expect(readAs(role, 'strong_member')).rejects.toMatchObject(REFUSED);
      expect(await risen()).toBe(false);
    },
  );

  test('reads no view whose function somebody weaker could replace', async () => {
    await cell.sql('alter function public.rise() owner to weak_author');
    await expect(readAs('reader')).rejects.toMatchObject(REFUSED);
    expect(await risen()).toBe(false);
  });

  test('makes no plan then, and is told what to use', async () => {
    await cell.sql('alter view public.orgs owner to weak_author');
    const plan = {
      dataCenter: cell.dataCenter.id,
      card: cell.card,
      author: 'x',
      rangeSize: 10,
      lanes: 1,
      rails: { quarantinedShare: 1 },
      save: 'nothing',
    } as const;
    await expect(makePlan(contextOf(open()), plan)).rejects.toMatchObject({
      ...REFUSED,
      next: expect.stringContaining('Use a login that is only'),
    });
  });

  test('reads what nobody weaker can change', async () => {
    await cell.sql(`create or replace view public.orgs as select * from public.org_rows`);
    await readAs('reader');
    await cell.sql('alter view public.orgs owner to strong_member; grant select on public.org_rows to strong_member');
    await readAs('reader', 'strong_member');
    // which is weaker than a superuser
    await expect(readAs('reader')).rejects.toMatchObject({ code: 'login_too_strong' });
  });

  test('reads a table, whoever it belongs to', async () => {
    await cell.sql(`create or replace view public.orgs as select * from public.org_rows`);
    await cell.sql('alter table public.org_rows owner to weak_author');
    await expect(readAs('reader')).resolves.toBeDefined();
    await cell.sql('alter table public.org_rows owner to current_user; grant select on public.org_rows to weak_author');
  });

  test('still runs init', async () => {
    await cell.sql('alter view public.orgs owner to weak_author');
    await cell.sql('grant select on public.org_rows to weak_author');
    await expect(cell.init()).resolves.toBeUndefined();
  });
});
