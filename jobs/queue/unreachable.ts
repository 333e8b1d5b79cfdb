// The error for a queue that cannot be reached. It names host and port of the server, and nothing else of its URL.
import { RolloutError } from '../../src/kernel/rollout-error.js';
import { explainTlsFailure } from '../../src/kernel/tls.js';

export function createUnreachableError(url: string, cause: unknown): RolloutError {
  const reason = explainTlsFailure(cause);
  if (reason !== undefined)
    return new RolloutError('queue_unreachable', {
      message: `The queue${nameServer(url)} cannot be reached: ${reason}.`,
      next: 'Correct its certificate, or the URL of queue: docs/how-to/tls.md',
      cause,
    });
  const { code = 'no answer' } = cause as { readonly code?: unknown };
  const message = `The queue${nameServer(url)} cannot be reached (${String(code)}).`;
  return new RolloutError('queue_unreachable', { message, cause });
}

/** Only host and port: the rest of a URL may hold a password. */
function nameServer(url: string): string {
  const { hostname, port, protocol } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '', protocol: '' };
  return hostname === '' ? '' : ` at ${hostname}:${port || (protocol.startsWith('redis') ? '6379' : '5432')}`;
}
