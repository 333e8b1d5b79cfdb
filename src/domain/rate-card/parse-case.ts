// One golden case of a rate card. Never accepts a case that expects nothing: it would prove nothing.
import {
  type Bounds,
  type CardFields,
  type CardNode,
  invalidAt,
  isNull,
  readFields,
  readFlag,
  readInteger,
  readText,
  requireField,
} from './card-node.js';
import { CASE_COLUMNS, type CaseColumn, type CaseOrg, type CaseValue, type RateCardCase } from './rate-card.js';

const INT8: Bounds = { least: -(2n ** 63n), most: 2n ** 63n - 1n };
const ORG_KEYS = ['edition', 'paid', 'agents', 'light_agents', 'additional_credits', 'legacy_limit'] as const;

type Reads = (typeof CASE_COLUMNS)[number]['reads'];

/** @throws invalid_rate_card, inexact_number */
export function parseCase(place: CardNode): RateCardCase {
  const fields = readFields(place, ['name', 'org', 'expect']);
  const name = fields.entries.get('name');
  return {
    name: name === undefined ? null : readText(name),
    org: parseOrg(requireField(fields, 'org')),
    expect: parseExpect(requireField(fields, 'expect')),
  };
}

function parseOrg(place: CardNode): CaseOrg {
  const fields = readFields(place, ORG_KEYS);
  const paid = fields.entries.get('paid');
  const negotiated = fields.entries.get('legacy_limit');
  return {
    edition: readText(requireField(fields, 'edition')),
    paid: paid === undefined ? true : readFlag(paid),
    agents: readCount(fields, 'agents'),
    lightAgents: readCount(fields, 'light_agents'),
    additionalCredits: readCount(fields, 'additional_credits'),
    negotiatedLimit: negotiated === undefined || isNull(negotiated) ? null : readInteger(negotiated, INT8),
  };
}

function readCount(fields: CardFields, key: (typeof ORG_KEYS)[number]): bigint {
  const entry = fields.entries.get(key);
  return entry === undefined ? 0n : readInteger(entry, INT8);
}

function parseExpect(place: CardNode): ReadonlyMap<CaseColumn, CaseValue> {
  const columns = CASE_COLUMNS.map(({ column }) => column);
  const fields = readFields(place, columns);
  if (fields.entries.size === 0) throw invalidAt(place.path, 'it is empty', 'Add a column, such as total_credits.');
  const expect = new Map<CaseColumn, CaseValue>();
  for (const { column, reads } of CASE_COLUMNS) {
    const entry = fields.entries.get(column);
    if (entry !== undefined) expect.set(column, readValue(entry, reads));
  }
  return expect;
}

function readValue(place: CardNode, reads: Reads): CaseValue {
  switch (reads) {
    case 'flag':
      return readFlag(place);
    case 'text':
      return readText(place);
    case 'textOrNull':
      return isNull(place) ? null : readText(place);
    case 'integer':
      return readInteger(place, INT8);
    case 'integerOrNull':
      return isNull(place) ? null : readInteger(place, INT8);
  }
}
