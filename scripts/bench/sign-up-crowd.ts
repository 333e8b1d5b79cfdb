// A crowd that signs up at the same moment, on a cell whose worker goes on meanwhile: how long the last of them waits for
// its allotment, and what status says where that takes longer than 5 s.
import { explainSignUpsWait, type SignUpsWait } from '../../src/domain/cutover/sign-up-writing.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { systemClock } from '../../src/kernel/clock.js';
import { readWaitingSignUps } from '../../src/stores/cell/cutover/pending-sign-ups.js';
import { DATA_CENTER } from './bed.js';
import { withClient } from './database.js';
import { type SignUpPlace, startCondition } from './sign-up-conditions.js';
import { countPending, withClients } from './sign-up-losses.js';
import { type SignUpSource, signUpOnce } from './sign-up-once.js';

/** Sign-ups of a crowd, at most as many as the sample. */
export const CROWDS = [200, 2_000] as const;
/** Sessions of the product. */
const SESSIONS = 20;
/** Nobody looks on for longer. */
const WATCH_MS = 20_000;
const LOOK_MS = 100;
/** As the job has it: src and jobs agree in write-sign-ups.job.ts. */
const INTERVAL_MS = 1_000;
export const FOLLOWED_MS = 5_000;

export interface CrowdMeasure {
  readonly orgs: number;
  readonly signedUpMs: number;
  /** How long the oldest that was not written had waited, at most, in ms. */
  readonly longestMs: number;
  /** Not written when the looking on ended. */
  readonly left: number;
  /** What one read of the source took last, in ms; null: it was not read. */
  readonly readMs: number | null;
  /** Each reason that status gave after 5 s. */
  readonly said: readonly SignUpsWait[];
}

export interface CrowdQuestion extends SignUpPlace {
  readonly source: SignUpSource;
  readonly orgs: number;
  readonly ids: () => number;
}

export async function measureCrowd({ url, cell, source, orgs, ids }: CrowdQuestion): Promise<CrowdMeasure> {
  await startCondition('no scheduler', { url, cell });
  await withClient(url, (client) => client.query(OPEN));
  const stopping = new AbortController();
  const written = writeOn({ url, cell }, stopping.signal);
  const began = performance.now();
  const signing = signUpTogether({ url, cell, source, orgs, ids }).then(() => performance.now() - began);
  const said = new Set<SignUpsWait>();
  let longestMs = 0;
  let readMs: number | null = null;
  let signedUpMs: number | undefined;
  void signing.then((ms) => {
    signedUpMs = ms;
  });
  for (;;) {
    const waiting = await cell.inTransaction('state', readWaitingSignUps);
    longestMs = Math.max(longestMs, waiting.oldestMs);
    readMs = waiting.readMs ?? readMs;
    if (waiting.oldestMs > FOLLOWED_MS)
      said.add(explainSignUpsWait(waiting, { frozen: false, singleWrites: true, workersAlive: 1 }));
    if (signedUpMs !== undefined && (waiting.count === 0 || performance.now() - began > WATCH_MS)) break;
    await systemClock.sleep(LOOK_MS);
  }
  const left = await countPending(url);
  stopping.abort();
  await written;
  return { orgs, signedUpMs: await signing, longestMs, left, readMs, said: [...said] };
}

/** Nothing waits, and single orgs may be written. */
const OPEN = `begin; set local session_replication_role = replica;
  delete from credit_rollout.pending_sign_ups;
  update credit_rollout.sign_up_writer set rest_until = null, read_ms = null, failure = null;
  update credit_rollout.gate set latched_at = '2026-01-01';
  update credit_rollout.fence set single_writes = true,
    timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  commit`;

async function writeOn({ cell }: SignUpPlace, signal: AbortSignal): Promise<void> {
  const context = { cells: { get: () => cell } };
  while (!signal.aborted) {
    const { written, restMs } = await writeSignUps(context, DATA_CENTER.id);
    await systemClock.sleep(written > 0 ? restMs : Math.max(INTERVAL_MS, restMs), signal);
  }
}

async function signUpTogether({ url, source, orgs, ids }: CrowdQuestion): Promise<void> {
  let left = orgs;
  await withClients(url, Math.min(SESSIONS, orgs), (clients) =>
    Promise.all(
      clients.map(async (client) => {
        while (left > 0) {
          left -= 1;
          await signUpOnce(client, { source, how: 'called', id: ids(), timeoutMs: 0, isolation: '' });
        }
      }),
    ),
  );
}
