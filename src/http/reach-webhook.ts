// Whether a webhook's receiver can be reached from here: name, TLS and HTTP. Sends no message, and nothing of a path,
// which may be a secret or start something: it asks for the root of the host, without a body.
import { lookup } from 'node:dns/promises';
import type { Webhook } from '../domain/config/resolve-webhook.js';
import { nameSendFailure } from './send-webhook.js';

/** `answers`: with whatever status, since only a message would be judged. */
export type WebhookReach = 'answers' | 'unknown_host' | ReturnType<typeof nameSendFailure>;

/** In ms, for the name and the answer together. */
const REACH_MS = 5_000;

/** Never rejects. */
export async function reachWebhook({ url }: Pick<Webhook, 'url'>): Promise<WebhookReach> {
  const timeout = AbortSignal.timeout(REACH_MS);
  const { hostname, origin } = new URL(url);
  const isKnown = await Promise.race([
    isResolved(hostname),
    new Promise((resolve) => timeout.addEventListener('abort', () => resolve(undefined))),
  ]);
  if (isKnown !== true) return isKnown === false ? 'unknown_host' : 'timeout';
  try {
    const response = await fetch(origin, {
      method: 'HEAD',
      redirect: 'manual',
      signal: timeout,
      headers: { 'user-agent': 'credit-rollout' },
    });
    await response.body?.cancel();
    return 'answers';
  } catch (error) {
    return nameSendFailure(error, timeout);
  }
}

const isResolved = (hostname: string): Promise<boolean> =>
  lookup(hostname.replace(/^\[|\]$/gu, '')).then(
    () => true,
    () => false,
  );
