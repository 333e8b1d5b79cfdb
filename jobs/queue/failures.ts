// What the servers of queues refuse, each with its own sentence: none shows a text of a server, or more of a URL than
// host and port, since both may hold a password or a piece of one.
import { explainLoginFailure } from '../../src/kernel/login-failure.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';
import { explainTlsFailure } from '../../src/kernel/tls.js';

interface Refusal {
  readonly code: 'queue_undeliverable' | 'queue_refused';
  /** The rest of the sentence "The queue at HOST:PORT …". */
  readonly what: string;
  readonly next?: string;
}

const LOGIN: Refusal = { code: 'queue_refused', what: 'refused user or password' };
const CLUSTER: Refusal = {
  code: 'queue_undeliverable',
  what: 'is a node of a Redis Cluster that does not hold our keys',
  next: 'Point the URL of queue at a Redis that is no cluster, or at the node that holds the slot of {credit-rollout}.',
};

/** By the word that a Redis reply begins with. */
const BY_REPLY: Readonly<Record<string, Refusal>> = {
  WRONGPASS: LOGIN,
  NOAUTH: LOGIN,
  NOPERM: {
    code: 'queue_undeliverable',
    what: 'does not let this user run a command that is needed',
    next: 'Give the user in the URL of queue all commands on keys that begin with {credit-rollout}.',
  },
  READONLY: {
    code: 'queue_undeliverable',
    what: 'is a replica: it accepts no writes',
    next: 'Point the URL of queue at the primary.',
  },
  OOM: {
    code: 'queue_undeliverable',
    what: 'has no memory left and accepts no writes',
    next: 'Raise its maxmemory, or remove what fills it.',
  },
  MISCONF: {
    code: 'queue_undeliverable',
    what: 'cannot write its data to disk and accepts no writes',
    next: 'Free its disk, or correct what its log names.',
  },
  NOREPLICAS: {
    code: 'queue_undeliverable',
    what: 'accepts no writes while it has too few replicas',
    next: 'Bring its replicas back, or lower its min-replicas-to-write.',
  },
  MOVED: CLUSTER,
  ASK: CLUSTER,
  CROSSSLOT: CLUSTER,
  CLUSTERDOWN: CLUSTER,
};

/** By the SQLSTATE of a queue in Postgres. */
const BY_SQLSTATE: readonly (readonly [RegExp, Refusal])[] = [
  [/^28/u, LOGIN],
  [/^25006$/u, { code: 'queue_undeliverable', what: 'accepts no writes: it was made read-only' }],
  [/^42501$/u, { code: 'queue_undeliverable', what: 'does not let this login write' }],
  [/^53/u, { code: 'queue_undeliverable', what: 'is out of resources, such as disk or connections' }],
];

/** The error for whatever the server of `url` answered, or did not answer. */
export function explainQueueFailure(url: string, cause: unknown): RolloutError {
  if (cause instanceof RolloutError) return cause;
  const server = `The queue${nameServer(url)}`;
  const refusal = findRefusal(cause);
  if (refusal !== undefined) {
    const { code, what, next } = refusal;
    return new RolloutError(code, { message: `${server} ${what}.`, cause, ...(next !== undefined && { next }) });
  }
  const ofLogin = explainLoginFailure(cause);
  if (ofLogin !== undefined)
    return new RolloutError('queue_refused', { message: `${server} cannot be used: ${ofLogin}.`, cause });
  const reason = explainTlsFailure(cause);
  if (reason !== undefined)
    return new RolloutError('queue_unreachable', {
      message: `${server} cannot be reached: ${reason}.`,
      next: 'Correct its certificate, or the URL of queue: docs/how-to/tls.md',
      cause,
    });
  const { code = 'no answer' } = cause as { readonly code?: unknown };
  return new RolloutError('queue_unreachable', { message: `${server} cannot be reached (${String(code)}).`, cause });
}

function findRefusal(cause: unknown): Refusal | undefined {
  const { code, message = '' } = cause as { readonly code?: unknown; readonly message?: unknown };
  const sqlstate = typeof code === 'string' ? code : '';
  const found = BY_SQLSTATE.find(([pattern]) => /^[0-9A-Z]{5}$/u.test(sqlstate) && pattern.test(sqlstate));
  // a script says it after words of its own
  const words = String(message).match(/\b[A-Z]{3,}\b/gu) ?? [];
  return found?.[1] ?? words.map((word) => BY_REPLY[word]).find((known) => known !== undefined);
}

/** The server answered that it does not do it: another attempt at once would not help. */
export const isRefused = (cause: unknown): boolean => findRefusal(cause) !== undefined;

/** A wake-up was accepted, and nobody got it. */
export const createLostError = (url: string): RolloutError =>
  new RolloutError('queue_undeliverable', {
    message:
      `The queue${nameServer(url)} accepts wake-ups and does not deliver them: ` +
      'one was sent and did not come back.',
    next: 'Run the command again; if it fails again, read the log of the server of queue.',
  });

/** Only host and port: the rest of a URL may hold a password. */
function nameServer(url: string): string {
  const { hostname, port, protocol } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '', protocol: '' };
  return hostname === '' ? '' : ` at ${hostname}:${port || (protocol.startsWith('redis') ? '6379' : '5432')}`;
}
