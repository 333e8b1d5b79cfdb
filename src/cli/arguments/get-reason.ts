// The reason that a person gives with --reason, where what is done must be found with it later. Never makes one up.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';

/** Throws invalid_argument without one. `what` needs it, as the beginning of a sentence. */
export function getReason({ options }: CliSession, what: string): string {
  const reason = options.reason?.trim() ?? '';
  if (reason !== '') return reason;
  throw new RolloutError('invalid_argument', { message: `${what} needs a reason.`, next: 'Add: --reason TEXT' });
}
