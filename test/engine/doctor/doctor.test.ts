// `doctor` on real databases: every fault that a user can have is made on purpose, and its finding says the fix.
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import { parseLocalInstant } from '../../../src/domain/time/parse-instant.js';
import type { CellDirectory } from '../../../src/engine/context.js';
import { checkInstant } from '../../../src/engine/doctor/check-calendar.js';
import { checkPrimary, checkVersion } from '../../../src/engine/doctor/check-server.js';
import { type DoctorRequest, runDoctorChecks } from '../../../src/engine/doctor/doctor.js';
import { createFindingRecorder, type Finding } from '../../../src/engine/doctor/finding.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { type Clock, systemClock } from '../../../src/kernel/clock.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { openPostgres } from '../../../src/platform/postgres.js';
import type { CellDatabase } from '../../../src/stores/cell/cell-database.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { type ControlDatabase, createControlDatabase } from '../../../src/stores/control/control-database.js';
import { changeCard } from '../../domain/rate-card/sample-card.js';
import { createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { openCell } from '../../support/open-context.js';
import { adminUrl, createTestDatabase } from '../../support/postgres.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const makeCell = async (options?: TestCellOptions): Promise<TestCell> => {
  const cell = await createTestCell({ ...options, init: 'left' });
  closers.push(cell.drop);
  // the shared server runs without durability, a user's does not; it holds for the connections that init opens
  await cell.sql(`alter database ${cell.database} set synchronous_commit = on`);
  if (options?.init !== 'left') await cell.init();
  return cell;
};

const makeControl = async (config?: RolloutConfig): Promise<{ control: ControlDatabase; url: string }> => {
  const database = await createTestDatabase('control');
  const control = createControlDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 2 }));
  closers.push(database.drop, control.close);
  await control.inTransaction((tx) => tx.raw(`alter database ${database.name} set synchronous_commit = on`));
  await control.close();
  const reopened = createControlDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 2 }));
  closers.push(reopened.close);
  if (config) await initControl({ control: reopened }, config);
  return { control: reopened, url: database.url };
};

const makeConfig = (cells: readonly TestCell[], more = ''): RolloutConfig =>
  parseRolloutConfig(
    `controlDatabase: x\nrateCard: y\n${more}dataCenters:\n${cells
      .map(
        ({ dataCenter: { id, zone } }) =>
          `  - { id: ${id}, zone: ${zone}, database: "z-${id}", source: public.orgs }\n`,
      )
      .join('')}`,
    { lookup: () => undefined },
  );

const directory = (...cells: readonly CellDatabase[]): CellDirectory => ({
  get: (id) => {
    const cell = cells.find(({ dataCenter }) => dataCenter === id);
    if (cell) return cell;
    throw new RolloutError('missing_environment_variable', { message: 'EU_DATABASE_URL is not set.' });
  },
});

interface Examination extends Partial<DoctorRequest> {
  readonly control?: ControlDatabase;
  readonly cells?: CellDirectory;
  readonly clock?: Clock;
}

/** Doctor over these cells; control is one that nobody can reach unless the test gives one. */
const checkCells = (cells: readonly TestCell[], given: Examination = {}): Promise<readonly Finding[]> => {
  const { control = noControl, cells: open = directory(...cells.map(({ cell }) => cell)), clock = systemClock } = given;
  const request = {
    config: makeConfig(cells),
    card: cells[0]?.card ?? (() => Promise.reject(new Error('no card'))),
    dataCenters: cells.map(({ dataCenter }) => dataCenter),
    queueCheck: async () => undefined,
    ...given,
  };
  return runDoctorChecks({ control, cells: open, clock }, request);
};

const unreachableControl = (): ControlDatabase => {
  const db = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test', max: 1 });
  closers.push(() => db.destroy());
  return createControlDatabase(db);
};

/** For tests that look at cells only. */
const noControl: ControlDatabase = {
  inTransaction: () => Promise.reject(new RolloutError('database_unreachable', { message: 'Not looked at.' })),
  close: async () => undefined,
};

