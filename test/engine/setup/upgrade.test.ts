// An installation of version 0.1.0, as its own code left it: one data center done, with a reconciliation behind it and
// an override that waits; the other in the middle of its rollout. `init` upgrades it, and everything goes on.
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import type { EngineContext } from '../../../src/engine/context.js';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { initAll } from '../../../src/engine/setup/init-all.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { CELL_ROLES, cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { letOwnerRead } from '../../support/cell.js';
import { expectInvariants, type Sql } from '../../support/invariants.js';
import { openContext } from '../../support/open-context.js';
import { adminUrl, createTestDatabase, runAsAdmin, type TestDatabase } from '../../support/postgres.js';
import { silentLog } from '../../support/silent.js';

const CELLS = ['alpha', 'beta'] as const;
const FIXTURES = new URL('../../fixtures/installation-0.1.0/', import.meta.url);
const MAX_ROUNDS = 500;

const databases: TestDatabase[] = [];
const clients: pg.Client[] = [];
const opened = new Set<() => Promise<unknown>>();
const sqlOf = new Map<string, Sql>();
let engine: EngineContext;
let config: RolloutConfig;

/** A database with what pg_dump wrote on the old version, as plain INSERTs. */
async function restore(name: string): Promise<string> {
  const database = await createTestDatabase(`upgrade_${name}`);
  databases.push(database);
  const client = new pg.Client({ connectionString: database.url });
  clients.push(client);
  await client.connect();
  const dump = gunzipSync(await readFile(new URL(`${name}.sql.gz`, FIXTURES))).toString('utf8');
  await client.query(`set check_function_bodies = false; ${dump}; reset all`);
  sqlOf.set(name, async (text, params) => (await client.query(text, params && [...params])).rows);
  return database.url;
}

const sql = (name: string): Sql => {
  const found = sqlOf.get(name);
  if (found === undefined) throw new Error(`no database ${name}`);
  return found;
};

beforeAll(async () => {
  // the grants in the dumps name them; `override` came later, and init makes it
  for (const cell of CELLS)
    for (const role of CELL_ROLES.filter((one) => one !== 'override'))
      await runAsAdmin(adminUrl(), `create role "${cellRoleName(cell, role)}" nologin`).catch(() => undefined);
  const control = await restore('control');
  const cells = [];
  for (const id of CELLS) {
    cells.push({ id, url: await restore(id) });
    // another server, as after a move that people confirmed
    await sql(id)(`update credit_rollout.cell set database_name = current_database(),
      system_identifier = (select system_identifier::text from pg_control_system())`);
  }
  engine = openContext({ control, cells, queue: undefined }, silentLog, opened);
  const lines = CELLS.map((id) => `  - { id: ${id}, zone: UTC, database: "\${${id}}", source: public.orgs }`);
  config = parseRolloutConfig(
    `controlDatabase: \${C}\nrateCard: x.yaml\nrollout: { batchSize: 100 }\ndataCenters:\n${lines.join('\n')}\n`,
    { lookup: () => undefined },
  );
});
afterAll(async () => {
  await Promise.allSettled([...opened].map((close) => close()));
  await Promise.all(clients.map((client) => client.end()));
  await Promise.all(databases.map((database) => database.drop()));
});

const readStages = async (): Promise<unknown> =>
  (await sql('control')('select stage from credit_rollout_control.data_centers order by position')).map(
    ({ stage }) => stage,
  );

/** Ticks and serves until nothing moves. */
async function drive(): Promise<void> {
  for (let quiet = 0, rounds = 0; quiet < 2; rounds += 1) {
    if (rounds === MAX_ROUNDS) throw new Error('it is still moving');
    const moved = await tick(engine);
    const served = await Promise.all(CELLS.map((id) => serveOpenWork(engine, id)));
    quiet = moved === 0 && served.every((outcome) => outcome === undefined || outcome === 'fenced') ? quiet + 1 : 0;
  }
}

const checkInvariants = (): Promise<void> =>
  expectInvariants({ control: sql('control'), cells: CELLS.map((id) => ({ id, sql: sql(id) })), except: [] });

