// Sign-ups that fail under the time-outs that products set, in one condition: those with our call in turn with those
// without it, on the same connections at the same time, so that both meet the same load.
import type pg from 'pg';
import { withClient } from './database.js';
import { isolationOf, type SignUpCondition, type SignUpPlace, startCondition } from './sign-up-conditions.js';
import { SIGN_UP_KINDS, type SignUpKind, type SignUpSource, type SignUpTimes, signUpOnce } from './sign-up-once.js';

export const TIMEOUTS_MS = [50, 100, 300] as const;
/** Sign-ups at once while they are counted. */
const CONNECTIONS = 8;
/** A new session for each costs ten times as much. */
const FEWER = 10;

/** Without us the same is asked once in so many turns: it shows what the time-outs end anyway. */
const COMPARED_EVERY = 3;

/** Sign-ups under one time-out in one condition. */
export interface LossCounts {
  readonly timeoutMs: number;
  /** With us; of the others a third each. */
  readonly asked: number;
  /** That failed; `called`, `empty`: after the insert; where that itself fails, it would have failed without us. */
  readonly failed: Readonly<Record<SignUpKind, number>>;
  /** That committed with no record of theirs: a sweep or a night finds them. */
  readonly unrecorded: number;
  /** SQLSTATEs of those with our call. */
  readonly codes: readonly string[];
}

export interface ConditionMeasure extends SignUpTimes {
  readonly condition: SignUpCondition;
  readonly counts: readonly LossCounts[];
  /** What was recorded and not written when the last one had committed. */
  readonly waiting: number;
}

export interface LossQuestion extends SignUpPlace {
  readonly source: SignUpSource;
  readonly condition: SignUpCondition;
  readonly sample: number;
  readonly ids: () => number;
}

export async function measureCondition(question: LossQuestion): Promise<ConditionMeasure> {
  const { url, condition } = question;
  const times = { bare: [] as number[], empty: [] as number[], called: [] as number[] };
  const end = await startCondition(condition, question);
  const counts: LossCounts[] = [];
  const work = async (clients: readonly pg.Client[]): Promise<void> => {
    for (const timeoutMs of TIMEOUTS_MS) counts.push(await countLosses(question, { clients, timeoutMs, times }));
  };
  await withClients(url, Math.min(CONNECTIONS, question.sample), work);
  await end();
  return { condition, counts, bare: times.bare, called: times.called, waiting: await countPending(url) };
}

/** The whole sample under each time-out where nothing else goes on, under all of them together where something does. */
function countAsked(condition: SignUpCondition, sample: number): number {
  if (condition === 'calm') return sample;
  return Math.ceil(sample / TIMEOUTS_MS.length / (condition === 'new sessions' ? FEWER : 1));
}

const listKinds = (turn: number): readonly SignUpKind[] => (turn % COMPARED_EVERY === 0 ? SIGN_UP_KINDS : ['called']);

interface Round {
  readonly clients: readonly pg.Client[];
  readonly timeoutMs: number;
  readonly times: Record<SignUpKind, number[]>;
}

async function countLosses(question: LossQuestion, { clients, timeoutMs, times }: Round): Promise<LossCounts> {
  const { source, condition, ids, sample, url } = question;
  const fresh = condition === 'new sessions';
  const asked = countAsked(condition, sample);
  const failed = { bare: 0, empty: 0, called: 0 };
  const codes: string[] = [];
  const committed: number[] = [];
  let left = asked;
  const signUp = async (client: pg.Client, how: SignUpKind): Promise<void> => {
    const one = { source, how, id: ids(), timeoutMs, isolation: isolationOf(condition) };
    const { ms, failedAt, code } = await signUpOnce(client, one);
    if (failedAt === undefined) times[how].push(ms);
    else if (how === 'bare' || failedAt === 'after') failed[how] += 1;
    if (how === 'called' && failedAt === undefined) committed.push(one.id);
    if (how === 'called' && failedAt === 'after') codes.push(code ?? 'none');
  };
  const signUpInTurn = async (client: pg.Client): Promise<void> => {
    // what a first call of a session reads of the catalogs is another condition
    if (!fresh) await signUpOnce(client, { source, how: 'called', id: ids(), timeoutMs: 0, isolation: '' });
    while (left > 0) {
      left -= 1;
      for (const how of listKinds(left))
        await (fresh ? withClient(url, (other) => signUp(other, how)) : signUp(client, how));
    }
  };
  await Promise.all(clients.map(signUpInTurn));
  return { timeoutMs, asked, failed, codes, unrecorded: await countUnrecorded(url, committed) };
}

export function withClients<T>(
  url: string,
  count: number,
  work: (clients: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  const open = (opened: readonly pg.Client[]): Promise<T> =>
    opened.length === count ? work(opened) : withClient(url, (client) => open([...opened, client]));
  return open([]);
}

const countRows = (url: string, sql: string, values: readonly unknown[] = []): Promise<number> =>
  withClient(url, async (client) => Number((await client.query(sql, [...values])).rows[0]?.n));

/** Recorded, not written, and not given up. */
export const countPending = (url: string): Promise<number> =>
  countRows(url, 'select count(*) as n from credit_rollout.pending_sign_ups where tries < 5');

/** Recorded on credits, and neither written nor waiting. */
export const countLeft = (url: string): Promise<number> =>
  countRows(
    url,
    `select count(*) as n from credit_rollout.sign_ups s
     where s.model = 'credits' and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
       and not exists (select from credit_rollout.pending_sign_ups p where p.org_id = s.org_id and p.tries < 5)`,
  );

const countUnrecorded = (url: string, ids: readonly number[]): Promise<number> =>
  countRows(
    url,
    `select count(*) as n from unnest($1::bigint[]) i
     where not exists (select from credit_rollout.sign_ups s where s.org_id = i)`,
    [ids],
  );
