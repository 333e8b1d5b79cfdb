// What is verified of a Postgres that is reached over TLS, by mode and certificate, with an authority of our own; and
// that a failure is one sentence with a stable code.

import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkQueue, initQueue } from '../../jobs/queue/connection.js';
import { parsePostgresServer } from '../../src/domain/config/server-url.js';
import { explainFailure } from '../../src/engine/database-errors.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createServerTls } from '../../src/platform/tls.js';
import { bundleProcess } from '../support/bundle-process.js';
import { createPrivateCa, opensslAvailable, type PrivateCa } from '../support/private-ca.js';
import { ADDRESS, startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.js';

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const KEY = 'dataCenters.in.database';

/** `tls` or `plain` when it connects; else the code of what was thrown and its sentence. */
async function outcome(url: string): Promise<string> {
  const server = parsePostgresServer(url, KEY);
  const tls = createServerTls({ ...server, key: KEY });
  const db = openPostgres({ url: server.url, tls, applicationName: 'tls', max: 1 });
  try {
    const { rows } = await db.raw('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0].ssl === true ? 'tls' : 'plain';
  } catch (error) {
    const { code, message } = explainFailure(error, 'Data center "in"') as { code: string; message: string };
    return `${code}: ${message}`;
  } finally {
    await db.destroy();
  }
}

const failed = (reason: string, code: string): string =>
  `database_unreachable: Data center "in": its database cannot be reached: ${reason} (${code}).`;
const UNTRUSTED = failed(
  'the certificate of its server is not from an authority that is trusted',
  'SELF_SIGNED_CERT_IN_CHAIN',
);
const OTHER_NAME = failed('the certificate of its server is for another host name', 'ERR_TLS_CERT_ALTNAME_INVALID');
const EXPIRED = failed('the certificate of its server has expired', 'CERT_HAS_EXPIRED');

describe.skipIf(!opensslAvailable())('a Postgres over TLS', () => {
  let ca: PrivateCa;
  let other: PrivateCa;
  beforeAll(async () => {
    [ca, other] = await Promise.all([createPrivateCa(), createPrivateCa()]);
  });
  afterAll(() => Promise.all([ca.remove(), other.remove()]));

  const withServer = async (
    names: string | undefined,
    validity: 'valid' | 'expired',
    act: (server: TlsPostgres) => Promise<void>,
  ): Promise<void> => {
    const server = await startTlsPostgres(names === undefined ? undefined : await ca.issue(names, validity), ca.ca);
    try {
      await act(server);
    } finally {
      await server.stop();
    }
  };

  test('with a certificate for its host name', () =>
    withServer(`IP:${ADDRESS}`, 'valid', async (server) => {
      const trusted = `sslrootcert=${ca.ca}`;
      const expected: Record<string, string> = {
        '': 'plain',
        'sslmode=disable': 'plain',
        'sslmode=prefer': 'tls',
        'sslmode=require': 'tls',
        [`sslmode=require&${trusted}`]: 'tls',
        [`sslmode=verify-ca&${trusted}`]: 'tls',
        [`sslmode=verify-full&${trusted}`]: 'tls',
        'sslmode=verify-full': UNTRUSTED,
        'sslmode=verify-full&sslrootcert=system': UNTRUSTED,
        [`sslmode=verify-full&sslrootcert=${other.ca}`]: UNTRUSTED,
        [`sslmode=verify-ca&sslrootcert=${other.ca}`]: UNTRUSTED,
        [`sslmode=require&sslrootcert=${other.ca}`]: UNTRUSTED,
      };
      const found: Record<string, string> = {};
      for (const query of Object.keys(expected)) found[query] = await outcome(server.url(query));
      expect(found).toEqual(expected);
      await queueOverTls(server.url(`sslmode=verify-full&${trusted}`));
      await expect(queueOverTls(server.url(`sslmode=verify-full&sslrootcert=${other.ca}`))).rejects.toMatchObject({
        code: 'queue_unreachable',
        message: `The queue at ${ADDRESS}:5432 cannot be reached: the certificate of its server is not from an authority that is trusted.`,
      });
      const good = await runMain('doctor', server.url('sslmode=require'), server.url(`sslmode=prefer`));
      // on a busy machine it may say which check takes long, and nothing else
      expect(good.stderr.replaceAll(/^… \S+: still checking .*\n/gmu, '')).toBe('');
      const { findings } = JSON.parse(good.stdout) as { findings: { subject: string; check: string }[] };
      expect(findings.filter(({ check }) => check === 'encryption').map(({ subject }) => subject)).toEqual([
        'control',
        'in',
      ]);
    }));

  test('that a command does not trust is left as it is', () =>
    withServer(`IP:${ADDRESS}`, 'valid', async (server) => {
      const trusted = server.url(`sslmode=verify-full&sslrootcert=${ca.ca}`);
      const stranger = server.url(`sslmode=verify-full&sslrootcert=${other.ca}`);
      const missing = server.url(`sslmode=verify-full&sslrootcert=/nowhere/ca.pem`);
      const reason = 'the certificate of its server is not from an authority that is trusted';
      for (const [control, cell, code, text] of [
        [trusted, stranger, 'database_unreachable', `Data center \\"in\\": its database cannot be reached: ${reason}`],
        [stranger, trusted, 'database_unreachable', `its database cannot be reached: ${reason}`],
        [trusted, missing, 'invalid_config', `${KEY}: the file that sslrootcert names cannot be read (ENOENT).`],
        [
          missing,
          trusted,
          'invalid_config',
          'controlDatabase: the file that sslrootcert names cannot be read (ENOENT).',
        ],
      ] as const) {
        const ran = await runMain('init', control, cell);
        expect([ran.status, ran.stdout + ran.stderr]).toEqual([1, expect.stringContaining(text)]);
        expect(ran.stdout + ran.stderr).toContain(code);
        expect(ran.stdout + ran.stderr).not.toMatch(/postgres:\/\/|Warning|at .*\.mjs/u);
      }
      const client = new pg.Client({ connectionString: server.adminUrl });
      await client.connect();
      const { rows } = await client.query("select nspname from pg_namespace where nspname = 'credit_rollout'");
      await client.end();
      expect(rows).toEqual([]);
    }));

  test('with a certificate for another host name', () =>
    withServer('DNS:db.example.org', 'valid', async (server) => {
      const trusted = `sslrootcert=${ca.ca}`;
      expect(await outcome(server.url(`sslmode=verify-full&${trusted}`))).toBe(OTHER_NAME);
      expect(await outcome(server.url(`sslmode=verify-ca&${trusted}`))).toBe('tls');
      expect(await outcome(server.url(`sslmode=require&${trusted}`))).toBe('tls');
    }));

  test('with a certificate that has expired', () =>
    withServer(`IP:${ADDRESS}`, 'expired', async (server) => {
      const trusted = `sslrootcert=${ca.ca}`;
      expect(await outcome(server.url(`sslmode=verify-full&${trusted}`))).toBe(EXPIRED);
      expect(await outcome(server.url(`sslmode=verify-ca&${trusted}`))).toBe(EXPIRED);
      expect(await outcome(server.url('sslmode=require'))).toBe('tls');
    }));

  test('that offers no TLS', () =>
    withServer(undefined, 'valid', async (server) => {
      const refused =
        'database_unreachable: Data center "in": its database cannot be reached: its server offers no TLS.';
      expect(await outcome(server.url('sslmode=require'))).toBe(refused);
      expect(await outcome(server.url(`sslmode=verify-full&sslrootcert=${ca.ca}`))).toBe(refused);
      expect(await outcome(server.url('sslmode=prefer'))).toBe('plain');
    }));

  test('that asks for a certificate of ours', async () => {
    await withServer(`IP:${ADDRESS}`, 'valid', async (server) => {
      const client = new pg.Client({ connectionString: server.adminUrl });
      await client.connect();
      const { rows } = await client.query('show hba_file');
      await writeFile(rows[0].hba_file, 'local all all trust\nhostssl all all all trust clientcert=verify-ca\n');
      await client.query('select pg_reload_conf()');
      await client.end();
      const own = await ca.issue('DNS:worker');
      const trusted = `sslmode=verify-full&sslrootcert=${ca.ca}`;
      expect(await outcome(server.url(`${trusted}&sslcert=${own.cert}&sslkey=${own.key}`))).toBe('tls');
      expect(await outcome(server.url(trusted))).toMatch(/^database_(refused|unreachable): Data center "in": /u);
    });
  });

  test('with files that cannot be used: the sentence names the key, and nothing of the URL', async () => {
    const { cert, key } = await ca.issue('DNS:worker');
    const strange = await other.issue('DNS:worker');
    const empty = join(ca.folder, 'empty.pem');
    await writeFile(empty, 'no certificate\n');
    const sentence = (query: string): unknown => {
      try {
        const server = parsePostgresServer(`postgres://somebody:secret@db.example/x?${query}`, KEY);
        return createServerTls({ ...server, key: KEY });
      } catch (error) {
        expect(String(error)).not.toMatch(/secret|somebody|db\.example|\.pem|\.crt|tmp/u);
        return error;
      }
    };
    const expected: Record<string, string> = {
      'sslmode=verify-full&sslrootcert=/nowhere/ca.pem': 'the file that sslrootcert names cannot be read (ENOENT)',
      'sslrootcert=/nowhere/ca.pem': 'the file that sslrootcert names cannot be read (ENOENT)',
      [`sslmode=verify-full&sslrootcert=${ca.folder}`]: 'the file that sslrootcert names cannot be read (EISDIR)',
      [`sslmode=verify-ca&sslrootcert=${empty}`]: 'the file that sslrootcert names holds no certificate in PEM form',
      [`sslmode=require&sslcert=${empty}&sslkey=${key}`]:
        'the file that sslcert names holds no certificate in PEM form',
      [`sslmode=require&sslcert=${cert}&sslkey=${strange.key}`]:
        'sslkey is no private key of sslcert, or has a pass phrase',
      [`sslmode=require&sslcert=${cert}&sslkey=${empty}`]: 'sslkey is no private key of sslcert, or has a pass phrase',
      [`sslmode=require&sslcert=${cert}`]: 'sslcert and sslkey belong together, and one of them is missing',
    };
    for (const [query, reason] of Object.entries(expected))
      expect(sentence(query)).toMatchObject({ code: 'invalid_config', message: `${KEY}: ${reason}.` });
  });

  const queueOverTls = async (url: string): Promise<void> => {
    const server = parsePostgresServer(url, 'queue');
    const tls = createServerTls({ ...server, key: 'queue' });
    await initQueue(server.url, tls);
    await checkQueue(server.url, tls);
  };

  /** As a process: Node's warnings are on standard error. */
  const runMain = async (command: string, control: string, cell: string): Promise<Ran> => {
    const config = join(ca.folder, 'rollout.config.yaml');
    const of = (name: string): string => `'${['$', `{${name}}`].join('')}'`;
    const dataCenter = `{ id: in, database: ${of('CELL_URL')}, zone: UTC, source: public.orgs }`;
    const card = fileURLToPath(new URL('../../src/sample/rate-card.yaml', import.meta.url));
    const text = [
      `controlDatabase: ${of('CONTROL_URL')}`,
      `rateCard: ${card}`,
      'dataCenters:',
      `  - ${dataCenter}`,
      '',
    ];
    await writeFile(config, text.join('\n'));
    const main = await bundleProcess(fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)));
    const env = { ...process.env, CONTROL_URL: control, CELL_URL: cell };
    return spawnSync(process.execPath, [main, command, '--json', '--config', config], { encoding: 'utf8', env });
  };
});
