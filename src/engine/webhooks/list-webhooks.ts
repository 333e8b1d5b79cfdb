// Who is told, what waits, what was given up, and sending that again.
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  countResent,
  type Delivery,
  listDeadDeliveries,
  type Resend,
  resendDeliveries,
} from '../../stores/control/webhook-deliveries.js';
import { listWebhooks, type WebhookRow, wakeWebhook } from '../../stores/control/webhooks.js';
import type { EngineContext } from '../context.js';

export interface WebhookReport {
  readonly webhooks: readonly WebhookRow[];
  /** The newest that were given up; there may be more. */
  readonly dead: readonly Delivery[];
}

const MOST_DEAD = 20;

export const readWebhooks = ({ control }: Pick<EngineContext, 'control'>): Promise<WebhookReport> =>
  control.inTransaction(async (tx) => ({
    webhooks: await listWebhooks(tx),
    dead: await listDeadDeliveries(tx, MOST_DEAD),
  }));

/** How many messages a resend would send. Throws webhook_unknown. */
export const planResend = ({ control }: Pick<EngineContext, 'control'>, resend: Resend): Promise<number> =>
  control.inTransaction(async (tx) => {
    await requireWebhook(tx, resend.webhook);
    return countResent(tx, resend);
  });

/** Returns how many messages wait again. Throws webhook_unknown. */
export const resend = (
  { control }: Pick<EngineContext, 'control'>,
  { reason, ...what }: Resend & { readonly reason: string },
): Promise<number> =>
  control.inTransaction(async (tx) => {
    await requireWebhook(tx, what.webhook);
    const messages = await resendDeliveries(tx, what);
    if (messages === 0) return 0;
    await wakeWebhook(tx, what.webhook);
    const { webhook, eventId } = what;
    await appendAudit(tx, {
      action: 'resend_webhook',
      reason,
      details: { webhook, event: eventId === null ? null : String(eventId), messages },
    });
    return messages;
  });

async function requireWebhook(tx: ControlTransaction, name: string): Promise<void> {
  const known = (await listWebhooks(tx)).map(({ webhook }) => webhook);
  if (known.includes(name)) return;
  throw new RolloutError('webhook_unknown', {
    message:
      known.length === 0
        ? `There is no webhook "${name}": no scheduler has one in its configuration.`
        : `There is no webhook "${name}"; there are: ${known.join(', ')}.`,
    next: advise`List them: ${command('webhooks list')}`,
  });
}
