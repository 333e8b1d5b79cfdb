// Turns the text of rollout.config.yaml into a RolloutConfig, once and loudly. Never reads a file or the environment itself.

import { parseLocalInstant } from '../time/parse-instant.js';
import { canEverOpen, describeNeverOpen } from '../windows/first-opening.js';
import type { WindowSpec } from '../windows/windows.js';
import { type ConfigNode, invalidValue, missingValue, openConfig, readList, readSection } from './config-node.js';
import type { VariableLookup } from './config-text.js';
import { parseDataCenters } from './parse-data-centers.js';
import { parseWindow, readClockTime } from './parse-window.js';
import {
  atPath,
  readChoice,
  readDays,
  readDurationMs,
  readInteger,
  readNumber,
  readQueueUrl,
  readText,
  readUrl,
} from './read-field.js';
import {
  APPROVAL_MODES,
  type DataCenterConfig,
  type GuardRails,
  type ReconcileConfig,
  type RolloutConfig,
  type RolloutSettings,
} from './rollout-config.js';

type Fields = ReadonlyMap<string, ConfigNode>;

const ANY_COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER };
const ANY_FACTOR = { min: 1, max: Number.MAX_SAFE_INTEGER };

/**
 * The configuration with its defaults. `lookup` gives environment variables for everything but the URLs, which stay
 * unresolved; of the queue's the scheme is looked at. Throws config_syntax, unknown_config_key, invalid_config, missing_environment_variable, invalid_zone,
 * invalid_instant, invalid_duration, duplicate_data_center.
 */
export function parseRolloutConfig(text: string, options: { readonly lookup: VariableLookup }): RolloutConfig {
  const fields = readSection(openConfig(text, options.lookup), '');
  const rollout = readSection(fields.get('rollout'), 'rollout');
  const signups = readSection(fields.get('signups'), 'signups');
  const dataCenters = parseDataCenters(required(fields, 'dataCenters'));
  rejectImpossibleInstants(rollout.get('notBefore'), signups.get('cutover'), dataCenters);
  const settings = parseRollout(rollout);
  rejectClosedWindows(rollout.get('windows'), settings.windows, dataCenters);
  return {
    controlDatabase: readUrl(required(fields, 'controlDatabase')),
    queue: optional(fields, 'queue', readQueueUrl),
    rateCard: readText(required(fields, 'rateCard')),
    rollout: settings,
    signups: { cutover: optional(signups, 'cutover', readText) },
    reconcile: parseReconcile(readSection(fields.get('reconcile'), 'reconcile')),
    grandfathering: { lapseGraceDays: parseLapseGrace(readSection(fields.get('grandfathering'), 'grandfathering')) },
    dataCenters,
  };
}

function parseRollout(fields: Fields): RolloutSettings {
  return {
    notBefore: optional(fields, 'notBefore', readText),
    batchSize: optional(fields, 'batchSize', (node) => readInteger(node, { min: 100, max: 100_000 })) ?? 10_000,
    lanes: optional(fields, 'lanes', (node) => readInteger(node, { min: 1, max: 32 })) ?? 2,
    bakeMs: optional(fields, 'bake', readDurationMs) ?? 0,
    bakeQuery: optional(fields, 'bakeQuery', readText),
    canaryWaitMs: optional(fields, 'canaryWait', readDurationMs) ?? 0,
    planRetentionDays: optional(fields, 'planRetention', (node) => readDays(node, 1)) ?? 30,
    windows: optional(fields, 'windows', (node) => readList(node).map(parseWindow)) ?? [],
    approval: optional(fields, 'approval', (node) => readChoice(node, APPROVAL_MODES)) ?? 'auto',
    guardRails: parseGuardRails(readSection(fields.get('guardRails'), 'rollout.guardRails')),
  };
}

function parseGuardRails(fields: Fields): GuardRails {
  return {
    maxRaiseFactor: optional(fields, 'maxRaiseFactor', (node) => readNumber(node, ANY_FACTOR)),
    floorOverPlan: optional(fields, 'floorOverPlan', (node) => readNumber(node, ANY_FACTOR)),
    totalChangePercent: optional(fields, 'totalChangePercent', (node) => readNumber(node, ANY_COUNT)),
    orgsTouched: optional(fields, 'orgsTouched', (node) => readInteger(node, ANY_COUNT)),
    quarantinedShare: optional(fields, 'quarantinedShare', (node) => readNumber(node, { min: 0, max: 1 })) ?? 0.01,
  };
}

function parseReconcile(fields: Fields): ReconcileConfig {
  return {
    at: optional(fields, 'at', readClockTime) ?? '00:15',
    maxChanged: optional(fields, 'maxChanged', (node) => readInteger(node, ANY_COUNT)),
    maxLapsed: optional(fields, 'maxLapsed', (node) => readInteger(node, ANY_COUNT)),
    driftRetentionDays: optional(fields, 'driftRetention', (node) => readDays(node, 1)) ?? 400,
  };
}

function parseLapseGrace(fields: Fields): number {
  return optional(fields, 'lapseGrace', (node) => readDays(node, 0)) ?? 30;
}

/** One-off instants must exist exactly once in every zone, and sign-ups cannot switch before the rollout may start. */
function rejectImpossibleInstants(
  notBefore: ConfigNode | undefined,
  cutover: ConfigNode | undefined,
  dataCenters: readonly DataCenterConfig[],
): void {
  const [startText, endText] = [notBefore, cutover].map((node) => node && readText(node));
  for (const { id, zone } of dataCenters) {
    const start = notBefore && startText && readInstant(notBefore, startText, zone);
    const end = cutover && endText && readInstant(cutover, endText, zone);
    if (cutover && start && end && end < start) {
      throw invalidValue(cutover, `must not be before rollout.notBefore (data center ${id})`);
    }
  }
}

/** Whether they open again is asked at `apply`, which has a clock. */
function rejectClosedWindows(
  node: ConfigNode | undefined,
  windows: readonly WindowSpec[],
  dataCenters: readonly DataCenterConfig[],
): void {
  const closed = dataCenters.find(({ zone }) => !canEverOpen(windows, zone));
  if (node === undefined || closed === undefined) return;
  throw invalidValue(node, `never opens (data center ${closed.id}): ${describeNeverOpen(windows)}`, WINDOWS_FIX);
}

const WINDOWS_FIX = 'Leave some time that an allow window covers and no deny window does.';

function readInstant(node: ConfigNode, text: string, zone: string): Date {
  return atPath(node, () => parseLocalInstant(text, zone)).instant;
}

function required(fields: Fields, key: string): ConfigNode {
  const node = fields.get(key);
  if (node === undefined) throw missingValue(key);
  return node;
}

function optional<T>(fields: Fields, key: string, read: (node: ConfigNode) => T): T | undefined {
  const node = fields.get(key);
  return node && read(node);
}
