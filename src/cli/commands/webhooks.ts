// `webhooks`: who is told what happens. Lists them with what waits, and sends again what was given up.
import { planResend, readWebhooks, resend } from '../../engine/webhooks/list-webhooks.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { showCount } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import { showWebhooks } from '../views/show-webhooks.js';

export interface ResendFlags {
  readonly to: string;
  readonly execute?: boolean;
}

export function runListWebhooks(session: CliSession): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const report = await readWebhooks(engine);
    const configured = config.webhooks.map(({ name }) => name);
    session.report(
      { ...report, configured },
      showWebhooks(withPrintableTexts(report), { configured, commands: session.commands }),
    );
    return 0;
  });
}

export function runResend(session: CliSession, event: bigint | undefined, flags: ResendFlags): Promise<number> {
  const what = { webhook: flags.to, eventId: event ?? null };
  const reason = flags.execute ? getReason(session, 'Sending again') : '';
  return withProgram(session, { policy: 'warned' }, async ({ engine }) => {
    const messages = flags.execute ? await resend(engine, { ...what, reason }) : await planResend(engine, what);
    const executed = flags.execute === true;
    const one = event === undefined ? command('webhooks resend') : command`webhooks resend ${event}`;
    const next =
      messages === 0 || executed
        ? session.commands.show('webhooks list')
        : session.commands.show(command`${one} --to ${flags.to} --execute --reason TEXT`);
    session.report(
      { executed, webhook: flags.to, eventId: event ?? null, messages, next },
      describe({ executed, messages, next }),
    );
    return messages > 0 && !executed && session.options.exitCode ? 2 : 0;
  });
}

function describe({
  executed,
  messages,
  next,
}: {
  readonly executed: boolean;
  readonly messages: number;
  readonly next: string;
}): string {
  const what = messages === 1 ? '1 message' : `${showCount(messages)} messages`;
  if (messages === 0) return `There is nothing to send again. What waits is sent at its next attempt.\nNext: ${next}`;
  return executed
    ? `✔ ${what} will be sent again, by the next scheduler that has this webhook.\nNext: ${next}`
    : `${what} would be sent again. Nothing was changed. To do it: ${next}`;
}