const of = (findings: readonly Finding[], subject: string): readonly Finding[] =>
  findings.filter((finding) => finding.subject === subject);
/** The findings on one cell that are not ok. */
const troubles = async (cell: TestCell, given?: Examination): Promise<readonly Finding[]> =>
  of(await checkCells([cell], given), cell.dataCenter.id).filter(({ level }) => level !== 'ok');

/** A login that is no superuser, and the cell opened as it. */
const openAsLogin = async ({ url, dataCenter, sql }: TestCell): Promise<{ login: string; cell: CellDatabase }> => {
  const login = `login_${randomBytes(4).toString('hex')}`;
  await sql(`create role ${login} login password 'secret'`);
  const parsed = new URL(url);
  parsed.username = login;
  parsed.password = 'secret';
  const cell = openCell(parsed.href, dataCenter.id);
  closers.push(async () => {
    await cell.close();
    await sql(`drop owned by ${login}; drop role ${login}`);
  });
  return { login, cell };
};

describe('runDoctorChecks', () => {
  test('finds nothing to mend in a healthy cell with its control', async () => {
    const cell = await makeCell({ orgs: [{}, { edition: 'free', paid: false }] });
    const config = makeConfig([cell], 'rollout: { notBefore: 2025-10-06 }\nsignups: { cutover: 2025-10-30T08:00 }\n');
    const { control } = await makeControl(config);
    const findings = await checkCells([cell], { control, config });
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(of(findings, 'control').map(({ check }) => check)).toEqual([
      'connection',
      'version',
      'primary',
      'synchronous_commit',
      'schema',
    ]);
    expect(of(findings, cell.dataCenter.id).map(({ check }) => check)).toEqual([
      'connection',
      'version',
      'primary',
      'right cell',
      'synchronous_commit',
      'clock',
      'zone',
      'instants',
      'instants',
      'source',
      'columns',
      'readable',
      'unique ids',
      'key ranges',
      'schema',
      'roles',
      'grants',
      'attached',
      'row-level security',
      'null ids',
      'editions',
      'inputs',
      'change feed',
    ]);
  });

  test('lets no failure hide another: control, queue, card and one cell down', async () => {
    const [good, bad] = [await makeCell(), await makeCell()];
    const down = openCell('postgres://nobody@127.0.0.1:1/none', bad.dataCenter.id);
    closers.push(() => down.close());
    const findings = await checkCells([bad, good], {
      control: unreachableControl(),
      cells: directory(down, good.cell),
      card: () =>
        Promise.reject(new RolloutError('rate_card_not_found', { message: 'The rate card x cannot be read.' })),
      queueCheck: () => Promise.reject(new RolloutError('queue_pooled', { message: 'It is pooled.' })),
    });
    const broken = findings.filter(({ level }) => level === 'error');
    expect(broken.map(({ subject, code }) => [subject, code])).toEqual([
      ['control', 'database_unreachable'],
      ['queue', 'queue_pooled'],
      ['rate card', 'rate_card_not_found'],
      [bad.dataCenter.id, 'database_unreachable'],
    ]);
    expect(broken.every(({ fix }) => fix !== null)).toBe(true);
    expect(of(findings, good.dataCenter.id).map(({ check }) => check)).toContain('null ids');
  });

  test('turns whatever is thrown into a finding that shows no secret', async () => {
    const cell = await makeCell();
    const findings = await checkCells([cell], {
      cells: directory(),
      queueCheck: () => Promise.reject(new TypeError('redis://user:secret@host is bad')),
      card: () => Promise.reject('a string'),
    });
    expect(of(findings, 'queue')).toMatchObject([
      { level: 'error', found: 'The queue: the check failed (TypeError).' },
    ]);
    expect(of(findings, 'rate card')).toMatchObject([
      { level: 'error', found: expect.stringContaining('no error object') },
    ]);
    expect(of(findings, cell.dataCenter.id)).toMatchObject([{ code: 'missing_environment_variable' }]);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });
});

