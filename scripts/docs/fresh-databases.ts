// A cell and a control database as `init` makes them, on a server of their own that is removed afterwards.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { runCli } from '../../src/cli/run-cli.js';
import { projectFolder } from '../../src/compose.js';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { createLog } from '../../src/platform/log.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import type { ReadSql } from './read-schema.js';

const ORGS = `create table public.orgs (org_id bigint primary key, edition text, paid boolean, agents bigint,
  light_agents bigint, additional_credits bigint, legacy_limit bigint, created_at timestamptz, updated_at timestamptz,
  peak_credits bigint)`;

/** Hands both databases to `work`; everything is gone when it has ended. */
export async function withFreshDatabases<T>(
  work: (databases: { readonly cell: ReadSql; readonly control: ReadSql }) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-docs-'));
  const config = await mkdtemp(join(tmpdir(), 'credit-rollout-docs-config-'));
  const postgres = await joinEmbeddedPostgres({ root: projectFolder, folder, log: createLog() });
  try {
    await postgres.ensureDatabases('control', 'cell');
    const cell = openSql(postgres.url('cell'));
    const control = openSql(postgres.url('control'));
    try {
      await cell.sql(ORGS);
      await cell.sql(letOwnerReadSql('in', 'public.orgs'));
      await init(config, { control: postgres.url('control'), cell: postgres.url('cell') });
      return await work({ cell: cell.sql, control: control.sql });
    } finally {
      await Promise.all([cell.end(), control.end()]);
    }
  } finally {
    await postgres.leave();
    await Promise.all([folder, config].map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
  }
}

async function init(folder: string, urls: { readonly control: string; readonly cell: string }): Promise<void> {
  const path = join(folder, 'rollout.config.yaml');
  const card = join(projectFolder, 'src', 'sample', 'rate-card.yaml');
  const dataCenter = `{ id: in, zone: Asia/Kolkata, database: "${urls.cell}", source: public.orgs }`;
  await writeFile(path, `controlDatabase: "${urls.control}"\nrateCard: ${card}\ndataCenters:\n  - ${dataCenter}\n`);
  const errors: string[] = [];
  const io = {
    isTerminal: false,
    isClosed: () => false,
    lostBy: () => undefined,
    readLine: async () => undefined,
    width: () => 80,
    height: () => 24,
    out: () => undefined,
    err: (text: string) => errors.push(text),
  };
  const code = await runCli(['init', '--config', path], { ...io, onStop: () => () => undefined });
  if (code !== 0) throw new Error(`init failed: ${errors.join('')}`);
}

function openSql(url: string): { readonly sql: ReadSql; readonly end: () => Promise<void> } {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on('error', () => undefined); // the server is stopped by us
  return { sql: async (text, params) => (await pool.query(text, params && [...params])).rows, end: () => pool.end() };
}
