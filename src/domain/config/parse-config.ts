// Turns the text of rollout.config.yaml into a RolloutConfig, with every default filled in. Never reads a file or the
// environment itself.
import * as z from 'zod';
import { RolloutError } from '../../kernel/rollout-error.js';
import { parseLocalInstant } from '../time/parse-instant.js';
import { canEverOpen, describeNeverOpen } from '../windows/first-opening.js';
import { attemptAt, type DocumentKind, placed, readYaml } from '../yaml/read-yaml.js';
import { createConfigSchema } from './config-schema.js';
import { namesVariables, type VariableLookup } from './config-text.js';
import { ORDER_SETTING, POLICY_SETTINGS, sourceSetting, zoneSetting } from './policy.js';
import type { DataCenterConfig, RolloutConfig } from './rollout-config.js';

const CONFIGURATION: DocumentKind = {
  name: 'configuration',
  mainKey: 'dataCenters',
  syntax: 'config_syntax',
  unknownKey: 'unknown_config_key',
  invalid: 'invalid_config',
  namesVariables,
};

/**
 * The configuration with its defaults. `lookup` gives environment variables for everything but the URLs, which are
 * resolved when they are used; of the queue's URL only the scheme is checked. Throws config_syntax, unknown_config_key,
 * invalid_config, missing_environment_variable, invalid_zone, invalid_instant, invalid_duration, duplicate_data_center.
 */
export function parseRolloutConfig(text: string, options: { readonly lookup: VariableLookup }): RolloutConfig {
  const outer = currentLookup;
  currentLookup = options.lookup;
  try {
    schema ??= createSchema();
    return readYaml(text, schema, CONFIGURATION);
  } finally {
    currentLookup = outer;
  }
}

/** Building a schema takes ten times as long as reading a text, so there is one: it asks whose text is being read. */
let schema: ReturnType<typeof createSchema> | undefined;
/** That of the text that is being read; nothing of it outlives the call, which never waits. */
let currentLookup: VariableLookup = () => undefined;

/** Settings of the policy that the text which is being read writes. */
let currentlyWritten: readonly string[] = [];

function createSchema() {
  const remember = (value: unknown): unknown => {
    currentlyWritten = POLICY_SETTINGS.filter((name) => isWritten(value, name.split('.')));
    return value;
  };
  const configSchema = createConfigSchema((name) => currentLookup(name));
  return z.preprocess(remember, configSchema).transform((config, ctx) => {
    attemptAt(ctx, ['dataCenters'], () => rejectDuplicates(config.dataCenters));
    checkInstants(config, ctx);
    checkWindows(config, ctx);
    const ofDataCenters = config.dataCenters.flatMap(({ id }) => [zoneSetting(id), sourceSetting(id)]);
    return { ...config, queue: config.queue, written: [...currentlyWritten, ORDER_SETTING, ...ofDataCenters] };
  });
}

const isWritten = (value: unknown, [key, ...rest]: readonly string[]): boolean =>
  key === undefined
    ? value !== undefined && value !== null
    : typeof value === 'object' &&
      value !== null &&
      isWritten(Object.entries(value).find(([name]) => name === key)?.[1], rest);

function rejectDuplicates(dataCenters: readonly DataCenterConfig[]): void {
  for (const [index, { id, database }] of dataCenters.entries()) {
    const first = dataCenters.findIndex((other) => other.id === id);
    if (first < index) {
      throw new RolloutError('duplicate_data_center', {
        message: `dataCenters[${first}] and dataCenters[${index}] both have the id ${id}.`,
      });
    }
    const same = dataCenters.findIndex((other) => other.database.text === database.text);
    if (same < index) {
      throw new RolloutError('invalid_config', {
        message: `dataCenters[${same}].database and dataCenters[${index}].database are the same, but each data center has its own cell.`,
        next: `Correct the database of ${id}.`,
      });
    }
  }
}

type Checked = z.output<ReturnType<typeof createConfigSchema>>;

/** One-off instants must exist exactly once in every zone, and sign-ups cannot switch before the rollout may start. */
function checkInstants({ rollout, signups, dataCenters }: Checked, ctx: z.RefinementCtx): void {
  const read = (path: [string, string], text: string | undefined, zone: string): Date | undefined =>
    text === undefined
      ? undefined
      : attemptAt(ctx, path, (where) => placed(where, () => parseLocalInstant(text, zone))).instant;
  for (const { id, zone } of dataCenters) {
    const start = read(['rollout', 'notBefore'], rollout.notBefore, zone);
    const end = read(['signups', 'cutover'], signups.cutover, zone);
    if (start === undefined || end === undefined || end >= start) continue;
    const message = `must not be before rollout.notBefore (data center ${id})`;
    ctx.addIssue({ code: 'custom', path: ['signups', 'cutover'], message });
  }
}

/** Whether the windows open in future is checked at `apply`, which has a clock. */
function checkWindows({ rollout: { windows }, dataCenters }: Checked, ctx: z.RefinementCtx): void {
  const closed = dataCenters.find(({ zone }) => !canEverOpen(windows, zone));
  if (closed === undefined) return;
  const message = `never opens (data center ${closed.id}): ${describeNeverOpen(windows)}`;
  const params = { next: 'Leave some time that an allow window covers and no deny window does.' };
  ctx.addIssue({ code: 'custom', path: ['rollout', 'windows'], message, params });
}
