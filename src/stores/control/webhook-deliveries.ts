// Messages to webhooks: what waits, what was given up. The events are written by triggers of control.
import type { WebhookEvent } from '../../domain/webhooks/event.js';
import { execute, findRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface Delivery extends WebhookEvent {
  readonly webhook: string;
  /** Failed attempts of this message. */
  readonly attempts: number;
  /** Since it was due, in ms. */
  readonly ageMs: number;
  /** Code of its last attempt; null: none failed. */
  readonly error: string | null;
}

type StoredDelivery = Omit<Delivery, 'eventId'> & { readonly eventId: string };

const READ = `
select d.webhook, d.attempts, d.error, e.event_id, e.message_id, e.kind, e.data_center, e.code, e.value,
  e.limit_value as "limit", e.failure, e.release, e.needs_person, e.since, e.until,
  (extract(epoch from clock_timestamp() - d.due_at) * 1000)::float8 as age_ms
from credit_rollout_control.webhook_deliveries d join credit_rollout_control.webhook_events e using (event_id)`;

const toDelivery = (row: StoredDelivery): Delivery => ({ ...row, eventId: BigInt(row.eventId) });

/** Undefined: nothing is due. */
export async function findNextDelivery(tx: ControlTransaction, webhook: string): Promise<Delivery | undefined> {
  const row = await findRow<StoredDelivery>(
    tx,
    `${READ} where d.webhook = :webhook and d.state = 'waiting' and d.due_at <= clock_timestamp()
     order by d.due_at, d.event_id limit 1`,
    { webhook },
  );
  return row && toDelivery(row);
}

/** The newest of those that were given up. */
export async function listDeadDeliveries(tx: ControlTransaction, limit: number): Promise<readonly Delivery[]> {
  const rows = await selectRows<StoredDelivery>(
    tx,
    `${READ} where d.state = 'dead' order by d.event_id desc limit :limit::int`,
    { limit },
  );
  return rows.map(toDelivery);
}

/** `failed`: of this attempt; null: it was taken. */
export async function settleDelivery(
  tx: ControlTransaction,
  { webhook, eventId }: Pick<Delivery, 'webhook' | 'eventId'>,
  { state, failed }: { readonly state: 'delivered' | 'waiting' | 'dead'; readonly failed: string | null },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.webhook_deliveries
     set state = :state, error = :failed, attempts = attempts + case when :failed::text is null then 0 else 1 end
     where webhook = :webhook and event_id = :event_id::bigint and state = 'waiting'`,
    { webhook, event_id: eventId, state, failed },
  );
}

/** Those that have waited for so long are given up as well; returns how many. */
export function giveUpDeliveries(
  tx: ControlTransaction,
  webhook: string,
  { olderThanMs, error }: { readonly olderThanMs: number; readonly error: string },
): Promise<number> {
  return execute(
    tx,
    `update credit_rollout_control.webhook_deliveries set state = 'dead', error = :error
     where webhook = :webhook and state = 'waiting'
       and due_at < clock_timestamp() - :older_than_ms::int * interval '1 ms'`,
    { webhook, older_than_ms: olderThanMs, error },
  );
}

/** What to send again: one event, or null for everything that was given up. */
export interface Resend {
  readonly webhook: string;
  readonly eventId: bigint | null;
}

const RESENT = `d.webhook = :webhook and case when :event_id::bigint is null then d.state = 'dead'
  else d.event_id = :event_id::bigint and d.state <> 'waiting' end`;

export async function countResent(tx: ControlTransaction, { webhook, eventId }: Resend): Promise<number> {
  const rows = await selectRows(
    tx,
    `select d.event_id from credit_rollout_control.webhook_deliveries d where ${RESENT}`,
    { webhook, event_id: eventId },
  );
  return rows.length;
}

/** They wait again, with their attempts and their age from now; returns how many. */
export function resendDeliveries(tx: ControlTransaction, { webhook, eventId }: Resend): Promise<number> {
  return execute(
    tx,
    `update credit_rollout_control.webhook_deliveries d
     set state = 'waiting', attempts = 0, error = null, due_at = clock_timestamp() where ${RESENT}`,
    { webhook, event_id: eventId },
  );
}
