// One edition of a rate card, with the bounds of its numbers. Never accepts a legacy half that is both flat and per user.
import {
  type Bounds,
  type CardFields,
  type CardNode,
  invalidAt,
  readFields,
  readInteger,
  requireField,
} from './card-node.js';
import type { EditionSpec, LegacyRates } from './rate-card.js';

/** Credits or calls a day for one agent or user. */
const UNIT_RATE: Bounds = { least: 0n, most: 1_000_000_000n };
/** Credits or calls a day. */
const DAILY: Bounds = { least: 0n, most: 1_000_000_000_000_000n };
const CONCURRENCY: Bounds = { least: 1n, most: 1_000_000n };

/** @throws invalid_rate_card, inexact_number */
export function parseEdition(edition: string, place: CardNode): EditionSpec {
  const fields = readFields(place, ['credits', 'concurrency', 'legacy']);
  const credits = readFields(requireField(fields, 'credits'), ['base', 'perAgent']);
  return {
    edition,
    base: readInteger(requireField(credits, 'base'), DAILY),
    perAgent: readInteger(requireField(credits, 'perAgent'), UNIT_RATE),
    concurrency: Number(readInteger(requireField(fields, 'concurrency'), CONCURRENCY)),
    legacy: parseLegacy(requireField(fields, 'legacy')),
  };
}

function parseLegacy(place: CardNode): LegacyRates {
  const fields = readFields(place, ['flat', 'perUser', 'min', 'max']);
  const flat = fields.entries.get('flat');
  if (flat === undefined) return parsePerUser(fields);
  if (fields.entries.size === 1) return { kind: 'flat', flat: readInteger(flat, DAILY) };
  throw invalidAt(place.path, 'it has flat and perUser, min or max', 'Keep flat, or keep perUser, min and max.');
}

function parsePerUser(fields: CardFields): LegacyRates {
  if (fields.entries.size === 0) throw invalidAt(fields.path, 'it is empty', 'Add flat, or perUser, min and max.');
  const perUser = readInteger(requireField(fields, 'perUser'), UNIT_RATE);
  const min = readInteger(requireField(fields, 'min'), DAILY);
  const max = readInteger(requireField(fields, 'max'), DAILY);
  if (min <= max) return { kind: 'perUser', perUser, min, max };
  throw invalidAt(fields.path, `min ${min} is greater than max ${max}`, 'Exchange them or correct one.');
}
