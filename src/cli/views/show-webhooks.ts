// Webhooks for people: each with what waits for it, and what was given up.
import type { WebhookReport } from '../../engine/webhooks/list-webhooks.js';
import { command } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showInstant } from '../terminal/numbers.js';

/** `configured`: names in the configuration of who asks. */
export function showWebhooks(
  { webhooks, dead }: WebhookReport,
  { configured, commands }: { readonly configured: readonly string[]; readonly commands: CommandNames },
): string {
  const unseen = configured.filter((name) => !webhooks.some(({ webhook }) => webhook === name));
  const failed = webhooks.find((webhook) => webhook.dead > 0)?.webhook;
  return [
    ...(webhooks.length + unseen.length === 0
      ? ['No webhook is configured: nobody is told what happens. Write webhooks in the configuration.']
      : []),
    ...webhooks.map(showWebhook),
    ...unseen.map((name) => `· ${name}: no scheduler has been seen with it yet; start one with this configuration`),
    ...(dead.length === 0 ? [] : ['', 'Given up, the newest first:']),
    ...dead.map(
      ({ eventId, webhook, kind, dataCenter, code, since, error }) =>
        `  ${eventId} to ${webhook}: ${kind} ${dataCenter ?? 'policy'} ${code}, ${showInstant(since)} (${error})`,
    ),
    ...(failed === undefined
      ? []
      : ['', `Next: ${commands.show(command`webhooks resend --to ${failed} --execute --reason TEXT`)}`]),
  ].join('\n');
}

function showWebhook(row: WebhookReport['webhooks'][number]): string {
  const {
    webhook,
    seenAt,
    served,
    failures,
    error,
    failingSince,
    nextAttemptAt,
    waiting,
    oldestAt,
    dead,
    deliveredAt,
  } = row;
  const last = deliveredAt === null ? 'nothing delivered yet' : `last delivered ${showInstant(deliveredAt)}`;
  const waits =
    oldestAt === null
      ? 'nothing waits'
      : `${showCount(waiting)} ${waiting === 1 ? 'waits' : 'wait'} since ${showInstant(oldestAt)}`;
  const failing =
    failingSince === null
      ? ''
      : `\n    fails since ${showInstant(failingSince)}: ${error} (${failures} in a row); next attempt ${showInstant(nextAttemptAt)}`;
  const gone = dead === 0 ? '' : `, ${showCount(dead)} given up`;
  const unserved = served
    ? ''
    : `\n    no scheduler has it in its configuration since ${showInstant(seenAt)}: it is told nothing, and forgotten 7 days after that`;
  return `${!served ? '·' : failures === 0 ? '✔' : '✗'} ${webhook}: ${last}; ${waits}${gone}${served ? failing : unserved}`;
}
