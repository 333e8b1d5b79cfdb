// Connects to the queue by its URL: Redis through ioredis, or Postgres. Only this file knows which; the others use
// BullMQ's own classes.
import type { ConnectionOptions } from 'node:tls';
import {
  assertSchemaCompatibility,
  createPostgresBackend,
  type Job,
  type PgPool,
  Queue,
  type QueueOptions,
  runMigrations,
  Worker,
  type WorkerOptions,
  withBackend,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { RolloutError } from '../../src/kernel/rollout-error.js';
import { explainQueueFailure } from './failures.js';

export type QueueKind = 'redis' | 'postgres';

/** Makes queues and workers on one URL. */
export interface QueueConnection {
  readonly kind: QueueKind;
  /** Throws queue_unreachable and the like while the queue cannot be used as it is; changes nothing. */
  check(): Promise<void>;
  createQueue(name: string): Queue;
  /** A worker that takes no jobs before `run()`. */
  createWorker(
    name: string,
    process: (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<unknown>,
    options: { concurrency: number },
  ): Worker;
  /** Closes the connections that its queues share; each worker closes its own. */
  close(): void;
}

const PREFIX = '{credit-rollout}'; // a hash tag, so that a Redis Cluster keeps a queue on one node
// short, so that the job of a killed worker is back in seconds; the fence, not this lock, keeps a batch from running
// twice
const LOCKS = { lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 1_000_000 };
const PRODUCERS = 3;
/** Events that a queue keeps, about: nothing of ours reads them. */
const MAX_EVENTS = 1_000;
const STREAMS = { events: { maxLen: MAX_EVENTS } };
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 2_000);

/** What the drivers are told about TLS; left out: for `rediss://` what Node does by itself, else plain text. */
export interface QueueTls {
  readonly ssl: ConnectionOptions | false;
  readonly sslnegotiation?: 'direct';
  readonly Client: typeof pg.Client;
}

// whatever the owner of the database has set for it
const SESSION =
  '-c search_path=bullmq -c datestyle=ISO,MDY -c timezone=UTC -c standard_conforming_strings=on ' +
  '-c default_transaction_isolation=read\\ committed -c transform_null_equals=off -c array_nulls=on';

interface QueueServer {
  readonly url: string;
  readonly tls: QueueTls | undefined;
}

const isRedis = (url: string): boolean => /^rediss?:/u.test(url);

/** `url`: without parameters about TLS. */
export function connectQueue(url: string, tls?: QueueTls): QueueConnection {
  const server = { url, tls };
  return isRedis(url) ? connectRedis(server) : connectPostgresQueue(server);
}

const redisTls = ({ tls }: QueueServer): { readonly tls?: ConnectionOptions } =>
  tls === undefined || tls.ssl === false ? {} : { tls: tls.ssl };

const postgresTls = ({ tls }: QueueServer): pg.ClientConfig =>
  tls === undefined
    ? { ssl: false }
    : { ssl: tls.ssl, ...(tls.sslnegotiation !== undefined && { sslnegotiation: tls.sslnegotiation }) };

function connectRedis(server: QueueServer): QueueConnection {
  let producer: Redis | undefined;
  const limitWriters = new Map<string, () => void>();
  // made here, so that it always has a listener: an outage is shown by status, not on standard error
  const open = (options: { enableOfflineQueue: boolean; maxRetriesPerRequest: number | null }): Redis => {
    const client = new Redis(server.url, { ...options, ...redisTls(server), retryStrategy, connectTimeout: 3_000 });
    client.on('error', () => undefined);
    return client;
  };
  const openProducer = (): Redis => {
    producer = open({ enableOfflineQueue: false, maxRetriesPerRequest: 1 });
    // every queue of this process listens; BullMQ adds 3 to the number, so that 0, without limit, became 3
    producer.setMaxListeners(Number.POSITIVE_INFINITY);
    return producer;
  };
  return {
    kind: 'redis',
    check: () => checkQueue(server.url, server.tls),
    createQueue: (name) => {
      const client = producer ?? openProducer();
      const queue = new Queue(name, {
        connection: client,
        prefix: PREFIX,
        streams: STREAMS,
        skipWaitingForReady: true,
        // its INFO would be rejected before the connection is open, and the queue would stay broken; init checks the
        // version
        skipVersionCheck: true,
      } as QueueOptions);
      // BullMQ writes its limit once, which is rejected before the connection is open, and keeps ten times as many then
      const writeLimit = (): void => {
        client.hset(queue.toKey('meta'), 'opts.maxLenEvents', MAX_EVENTS).catch(() => undefined);
      };
      // a queue object that is made again takes the place of the one before it
      client.off('ready', limitWriters.get(name) ?? writeLimit);
      limitWriters.set(name, writeLimit);
      client.on('ready', writeLimit);
      return queue;
    },
    createWorker: (name, process, { concurrency }) => {
      const connection = open({ enableOfflineQueue: true, maxRetriesPerRequest: null });
      const options = { connection, prefix: PREFIX, concurrency, autorun: false, ...LOCKS };
      const worker = new Worker(name, process, options as WorkerOptions);
      worker.once('closed', () => connection.disconnect());
      return worker;
    },
    close: () => producer?.disconnect(),
  };
}

/**
 * BullMQ holds connections between two statements without a listener: the server's word that it ends one would end the
 * process. The next statement fails all the same.
 */
function holdClient(Client: typeof pg.Client): typeof pg.Client {
  return class HeldClient extends Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      this.on('error', () => undefined);
    }
  };
}

