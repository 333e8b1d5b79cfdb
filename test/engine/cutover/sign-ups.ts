// A product whose orgs sign up around a cut-over: many connections, wrong clocks, retries, transactions that stay open.
import pg from 'pg';
import { systemClock } from '../../../src/kernel/clock.js';
import { makeId, type TestCell } from '../../support/cell.js';

/** One attempt of a sign-up that committed. */
export interface Answer {
  readonly orgId: string;
  readonly model: string;
  /** How long `onboard_org` took by the cell's own clock, in ms. */
  readonly tookMs: number;
  /** The same for the rule alone, which asks no gate, on the same connection right before: how busy the machine was. */
  readonly ruleMs: number;
  /** Which of the product's connections asked. */
  readonly connection: number;
}

export interface SignUpOptions {
  readonly orgId: string;
  /** What the application's clock is off by, in ms. */
  readonly skewMs?: number;
  /** Kept open between the answer and the commit until this resolves. */
  readonly until?: Promise<unknown>;
  /** Called between the answer and the commit. */
  readonly onAnswer?: () => void;
  /** `lost`: the first attempt is rolled back after its answer. */
  readonly attempt?: 'kept' | 'lost';
}

export interface Product {
  /** Signs an org up in a transaction; inserts it only once. */
  signUp(options: SignUpOptions): Promise<Answer>;
  /**
   * Opens all connections, and has each ask and read the rule once: what a first call reads of the catalogs is no
   * stall.
   */
  prepareConnections(): Promise<void>;
  close(): Promise<unknown>;
}

const INSERT = `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
  values ($1, 'standard', true, 300, 0, 0, $2) on conflict do nothing`;
const ASK = `select a as asked, credit_rollout.onboard_org($1) as model, extract(epoch from clock_timestamp() - a) * 1000 as took
  from (select clock_timestamp() as a offset 0) s`;

// in a function, as onboard_org has it: so a session plans it once, and not at each call
const CREATE_RULE = `create or replace function public.read_rule_alone() returns bigint language plpgsql as $$ begin return
  (select count(*) from credit_rollout.decided_first(null, null, array[1]::credit_rollout.org_id[], null)); end $$`;
const RULE = `select a as asked, public.read_rule_alone() as orgs, extract(epoch from clock_timestamp() - a) * 1000 as took
  from (select clock_timestamp() as a offset 0) s`;

/** Connects like an application: through a pool of `connections`. */
export function openProduct(url: string, connections: number): Product {
  const clients = Array.from(
    { length: connections },
    () => new pg.Client({ connectionString: url, application_name: 'product' }),
  );
  for (const client of clients) client.on('error', () => undefined);
  const idle = [...clients];
  const opened = new WeakMap<pg.Client, Promise<unknown>>();
  let rule: Promise<unknown> | undefined;
  const open = async (client: pg.Client): Promise<void> => {
    if (!opened.has(client)) opened.set(client, client.connect());
    await opened.get(client);
    rule ??= client.query(CREATE_RULE);
    await rule;
  };
  const waiting: ((client: pg.Client) => void)[] = [];
  // the one that was idle for longest, so that all of them take part
  const take = async (): Promise<pg.Client> => idle.shift() ?? new Promise((resolve) => waiting.push(resolve));
  const putBack = (client: pg.Client): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(client);
    else next(client);
  };
  return {
    prepareConnections: async () => {
      for (const [n, client] of clients.entries()) {
        await open(client);
        await prepareConnection(client, makeId(9_000_000 + n, 'bigint'));
      }
    },
    signUp: async (options) => {
      const client = await take();
      try {
        await open(client);
        if (options.attempt === 'lost') await attempt(client, options, 'rollback');
        return { ...(await attempt(client, options, 'commit')), connection: clients.indexOf(client) };
      } finally {
        putBack(client);
      }
    },
    close: () => Promise.all(clients.filter((client) => opened.has(client)).map((client) => client.end())),
  };
}

async function prepareConnection(client: pg.Client, orgId: string): Promise<void> {
  await client.query('begin');
  await client.query(ASK, [orgId]);
  await client.query(RULE);
  await client.query('rollback');
}

