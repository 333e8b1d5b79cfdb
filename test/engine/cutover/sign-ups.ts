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
  /** Which of the product's connections asked. */
  readonly connection: number;
}

export interface SignUpOptions {
  readonly orgId: string;
  /** What the application's clock is off by, in ms. */
  readonly skewMs?: number;
  /** Kept open between the answer and the commit until this resolves. */
  readonly until?: Promise<unknown>;
  /** `lost`: the first attempt is rolled back after its answer. */
  readonly attempt?: 'kept' | 'lost';
}

export interface Product {
  /** Signs an org up in a transaction; inserts it only once. */
  signUp(options: SignUpOptions): Promise<Answer>;
  /** Opens all connections, and has each ask and read the rule once: what a first call reads of the catalogs is no stall. */
  warmUp(): Promise<void>;
  close(): Promise<unknown>;
}

const INSERT = `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
  values ($1, 'standard', true, 300, 0, 0, $2) on conflict do nothing`;
const ASK = `select a as asked, credit_rollout.onboard_org($1) as model, extract(epoch from clock_timestamp() - a) * 1000 as took
  from (select clock_timestamp() as a offset 0) s`;

const RULE = 'select from credit_rollout.decided_first(null, null, array[1]::credit_rollout.org_id[], null)';

/** Connects like an application: through a pool of `connections`. */
export function openProduct(url: string, connections: number): Product {
  const clients = Array.from(
    { length: connections },
    () => new pg.Client({ connectionString: url, application_name: 'product' }),
  );
  for (const client of clients) client.on('error', () => undefined);
  const idle = [...clients];
  const opened = new WeakMap<pg.Client, Promise<unknown>>();
  const open = async (client: pg.Client): Promise<void> => {
    if (!opened.has(client)) opened.set(client, client.connect());
    await opened.get(client);
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
    warmUp: async () => {
      for (const [n, client] of clients.entries()) {
        await open(client);
        await warm(client, makeId(9_000_000 + n, 'bigint'));
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

async function warm(client: pg.Client, orgId: string): Promise<void> {
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
  const { orgId, skewMs = 0, until } = options;
  await client.query('begin');
  await client.query(INSERT, [orgId, new Date(systemClock.now().getTime() + skewMs)]);
  const { rows } = await client.query(ASK, [orgId]);
  if (end === 'commit') await until;
  await client.query(end);
  return { orgId, model: rows[0].model, tookMs: Number(rows[0].took) };
}

/** Runs one sign-up after the other so that they spread evenly over `forMs`; each is retried until it was answered `times` times. */
export async function spread(
  product: Product,
  { orgs, forMs, times }: { readonly orgs: number; readonly forMs: number; readonly times: number },
): Promise<readonly Answer[]> {
  const began = systemClock.now().getTime();
  const signUps = Array.from({ length: orgs }, async (_, index) => {
    await systemClock.sleep(Math.max(0, began + (index * forMs) / orgs - systemClock.now().getTime()));
    const orgId = makeId(index + 1, 'bigint');
    const skewMs = ((index * 7_919) % 10_001) - 5_000;
    const answers: Answer[] = [];
    for (let time = 0; time < times; time++)
      answers.push(await product.signUp({ orgId, skewMs, attempt: time === 0 && index % 3 === 0 ? 'lost' : 'kept' }));
    return answers;
  });
  return (await Promise.all(signUps)).flat();
}

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

/** Asks the rule, and no gate, every 20 ms; what it returns stops it with the longest answer, in ms. */
export function startPulse(cell: Pick<TestCell, 'sql'>): () => Promise<number> {
  const stopped = new AbortController();
  const beating = (async () => {
    let longest = 0;
    while (!stopped.signal.aborted) {
      const began = systemClock.now().getTime();
      await cell.sql(RULE);
      longest = Math.max(longest, systemClock.now().getTime() - began);
      await systemClock.sleep(20, stopped.signal);
    }
    return longest;
  })();
  return () => {
    stopped.abort();
    return beating;
  };
}
