// The number of an event that `webhooks list` shows.
import { InvalidArgumentError } from 'commander';

export function parseEventId(text: string): bigint {
  if (/^[1-9]\d{0,17}$/u.test(text)) return BigInt(text);
  throw new InvalidArgumentError('It must be the number of an event, as webhooks list shows it.');
}
