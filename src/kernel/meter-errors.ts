// Part of the registry of errors: the meter, its calls and its Redis.
import { type ErrorEntry, entry } from './error-entry.js';

export const METER_ERRORS = {
  invalid_call: entry(
    1,
    'A gateway sent the meter a call with a missing or impossible part; nothing was charged.',
    'Correct the part that is named.',
  ),
  call_id_reused: entry(
    1,
    'A gateway asked with the id of a call in flight for a call of another kind or price; nothing was charged.',
    'Give each call an id of its own, made by the gateway.',
  ),
  meter_unreachable: entry(
    1,
    "A data center's meter Redis cannot be reached, or refuses the login.",
    'Check that it runs, and that dataCenters[].meter is right.',
  ),
  meter_unusable: entry(
    1,
    "A data center's meter Redis may lose counters, or accepts no writes.",
    'Use one primary server with maxmemory-policy noeviction.',
  ),
  meter_shared: entry(
    1,
    "A data center's meter counts on the Redis of the queue, or of another data center's meter.",
    'Give it a Redis of its own, in its data center.',
  ),
} as const satisfies Record<string, ErrorEntry>;
