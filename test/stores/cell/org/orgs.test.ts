// Reads of one org on a real cell: exact numbers, ids of every type, instants that a Date cannot hold.
import { afterEach, describe, expect, test } from 'vitest';
import type { CellTransaction } from '../../../../src/stores/cell/cell-database.js';
import { findOrg, parseOrgId, startSnapshot } from '../../../../src/stores/cell/org/orgs.js';
import { loadStoredCard } from '../../../../src/stores/cell/org/rates.js';
import { findSourceOrg, readCreatedAt } from '../../../../src/stores/cell/org/source-org.js';
import {
  applyAll,
  createTestCell,
  type IdType,
  makeId,
  type TestCell,
  type TestCellOptions,
} from '../../../support/cell.js';

const made: TestCell[] = [];
const makeCell = async (options?: TestCellOptions): Promise<TestCell> => {
  const cell = await createTestCell(options);
  made.push(cell);
  return cell;
};
const read = <T>({ cell }: TestCell, fn: (tx: CellTransaction) => Promise<T>): Promise<T> =>
  cell.inTransaction('reader', fn);

afterEach(async () => {
  await Promise.all(made.splice(0).map((cell) => cell.drop()));
});

describe('parseOrgId', () => {
  test.each<[IdType, string, string | undefined]>([
    ['bigint', '007', '7'],
    ['bigint', '9223372036854775808', undefined],
    ['bigint', 'seven', undefined],
    ['bigint', '', undefined],
    ['smallint', '40000', undefined],
    ['uuid', '00000000-0000-4000-8000-00000000000A', '00000000-0000-4000-8000-00000000000a'],
    ['uuid', 'org-1', undefined],
    ['text', "o'; drop table x --", "o'; drop table x --"],
    ['varchar', 'nul \u0000', undefined],
  ])('reads a %s from %j as %j', async (idType, text, expected) => {
    const cell = await makeCell({ idType });
    expect(await read(cell, (tx) => parseOrgId(tx, text))).toBe(expected);
  });

  test('leaves the transaction usable when the text does not fit', async () => {
    const cell = await makeCell({ orgs: [{}] });
    const found = await read(cell, async (tx) => {
      await parseOrgId(tx, 'seven');
      return findSourceOrg(tx, '1');
    });
    expect(found.kind).toBe('present');
  });
});

describe('findSourceOrg', () => {
  test('reads every input exactly, beyond 2^53 too', async () => {
    const cell = await makeCell({
      orgs: [{ legacy_limit: 9_007_199_254_740_993n, additional_credits: 2n ** 63n - 1n }],
    });
    const found = await read(cell, (tx) => findSourceOrg(tx, '1'));
    expect(found).toMatchObject({
      kind: 'present',
      org: {
        edition: 'standard',
        agents: 300n,
        negotiatedLimit: 9_007_199_254_740_993n,
        additionalCredits: 9_223_372_036_854_775_807n,
        createdAt: new Date('2024-03-01T12:00:00Z'),
        createdAtText: '2024-03-01T12:00:00.000000Z',
        duplicated: false,
      },
      // the sum leaves bigint: undecidable, never an error
      capacity: { model: 'legacy', capacity: null },
    });
  });

  test.each([
    ['infinity', 8.64e15, 'infinity'],
    ['-infinity', -8.64e15, '-infinity'],
    ['294276-01-01 00:00+00', 8.64e15, '294276-01-01T00:00:00.000000Z'],
  ])('reads created_at %s as the nearest Date', async (created_at, ms, text) => {
    const cell = await makeCell({ orgs: [{ created_at }] });
    const found = await read(cell, (tx) => findSourceOrg(tx, '1'));
    expect(found).toMatchObject({ org: { createdAt: new Date(ms), createdAtText: text } });
  });

  test('marks an id that occurs twice', async () => {
    const cell = await makeCell({ key: 'index', orgs: [{ org_id: 5 }, { org_id: 5 }, { org_id: 6 }] });
    const found = await read(cell, (tx) => Promise.all([findSourceOrg(tx, '5'), findSourceOrg(tx, '6')]));
    expect(found).toMatchObject([{ org: { duplicated: true } }, { org: { duplicated: false } }]);
  });

  test('reports a row as unreadable when its columns raise an error', async () => {
    const cell = await makeCell({ view: true, orgs: [{ agents: 0 }] });
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid, (10 / agents)::bigint as agents,
      light_agents, additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    expect(await read(cell, (tx) => findSourceOrg(tx, '1'))).toEqual({ kind: 'unreadable' });
  });

  test('reports an org as gone when it is not in the source', async () => {
    const cell = await makeCell({ orgs: [{}] });
    expect(await read(cell, (tx) => findSourceOrg(tx, '2'))).toEqual({ kind: 'gone' });
  });
});

