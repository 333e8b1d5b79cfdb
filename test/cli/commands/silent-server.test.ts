// A PostgreSQL that lets us in and then says nothing: every command ends, within a bound, and says which database it is.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from '../../../src/platform/postgres.js';
import { createServerTls } from '../../../src/platform/tls.js';
import { adminUrl } from '../../support/postgres.js';
import { createSilentPostgres, type SilentPostgres } from '../../support/silent-postgres.js';
import { runCommand } from '../captured-io.js';
import { listLines, listUnknown } from '../every-command.js';

let folder = '';
let silent: SilentPostgres;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-silent-'));
  silent = await createSilentPostgres();
  await writeFile(
    join(folder, 'rollout.config.yaml'),
    `controlDatabase: "${silent.url}"\nqueue: "${silent.url}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\n` +
      `dataCenters: [{ id: in, zone: UTC, database: "${silent.url}", source: public.orgs }]\n`,
  );
});
afterAll(async () => {
  await silent.close();
  await rm(folder, { recursive: true });
});

/** As docs/reference/commands.md says. */
const BOUND_MS = 30_000;

test('is there for every command', () => {
  expect(listUnknown(listLines('in', '4'))).toEqual([]);
});

/** Longer than a server may be silent: it answers on another connection meanwhile. */
async function runLongStatement(): Promise<unknown> {
  const tls = createServerTls({ tls: { kind: 'plain' }, direct: false, key: 'controlDatabase' });
  const database = openPostgres({ url: adminUrl(), tls, applicationName: 'test', max: 1 });
  return database.raw('select pg_sleep(4)').finally(() => database.destroy());
}

test('ends every command within the documented time, and no long statement', { timeout: 90_000 }, async () => {
  const long = runLongStatement();
  const ended = await Promise.all(
    listLines('in', '4').map(async (line) => {
      const began = performance.now();
      const { code, out, err } = await runCommand(...line, '--config', join(folder, 'rollout.config.yaml'));
      const ms = Math.round(performance.now() - began);
      return { line: line.join(' '), code, ms, said: /\[\w+\]|unreachable|cannot be read/u.test(out + err) };
    }),
  );
  await expect(long).resolves.toMatchObject({ rowCount: 1 });
  expect(ended.filter(({ code, ms, said }) => code === 0 || ms > BOUND_MS || !said)).toEqual([]);
});
