// The own-postgres tutorial: its tables, its view, its configuration and its commands, on databases of this test run.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { CONTROL_OWNER } from '../../src/stores/control/roles.js';
import { captureIo, runCommand } from '../cli/captured-io.js';
import { adminUrl, createTestDatabase, runAsAdmin, type TestDatabase } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';
import { listCode, projectPath, readDocument } from './read-document.js';

const text = await readDocument('docs/tutorial/own-postgres.md');
const [, tables = '', view = '', question = ''] = listCode(text, 'sql');
const [yaml = ''] = listCode(text, 'yaml');
/** A data center of its own name: roles belong to the whole server. */
const DATA_CENTER = `tutorial${process.pid}`;
/** No superuser: it may create schemas and roles, as the tutorial says. */
const LOGIN = `tutor_${process.pid}`;
/** The commands of all plain blocks, each with its arguments. */
const commands = listCode(text, '')
  .flatMap((block) => block.trimEnd().split('\n'))
  .map((line) =>
    line
      .replace('credit-rollout ', '')
      .replaceAll('--dc in', `--dc ${DATA_CENTER}`)
      .replaceAll('in-', `${DATA_CENTER}-`),
  )
  .map((line) => line.split(' '));

describe('docs/tutorial/own-postgres.md', () => {
  let folder = '';
  let shop: TestDatabase;
  let rollout: TestDatabase;
  let product: pg.Client;
  const run = (args: readonly string[]) => runCommand(...args, '--config', join(folder, 'rollout.config.yaml'));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credit-rollout-tutorial-'));
    [shop, rollout] = await Promise.all([createTestDatabase('shop'), createTestDatabase('rollout')]);
    await runAsAdmin(adminUrl(), `create role ${LOGIN} login createrole password 'x'`);
    // a server has the roles of control once, and other suites of this one make them too
    await runAsAdmin(
      adminUrl(),
      `do $$ begin create role ${CONTROL_OWNER} nologin; exception when duplicate_object then null; end $$;
       grant ${CONTROL_OWNER} to ${LOGIN}`,
    );
    for (const { url } of [shop, rollout]) {
      // durability is off on the server of a test run, which doctor rightly complains about
      await runAsAdmin(adminUrl(), `alter database ${nameOf(url)} set synchronous_commit = on`);
      await runAsAdmin(adminUrl(), `alter database ${nameOf(url)} owner to ${LOGIN}`);
      await runAsAdmin(url, `alter schema public owner to ${LOGIN}`);
    }
    product = new pg.Client({ connectionString: asLogin(shop.url) });
    await product.connect();
    await copyFile(projectPath('src/sample/rate-card.yaml'), join(folder, 'rate-card.yaml'));
    await writeFile(
      join(folder, 'rollout.config.yaml'),
      yaml
        .replace('id: in,', `id: ${DATA_CENTER},`)
        // biome-ignore lint/suspicious/noTemplateCurlyInString: as the document has it
        .replace('${CONTROL_DATABASE_URL}', `"${asLogin(rollout.url)}"`)
        // biome-ignore lint/suspicious/noTemplateCurlyInString: as the document has it
        .replace('${IN_DATABASE_URL}', asLogin(shop.url)),
    );
  });
  afterAll(async () => {
    await product.end();
    await Promise.all([shop.drop(), rollout.drop()]);
    await rm(folder, { recursive: true, force: true });
  });

  test('its commands roll the data center out on its tables', { timeout: 300_000 }, async () => {
    await product.query(tables);
    await product.query(view.replaceAll('credit_rollout_in_', `credit_rollout_${DATA_CENTER}_`));
    const io = captureIo();
    let processes: Promise<number> | undefined;
    for (const command of commands) {
      if (command[0] === 'up') {
        processes = runCli(['up', '--config', join(folder, 'rollout.config.yaml')], io);
        await waitFor('processes', async () => io.output().includes('scheduler: running'));
        continue;
      }
      const args = command.map((word) => (word.startsWith('./') ? join(folder, word) : word));
      const { code, out, err } = await run(args);
      expect({ command: command.join(' '), code }, `${out}${err}`).toEqual({ command: command.join(' '), code: 0 });
    }
    io.interrupt('SIGINT');
    expect(await processes).toBe(0);
    const { rows } = await product.query(question);
    expect(rows).toEqual([{ org_id: '2', model: 'credits', capacity: expect.stringMatching(/^\d+$/u) }]);
  });
});

const nameOf = (url: string): string => pg.escapeIdentifier(new URL(url).pathname.slice(1));

function asLogin(url: string): string {
  const own = new URL(url);
  own.username = LOGIN;
  own.password = 'x';
  return own.href;
}