describe('checkControl', () => {
  test('asks for init where the schema is missing, and where a data center is not known', async () => {
    const [cell, other] = [await makeCell(), await makeCell()];
    const { control } = await makeControl();
    const schema = async (): Promise<readonly Finding[]> =>
      of(await checkCells([cell, other], { control }), 'control').filter(({ check }) => check === 'schema');
    expect(await schema()).toMatchObject([
      { level: 'error', code: 'not_initialised', fix: 'Run: credit-rollout init' },
    ]);
    await initControl({ control }, makeConfig([cell]));
    expect(await schema()).toMatchObject([
      { code: 'not_initialised', found: `it does not know ${other.dataCenter.id} yet` },
    ]);
  });

  test('warns of an instant that the configuration moved after it was pinned', async () => {
    const cell = await makeCell();
    const { id } = cell.dataCenter;
    const config = makeConfig([cell], 'rollout: { notBefore: 2025-10-07 }\n');
    const { control } = await makeControl(config);
    const pin = `update credit_rollout_control.data_centers set not_before_at = '2025-10-06T00:00Z', not_before_local = '2025-10-06T00:00:00 UTC',
      cutover_at = '2025-10-30T00:00Z', cutover_local = '2025-10-30T00:00:00 UTC'`;
    await control.inTransaction((tx) => tx.raw(pin));
    const warnings = async (): Promise<readonly Finding[]> =>
      of(await checkCells([cell], { control, config }), id).filter(({ level }) => level !== 'ok');
    expect(await warnings()).toEqual([]);
    await control.inTransaction((tx) => tx.raw('update credit_rollout_control.rollout set pinned_at = now()'));
    expect(await warnings()).toMatchObject([
      {
        level: 'warning',
        code: 'instants_pinned',
        found:
          'rollout.notBefore was pinned as 2025-10-06T00:00:00 UTC, the configuration has 2025-10-07T00:00:00 UTC; the pinned one applies',
      },
      {
        code: 'instants_pinned',
        found: expect.stringContaining(
          'signups.cutover was pinned as 2025-10-30T00:00:00 UTC, the configuration has none',
        ),
      },
    ]);
  });
});

describe('checkMixedRollout', () => {
  test('row 45: warns of moves while some data centers are on credits and others are not', async () => {
    const cells = [await makeCell(), await makeCell()];
    const [first, second] = cells.map(({ dataCenter }) => dataCenter.id);
    const { control } = await makeControl(makeConfig(cells));
    const moves = async (): Promise<readonly Finding[]> =>
      of(await checkCells(cells, { control }), 'control').filter(({ check }) => check === 'moves');
    expect(await moves()).toEqual([]);
    const finish = (id: string | undefined) =>
      control.inTransaction((tx) =>
        tx.raw('update credit_rollout_control.data_centers set done_at = now() where id = ?', [id ?? '']),
      );
    await finish(first);
    expect(await moves()).toMatchObject([
      { level: 'warning', found: expect.stringContaining(`mixed: ${first} on credits, ${second} not yet`) },
    ]);
    await finish(second);
    expect(await moves()).toEqual([]);
  });
});

describe('checkCard', () => {
  test('names every golden case that does not come out', async () => {
    const card = changeCard((spec) => (spec.edition === 'professional' ? { ...spec, base: 75_001n } : spec));
    const failed = of(await checkCells([await makeCell()], { card }), 'rate card');
    expect(failed.length).toBeGreaterThan(1);
    expect(failed[0]).toMatchObject({
      level: 'error',
      code: 'rate_card_case_failed',
      found: expect.stringContaining('G1'),
    });
  });
});

