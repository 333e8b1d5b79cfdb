// The key `webhooks` of the configuration: who is told what happens. What is told is in the domain's area webhooks.
import * as z from 'zod';
import type { configFields } from './config-fields.js';
import type { WebhookConfig } from './rollout-config.js';

const NAME = /^[a-z][a-z0-9-]{0,30}$/;
const NAME_RULE = 'must be a small letter and then up to 30 small letters, digits or hyphens';
/** Control keeps a row per message and webhook. */
const MAX_WEBHOOKS = 10;
const SECRET_RULE = `must be a text such as \${OPS_WEBHOOK_SECRET}`;
const LINK_RULE = 'must be a URL with https:// or http://, of at most 300 characters';

export function webhookList({ text, url }: Pick<ReturnType<typeof configFields>, 'text' | 'url'>) {
  const webhook = z
    .strictObject({
      name: text(NAME_RULE).pipe(z.string().regex(NAME, NAME_RULE)).describe('as `webhooks list` shows it'),
      url: url.describe('receives a POST; `https://`, or `http://` on this machine'),
      secret: z
        .string(SECRET_RULE)
        .regex(/\S/, SECRET_RULE)
        .transform((written) => ({ text: written }))
        .optional()
        .describe('`whsec_` and base64 of 24 to 64 bytes; signs each message. Left out: not signed'),
      link: text(LINK_RULE)
        .pipe(z.string().regex(/^https?:\/\/[\x21-\x7e]{1,290}$/u, LINK_RULE))
        .optional()
        .describe('URL that each message carries, for example of a dashboard'),
    })
    .transform(
      ({ name, url: target, secret, link }): WebhookConfig => ({
        name,
        url: target,
        ...(secret !== undefined && { secret }),
        ...(link !== undefined && { link }),
      }),
    );
  return z
    .array(webhook)
    .max(MAX_WEBHOOKS, `must have at most ${MAX_WEBHOOKS} entries`)
    .superRefine((webhooks, ctx) => {
      webhooks.forEach(({ name }, index) => {
        if (webhooks.findIndex((other) => other.name === name) < index)
          ctx.addIssue({ code: 'custom', path: [index, 'name'], message: 'must be used once' });
      });
    })
    .prefault([]);
}
