// Webhooks that schedulers have in their configuration: which of them fail, since when, and whose turn it is to send.
import { execute, findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface WebhookRow {
  readonly webhook: string;
  /** When a scheduler that has it in its configuration was last seen. */
  readonly seenAt: Date;
  /** One was seen in the last minutes: else nobody tells it anything. */
  readonly served: boolean;
  readonly failures: number;
  /** Code of the last attempt; null: its message was taken. */
  readonly error: string | null;
  readonly failingSince: Date | null;
  readonly nextAttemptAt: Date;
  /** Messages that are due and not delivered, and the oldest; null: none. */
  readonly waiting: number;
  readonly oldestAt: Date | null;
  readonly dead: number;
  readonly deliveredAt: Date | null;
}

/** Schedulers renew it each minute. */
const SERVED = `w.seen_at > clock_timestamp() - interval '5 minutes'`;

const LIST = `
select w.webhook, w.seen_at, ${SERVED} as served,
  w.failures, w.error, w.failing_since, w.next_attempt_at, q.waiting, q.oldest_at,
  (select count(*)::int from credit_rollout_control.webhook_deliveries d
    where d.webhook = w.webhook and d.state = 'dead') as dead,
  (select max(d.settled_at) from credit_rollout_control.webhook_deliveries d
    where d.webhook = w.webhook and d.state = 'delivered') as delivered_at
from credit_rollout_control.webhooks w
cross join lateral (
  select count(*)::int as waiting, min(d.due_at) as oldest_at from credit_rollout_control.webhook_deliveries d
  where d.webhook = w.webhook and d.state = 'waiting' and d.due_at <= clock_timestamp()) q`;

export const listWebhooks = (tx: ControlTransaction): Promise<readonly WebhookRow[]> =>
  selectRows<WebhookRow>(tx, `${LIST} order by w.webhook`);

export interface FailingWebhook {
  readonly webhook: string;
  /** Of its last attempt. */
  readonly code: string;
  readonly since: Date;
}

/** Those that a scheduler serves and whose last attempt failed, the longest first. */
export const listFailingWebhooks = (tx: ControlTransaction): Promise<readonly FailingWebhook[]> =>
  selectRows(
    tx,
    `select w.webhook, w.error as code, w.failing_since as since from credit_rollout_control.webhooks w
     where w.failures > 0 and ${SERVED} order by w.failing_since, w.webhook`,
  );

/** From now on they are told; what happened before a webhook was first seen is not told to it. */
export async function saveWebhooksSeen(tx: ControlTransaction, names: readonly string[]): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.webhooks (webhook) select n from unnest(:names::text[]) n
     where not exists (select from credit_rollout_control.webhooks w
       where w.webhook = n and w.seen_at > clock_timestamp() - interval '1 minute')
     on conflict (webhook) do update set seen_at = clock_timestamp()`,
    { names },
  );
}

export interface ClaimedWebhook {
  readonly webhook: string;
  readonly failures: number;
  /** Who settles the attempt names it: another scheduler may have claimed it since. */
  readonly lease: Date;
}

/** Longer than one attempt may take. */
const LEASE = '30 s';

/** Undefined: nothing is due, it is not yet time for the next attempt, or another scheduler sends. */
export function claimWebhook(tx: ControlTransaction, webhook: string): Promise<ClaimedWebhook | undefined> {
  return findRow<ClaimedWebhook>(
    tx,
    `update credit_rollout_control.webhooks w
     set leased_until = date_trunc('milliseconds', clock_timestamp()) + interval '${LEASE}'
     where w.webhook = :webhook and w.next_attempt_at <= clock_timestamp()
       and coalesce(w.leased_until, '-infinity') <= clock_timestamp()
       and exists (select from credit_rollout_control.webhook_deliveries d
         where d.webhook = w.webhook and d.state = 'waiting' and d.due_at <= clock_timestamp())
     returning w.webhook, w.failures, w.leased_until as lease`,
    { webhook },
  );
}

/** False when the lease was lost: another scheduler has claimed it. */
export async function releaseWebhook(
  tx: ControlTransaction,
  { webhook, lease }: ClaimedWebhook,
  { failures, error, delayMs }: { readonly failures: number; readonly error: string | null; readonly delayMs: number },
): Promise<boolean> {
  const released = await execute(
    tx,
    `update credit_rollout_control.webhooks
     set failures = :failures, error = :error, leased_until = null,
       next_attempt_at = clock_timestamp() + :delay_ms::int * interval '1 ms'
     where webhook = :webhook and leased_until = :lease`,
    { webhook, lease, failures, error, delay_ms: delayMs },
  );
  return released === 1;
}

/** Its next attempt is due now, whatever it waited for. */
export async function wakeWebhook(tx: ControlTransaction, webhook: string): Promise<void> {
  await execute(
    tx,
    'update credit_rollout_control.webhooks set next_attempt_at = clock_timestamp() where webhook = :webhook',
    { webhook },
  );
}

/** Deletes messages and webhooks that are long over; returns how many messages. */
export async function deleteOldWebhooks(tx: ControlTransaction): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout_control.purge_webhooks() as purged',
  );
  return purged;
}
