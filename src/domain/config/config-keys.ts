// The keys that a configuration may have, by section, and the hint for one that does not exist.
import { findNearest } from '../../kernel/nearest-word.js';

/** Every section's keys. `[]` stands for each entry of a list; '' is the top. */
export const CONFIG_KEYS = {
  '': ['controlDatabase', 'queue', 'rateCard', 'rollout', 'signups', 'reconcile', 'grandfathering', 'dataCenters'],
  rollout: [
    'notBefore',
    'batchSize',
    'lanes',
    'bake',
    'bakeQuery',
    'canaryWait',
    'planRetention',
    'windows',
    'approval',
    'guardRails',
  ],
  'rollout.guardRails': ['maxRaiseFactor', 'floorOverPlan', 'totalChangePercent', 'orgsTouched', 'quarantinedShare'],
  'rollout.windows[]': ['from', 'to', 'days', 'dates', 'deny'],
  signups: ['cutover'],
  reconcile: ['at', 'maxChanged', 'maxLapsed', 'driftRetention'],
  grandfathering: ['lapseGrace'],
  'dataCenters[]': ['id', 'zone', 'database', 'source'],
} as const satisfies Record<string, readonly string[]>;

/** A section of the configuration. */
export type ConfigSection = keyof typeof CONFIG_KEYS;

/** The full path of the key that was probably meant: in its own section first, then anywhere. */
export function suggestKey(key: string, section: ConfigSection): string | undefined {
  const here = findNearest(key, CONFIG_KEYS[section]);
  if (here !== undefined) return joinPath(section, here);
  const elsewhere = Object.entries(CONFIG_KEYS).flatMap(([path, keys]) => keys.map((name) => ({ path, name })));
  const name = findNearest(
    key,
    elsewhere.map((candidate) => candidate.name),
  );
  const found = elsewhere.find((candidate) => candidate.name === name);
  return found && joinPath(found.path, found.name);
}

/** `rollout` and `lanes` make `rollout.lanes`; at the top the key alone. */
export function joinPath(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`;
}
