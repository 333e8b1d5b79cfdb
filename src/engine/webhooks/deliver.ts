// Delivers to each webhook what is due, in its order. Any scheduler may: a lease in control says whose turn it is.
// Each message is delivered at least once, and exactly once while its receiver answers in time. Holds nothing: a
// webhook that is slow or away delays its own messages only.
import type { Webhook } from '../../domain/config/resolve-webhook.js';
import { type DeliveryOutcome, decideDelivery, MOST_AGE_MS } from '../../domain/webhooks/decide-delivery.js';
import { createMessage } from '../../domain/webhooks/event.js';
import {
  type Delivery,
  findNextDelivery,
  giveUpDeliveries,
  settleDelivery,
} from '../../stores/control/webhook-deliveries.js';
import { type ClaimedWebhook, claimWebhook, releaseWebhook, saveWebhooksSeen } from '../../stores/control/webhooks.js';
import type { EngineContext } from '../context.js';

export type { Webhook };

/** Sends one message. Never rejects. */
export type SendWebhook = (
  webhook: Webhook,
  message: { readonly messageId: string; readonly body: string; readonly at: Date },
  stopping?: AbortSignal,
) => Promise<DeliveryOutcome>;

export type DeliveryContext = Pick<EngineContext, 'control' | 'clock' | 'log'> & { readonly send: SendWebhook };

/** Until nothing is due, or each webhook waits. Returns how many messages were taken. */
export async function deliverWebhooks(
  context: DeliveryContext,
  webhooks: readonly Webhook[],
  stopping: AbortSignal,
): Promise<number> {
  await context.control.inTransaction((tx) =>
    saveWebhooksSeen(
      tx,
      webhooks.map(({ name }) => name),
    ),
  );
  const taken = await Promise.all(webhooks.map((webhook) => deliverTo(context, webhook, stopping)));
  return taken.reduce((sum, count) => sum + count, 0);
}

async function deliverTo(context: DeliveryContext, webhook: Webhook, stopping: AbortSignal): Promise<number> {
  for (let taken = 0; ; taken += 1) {
    if (stopping.aborted) return taken;
    const claimed = await claim(context, webhook.name);
    if (claimed === undefined) return taken;
    if (!(await attempt(context, webhook, claimed, stopping))) return taken;
  }
}

interface Claimed extends ClaimedWebhook {
  readonly delivery: Delivery;
}

const claim = ({ control }: DeliveryContext, name: string): Promise<Claimed | undefined> =>
  control.inTransaction(async (tx) => {
    const claimed = await claimWebhook(tx, name);
    const delivery = claimed && (await findNextDelivery(tx, name));
    return claimed && delivery && { ...claimed, delivery };
  });

/** False when the webhook must wait. */
async function attempt(
  { control, clock, log, send }: DeliveryContext,
  webhook: Webhook,
  claimed: Claimed,
  stopping: AbortSignal,
): Promise<boolean> {
  const { delivery } = claimed;
  const { messageId } = delivery;
  const body = JSON.stringify(createMessage(delivery, webhook.link));
  const outcome = await send(webhook, { messageId, body, at: clock.now() }, stopping);
  // an attempt that we ended ourselves says nothing of the receiver
  if (outcome.kind === 'failed' && stopping.aborted) {
    await control.inTransaction((tx) =>
      releaseWebhook(tx, claimed, { failures: claimed.failures, error: null, delayMs: 0 }),
    );
    return false;
  }
  const { state, failures, delayMs } = decideDelivery(outcome, { ...delivery, failures: claimed.failures });
  const failed = outcome.kind === 'failed' ? outcome.code : null;
  await control.inTransaction(async (tx) => {
    await settleDelivery(tx, delivery, { state, failed });
    if (state === 'dead' && failed !== null)
      await giveUpDeliveries(tx, webhook.name, { olderThanMs: MOST_AGE_MS, error: failed });
    await releaseWebhook(tx, claimed, { failures, error: failures === 0 ? null : failed, delayMs });
  });
  if (failed !== null) log.warn('webhook_failed', { webhook: webhook.name, code: failed, state });
  return delayMs === 0;
}