describe('an installation of 0.1.0', () => {
  test('is what it was: one data center done, one in the middle, an override that waits', async () => {
    expect(await readStages()).toEqual(['done', 'migrating']);
    expect(
      await sql('alpha')(`select count(*)::int as n from credit_rollout.overrides where state = 'proposed'`),
    ).toEqual([{ n: 1 }]);
    expect(await sql('beta')(`select state from credit_rollout.fence`)).toEqual([{ state: 'open' }]);
  });

  test('is upgraded by init, twice without a change', async () => {
    const init = () =>
      initAll(engine, { config, card: sampleCard, dataCenters: config.dataCenters, initQueue: async () => undefined });
    const before = await sql('beta')(
      `select md5(string_agg((to_jsonb(a) - 'checksum')::text, chr(10) order by org_id)) from credit_rollout.allotments a`,
    );
    // from this version on our schema belongs to a role without login, which must be able to read the source
    await expect(init()).rejects.toMatchObject({
      code: 'not_permitted',
      // of both, at once
      next: expect.stringMatching(/GRANT SELECT[^\n]*alpha_owner[\s\S]*GRANT SELECT[^\n]*beta_owner/u),
    });
    expect(await readStages()).toEqual(['done', 'migrating']);
    for (const id of CELLS) await letOwnerRead(sql(id), id);
    const report = await init();
    for (const cell of report.cells) expect(cell.migrations.length).toBeGreaterThan(0);
    const again = await init();
    expect([...again.controlMigrations, ...again.cells.flatMap(({ migrations }) => migrations)]).toEqual([]);
    expect(
      await sql('beta')(
        `select md5(string_agg((to_jsonb(a) - 'checksum')::text, chr(10) order by org_id)) from credit_rollout.allotments a`,
      ),
    ).toEqual(before);
    expect(await readStages()).toEqual(['done', 'migrating']);
  });

  test('has the policy of the configuration that init was run with, and init refuses another one', async () => {
    const policy = await sql('control')(
      `select name, value, change_id from credit_rollout_control.policy
       where name in ('rollout.approval', 'dataCenters.order', 'dataCenters.beta.source') order by name`,
    );
    expect(policy).toEqual([
      { name: 'dataCenters.beta.source', value: 'public.orgs', change_id: null },
      { name: 'dataCenters.order', value: ['alpha', 'beta'], change_id: null },
      { name: 'rollout.approval', value: 'auto', change_id: null },
    ]);
    const other = { ...config, rollout: { ...config.rollout, approval: 'required' as const } };
    const wrote = { ...other, written: [...config.written, 'rollout.approval'] };
    await expect(initControl(engine, wrote)).rejects.toMatchObject({ code: 'policy_differs' });
    expect((await initControl(engine, other)).config.rollout.approval).toBe('auto');
  });

  test('leaves no right behind that a role had and no longer needs', async () => {
    expect(
      await sql('beta')(`select p.proname from pg_proc p where p.pronamespace = 'credit_rollout'::regnamespace
        and has_function_privilege('${cellRoleName('beta', 'worker')}', p.oid, 'execute') and p.proname ~ '^cut|override'`),
    ).toEqual([]);
    const held = await sql('beta')(
      `select has_table_privilege('${cellRoleName('beta', 'worker')}', 'credit_rollout.overrides', 'insert')
         or has_table_privilege('${cellRoleName('beta', 'worker')}', 'credit_rollout.protected_orgs', 'delete') as held`,
    );
    expect(held).toEqual([{ held: false }]);
  });

  test('finishes the rollout that was under way', async () => {
    await drive();
    expect(await readStages()).toEqual(['done', 'done']);
    await checkInvariants();
  });

  test('applies the override that waited, when a second person approves it', async () => {
    const [row] = await sql('alpha')('select override_id, floor from credit_rollout.overrides');
    const id = { kind: 'override', dataCenter: 'alpha', proposalId: BigInt(String(row?.override_id)) } as const;
    await approveOverride({ ...engine, actor: 'somebody else' }, id, 'seen');
    expect(
      await sql(
        'alpha',
      )(`select a.floor = o.floor as fits from credit_rollout.allotments a join credit_rollout.overrides o
        using (org_id)`),
    ).toEqual([{ fits: true }]);
    await checkInvariants();
  });

  test('reconciles what changed since', async () => {
    await sql('beta')('update public.orgs set agents = 2000 where org_id = 14');
    await requestReconcile(engine, { dataCenter: 'beta', reason: 'after the upgrade' });
    await drive();
    expect(await sql('beta')(`select outcome from credit_rollout.drift where org_id = 14`)).toEqual([
      { outcome: 'healed' },
    ]);
    await checkInvariants();
  });
});
