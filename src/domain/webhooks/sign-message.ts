// The headers by which a receiver knows that a message is ours: Standard Webhooks 1.0, symmetric signatures.
import { createHmac } from 'node:crypto';

/** `messageId` is the same in every attempt, `at` is not; `key`: the secret's bytes. */
export function signMessage(
  { messageId, body, at }: { readonly messageId: string; readonly body: string; readonly at: Date },
  key: Uint8Array,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signature = createHmac('sha256', key).update(`${messageId}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': messageId, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
