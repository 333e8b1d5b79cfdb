// The product of a soak: orgs sign up, buy, lapse, come back, change and leave, in transactions of its own, whatever
// happens to us. It connects straight to the servers, over one connection to each data center.
import pg from 'pg';
import { systemClock } from '../../src/kernel/clock.js';
import type { TestCell } from '../support/cell.js';
import type { Random } from './options.js';
import { FIRST_ORG, type World } from './world.js';

export interface ProductLife {
  /** What committed, by its kind. */
  readonly done: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Sign-ups have ids beyond those that were there. */
const FIRST_SIGN_UP = FIRST_ORG + 10_000_000;
const EVERY_MS = { from: 20, to: 160 } as const;
const EDITIONS = `(array['free', 'express', 'standard', 'professional', 'enterprise'])`;

interface Edit {
  readonly kind: string;
  readonly weight: number;
  /** $1: an org; $2: a number of up to 400. Uses both. */
  readonly sql: string;
}

const set = (what: string): string =>
  `update public.orgs set ${what}, updated_at = clock_timestamp() where org_id = $1 and $2::int is not null`;

const EDITS: readonly Edit[] = [
  { kind: 'purchase', weight: 5, sql: set('additional_credits = additional_credits + 100 * ($2::int + 1)') },
  { kind: 'seats', weight: 6, sql: set('agents = $2::int') },
  { kind: 'edition', weight: 3, sql: set(`edition = ${EDITIONS}[1 + $2::int % 5]`) },
  { kind: 'lapse', weight: 2, sql: set('paid = false') },
  { kind: 'return', weight: 2, sql: set('paid = true') },
  { kind: 'negotiation', weight: 1, sql: set('legacy_limit = nullif($2::int % 3, 0) * 700000') },
  { kind: 'unreadable', weight: 1, sql: set(`agents = case when $2::int % 4 = 0 then -1 else 5 end`) },
  { kind: 'leaves', weight: 1, sql: 'delete from public.orgs where org_id = $1 and $2::int % 3 = 0' },
];
/** Of those that left. $1: an org; $2: a number of up to 400. */
const COMES_BACK = `insert into public.orgs
    (org_id, edition, paid, agents, light_agents, additional_credits, created_at, updated_at)
  values ($1, ${EDITIONS}[1 + $2::int % 5], $2::int % 3 > 0, $2, 0, 0, timestamptz '2024-03-01 12:00+00',
    clock_timestamp())
  on conflict do nothing`;

export function startProduct(world: World, random: Random, orgs: number): ProductLife {
  const done = new Map<string, number>();
  const stopping = new AbortController();
  const lives = world.fleet.cells.map((cell) => live(cell, { done, random, orgs, signal: stopping.signal }));
  return {
    done,
    stop: async () => {
      stopping.abort();
      await Promise.all(lives);
    },
  };
}

interface LifeOptions {
  readonly done: Map<string, number>;
  readonly random: Random;
  readonly orgs: number;
  readonly signal: AbortSignal;
}

async function live(cell: TestCell, { done, random, orgs, signal }: LifeOptions): Promise<void> {
  const weighted = EDITS.flatMap((edit) => Array.from({ length: edit.weight }, () => edit));
  const gone: number[] = [];
  let client: pg.Client | undefined;
  let signUps = 0;
  const edit = async (to: pg.Client): Promise<string | undefined> => {
    const { kind, sql } = random.pick(weighted);
    const known = random.chance(0.2) && signUps > 0 ? FIRST_SIGN_UP + random.between(0, signUps) : undefined;
    const org = known ?? FIRST_ORG + random.between(0, orgs - 1);
    const { rowCount } = await to.query(sql, [org, random.between(0, 400)]);
    if (rowCount !== 1) return undefined;
    if (kind === 'leaves' && known === undefined) gone.push(org);
    return kind;
  };
  const act = async (to: pg.Client): Promise<string | undefined> => {
    if (random.chance(0.15)) {
      await signUp(to, FIRST_SIGN_UP + signUps, random);
      signUps += 1;
      return 'sign-up';
    }
    const [longest] = gone;
    if (longest === undefined || !random.chance(0.02)) return edit(to);
    const { rowCount } = await to.query(COMES_BACK, [longest, random.between(0, 400)]);
    gone.shift();
    return rowCount === 1 ? 'comes back' : undefined;
  };
  while (!signal.aborted) {
    try {
      client ??= await connect(cell.url);
      const kind = await act(client);
      if (kind !== undefined) done.set(kind, (done.get(kind) ?? 0) + 1);
    } catch {
      // its server is down: a product tries again
      await client?.end().catch(() => undefined);
      client = undefined;
      signUps += 1;
      await systemClock.sleep(300, signal);
    }
    await systemClock.sleep(random.between(EVERY_MS.from, EVERY_MS.to), signal);
  }
  await client?.end().catch(() => undefined);
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...{ connectionString: url, application_name: 'product' },
    ...{ connectionTimeoutMillis: 5_000, query_timeout: 20_000 },
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function signUp(client: pg.Client, org: number, random: Random): Promise<void> {
  await client.query('begin');
  await client.query(
    `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at, updated_at)
     values ($1, ${EDITIONS}[1 + $2::int % 5], $2::int % 3 > 0, $2, 0, 0, clock_timestamp(), clock_timestamp())`,
    [org, random.between(0, 300)],
  );
  await client.query('select credit_rollout.onboard_org($1)', [org]);
  if (random.chance(0.1)) await systemClock.sleep(random.between(100, 1_500));
  await client.query(random.chance(0.9) ? 'commit' : 'rollback');
}
