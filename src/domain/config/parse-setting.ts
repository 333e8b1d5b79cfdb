// Reads the value of one setting of the policy as a person gives it, and checks it together with the rest of the policy
// as a configuration that had it would be checked.

import { parseDocument } from 'yaml';
import { advise, command } from '../../kernel/advice.js';
import { findNearest } from '../../kernel/nearest-word.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { parseRolloutConfig } from './parse-config.js';
import {
  ORDER_SETTING,
  type Policy,
  type SettingValue,
  sourceSetting,
  toIds,
  toPolicy,
  zoneSetting,
} from './policy.js';

/**
 * `none` removes a limit, an instant or a query. Throws setting_unknown, and for a value that a configuration could not
 * have what parseRolloutConfig throws.
 */
export function parseSetting(policy: Policy, name: string, text: string): SettingValue {
  if (!policy.has(name)) throw unknownSetting(policy, name);
  const value = name === ORDER_SETTING ? readOrder(policy, text) : readValue(name, text);
  return toPolicy(parseTogether(new Map([...policy, [name, value]]), name)).get(name) ?? null;
}

function unknownSetting(policy: Policy, name: string): RolloutError {
  if (name === 'lanes' || name === 'rollout.lanes')
    return new RolloutError('setting_unknown', {
      message: `"${name}" is no setting of the policy: one person changes it, for one data center.`,
      next: advise`Run: ${command('settings set lanes N --dc ID')}`,
    });
  const meant = findNearest(name, [...policy.keys()]);
  const list = advise`See them all: ${command('settings')}`;
  return new RolloutError('setting_unknown', {
    message: `There is no setting "${name}"${meant === undefined ? '' : `; did you mean ${meant}?`}`.replace(
      /[^?]$/u,
      '$&.',
    ),
    next: meant === undefined ? list : `Write ${meant}.`,
  });
}

function readOrder(policy: Policy, text: string): SettingValue {
  const ids = text.split(/[\s,]+/u).filter((id) => id !== '');
  const known = toIds(policy.get(ORDER_SETTING));
  if (ids.toSorted().join() === known.toSorted().join()) return ids;
  throw new RolloutError('invalid_argument', {
    message: `${ORDER_SETTING} must name every data center once: ${known.join(', ')}.`,
    next: 'Write all of them with commas between them. A data center is added by init.',
  });
}

/** Settings that are lists. */
const EXAMPLES: Readonly<Record<string, string | undefined>> = {
  'rollout.windows': '[{ from: "22:00", to: "06:00" }]',
  'rollout.checks': '[{ name: probe }, { name: lag, limit: PT1S }]',
};

function readValue(name: string, text: string): SettingValue {
  if (text === 'none') return null;
  const example = EXAMPLES[name];
  if (example === undefined) return text;
  const document = parseDocument(text);
  if (document.errors.length === 0) return document.toJS();
  throw new RolloutError('invalid_argument', {
    message: `The value of ${name} is not valid YAML.`,
    next: `Write it as the configuration has it, on one line: ${example}`,
  });
}

/** A configuration that has the whole policy. */
function parseTogether(policy: Policy, changed: string): ReturnType<typeof parseRolloutConfig> {
  const document: Record<string, unknown> = { controlDatabase: 'none', rateCard: 'none' };
  for (const [name, value] of policy)
    if (!name.startsWith('dataCenters.') && value !== null) put(document, name, value);
  document.dataCenters = toIds(policy.get(ORDER_SETTING)).map((id) => ({
    id,
    zone: policy.get(zoneSetting(id)),
    database: `none of ${id}`,
    source: policy.get(sourceSetting(id)),
  }));
  try {
    // a setting holds what its variables gave: `${` in it means itself
    return parseRolloutConfig(JSON.stringify(document), { lookup: (variable) => `\${${variable}}` });
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    const { code, message, next } = error;
    const text = message.replaceAll(/ \(line \d+\)/gu, '');
    const about = text.startsWith(changed) ? text : `With this ${changed}: ${text}`;
    throw new RolloutError(code, { message: about, next, cause: error });
  }
}

function put(document: Record<string, unknown>, name: string, value: SettingValue): void {
  const keys = name.split('.');
  const last = keys.pop() ?? name;
  let section = document;
  for (const key of keys) {
    const below = (section[key] ?? {}) as Record<string, unknown>;
    section[key] = below;
    section = below;
  }
  section[last] = value;
}