async function attempt(
  client: pg.Client,
  options: SignUpOptions,
  end: 'commit' | 'rollback',
): Promise<Omit<Answer, 'connection'>> {
  const { orgId, skewMs = 0, until, onAnswer } = options;
  const rule = await client.query(RULE);
  await client.query('begin');
  await client.query(INSERT, [orgId, new Date(systemClock.now().getTime() + skewMs)]);
  const { rows } = await client.query(ASK, [orgId]);
  onAnswer?.();
  if (end === 'commit') await until;
  await client.query(end);
  return { orgId, model: rows[0].model, tookMs: Number(rows[0].took), ruleMs: Number(rule.rows[0].took) };
}

export interface SignUpsOptions {
  /** Their ids go up from here. */
  readonly firstId: number;
  /** At least so many. */
  readonly orgs: number;
  /** From the beginning of one to that of the next; longer once there are as many as asked for. */
  readonly everyMs: number;
  /** Each is retried until it was answered so often; 1 when left out. */
  readonly times?: number;
  /** They go on until this is so. */
  readonly enough: (soFar: readonly Answer[]) => boolean;
}

export interface SignUps {
  readonly soFar: readonly Answer[];
  readonly finished: Promise<readonly Answer[]>;
}

/** More than begin while a suite waits for what must come in between: enough would not come any more. */
const MAX_ORGS = 15_000;
/** Between those beyond `orgs`, that only wait for something: they must leave it time to happen. */
const LATER_EVERY_MS = 30;
/** A machine that is slower than sign-ups begin must not end up with nothing but sign-ups. */
const OPEN_AT_ONCE = 30;

/**
 * Starts one sign-up after the other; application clocks are up to five seconds off, and one in three loses an answer.
 */
export function startSignUps(product: Product, options: SignUpsOptions): SignUps {
  const { firstId, orgs, everyMs, times = 1, enough } = options;
  const soFar: Answer[] = [];
  let failure: unknown;
  const signUp = async (index: number): Promise<void> => {
    const orgId = makeId(firstId + index, 'bigint');
    const skewMs = ((index * 7_919) % 10_001) - 5_000;
    for (let time = 0; time < times; time++)
      soFar.push(await product.signUp({ orgId, skewMs, attempt: time === 0 && index % 3 === 0 ? 'lost' : 'kept' }));
  };
  const run = async (): Promise<readonly Answer[]> => {
    let due = systemClock.now().getTime();
    const open = new Set<Promise<void>>();
    for (let index = 0; failure === undefined && (index < orgs || !enough(soFar)); index += 1) {
      if (index === MAX_ORGS) throw new Error(`still not enough after ${index} sign-ups`);
      await systemClock.sleep(Math.max(0, due - systemClock.now().getTime()));
      due = index < orgs ? due + everyMs : systemClock.now().getTime() + LATER_EVERY_MS;
      const one = signUp(index)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => open.delete(one));
      open.add(one);
      if (open.size >= OPEN_AT_ONCE) await Promise.race(open);
    }
    await Promise.all(open);
    if (failure !== undefined) throw failure;
    return soFar;
  };
  const finished = run();
  // a test that has failed already does not wait for them
  finished.catch(() => undefined);
  return { soFar, finished };
}

/** Orgs that were answered so. */
export const countModel = (answers: readonly Answer[], model: string): number =>
  new Set(answers.filter((answer) => answer.model === model).map(({ orgId }) => orgId)).size;

/** Whether the instant lies well inside the answers. */
export const areBothModels = (answers: readonly Answer[]): boolean =>
  countModel(answers, 'legacy') > 150 && countModel(answers, 'credits') > 150;

/** What the cell recorded for an org. */
export interface Recorded {
  readonly org_id: string;
  readonly model: string | null;
  readonly after: boolean | null;
  readonly origin: string | null;
  readonly floor: string | null;
}

export async function readRecords(cell: TestCell): Promise<readonly Recorded[]> {
  const rows = await cell.sql(
    `select o.org_id::text, s.model, s.decided_at >= g.effective_at as after, a.origin, a.floor::text
     from public.orgs o cross join credit_rollout.gate g
     left join credit_rollout.sign_ups s on s.org_id = o.org_id
     left join credit_rollout.allotments a on a.org_id = o.org_id order by o.org_id`,
  );
  return rows as unknown as readonly Recorded[];
}
