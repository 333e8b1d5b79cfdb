// Contender 3: one BullMQ job per org, with BullMQ's own defaults: each job reads its org, computes, and upserts one
// row.
import { createPostgresBackend, type Processor, Queue, Worker, withBackend } from 'bullmq';
import { initQueue } from '../../jobs/queue/connection.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { type BenchBed, CONTROL, type Measure, orgId, readTarget, resetTarget } from './bed.js';
import { computeRow, type OrgRow } from './compute-row.js';
import { recreateDatabase } from './database.js';
import { ORG_FIELDS } from './knex-loop.js';

const CONCURRENCY = 20;
const CHUNK = 1_000;
const NAME = 'bench-job-per-org';

interface JobQueue {
  addBulk(jobs: { name: string; data: { id: number }; opts: { removeOnComplete: boolean } }[]): Promise<unknown>;
  close(): Promise<void>;
}

interface JobWorker {
  close(): Promise<void>;
  on(event: 'completed', listener: () => void): unknown;
  on(event: 'failed', listener: (job: unknown, error: Error) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** From the first job that is added until the last has written; adding and working overlap, as they would. */
export async function measureJobPerOrg(bed: BenchBed, backEnd: 'redis' | 'postgres'): Promise<Measure> {
  await resetTarget(bed);
  const orgs = Math.min(bed.options.sample, bed.orgs);
  const db = openPostgres({ url: bed.server.url(bed.cell), applicationName: 'credit-rollout bench', max: CONCURRENCY });
  const today = new Date().toISOString().slice(0, 10);
  const upsertOrg = async (id: number): Promise<void> => {
    const org: OrgRow = await db('public.orgs')
      .select(...ORG_FIELDS)
      .where('org_id', id)
      .first();
    const row = computeRow(org, bed.card, today);
    if (row !== undefined) await db('bench.allotments').insert(row).onConflict('org_id').merge();
  };
  const { queue, worker } = await connect(bed, backEnd, (job) => upsertOrg(job.data.id));
  try {
    const finished = countCompleted(worker, orgs);
    const started = performance.now();
    await addJobs(queue, orgs);
    await finished;
    return { orgs, ms: performance.now() - started, ...(await readTarget(bed)) };
  } finally {
    await Promise.allSettled([worker.close(), queue.close()]);
    await db.destroy();
  }
}

async function addJobs(queue: JobQueue, orgs: number): Promise<void> {
  for (let from = 1; from <= orgs; from += CHUNK) {
    const length = Math.min(CHUNK, orgs - from + 1);
    const jobs = Array.from({ length }, (_, index) => ({
      name: 'org',
      data: { id: orgId(from + index) },
      opts: { removeOnComplete: true },
    }));
    await queue.addBulk(jobs);
  }
}

function countCompleted(worker: JobWorker, jobs: number): Promise<void> {
  const finished = new Promise<void>((resolve, reject) => {
    let left = jobs;
    worker.on('completed', () => {
      left -= 1;
      if (left === 0) resolve();
    });
    worker.on('failed', (_job, error) => reject(error));
    worker.on('error', () => undefined); // BullMQ reconnects by itself
  });
  finished.catch(() => undefined);
  return finished;
}

async function connect(
  { server }: BenchBed,
  backEnd: 'redis' | 'postgres',
  process: Processor<{ id: number }>,
): Promise<{ queue: JobQueue; worker: JobWorker }> {
  if (backEnd === 'redis') {
    if (server.redisUrl === undefined) throw new Error('no Redis');
    const connection = { url: server.redisUrl };
    const queue = new Queue<{ id: number }>(NAME, { connection });
    const worker = new Worker(NAME, process, {
      connection: { ...connection, maxRetriesPerRequest: null },
      concurrency: CONCURRENCY,
    });
    await worker.waitUntilReady();
    return { queue, worker };
  }
  await recreateDatabase(server.url('postgres'), CONTROL);
  await initQueue(server.url(CONTROL));
  const classes = withBackend(createPostgresBackend);
  const connection = { connectionString: server.url(CONTROL) };
  const queue = new classes.Queue<{ id: number }>(NAME, { connection });
  const worker = new classes.Worker(NAME, process, { connection, concurrency: CONCURRENCY });
  await worker.waitUntilReady();
  return { queue, worker };
}
