// A webhook of the configuration, when it is used: its variables are replaced, and its URL and secret are checked. A
// message names the key and never shows the value: both are secrets.
import { RolloutError } from '../../kernel/rollout-error.js';
import { resolveConfigText, type VariableLookup } from './config-text.js';
import type { WebhookConfig } from './rollout-config.js';

export interface Webhook {
  readonly name: string;
  readonly url: string;
  /** The bytes of its secret; null: messages are not signed. */
  readonly key: Uint8Array | null;
  readonly link: string | null;
}

/** @throws missing_environment_variable, invalid_config */
export function resolveWebhook({ name, url, secret, link }: WebhookConfig, lookup: VariableLookup): Webhook {
  const key = `webhooks.${name}`;
  return {
    name,
    url: checkUrl(resolveConfigText(url.text, lookup, `${key}.url`), `${key}.url`),
    key: secret === undefined ? null : readSecret(resolveConfigText(secret.text, lookup, key), `${key}.secret`),
    link: link ?? null,
  };
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u;

function checkUrl(text: string, key: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw rejectUrl(key, 'is no URL with https://', 'Write https://HOST/PATH.');
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    throw rejectUrl(key, 'has http:// and leads to another machine', 'Write https://HOST/PATH.');
  if (url.username + url.password !== '')
    throw rejectUrl(key, 'holds a user or a password', 'Put what authenticates us into its path or query.');
  return url.href;
}

const SECRET = /^whsec_(?<base64>[A-Za-z0-9+/]+={0,2})$/u;
const SECRET_BYTES = { least: 24, most: 64 } as const;

function readSecret(text: string, key: string): Uint8Array {
  const bytes = Buffer.from(SECRET.exec(text.trim())?.groups?.base64 ?? '', 'base64');
  if (bytes.length >= SECRET_BYTES.least && bytes.length <= SECRET_BYTES.most) return bytes;
  throw new RolloutError('invalid_config', {
    message: `${key} is not whsec_ and the base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes.`,
    next: 'Make one: echo "whsec_$(openssl rand -base64 32)"',
  });
}

const rejectUrl = (key: string, what: string, next: string): RolloutError =>
  new RolloutError('invalid_config', { message: `${key} ${what}.`, next });