describe('checkCell', () => {
  test('rejects the cell of another data center', async () => {
    const [cell, other] = [await makeCell(), await makeCell()];
    const swapped = openCell(other.url, cell.dataCenter.id);
    closers.push(() => swapped.close());
    const found = await troubles(cell, { cells: directory(swapped) });
    expect(found).toMatchObject([{ check: 'right cell', code: 'wrong_cell', level: 'error' }]);
  });

  test('names a database that does not exist', async () => {
    const cell = await makeCell();
    const url = new URL(cell.url);
    url.pathname = '/no_such_database';
    const nowhere = openCell(url.href, cell.dataCenter.id);
    closers.push(() => nowhere.close());
    const found = await troubles(cell, { cells: directory(nowhere) });
    expect(found).toMatchObject([{ code: 'database_unreachable', found: expect.stringContaining('does not exist') }]);
  });

  test('asks for init before it, and checks at the source all the same', async () => {
    const cell = await makeCell({ init: 'left', key: 'index' });
    expect(await troubles(cell)).toMatchObject([
      { check: 'unique ids', level: 'warning' },
      { check: 'schema', level: 'error', code: 'not_initialised' },
    ]);
  });

  test('finds a source that is not there, and one in a system schema', async () => {
    const cell = await makeCell();
    const at = (source: string) => troubles(cell, { dataCenters: [{ ...cell.dataCenter, source }] });
    expect(await at('public.Orgs')).toMatchObject([{ check: 'source', code: 'source_not_found' }]);
    expect(await at('pg_catalog.pg_class')).toMatchObject([{ check: 'source', code: 'invalid_source_name' }]);
  });

  test('lists every column at fault with what was found', async () => {
    const cell = await makeCell({ init: 'left' });
    await cell.sql(
      'alter table public.orgs drop column paid, alter column agents type numeric, drop column light_agents',
    );
    expect(await troubles(cell)).toMatchObject([
      { code: 'source_column_missing', found: expect.stringContaining('has no column paid (boolean)') },
      {
        code: 'source_column_type',
        found: 'public.orgs has agents as numeric; it must be smallint, integer or bigint',
      },
      { code: 'source_column_missing', found: expect.stringContaining('light_agents') },
      { check: 'schema' },
    ]);
  });

  test('says that the source changed since init', async () => {
    const cell = await makeCell();
    await cell.sql('alter table public.orgs add column region text');
    expect(await troubles(cell)).toEqual([]); // a column that we do not read
    await cell.sql(
      'alter table public.orgs drop constraint orgs_pkey; create unique index on public.orgs (org_id, region); create index on public.orgs (org_id)',
    );
    expect(await troubles(cell)).toMatchObject([
      { check: 'unique ids', level: 'warning' },
      { check: 'attached', code: 'source_changed', fix: 'Run: credit-rollout init' },
    ]);
  });

  test('says of a view that ids are checked at a cost, of a table which index to make', async () => {
    const [view, bare] = [await makeCell({ view: true }), await makeCell({ key: 'none' })];
    expect(await troubles(view)).toMatchObject([
      { check: 'unique ids', level: 'warning', found: expect.stringContaining('(view)') },
    ]);
    expect(await troubles(bare)).toMatchObject([
      { check: 'unique ids', fix: expect.stringContaining('CREATE UNIQUE INDEX CONCURRENTLY ON public.orgs (org_id)') },
      {
        check: 'key ranges',
        level: 'warning',
        fix: expect.stringContaining('CREATE INDEX CONCURRENTLY ON public.orgs'),
      },
    ]);
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
    const found = (await troubles(cell)).slice(2);
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
    const [, inputs] = await troubles(cell);
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
    expect((await troubles(cell)).filter(({ check }) => check === 'inputs')).toMatchObject([
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

  test('shows the GRANTs to a login that may not read the source nor act as our roles', async () => {
    const cell = await makeCell();
    const { login, cell: opened } = await openAsLogin(cell);
    await cell.sql(
      `grant usage on schema credit_rollout to ${login}; grant select on all tables in schema credit_rollout to ${login}`,
    );
    const found = await troubles(cell, { cells: directory(opened) });
    expect(found[0]).toMatchObject({
      check: 'readable',
      code: 'not_permitted',
      fix: `As its owner run: GRANT USAGE ON SCHEMA public TO ${login}; GRANT SELECT ON public.orgs TO ${login};`,
    });
    const roles = found.filter(({ check }) => check === 'roles');
    expect(roles).toHaveLength(4);
    expect(roles[0]).toMatchObject({
      code: 'roles_missing',
      fix: `As a superuser run: GRANT "${cellRoleName(cell.dataCenter.id, 'worker')}" TO ${login};`,
    });
  });

  test('finds row-level security that would hide rows, before init and after it', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}] });
    const { login, cell: opened } = await openAsLogin(cell);
    await cell.sql(`alter table public.orgs enable row level security; grant select on public.orgs to ${login}`);
    const rls = { check: 'row-level security', code: 'source_row_security', level: 'error' };
    expect(await troubles(cell, { cells: directory(opened) })).toMatchObject([rls, { check: 'schema' }]);
    await cell.init();
    expect(await troubles(cell)).toEqual([]);
    // the views read as their owner: as a login that policies apply to, they cannot
    await cell.sql(
      `alter view credit_rollout.source_orgs owner to ${login}; alter view credit_rollout.source_faults owner to ${login}`,
    );
    const after = await troubles(cell);
    expect(after[0]).toMatchObject(rls);
    await cell.sql(
      `alter view credit_rollout.source_orgs owner to current_user; alter view credit_rollout.source_faults owner to current_user`,
    );
  });

  test('finds privileges that a role of ours must not hold', async () => {
    const cell = await makeCell();
    const [worker, fencer] = (['worker', 'fencer'] as const).map((role) => cellRoleName(cell.dataCenter.id, role));
    await cell.sql(`grant update (paid) on public.orgs to "${worker}"; grant delete on credit_rollout.allotments to "${worker}";
      grant select on public.orgs to public`);
    const found = await troubles(cell);
    expect(found.every(({ check, level }) => check === 'grants' && level === 'error')).toBe(true);
    expect(found.map((one) => one.found)).toEqual([
      `${fencer} holds SELECT on public.orgs and must not`,
      `${worker} holds DELETE on credit_rollout.allotments and must not`,
      `${worker} holds UPDATE on public.orgs and must not`,
    ]);
  });

  test('finds commits that a crash would lose', async () => {
    const cell = await createTestCell();
    closers.push(cell.drop);
    expect(await troubles(cell)).toMatchObject([
      { check: 'synchronous_commit', level: 'error', fix: expect.stringContaining('synchronous_commit = on') },
    ]);
  });

  test.each([
    [5_000, '5.0 s behind ours'],
    [-2_900, '2.9 s ahead of ours'],
  ])('warns when our clock is %d ms off', async (offMs, found) => {
    const clock = { ...systemClock, now: () => new Date(Date.now() + offMs) };
    const [warning] = await troubles(await makeCell(), { clock });
    expect(warning).toMatchObject({ check: 'clock', level: 'warning' });
    expect(warning?.found.replace(/\.\d/u, '.x')).toContain(found.replace(/\.\d/u, '.x'));
  });

  test('accepts a clock that is 1.5 s off', async () => {
    const clock = { ...systemClock, now: () => new Date(Date.now() + 1_500) };
    expect(await troubles(await makeCell(), { clock })).toEqual([]);
  });

  test('asks the bake query before a rollout does, and says what its role lacks', async () => {
    const cell = await makeCell();
    const ask = async (query: string): Promise<readonly Finding[]> => {
      const config = makeConfig([cell], `rollout: { bakeQuery: "${query}" }\n`);
      return (await checkCells([cell], { config })).filter(({ check }) => check === 'bake query');
    };
    const reader = cellRoleName(cell.dataCenter.id, 'reader');
    const query = 'select bool_and(fine) from public.health';
    expect(await ask(query)).toMatchObject([
      { level: 'error', found: expect.stringContaining('42P01'), fix: expect.stringContaining(reader) },
    ]);
    await cell.sql('create table public.health (fine boolean)');
    expect(await ask(query)).toMatchObject([
      { level: 'error', found: expect.stringContaining('42501'), fix: expect.stringContaining(`TO ${reader};`) },
    ]);
    await cell.sql('grant select on public.health to public');
    expect(await ask(query)).toMatchObject([{ level: 'ok', found: expect.stringContaining('does not return true') }]);
    await cell.sql('insert into public.health values (true)');
    expect(await ask(query)).toMatchObject([{ level: 'ok', found: 'it returns true' }]);
    expect(await ask('delete from public.health')).toMatchObject([
      { level: 'error', fix: 'Write a query that only reads.' },
    ]);
    expect(await ask('selekt 1')).toMatchObject([{ level: 'error', fix: expect.stringContaining('Correct') }]);
    expect(await cell.sql('select fine from public.health')).toEqual([{ fine: true }]);
  });

  test('rejects a zone that Postgres does not know, and warns of one that init did not store', async () => {
    const cell = await makeCell();
    const at = (zone: string) => troubles(cell, { dataCenters: [{ ...cell.dataCenter, zone }] });
    expect(await at('Mars/Olympus')).toMatchObject([{ check: 'zone', code: 'invalid_zone' }, { check: 'schema' }]);
    expect(await at('Asia/Kolkata')).toMatchObject([
      { check: 'schema', level: 'warning', found: 'init stored the zone UTC, the configuration has Asia/Kolkata' },
    ]);
  });
});

