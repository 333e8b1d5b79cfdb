// The one place where the layers meet: configuration, databases, queue, engine. No decisions. What many commands do
// without (the queue, the processes, the embedded server, the rate card) is imported when it is first used.
import { access } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { RunningProcess } from '../jobs/processes/worker.js';
import type { QueueConnection } from '../jobs/queue/connection.js';
import type { QueueWakeUps } from '../jobs/queue/wake-ups.js';
import { createMeterServers } from './compose-doctor.js';
import { type FileTrust, loadRateCard, readFileOf } from './compose-files.js';
import { lazyWakeUps } from './compose-wake-ups.js';
import { type ConfiguredWebhooks, createConfiguredWebhooks } from './compose-webhooks.js';
import type { VariableLookup } from './domain/config/config-text.js';
import {
  type ConfiguredServer,
  type ConfiguredServers,
  createConfiguredServers,
} from './domain/config/configured-servers.js';
import { describeOrigin } from './domain/config/describe-origin.js';
import { parseRolloutConfig } from './domain/config/parse-config.js';
import type { DataCenterConfig, RolloutConfig } from './domain/config/rollout-config.js';
import type { RateCard } from './domain/rate-card/rate-card.js';
import type { CellDirectory, EngineContext, WorkerContext } from './engine/context.js';
import type { MeterServers } from './engine/doctor/check-meter.js';
import type { Transports } from './engine/doctor/check-transport.js';
import { systemClock } from './kernel/clock.js';
import { RolloutError } from './kernel/rollout-error.js';
import type { EmbeddedPostgres } from './platform/embedded/postgres.js';
import { readEnvironment } from './platform/environment.js';
import { createLog } from './platform/log.js';
import { openPostgres } from './platform/postgres.js';
import { projectFolder } from './platform/project-folder.js';
import { createServerTls, type ServerTls } from './platform/tls.js';
import { EMBEDDED_CONFIG, EMBEDDED_DATABASES } from './sample/config.js';
import { asOperator, type CellDatabase, createCellDatabase } from './stores/cell/cell-database.js';
import { assertCellIdentity } from './stores/cell/identity.js';
import { createControlDatabase } from './stores/control/control-database.js';
import { recordAs } from './stores/control/person.js';

export interface ComposeOptions {
  /** Path of a configuration; undefined: the embedded default. */
  readonly configPath?: string | undefined;
  /** Most connections per cell; a worker needs one per job at once and one beside. */
  readonly cellConnections?: (config: RolloutConfig) => number;
}

export { projectFolder, type RunningProcess };