function connectPostgresQueue(server: QueueServer): QueueConnection {
  const classes = withBackend(createPostgresBackend);
  const openPool = (own: pg.PoolConfig): pg.Pool => {
    const pool = new pg.Pool({
      connectionString: server.url,
      ...postgresTls(server),
      application_name: 'credit-rollout queue',
      connectionTimeoutMillis: 5_000,
      options: SESSION,
      Client: holdClient(server.tls?.Client ?? pg.Client),
      keepAlive: true,
      ...own,
    });
    pool.on('error', () => undefined);
    return pool;
  };
  let producers: pg.Pool | undefined;
  // one small pool for all producers; each worker has a connection of its own, and one that listens
  const openProducers = (): pg.Pool => {
    producers = openPool({ max: PRODUCERS, allowExitOnIdle: true });
    producers.setMaxListeners(0); // every queue of this process listens
    return producers;
  };
  return {
    kind: 'postgres',
    check: () => checkQueue(server.url, server.tls),
    createQueue: (name) =>
      new classes.Queue(name, {
        connection: (producers ?? openProducers()) as unknown as PgPool,
        streams: STREAMS,
      }) as unknown as Queue,
    createWorker: (name, process, { concurrency }) => {
      const pool = openPool({ max: 2 });
      const connection = pool as unknown as PgPool;
      const options = { connection, concurrency, autorun: false, ...LOCKS };
      const worker = new classes.Worker(name, process, options) as unknown as Worker;
      worker.once('closed', () => void pool.end().catch(() => undefined));
      return worker;
    },
    close: () => void producers?.end().catch(() => undefined),
  };
}

/**
 * Creates the queue's own schema in Postgres; on Redis it only checks the server. Throws queue_unreachable,
 * queue_pooled.
 */
export async function initQueue(url: string, tls?: QueueTls): Promise<void> {
  const server = { url, tls };
  if (isRedis(url)) return checkRedis(server);
  await withPostgres(server, async (client) => {
    await runMigrations(client);
  });
}

/**
 * Throws unless the queue can be used: reachable, a direct connection, new enough, with its schema. Changes nothing.
 */
export async function checkQueue(url: string, tls?: QueueTls): Promise<void> {
  const server = { url, tls };
  if (isRedis(url)) return checkRedis(server);
  await withPostgres(server, async (client) => {
    try {
      await assertSchemaCompatibility(client);
    } catch (cause) {
      throw explainSchema(cause);
    }
  });
}

const GRANTS = 'docs/how-to/install-a-fleet.md#4-choose-a-queue';

/** A login without rights sees no version either: `init` would not help. */
function explainSchema(cause: unknown): RolloutError {
  if ((cause as { readonly code?: unknown }).code === '42501')
    return new RolloutError('not_permitted', {
      message: 'This login may not use the schema bullmq of the queue.',
      next: `Use the login that init was run with in the URL of queue: ${GRANTS}`,
      cause,
    });
  return new RolloutError('not_initialised', {
    message: 'The queue has no schema of the version that is needed.',
    cause,
  });
}

async function withPostgres(server: QueueServer, act: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = openClient(server);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await assertDirect(server);
    // the owner of a database can set another one for it
    await client.query('set search_path = pg_catalog, pg_temp');
    await act(client);
  } catch (error) {
    throw explainQueueFailure(server.url, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function openClient(server: QueueServer, options?: pg.ClientConfig): pg.Client {
  const Client = server.tls?.Client ?? pg.Client;
  const own = { connectionString: server.url, connectionTimeoutMillis: 5_000, ...postgresTls(server), ...options };
  return new Client(own);
}

/** A transaction pooler rejects or drops start-up options, which the queue needs. */
async function assertDirect(server: QueueServer): Promise<void> {
  const client = openClient(server, { options: SESSION });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query('show search_path');
    if (rows[0].search_path === 'bullmq') return;
  } catch {
    // falls through: a pooler answers "unsupported startup parameter: options"
  } finally {
    await client.end().catch(() => undefined);
  }
  throw new RolloutError('queue_pooled', {
    message: 'The queue URL leads to a transaction pooler (start-up options are lost).',
  });
}

const OLDEST_REDIS = [6, 2] as const;

async function checkRedis(server: QueueServer): Promise<void> {
  const redis = new Redis(server.url, {
    ...redisTls(server),
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
    connectTimeout: 3_000,
    commandTimeout: 5_000, // a stopped one takes the connection and says nothing
  });
  let reason: unknown;
  redis.on('error', (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    const info = await redis.info('server');
    const [major = 0, minor = 0] = (/redis_version:(\S+)/u.exec(info)?.[1] ?? '0').split('.').map(Number);
    if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1]))
      throw new RolloutError('unsupported_version', {
        message: `The queue runs Redis ${major}.${minor}; 6.2 or newer is needed.`,
      });
  } catch (error) {
    throw explainQueueFailure(server.url, reason ?? error);
  } finally {
    redis.disconnect();
  }
}
