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

/** What the logins connect to instead of the servers' own URLs, such as a proxy. */
type Through = (url: string) => string;

/**
 * Runs the page's statements for the cells of a fleet, on each server once, and marks control as one whose people have
 * logins.
 */
export async function makeDocumentedLogins(fleet: Fleet, through: Through = (url) => url): Promise<DocumentedLogins> {
  const suffix = randomBytes(4).toString('hex');
  const nameOf = (login: string): string => `${login}_${suffix}`;
  const own = (statement: string, dataCenter: string): string =>
    statement
      .replace(NAMES, nameOf)
      .replaceAll('…', 'secret')
      .replaceAll('credit_rollout_in_', `credit_rollout_${dataCenter.replaceAll('-', '_')}_`);
  const statements = [...(await readScript('logins')), ...(await readScript('queue'))];
  const servers = new Map([fleet.controlUrl, ...fleet.cells.map(({ url }) => url)].map((url) => [serverOf(url), url]));
  for (const statement of statements)
    for (const [url, dataCenter] of placesOf(statement, fleet, [...servers.values()]))
      await runAsAdmin(url, own(statement, dataCenter));
  await fleet.control('update credit_rollout_control.rollout set embedded = false');
  const as: DocumentedLogins['as'] = (login, base) => {
    const asLogin = new URL(base);
    asLogin.username = nameOf(login);
    asLogin.password = 'secret';
    return asLogin.href;
  };
  const opened = new Set<() => Promise<unknown>>();
  const cellsOf = (login: DocumentedLogin): FleetUrls['cells'] =>
    fleet.cells.map(({ dataCenter, url }) => ({ id: dataCenter.id, url: through(as(login, url)) }));
  return {
    nameOf,
    as,
    urlsOf: (login, queue) => ({
      control: login === 'rollout_worker' ? NOWHERE : through(as(login, fleet.controlUrl)),
      cells: cellsOf(login),
      queue,
    }),
    person: (login, control) => {
      const own = control === 'away' ? NOWHERE : through(as(login, fleet.controlUrl));
      const urls = { control: own, cells: cellsOf(login), queue: undefined };
      const context = openContext(urls, silentLog, opened);
      return { ...context, actor: null, cells: { get: (id) => asOperator(context.cells.get(id)) } };
    },
    drop: async () => {
      await Promise.all([...opened].map((close) => close()));
      await runAsAdmin(fleet.controlUrl, `drop database if exists ${nameOf('rollout_queue')} with (force)`);
      const logins = [...new Set(statements.join('\n').match(NAMES) ?? [])].map(nameOf);
      for (const url of servers.values()) await runAsAdmin(url, `drop role if exists ${logins.join(', ')}`);
    },
  };
}

const serverOf = (url: string): string => {
  const { host, searchParams } = new URL(url);
  return `${host} ${searchParams.get('host')}`;
};

/** Where a statement of the page is run, and for which data center: what it grants says so. */
function placesOf(
  statement: string,
  fleet: Fleet,
  servers: readonly string[],
): readonly (readonly [url: string, dataCenter: string])[] {
  if (statement.includes('credit_rollout_in_')) return fleet.cells.map(({ url, dataCenter }) => [url, dataCenter.id]);
  return (statement.startsWith('create role') ? servers : [fleet.controlUrl]).map((url) => [url, '']);
}

/** The arguments of the page's ACL SETUSER, for the login of the queue on Redis. */
export async function readRedisAcl(name: string): Promise<readonly string[]> {
  const [line = ''] = await readScript('redis');
  const [command, ...args] = line.replace(NAMES, name).replaceAll('…', 'secret').split(/\s+/u);
  if (command !== 'ACL') throw new Error(`${PAGE} makes no login of Redis: ${line}`);
  return args;
}
