// Reads a time zone: a full IANA name, or UTC. Never uses the machine's zone.
import { IANAZone } from 'luxon';
import { findNearest } from '../../kernel/nearest-word.js';
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** IANA names that JavaScript runtimes list under an older spelling. */
const RENAMED = [
  'Africa/Asmara',
  'America/Atikokan',
  'America/Argentina/Buenos_Aires',
  'America/Argentina/Catamarca',
  'America/Argentina/Cordoba',
  'America/Argentina/Jujuy',
  'America/Argentina/Mendoza',
  'America/Indiana/Indianapolis',
  'America/Kentucky/Louisville',
  'America/Nuuk',
  'Asia/Ho_Chi_Minh',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Yangon',
  'Atlantic/Faroe',
  'Europe/Kyiv',
  'Pacific/Chuuk',
  'Pacific/Kanton',
  'Pacific/Pohnpei',
] as const;
const WELL_KNOWN: readonly string[] = ['UTC', ...RENAMED, ...Intl.supportedValuesOf('timeZone')];
/** How IANA spells a part of a name: a capital first, and at most three capitals together. */
const SPELLED_PART = /^(?:[A-Z][a-z]|[A-Z]{2,3}(?![A-Za-z])|GMT|[A-Z][-+\d])/;
const AREA = /^(?:[A-Z][a-z]+|US)\//;
const ABBREVIATION = /^[A-Za-z]{2,5}$/;

/**
 * The zone, if it is UTC or an IANA name with a slash, spelled as IANA does. `path` is the key's path. Throws
 * invalid_zone.
 */
export function parseZone(value: unknown, path: string): string {
  if (typeof value === 'string' && isZoneName(value)) return value;
  const suggestion = typeof value === 'string' ? suggestZone(value) : undefined;
  throw new RolloutError('invalid_zone', {
    message: `${path} is ${quoteValue(value)}, which is not ${
      typeof value === 'string' && ABBREVIATION.test(value) ? 'a full name of a time zone' : 'a time zone'
    }${suggestion === undefined ? '' : `; did you mean ${suggestion}?`}`.replace(/[^?]$/, '$&.'),
    next: suggestion === undefined ? 'Use a name such as Asia/Kolkata, or UTC.' : `Write ${suggestion}.`,
  });
}

function isZoneName(name: string): boolean {
  if (WELL_KNOWN.includes(name)) return IANAZone.isValidZone(name);
  if (!AREA.test(name) || !IANAZone.isValidZone(name)) return false;
  return sameButForCase(name) === undefined && name.split('/').every((part) => SPELLED_PART.test(part));
}

function suggestZone(name: string): string | undefined {
  return sameButForCase(name) ?? (name.length > 5 ? findNearest(name, WELL_KNOWN) : undefined);
}

function sameButForCase(name: string): string | undefined {
  return WELL_KNOWN.find((known) => known.toLowerCase() === name.toLowerCase());
}