describe('checkInstant', () => {
  const recorder = createFindingRecorder({ subject: 'eu', title: 'Data center "eu"' }, 'instants');
  const opened = (): CellDatabase => {
    const cell = openCell(adminUrl(), 'eu');
    closers.push(() => cell.close());
    return cell;
  };

  test.each([
    ['2025-10-06', 'Asia/Kolkata'],
    ['2025-10-30T08:30', 'Australia/Lord_Howe'],
    ['2025-09-07', 'America/Santiago'], // midnight does not exist
    ['2025-11-02', 'America/Havana'], // midnight exists twice, and the first one counts
  ])('finds that both sides read %s in %s alike', async (text, zone) => {
    const finding = await checkInstant(
      opened(),
      { key: 'rollout.notBefore', at: parseLocalInstant(text, zone), now: new Date('2025-01-01T00:00:00Z') },
      recorder,
    );
    expect(finding).toMatchObject({ level: 'ok', found: expect.not.stringContaining('passed') });
  });

  test('says that a date that has passed is due now', async () => {
    const at = parseLocalInstant('2025-10-06', 'Asia/Kolkata');
    const finding = await checkInstant(opened(), { key: 'rollout.notBefore', at, now: at.instant }, recorder);
    expect(finding).toMatchObject({ level: 'ok', found: expect.stringContaining('it has passed: due now') });
  });

  test('finds zone data that differ', async () => {
    const at = { ...parseLocalInstant('2025-10-06', 'Europe/Berlin'), instant: new Date('2025-10-05T23:00:00Z') };
    const now = at.instant;
    expect(await checkInstant(opened(), { key: 'rollout.notBefore', at, now }, recorder)).toMatchObject({
      level: 'error',
      code: 'zone_data_differs',
      found:
        'rollout.notBefore 2025-10-06T00:00:00 Europe/Berlin = 2025-10-05T23:00:00.000Z here, but 2025-10-05T22:00:00.000Z in its Postgres',
    });
  });
});

describe('checkVersion', () => {
  const recorder = createFindingRecorder({ subject: 'eu', title: 'Data center "eu"' }, 'version');
  test.each([
    [130_022, 'error'],
    [140_000, 'ok'],
    [180_004, 'ok'],
    [190_000, 'error'],
  ] as const)('calls %d %s', (version, level) => {
    expect(checkVersion({ version }, recorder).level).toBe(level);
  });

  test('rejects a standby', () => {
    const reading = { version: 180_004, standby: true, synchronousCommit: 'on' };
    expect(checkPrimary(reading, recorder)).toMatchObject({ level: 'error', code: 'cell_is_standby' });
  });
});
