// A relation with every name that PostgreSQL allows, and odd columns beside ours, through every command that reads the
// source.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { cellOwnerName } from '../../../src/stores/cell/cell-database.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { setPolicy } from '../../support/policy.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-names-'));
  fleet = await createFleet({ orgs: 10, queue: 'postgres' });
});
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

const quote = pg.escapeIdentifier;

async function run(source: string, ...args: readonly string[]): Promise<RanCommand> {
  const { url, dataCenter } = fleet.cell(0);
  const config = join(folder, 'rollout.config.yaml');
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dataCenter.id}, zone: ${dataCenter.zone}, database: "${url}", source: ${JSON.stringify(source)} }\n`,
  );
  return runCommand(...args, '--config', config);
}

const NAMES = [
  ...['what? :org_id ::text', `it's "quoted".name; -- /* $1 $$ %s`, '漢'.repeat(21), 'x'.repeat(63)],
  ...['new\nline\ttab \u202e', ' 😀 \\ {brace} '],
];

/** The product's relation under this name, with a column of its own that needs quotes, and the orgs in it. */
async function createSource(name: string): Promise<string> {
  const { sql, dataCenter } = fleet.cell(0);
  const table = `${quote(name)}.${quote(name)}`;
  await sql(`create schema ${quote(name)}`);
  await sql(`create table ${table} (like public.orgs including all, ${quote(`${name.slice(0, 12)}?:"x`)} text)`);
  await sql(`insert into ${table} select * from public.orgs`);
  const owner = quote(cellOwnerName(dataCenter.id));
  await sql(`grant usage on schema ${quote(name)} to ${owner}; grant select on ${table} to ${owner}`);
  await setPolicy(fleet, { [`dataCenters.${dataCenter.id}.source`]: table });
  return table;
}

describe('a source', () => {
  test.each(NAMES)('called %j works with every command', async (name) => {
    const { sql, dataCenter } = fleet.cell(0);
    const dc = ['--dc', dataCenter.id];
    const table = await createSource(name);
    for (const args of [
      ['init', '--change-feed'],
      ['plan', ...dc],
      ['apply', ...dc],
      ['verify', ...dc],
      ['why', '3', ...dc],
    ]) {
      const { code, err } = await run(table, ...args);
      // nothing is rolled out yet
      expect([args[0], code, err]).toEqual([args[0], args[0] === 'verify' ? 8 : 0, '']);
    }
    expect(await sql('select count(*)::int as n from credit_rollout.source_orgs')).toEqual([{ n: 10 }]);
    const { out } = await run(table, 'doctor', '--json');
    const wrong: readonly { readonly level: string; readonly check: string; readonly found: string }[] =
      JSON.parse(out).findings;
    expect(
      wrong.filter(({ level, check }) => level === 'error' && !/queue|zone|login|synchronous_commit/u.test(check)),
    ).toEqual([]);
    expect((await run(table, 'detach', ...dc)).code).toBe(0);
    await sql(`drop schema ${quote(name)} cascade`);
  });

  test('under such a name is rolled out, followed and reconciled', async () => {
    const { sql, dataCenter } = fleet.cell(0);
    const dc = ['--dc', dataCenter.id];
    const table = await createSource(`a?:b "c".d'e`);
    expect((await run(table, 'init', '--change-feed')).code).toBe(0);
    expect((await run(table, 'apply', ...dc, '--execute')).code).toBe(0);
    expect(await fleet.drive()).toEqual(['done']);
    await sql(`update ${table} set agents = agents + 1000, updated_at = now() where org_id = 2`);
    await fleet.tickUntil(
      'single writes',
      async () => (await feedChanges(fleet.engine, dataCenter.id, { pace: 'at_once' })).raised === 1,
    );
    expect((await run(table, 'verify', ...dc)).out).toContain('changed in the source since then: 0');
    for (const verb of ['reconcile', 'quarantine'])
      expect(await run(table, verb, ...dc)).toMatchObject({ code: 0, err: '' });
    expect((await run(table, 'why', '2', ...dc)).out).toContain('1 earlier row');
  });
});
