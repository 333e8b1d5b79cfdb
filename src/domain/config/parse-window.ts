// Reads one entry of rollout.windows. Refuses windows that could never open.
import { parseClockTime } from '../time/clock-time.js';
import { parseLocalDate } from '../time/local-date.js';
import { WEEKDAYS, type WindowSpec } from '../windows/windows.js';
import { type ConfigNode, invalidValue, readList, readScalar, readSection } from './config-node.js';
import { atPath, readChoice, readText } from './read-field.js';

/** A window as the configuration writes it. Throws invalid_config, invalid_instant, unknown_config_key. */
export function parseWindow(node: ConfigNode): WindowSpec {
  const fields = readSection(node, 'rollout.windows[]');
  const [from, to, days, dates, deny] = ['from', 'to', 'days', 'dates', 'deny'].map((key) => fields.get(key));
  if (from === undefined || to === undefined) {
    throw invalidValue(node, 'must have from and to', 'Write such as { from: "22:00", to: "05:00" }.');
  }
  if (days && dates) throw invalidValue(node, 'may have days or dates, not both', 'Write two windows.');
  return {
    from: readClockTime(from),
    to: readClockTime(to),
    ...(days ? { days: readEntries(days, (day) => readChoice(day, WEEKDAYS)) } : {}),
    ...(dates ? { dates: readEntries(dates, readDate) } : {}),
    ...(deny && readDeny(deny) ? { deny: true as const } : {}),
  };
}

/** A local time of day, `HH:MM`. Throws invalid_config, invalid_instant. */
export function readClockTime(node: ConfigNode): string {
  const text = readText(node);
  atPath(node, () => parseClockTime(text));
  return text;
}

function readDate(node: ConfigNode): string {
  const text = readText(node);
  atPath(node, () => parseLocalDate(text));
  return text;
}

function readEntries<T>(node: ConfigNode, read: (entry: ConfigNode) => T): readonly T[] {
  const entries = readList(node);
  if (entries.length === 0) throw invalidValue(node, 'must have an entry, or the window never opens');
  return entries.map(read);
}

function readDeny(node: ConfigNode): boolean {
  const value = readScalar(node);
  if (typeof value !== 'boolean') throw invalidValue(node, 'must be true or false');
  return value;
}
