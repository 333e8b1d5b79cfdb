// Sends one message to a webhook. Follows no redirect, and nothing that the receiver answers is read or shown: only its
// status counts.
import type { Webhook } from '../domain/config/resolve-webhook.js';
import { type DeliveryOutcome, readOutcome } from '../domain/webhooks/decide-delivery.js';
import { signMessage } from '../domain/webhooks/sign-message.js';

export interface OutgoingMessage {
  readonly messageId: string;
  /** JSON. */
  readonly body: string;
  readonly at: Date;
}

/** For one attempt, in ms. Less than the lease of a webhook in control. */
const SEND_MS = 10_000;

/** Never rejects. */
export async function sendWebhook(
  { url, key }: Pick<Webhook, 'url' | 'key'>,
  message: OutgoingMessage,
  stopping?: AbortSignal,
): Promise<DeliveryOutcome> {
  const timeout = AbortSignal.timeout(SEND_MS);
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: message.body,
      redirect: 'manual',
      signal: stopping === undefined ? timeout : AbortSignal.any([timeout, stopping]),
      headers: {
        'content-type': 'application/json',
        'user-agent': 'credit-rollout',
        ...(key === null ? { 'webhook-id': message.messageId } : signMessage(message, key)),
      },
    });
    // a receiver may answer without end
    await response.body?.cancel();
    return readOutcome(response.status);
  } catch (error) {
    return { kind: 'failed', code: nameSendFailure(error, timeout), refused: false };
  }
}

/** A code: the text of a network error may hold the URL. */
export function nameSendFailure(error: unknown, timeout: AbortSignal): 'timeout' | 'tls_failed' | 'not_reached' {
  if (timeout.aborted) return 'timeout';
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  const code = typeof cause?.code === 'string' ? cause.code : '';
  return /CERT|SSL|TLS|ALTNAME|SELF_SIGNED/u.test(code) ? 'tls_failed' : 'not_reached';
}
