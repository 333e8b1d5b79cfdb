// One sign-up as the product has it: its own transaction, with our call in it, with an empty statement in place of our
// call, or without either. And what they cost in turn, on one connection and on new ones.
import pg from 'pg';
import { withClient } from './database.js';

/** `unindexed`: a lateral view that reads all users for each org. */
export const SIGN_UP_SOURCES = ['table', 'grouped', 'lateral', 'window', 'unindexed'] as const;
export type SignUpSource = (typeof SIGN_UP_SOURCES)[number];

/** `empty`: a statement that does nothing stands where our call does. */
export const SIGN_UP_KINDS = ['bare', 'empty', 'called'] as const;
export type SignUpKind = (typeof SIGN_UP_KINDS)[number];

export interface ProductSignUp {
  readonly source: SignUpSource;
  readonly how: SignUpKind;
  readonly id: number;
  readonly timeoutMs: number;
  readonly isolation: string;
}

/** How it ended; `failedAt`: undefined when it committed; `after`: the insert had succeeded. */
export interface SignUpEnd {
  readonly ms: number;
  readonly failedAt?: 'insert' | 'after';
  readonly code?: string | undefined;
}

export async function signUpOnce(client: pg.Client, signUp: ProductSignUp): Promise<SignUpEnd> {
  const { source, how, id, timeoutMs, isolation } = signUp;
  let failedAt: 'insert' | 'after' = 'insert';
  const began = performance.now();
  try {
    await client.query(`begin ${isolation}; set local statement_timeout = ${timeoutMs}`);
    await client.query(insertOf(source, id));
    failedAt = 'after';
    if (how === 'empty') await client.query('select 1');
    if (how === 'called') {
      const { rows } = await client.query(`select credit_rollout.onboard_org(${id}) as model`);
      if (rows[0]?.model === null) throw new Error('onboard_org answered nothing');
    }
    await client.query('commit');
    return { ms: performance.now() - began };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    await client.query('rollback');
    return { ms: performance.now() - began, failedAt, code: error.code };
  }
}

const insertOf = (source: SignUpSource, id: number): string =>
  source === 'table'
    ? `insert into public.orgs values (${id}, 'standard', true, 3, 0, 0, now())`
    : `with a as (insert into accounts values (${id}, now()))
       insert into subscriptions values (${id}, 'standard', 'active')`;

/** Milliseconds of whole transactions that committed. */
export interface SignUpTimes {
  readonly bare: readonly number[];
  readonly called: readonly number[];
}

export interface InTurn {
  readonly source: SignUpSource;
  /** Of each kind. */
  readonly count: number;
  readonly ids: () => number;
}

/** On one connection, which has planned what it runs. */
export function measureInTurn(url: string, turn: InTurn): Promise<SignUpTimes> {
  return withClient(url, async (client) => {
    await measure(client, turn, 'called');
    const times = { bare: [] as number[], called: [] as number[] };
    for (let n = 0; n < turn.count; n += 1)
      for (const how of ['bare', 'called'] as const) times[how].push(await measure(client, turn, how));
    return times;
  });
}

/** The first of a session, as where each request connects: it reads the catalogs and plans. */
export async function measureFirst(url: string, turn: InTurn): Promise<SignUpTimes> {
  const times = { bare: [] as number[], called: [] as number[] };
  for (let n = 0; n < turn.count; n += 1)
    for (const how of ['bare', 'called'] as const)
      times[how].push(await withClient(url, (client) => measure(client, turn, how)));
  return times;
}

const measure = async (client: pg.Client, { source, ids }: InTurn, how: SignUpKind): Promise<number> =>
  (await signUpOnce(client, { source, how, id: ids(), timeoutMs: 0, isolation: '' })).ms;
