// Reads the list of data centers. Never connects: whether a source or a cell exists is the cell's answer.
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type ConfigNode,
  invalidValue,
  isEmpty,
  missingValue,
  readList,
  readScalar,
  readSection,
} from './config-node.js';
import { parseZone } from './parse-zone.js';
import { readText, readUrl } from './read-field.js';
import type { DataCenterConfig } from './rollout-config.js';

const ID = /^[a-z][a-z0-9-]{0,30}$/;

/** The data centers in rollout order. Throws invalid_config, invalid_zone, duplicate_data_center, unknown_config_key. */
export function parseDataCenters(node: ConfigNode): readonly DataCenterConfig[] {
  const entries = isEmpty(node) ? [] : readList(node);
  if (entries.length === 0) throw invalidValue(node, 'must list at least one data center');
  const dataCenters = entries.map(parseDataCenter);
  rejectDuplicates(dataCenters);
  return dataCenters;
}

function parseDataCenter(node: ConfigNode): DataCenterConfig {
  const fields = readSection(node, 'dataCenters[]');
  const required = (key: string): ConfigNode => {
    const field = fields.get(key);
    if (field === undefined) throw missingValue(`${node.path}.${key}`);
    return field;
  };
  const zone = required('zone');
  return {
    id: readId(required('id')),
    zone: parseZone(readScalar(zone), `${zone.path} (line ${zone.line})`),
    database: readUrl(required('database')),
    source: readText(required('source')),
  };
}

function readId(node: ConfigNode): string {
  const id = readText(node);
  if (!ID.test(id)) {
    throw invalidValue(node, 'must be a small letter and then up to 30 small letters, digits or hyphens');
  }
  return id;
}

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
