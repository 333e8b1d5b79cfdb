// Databases whose encoding does not have every character: what a person writes is stored with the missing ones replaced
// by their names, and is never an error; an id that they cannot hold is one that they do not have.
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { freezeCell, readFreeze } from '../../src/stores/cell/batch/freezes.js';
import { letOwnerReadSql, listRoleNames } from '../../src/stores/cell/setup/roles.js';
import { findRow, runVerbatim, selectRow } from '../../src/stores/query.js';
import { sampleCard } from '../domain/rate-card/sample-card.js';
import { openTestCell } from '../support/open-context.js';
import { adminUrl, runAsAdmin } from '../support/postgres.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function createDatabase(encoding: string): Promise<string> {
  const database = `encoded_${randomBytes(4).toString('hex')}`;
  await runAsAdmin(adminUrl(), `create database ${database} encoding '${encoding}' locale 'C' template template0`);
  closers.push(() => runAsAdmin(adminUrl(), `drop database ${database} with (force)`));
  return adminUrl().replace(/\/postgres(?=$|\?)/u, `/${database}`);
}

function open(url: string): ReturnType<typeof openPostgres> {
  const db = openPostgres({ url, applicationName: 'storable-text-test', max: 1 });
  closers.push(() => db.destroy());
  return db;
}

describe('a text', () => {
  test.each([
    ['UTF8', 'café 会社 €ß 😀', 'café 会社 €ß 😀'],
    ['SQL_ASCII', 'café 会社', 'café 会社'],
    ['LATIN1', 'café 会社 €ß 😀', 'café <U+4F1A><U+793E> <U+20AC>ß <U+1F600>'],
    ['WIN1252', 'café 会社 €ß', 'café <U+4F1A><U+793E> €ß'],
    ['EUC_JP', '会社 ò €', '会社 ò <U+20AC>'],
    ['KOI8R', 'Почему? é', 'Почему? <U+00E9>'],
  ])('in %s keeps what can be stored, in every place of a statement', async (encoding, text, stored) => {
    const db = open(await createDatabase(encoding));
    const values = { one: text, list: ['a', text, null], document: JSON.stringify({ reason: text }) };
    const sql = `select :one::text as one, :list::text[] as list, :document::jsonb ->> 'reason' as document`;
    for (const times of [1, 2])
      expect([times, await db.transaction((tx) => selectRow(tx, sql, values))]).toEqual([
        times,
        { one: stored, list: ['a', stored, null], document: stored },
      ]);
  });
});

test('a cell in LATIN1 keeps a reason and a name, and has no org with an id that it cannot hold', async () => {
  const url = await createDatabase('LATIN1');
  const id = `t${randomBytes(5).toString('hex')}`;
  const cell = openTestCell(url, id);
  closers.push(() => cell.close());
  await cell.asOwner(async (tx) => {
    await runVerbatim(
      tx,
      `create table public.orgs (org_id text primary key, edition text, paid boolean, agents bigint,
         light_agents bigint, created_at timestamptz);
       insert into public.orgs values ('??', 'standard', true, 3, 0, now())`,
    );
    await runVerbatim(tx, letOwnerReadSql(id, 'public.orgs'));
  });
  const dataCenter = { id, zone: 'UTC', database: { text: url }, source: 'public.orgs' };
  await initCell(cell, { dataCenter, card: sampleCard, lapseGraceDays: 30 });
  closers.push(() =>
    runAsAdmin(
      url,
      `drop schema credit_rollout cascade; ${listRoleNames(id)
        .map((role) => `drop owned by "${role}"; drop role "${role}"`)
        .join(';')}`,
    ),
  );
  await cell.inTransaction('state', (tx) => freezeCell(tx, { by: 'josé 田中', reason: '障害 in cell é' }));
  expect(await cell.inTransaction('state', readFreeze)).toMatchObject({
    by: 'josé <U+7530><U+4E2D>',
    reason: '<U+969C><U+5BB3> in cell é',
  });
  const org = (orgId: string): Promise<object | undefined> =>
    cell.inTransaction('reader', (tx) =>
      findRow(tx, 'select org_id from credit_rollout.source_orgs where org_id = :id::credit_rollout.org_id', {
        id: orgId,
      }),
    );
  expect([await org('会社'), await org('??')]).toEqual([undefined, { orgId: '??' }]);
});
