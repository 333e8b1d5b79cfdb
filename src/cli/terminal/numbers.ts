// Counts, credits, shares, rates and times as people read them. Never through the machine's locale.
import { formatCredits } from '../../kernel/format-credits.js';
import { formatPercent, formatPercentChange } from '../../kernel/format-percent.js';

/** 1234567 is `1,234,567`; takes the decimal texts of sums too. */
export function showCount(count: number | string | bigint): string {
  const digits = BigInt(typeof count === 'number' ? Math.round(count) : count);
  return digits < 0n ? `-${formatCredits(-digits)}` : formatCredits(digits);
}

const WHOLE = 10 ** 12;

/** 0 to 1 as a percentage; never over 100 %, and never 100 % before it is all done. */
export function showShare(share: number): string {
  const bounded = Math.min(1, Math.max(0, share));
  const part = bounded > 0 ? Math.max(1, Math.floor(bounded * WHOLE)) : 0;
  return formatPercent(BigInt(part), BigInt(WHOLE));
}

/** `1 org`, `1,200 orgs`. */
export function showOrgs(count: number): string {
  return `${showCount(count)} ${count === 1 ? 'org' : 'orgs'}`;
}

/** The change from one sum to another: `+4.1 %`; a dash where there was nothing. */
export function showChange(before: string, after: string): string {
  const from = BigInt(before);
  if (from === 0n) return '–';
  return formatPercentChange(BigInt(after) - from, from);
}

const MINUTE = 60_000;
const UNITS = [
  { name: 's', ms: 1000, below: 2 * MINUTE },
  { name: 'min', ms: MINUTE, below: 120 * MINUTE },
  { name: 'h', ms: 60 * MINUTE, below: 48 * 60 * MINUTE },
  { name: 'd', ms: 24 * 60 * MINUTE, below: Number.POSITIVE_INFINITY },
] as const;

/** A range in one unit: `2–4 min`; `< 1 s` when it is nearly over. */
export function showRange(range: { readonly lowMs: number; readonly highMs: number }): string {
  if (range.highMs < 1000) return '< 1 s';
  const unit = UNITS.find(({ below }) => range.highMs < below) ?? UNITS[3];
  const low = Math.floor(range.lowMs / unit.ms);
  const high = Math.max(Math.ceil(range.highMs / unit.ms), low + 1);
  return `${low}–${high} ${unit.name}`;
}

/** `2026-11-22 14:02:11 UTC (19:32 Asia/Kolkata)`. */
export function showInstant(at: Date, zone = 'UTC'): string {
  const utc = `${showUtc(at)} UTC`;
  return zone === 'UTC' ? utc : `${utc} (${showLocal(at, zone)} ${zone})`;
}

/** `2026-11-22 14:02:11`, in a column that says that it is UTC. */
export const showUtc = (at: Date): string => at.toISOString().slice(0, 19).replace('T', ' ');

function showLocal(at: Date, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return parts.format(at);
}
