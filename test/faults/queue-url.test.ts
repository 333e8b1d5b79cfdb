// A queue that cannot be reached is named by host and port, and by nothing else of its URL.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { checkQueue, initQueue } from '../../jobs/queue/connection.js';
import { createTestDatabase } from '../support/postgres.js';

test.each([
  ['redis://somebody:secret@127.0.0.1:1', '127.0.0.1:1'],
  ['postgres://somebody:secret@127.0.0.1:1/nothing', '127.0.0.1:1'],
  ['postgres://somebody:secret@[::1]:1/nothing', '[::1]:1'],
])('checkQueue and initQueue of %s name its server alone', async (url, server) => {
  for (const act of [checkQueue, initQueue]) {
    const failure = await act(url).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'queue_unreachable',
      message: expect.stringMatching(/^The queue at \S+ cannot be reached \(.+\)\.$/u),
      next: 'Check the URL of queue in the configuration, and that its server runs.',
    });
    expect(String(failure)).toContain(` at ${server} `);
    expect(String(failure)).not.toMatch(/secret|somebody/u);
  }
});

test('a login without rights in the queue is told so, and its owner can use it', async () => {
  const database = await createTestDatabase('queue_rights');
  await initQueue(database.url);
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  const stranger = `stranger_${randomBytes(4).toString('hex')}`;
  await admin.query(`create role ${stranger} login password 'secret'`);
  const url = new URL(database.url);
  url.username = stranger;
  url.password = 'secret';
  await expect(checkQueue(url.href)).rejects.toMatchObject({
    code: 'not_permitted',
    next: expect.stringContaining('docs/how-to/install-a-fleet.md#4-choose-a-queue'),
  });
  await expect(checkQueue(database.url)).resolves.toBeUndefined();
  await admin.query(`drop role ${stranger}`);
  await admin.end();
  await database.drop();
});