/** What commands and processes are made from. Everything opens on first use. */
export interface Program {
  /** With the policy of control in the place of its own settings, once a command has read it. */
  readonly config: RolloutConfig;
  readonly embedded: EmbeddedPostgres | undefined;
  /** Which configuration it is, and which databases: one line for people, without logins and passwords. */
  readonly origin: string;
  readonly engine: EngineContext;
  readonly worker: WorkerContext;
  /** What a scheduler works with: a person's command does with less. */
  readonly scheduler: EngineContext;
  /** The same cells, also where they were moved to another server: to look at them and adopt them, and nothing else. */
  readonly movedCells: CellDirectory;
  /** Reads and parses the configured card; throws rate_card_not_found and the card's own errors. */
  loadRateCard(path?: string): Promise<RateCard>;
  /** The queue of the configuration, or control's database where `own` is not asked for. Throws queue_required. */
  queueUrl(own: 'own' | 'any'): string;
  meterRedis(dataCenter: string): (ServerTls & { readonly url: string }) | undefined;
  connectQueue(own: 'own' | 'any'): Promise<QueueConnection>;
  /** Makes the queue's schema where it needs one; on Redis it only checks whether the server can be used. */
  initQueue(): Promise<void>;
  /** Whether the queue can be used as it is; changes nothing. */
  checkQueue(): Promise<void>;
  /** Sends one wake-up through the queue, there and back, and removes it again. */
  proveQueue(): Promise<void>;
  /** How the URL of a key goes over the network. Throws as its first use would. */
  transports: Transports;
  /** What `doctor` asks the meters' Redis, and the queue's. */
  meters: MeterServers;
  /** Serves the queues of these data centers until it is stopped; never touches control. */
  startWorker(options: {
    dataCenters: readonly string[];
    queue: 'own' | 'any';
    concurrency: number;
  }): Promise<RunningProcess>;
  /** Whom schedulers tell, and what `doctor` asks of them. */
  webhooks: ConfiguredWebhooks;
  startScheduler(): Promise<RunningProcess & { tickError(): string | null }>;
  /** Fills the data centers of the embedded default with sample orgs where they have none; orgs by data center. */
  seedSamples(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

export { loadRateCard };

const CONFIG_FILE = 'rollout.config.yaml';
/** Reads the configuration: --config, else rollout.config.yaml where it is run, else the embedded default. */
export async function compose(options: ComposeOptions = {}): Promise<Program> {
  if (options.configPath !== undefined) return composeFile(options.configPath, 'named', options);
  return (await exists(CONFIG_FILE)) ? composeFile(CONFIG_FILE, 'found', options) : composeEmbedded(options);
}

const exists = async (path: string): Promise<boolean> => (await access(path).catch(() => 'absent')) !== 'absent';

async function composeFile(path: string, trust: FileTrust, options: ComposeOptions): Promise<Program> {
  const what = `The configuration ${path}`;
  const text = await readFileOf(trust, { path, what, absent: 'config_not_found', large: 'config_syntax' });
  const place = { folder: dirname(resolve(path)), name: path, trust };
  return composeProgram(text, readEnvironment, place, undefined, options);
}

/** Joins the embedded server, starting it when nobody has. */
export async function composeEmbedded(options: ComposeOptions = {}): Promise<Program> {
  const { joinEmbeddedPostgres } = await import('./platform/embedded/postgres.js');
  const embedded = await joinEmbeddedPostgres({ root: projectFolder, log: createLog() });
  await embedded.ensureDatabases(...Object.values(EMBEDDED_DATABASES));
  const lookup: VariableLookup = (name) => {
    const database = EMBEDDED_DATABASES[name as keyof typeof EMBEDDED_DATABASES];
    return database === undefined ? undefined : embedded.url(database);
  };
  return composeProgram(
    EMBEDDED_CONFIG,
    lookup,
    { folder: projectFolder, name: null, trust: 'named' },
    embedded,
    options,
  );
}

/** Where a configuration is; `name`: as its user named it, null: the embedded default. */
interface ConfigPlace {
  readonly folder: string;
  readonly name: string | null;
  readonly trust: FileTrust;
}

function composeProgram(
  text: string,
  lookup: VariableLookup,
  { folder, name, trust }: ConfigPlace,
  embedded: EmbeddedPostgres | undefined,
  options: ComposeOptions,
): Program {
  const parsed = parseRolloutConfig(text, { lookup });
  // nobody can edit the embedded default: what control has counts
  const config = embedded === undefined ? parsed : { ...parsed, written: [] };
  const log = createLog();
  const closers: (() => Promise<void>)[] = [];
  const actor = embedded === undefined ? null : userInfo().username;
  const servers = createConfiguredServers(config, lookup, {
    sslmode: readEnvironment('PGSSLMODE'),
    sslrootcert: readEnvironment('PGSSLROOTCERT'),
  });
  const cells = createCells(config, servers, { max: options.cellConnections?.(config) ?? 4, closers });
  const moved = createCells(config, servers, { max: 1, closers, place: 'wherever' });
  const control = recordAs(lazyControl(servers, closers), actor);
  const meterServer = (id: string) => servers.meter(findDataCenter(config, id));
  const meterRedis = (id: string): (ServerTls & { readonly url: string }) | undefined => {
    const server = meterServer(id);
    return server && { url: server.url, ...createServerTls(server) };
  };
  const queueServer = (own: 'own' | 'any') => [servers.queue(own).url, createServerTls(servers.queue(own))] as const;
  const connectQueue = async (own: 'own' | 'any'): Promise<QueueConnection> =>
    (await import('../jobs/queue/connection.js')).connectQueue(...queueServer(own));
  const proveQueue = async (): Promise<void> =>
    (await import('../jobs/queue/prove-delivery.js')).proveDelivery(...queueServer('any'));
  const createWakeUps = async (): Promise<QueueWakeUps> => {
    const queue = await connectQueue('any');
    return (await import('../jobs/queue/wake-ups.js')).createWakeUps(queue, log);
  };
  const wakeUps = lazyWakeUps(createWakeUps, closers);
  const worker: WorkerContext = { cells, wakeUps, clock: systemClock, log };
  // a scheduler opens and closes fences; a person's command does with less
  const scheduler: EngineContext = { ...worker, control, actor };
  const webhooks = createConfiguredWebhooks(config, lookup);
  const engine: EngineContext = { ...scheduler, cells: { get: (id) => asOperator(cells.get(id)) } };
  return {
    config,
    embedded,
    origin:
      name === null ? `the embedded sample: no ${CONFIG_FILE} in ${resolve()}` : describeOrigin(name, config, servers),
    worker,
    scheduler,
    engine,
    movedCells: { get: (id) => asOperator(moved.get(id)) },
    loadRateCard: (path) =>
      loadRateCard(resolve(folder, path ?? config.rateCard), path === undefined ? trust : 'named'),
    queueUrl: (own) => servers.queue(own).url,
    meterRedis,
    connectQueue,
    initQueue: async () => {
      await (await import('../jobs/queue/connection.js')).initQueue(...queueServer('any'));
      await proveQueue();
    },
    checkQueue: async () => (await import('../jobs/queue/connection.js')).checkQueue(...queueServer('any')),
    proveQueue,
    transports: {
      control: () => servers.control().transport,
      queue: () => servers.queue('any').transport,
      cell: (id) => servers.cell(findDataCenter(config, id)).transport,
      meter: (id) => meterServer(id)?.transport,
    },
    meters: createMeterServers({ meter: meterServer, queue: () => servers.queue('any') }),
    startWorker: async ({ queue, ...served }) => {
      const connection = await connectQueue(queue);
      const { createDrains } = await import('./compose-drain.js');
      const options = { ...served, queue: connection, findDrain: createDrains(worker, meterRedis, closers) };
      return (await import('../jobs/processes/worker.js')).startWorker(worker, options);
    },
    webhooks,
    startScheduler: async () => {
      const connection = await connectQueue('any');
      return (await import('../jobs/processes/scheduler.js')).startScheduler(
        scheduler,
        connection,
        config,
        webhooks.telling(),
      );
    },
    seedSamples: async () => (await import('./compose-seed.js')).seedSamples(config, lookup),
    close: async () => {
      await Promise.allSettled(closers.map((close) => close()));
      await embedded?.leave();
    },
  };
}

type CellOptions = Readonly<{ max: number; closers: (() => Promise<void>)[]; place?: 'wherever' }>;

function createCells(
  config: RolloutConfig,
  servers: ConfiguredServers,
  { max, closers, place }: CellOptions,
): CellDirectory {
  const opened = new Map<string, CellDatabase>();
  const open = (dataCenter: DataCenterConfig): CellDatabase => {
    const onConnect: Parameters<typeof openPostgres>[0]['onConnect'] = (query) =>
      assertCellIdentity(query, dataCenter.id, place);
    const db = openServer(servers.cell(dataCenter), { max, onConnect });
    const cell = createCellDatabase(db, dataCenter.id);
    closers.push(() => cell.close());
    opened.set(dataCenter.id, cell);
    return cell;
  };
  return { get: (id) => opened.get(id) ?? open(findDataCenter(config, id)) };
}

function openServer(
  server: ConfiguredServer,
  options: Pick<Parameters<typeof openPostgres>[0], 'max' | 'onConnect'>,
): ReturnType<typeof openPostgres> {
  return openPostgres({ url: server.url, tls: createServerTls(server), applicationName: 'credit-rollout', ...options });
}

/** Throws unknown_data_center with the ids that exist. */
export function findDataCenter(config: RolloutConfig, id: string): DataCenterConfig {
  const found = config.dataCenters.find((dataCenter) => dataCenter.id === id);
  if (found) return found;
  throw new RolloutError('unknown_data_center', {
    message: `No data center has the id "${id}"; there are: ${config.dataCenters.map((dc) => dc.id).join(', ')}.`,
  });
}

function lazyControl(servers: ConfiguredServers, closers: (() => Promise<void>)[]): EngineContext['control'] {
  let opened: EngineContext['control'] | undefined;
  const open = (): EngineContext['control'] => {
    opened = createControlDatabase(openServer(servers.control(), { max: 4 }));
    closers.push(opened.close);
    return opened;
  };
  return {
    inTransaction: (fn) => (opened ?? open()).inTransaction(fn),
    close: async () => opened?.close(),
  };
}
