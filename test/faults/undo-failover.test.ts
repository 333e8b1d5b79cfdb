// A cell that fails over around an undo, on real servers: the standby that is promoted lacks the end of what was done.
// What is under way goes on; what had ended is found to be lost, and is asked for again. Nothing is undone twice.
import { chmod, rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../src/engine/batch/apply-batches.js';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { approveUndo, requestUndo } from '../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { type SoakServer, startSoakServer } from '../soak/soak-server.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../support/person.js';
import { makeServerFolder } from '../support/server-folder.js';
import { waitFor } from '../support/wait.js';

const ORGS = 600;

let folder: string;
let server: SoakServer;
let fleet: Fleet;
let crowd: TestPeople;
let before: readonly Record<string, unknown>[];

const sql = (text: string): Promise<readonly Record<string, unknown>[]> => fleet.cell(0).sql(text);
const readCapacities = () => sql('select org_id, model, capacity from credit_rollout.org_capacity order by org_id');
const count = async (table: string): Promise<number> =>
  Number((await sql(`select count(*)::int as rows from credit_rollout.${table}`))[0]?.rows);
const person = (n: number): TestPerson => {
  const found = crowd.people[n];
  if (found === undefined) throw new Error('there are two people');
  return found;
};
const ask = () =>
  requestUndo(person(0).engine, { dataCenter: fleet.cell(0).dataCenter.id, limit: 1, reason: 'a wrong card' });

beforeAll(async () => {
  folder = await makeServerFolder();
  await chmod(folder, 0o755);
  server = await startSoakServer(folder, 'cell');
  fleet = await createFleet({ cells: [{ server: server.url }], orgs: ORGS, rollout: '{ batchSize: 100 }' });
  crowd = await createPeople(fleet, 'ana', 'bob');
  before = await readCapacities();
});
afterAll(async () => {
  await crowd?.drop();
  await fleet?.drop();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Connections to the server that was killed fail once. */
const drive = (): Promise<readonly string[]> =>
  waitFor('the rollout to rest', () => fleet.drive().catch(() => undefined));

async function approveUndoOf(): Promise<void> {
  const asked = await ask();
  const id = parseProposalId(asked.undoId ?? '');
  if (id?.kind !== 'undo') throw new Error(`it is ${asked.state}`);
  await approveUndo(person(1).engine, id, null);
}

const epoch = async (): Promise<bigint> =>
  BigInt(String((await sql('select epoch from credit_rollout.fence'))[0]?.epoch));
const undoOneBatch = async () =>
  applyBatches(fleet.engine, { dataCenter: fleet.cell(0).dataCenter.id, epoch: await epoch(), forMs: 0 });
const begin = async (): Promise<void> => {
  await tick(fleet.engine);
  expect(await fleet.stages()).toEqual(['undoing']);
};
const followed = (): Promise<unknown> =>
  waitFor('the standby to have everything', async () => {
    const [row] = await server.ask(
      `select count(*) = 1 and bool_and(replay_lsn >= pg_current_wal_lsn()) as has from pg_stat_replication`,
    );
    return row?.has === true;
  });

async function expectUndone(): Promise<void> {
  expect(await fleet.stages()).toEqual(['undone']);
  expect(await readCapacities()).toEqual(before);
  expect(await count('allotments')).toBe(0);
  expect(await auditCells(fleet.engine)).toEqual([]);
  expect(await ask()).toMatchObject({ state: 'nothing' });
  await fleet.expectInvariants();
}

describe('a failover', () => {
  beforeEach(async () => {
    await fleet.apply(fleet.cell(0));
    expect(await drive()).toEqual(['done']);
    expect(await count('allotments')).toBeGreaterThan(ORGS - 10);
    await approveUndoOf();
    await server.addStandby();
    await followed();
  });

  test('that loses batches of an undo costs nothing: they are undone again', async () => {
    await begin();
    await undoOneBatch();
    await followed();
    const left = await count('allotments');
    await server.failOver(async () => {
      await undoOneBatch();
      await undoOneBatch();
      expect(await count('allotments')).toBeLessThan(left);
    });
    expect(await waitFor('the new primary', () => count('allotments').catch(() => undefined))).toBe(left);
    // as long as its fence is that of the old timeline, nothing is written
    expect((await waitFor('a worker', () => undoOneBatch().catch(() => undefined))).last).toEqual({ kind: 'fenced' });
    await drive();
    await expectUndone();
  });

  test('that loses the run of an undo costs nothing: it begins again', async () => {
    const runs = await count('runs');
    await server.failOver(async () => {
      await begin();
      await undoOneBatch();
    });
    expect(await waitFor('the new primary', () => count('runs').catch(() => undefined))).toBe(runs);
    await drive();
    await expectUndone();
  });

  test('that loses a whole undo is found, and the undo is asked for again', async () => {
    const all = await count('allotments');
    await server.failOver(async () => {
      expect(await drive()).toEqual(['undone']);
      expect(await count('allotments')).toBe(0);
    });
    expect(await waitFor('the new primary', () => count('allotments').catch(() => undefined))).toBe(all);
    expect(await fleet.stages()).toEqual(['undone']);
    await waitFor('the auditor', async () => (await auditCells(fleet.engine)).length > 0);
    expect(await drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'undo_lost' },
    ]);
    await approveUndoOf();
    await drive();
    await expectUndone();
  });
});
