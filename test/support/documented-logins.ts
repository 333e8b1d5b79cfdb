// The logins of docs/how-to/install-a-fleet.md, made by exactly the statements of that page: only their names, their
// passwords and the data center are a test's own.
import { randomBytes } from 'node:crypto';
import type { EngineContext } from '../../src/engine/context.js';
import { asOperator } from '../../src/stores/cell/cell-database.js';
import { listCode, readDocument, readSection } from '../docs/read-document.js';
import type { Fleet } from './fleet.js';
import { type FleetUrls, openContext } from './open-context.js';
import { runAsAdmin } from './postgres.js';
import { silentLog } from './silent.js';

const PAGE = 'docs/how-to/install-a-fleet.md';
const LOGINS = '3. Make the logins';
const QUEUE = '4. Choose a queue';
const NAMES = /\b(?:rollout_scheduler|rollout_worker|rollout_queue|rollout_meter|alice|bob|dashboard)\b/gu;
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

export type DocumentedLogin =
  | 'rollout_scheduler'
  | 'rollout_worker'
  | 'rollout_queue'
  | 'rollout_meter'
  | 'alice'
  | 'bob'
  | 'dashboard';

export interface DocumentedLogins {
  /** What a login of the page is called on this server. */
  nameOf(login: DocumentedLogin): string;
  /** The URL of a database as this login. */
  as(login: DocumentedLogin, url: string): string;
  /** What a process is given: a worker gets no control database. */
  urlsOf(process: 'rollout_scheduler' | 'rollout_worker', queueUrl: string): FleetUrls;
  /** What the commands of a person work with; `away`: no control database can be reached. */
  person(login: 'alice' | 'bob' | 'dashboard', control?: 'away'): EngineContext;
  drop(): Promise<void>;
}

/** The statements of the page, for the logins or for the queue on Postgres; its `ACL` for one on Redis. */
async function readScript(of: 'logins' | 'queue' | 'redis'): Promise<readonly string[]> {
  const section = readSection(await readDocument(PAGE), of === 'logins' ? LOGINS : QUEUE).join('\n');
  const blocks = listCode(`${section}\n`, of === 'redis' ? 'redis' : 'sql');
  const [script] = blocks;
  if (script === undefined || blocks.length !== 1) throw new Error(`${PAGE} has ${blocks.length} scripts of ${of}`);
  return script
    .replace(/^--.*$/gmu, '')
    .split(of === 'redis' ? '\n' : ';\n')
    .map((statement) => statement.trim())
    .filter(Boolean);
}

/** Runs the page's statements for the first cell of a fleet, and marks control as one whose people have logins. */
export async function makeDocumentedLogins(fleet: Fleet): Promise<DocumentedLogins> {
  const suffix = randomBytes(4).toString('hex');
  const { dataCenter, url } = fleet.cell(0);
  const nameOf = (login: string): string => `${login}_${suffix}`;
  const own = (statement: string): string =>
    statement
      .replace(NAMES, nameOf)
      .replaceAll('…', 'secret')
      .replaceAll('credit_rollout_in_', `credit_rollout_${dataCenter.id.replaceAll('-', '_')}_`);
  const statements = [...(await readScript('logins')), ...(await readScript('queue'))];
  for (const statement of statements) await runAsAdmin(fleet.controlUrl, own(statement));
  await fleet.control('update credit_rollout_control.rollout set embedded = false');
  const as: DocumentedLogins['as'] = (login, base) => {
    const asLogin = new URL(base);
    asLogin.username = nameOf(login);
    asLogin.password = 'secret';
    return asLogin.href;
  };
  const opened = new Set<() => Promise<unknown>>();
  return {
    nameOf,
    as,
    urlsOf: (login, queue) => ({
      control: login === 'rollout_worker' ? NOWHERE : as(login, fleet.controlUrl),
      cells: [{ id: dataCenter.id, url: as(login, url) }],
      queue,
    }),
    person: (login, control) => {
      const cells = [{ id: dataCenter.id, url: as(login, url) }];
      const urls = { control: control === 'away' ? NOWHERE : as(login, fleet.controlUrl), cells, queue: undefined };
      const context = openContext(urls, silentLog, opened);
      return { ...context, actor: null, cells: { get: (id) => asOperator(context.cells.get(id)) } };
    },
    drop: async () => {
      await Promise.all([...opened].map((close) => close()));
      const drop = (sql: string) => runAsAdmin(fleet.controlUrl, sql);
      await drop(`drop database if exists ${nameOf('rollout_queue')} with (force)`);
      const logins = [...new Set(statements.join('\n').match(NAMES) ?? [])].map(nameOf);
      await drop(`drop role ${logins.join(', ')}`);
    },
  };
}

/** The arguments of the page's ACL SETUSER, for the login of the queue on Redis. */
export async function readRedisAcl(name: string): Promise<readonly string[]> {
  const [line = ''] = await readScript('redis');
  const [command, ...args] = line.replace(NAMES, name).replaceAll('…', 'secret').split(/\s+/u);
  if (command !== 'ACL') throw new Error(`${PAGE} makes no login of Redis: ${line}`);
  return args;
}