describe('readCreatedAt', () => {
  test('reads when orgs were made, without those that left the source or cannot be read', async () => {
    const cell = await makeCell({ view: true, orgs: [{}, { agents: 0 }, { org_id: 5, created_at: '2025-01-02' }] });
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid, agents, light_agents,
      additional_credits, legacy_limit, created_at + make_interval(secs => 0 / agents) as created_at, updated_at,
      peak_credits from public.org_rows`);
    expect(await read(cell, (tx) => readCreatedAt(tx, ['1', '2', '4', '5']))).toEqual(
      new Map([
        ['1', new Date('2024-03-01T12:00:00Z')],
        ['5', new Date('2025-01-02T00:00:00Z')],
      ]),
    );
  });
});

describe('findOrg', () => {
  test.each<IdType>(['bigint', 'uuid', 'text'])('names the batch that wrote the allotment of a %s', async (idType) => {
    const cell = await makeCell({ idType, orgs: Array.from({ length: 25 }, () => ({})) });
    const { runId, epoch } = await applyAll(cell, { batchSize: 10 });
    const record = await read(cell, (tx) => findOrg(tx, makeId(15, idType)));
    expect(record.stored).toMatchObject({ runId, version: 1, origin: 'migrated', rateCard: cell.card.hash });
    expect(record.batch).toMatchObject({ runId, epoch, batchNo: 2 });
    expect(record.batch?.doneAt).toBeInstanceOf(Date);
    // the first of its branch is in the canary
    const first = await read(cell, (tx) => findOrg(tx, makeId(1, idType)));
    expect(first.batch).toMatchObject({ runId, epoch, batchNo: 0 });
  });

  test('returns exact before-images, newest first and twenty at most', async () => {
    const cell = await makeCell({ orgs: [{ legacy_limit: 9_007_199_254_740_993n }] });
    await applyAll(cell);
    for (let change = 0; change < 22; change += 1)
      await cell.sql('update credit_rollout.allotments set light_agents = light_agents + 1');
    const { history, stored } = await read(cell, (tx) => findOrg(tx, '1'));
    expect(stored?.version).toBe(23);
    expect(history.map((change) => change.version)).toEqual(Array.from({ length: 20 }, (_, index) => 22 - index));
    expect(history[0]).toMatchObject({ cause: 'manual edit', operation: 'update', runId: null });
    expect(history[0]?.before).toMatchObject({
      floor: 9_007_199_254_740_993n,
      totalCredits: 9_007_199_254_740_993n,
      lightAgents: 21n,
      unpaidSince: null,
    });
  });

  test('has only the quarantine row of an org without an allotment', async () => {
    const cell = await makeCell({ orgs: [{ edition: 'gold' }] });
    const { runId } = await applyAll(cell);
    const record = await read(cell, (tx) => findOrg(tx, '1'));
    expect(record).toMatchObject({ stored: null, signUp: null, batch: null, history: [] });
    expect(record.quarantine).toMatchObject({ runId, reason: 'unknown_edition' });
  });

  test('reads a date as text and a recorded sign-up', async () => {
    const cell = await makeCell({ orgs: [{ paid: false }] });
    await applyAll(cell);
    await cell.sql(`insert into credit_rollout.sign_ups values (1, 'legacy', '2025-10-07 00:00+00')`);
    const { stored, signUp } = await read(cell, (tx) => findOrg(tx, '1'));
    expect(stored?.allotment.unpaidSince).toBe(stored?.computedOn);
    expect(signUp).toEqual({ model: 'legacy', decidedAt: new Date('2025-10-07T00:00:00Z') });
  });
});

describe('loadStoredCard', () => {
  test('returns what init stored, exactly', async () => {
    const cell = await makeCell();
    const stored = await read(cell, (tx) => loadStoredCard(tx, cell.card.hash));
    expect(stored).toMatchObject({ hash: cell.card.hash, name: cell.card.name, unpaid: 'free' });
    const enterprise = cell.card.editions.get('enterprise');
    expect(stored?.rates.find((rate) => rate.edition === 'enterprise')).toMatchObject({
      base: enterprise?.base,
      legacyMax: 5_000_000n,
      rank: enterprise?.rank,
    });
  });

  test('finds no card under another hash', async () => {
    const cell = await makeCell();
    expect(await read(cell, (tx) => loadStoredCard(tx, 'ffffffffffffffff'))).toBeUndefined();
  });
});

describe('startSnapshot', () => {
  test('rejects writes and reads one snapshot to the end', async () => {
    const cell = await makeCell({ orgs: [{}] });
    const seen = await read(cell, async (tx) => {
      await startSnapshot(tx);
      const before = await findSourceOrg(tx, '1');
      await cell.sql('update public.orgs set agents = 1');
      return [before, await findSourceOrg(tx, '1')];
    });
    expect(seen[1]).toEqual(seen[0]);
    const write = read(cell, async (tx) => {
      await startSnapshot(tx);
      await tx.raw('create temporary table x (y int)');
      await tx.raw('create table public.y (z int)');
    });
    await expect(write).rejects.toMatchObject({ code: '25006' });
  });
});
