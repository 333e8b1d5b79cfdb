// A connection that something in between has forgotten: nothing comes back on it, while the server answers on others. No
// statement waits for it longer than the server would let it take; and a statement that takes long is waited for.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from '../../src/platform/postgres.js';
import { WatchedClient } from '../../src/platform/watched-client.js';
import { type CellTransaction, createCellDatabase } from '../../src/stores/cell/cell-database.js';
import { classifyFailure } from '../../src/stores/postgres-failure.js';
import { execute } from '../../src/stores/query.js';
import { type FaultyProxy, startFaultyProxy } from '../soak/faulty-proxy.js';
import { createTestCell, type TestCell } from '../support/cell.js';

class HurriedClient extends WatchedClient {
  static override readonly marginMs = 500;
}

let scene: TestCell;
let proxy: FaultyProxy;
beforeAll(async () => {
  scene = await createTestCell({ orgs: [] });
  const { hostname, port, searchParams } = new URL(scene.url);
  const socket = searchParams.get('host');
  proxy = await startFaultyProxy(() =>
    socket === null
      ? { host: hostname, port: Number(port || '5432') }
      : { path: `${socket}/.s.PGSQL.${port || '5432'}` },
  );
});
afterAll(async () => {
  await proxy.stop();
  await scene.drop();
});

const open = (max: number) => {
  const tls = { ssl: false, Client: HurriedClient } as const;
  const db = openPostgres({ url: proxy.through(scene.url), tls, applicationName: 'credit-rollout', max });
  return createCellDatabase(db, scene.dataCenter.id);
};

test('a statement on a connection that was forgotten fails as one that is to be tried again', async () => {
  const cell = open(1);
  try {
    const began = performance.now();
    const lost = cell.inTransaction('worker', async (tx) => {
      await execute(tx, 'select 1');
      proxy.forget();
      await execute(tx, 'select 1');
    });
    await expect(lost).rejects.toSatisfy((error) => classifyFailure(error).kind === 'retry');
    expect(performance.now() - began).toBeLessThan(20_000);
    // and the pool has another one
    await cell.inTransaction('worker', (tx) => execute(tx, 'select 1'));
  } finally {
    await cell.close();
  }
});

test('a statement that is let take long is waited for', async () => {
  const cell = open(2);
  try {
    const sleep = (tx: CellTransaction): Promise<number> => execute(tx, 'select pg_sleep(4)');
    const both = [cell.inTransaction('worker', sleep, { statementMs: 60_000 }), cell.asOwner(sleep)];
    expect(await Promise.all(both)).toEqual([1, 1]);
  } finally {
    await cell.close();
  }
});
