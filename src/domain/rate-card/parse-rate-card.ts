// Text of a rate card -> RateCard, or one error that names the place. Never fills in a rate and never rounds one.
import { type Document, parseDocument } from 'yaml';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  type CardNode,
  invalidAt,
  readEntries,
  readFields,
  readFlag,
  readList,
  readText,
  requireField,
} from './card-node.js';
import { createRateCard } from './create-rate-card.js';
import { parseCase } from './parse-case.js';
import { parseEdition } from './parse-edition.js';
import type { RateCard } from './rate-card.js';

const CARD_KEYS = ['name', 'lightAgentsCountAsUsers', 'unpaid', 'editions', 'cases'] as const;

/**
 * Parses a rate card strictly: every key known, every part but `cases` present, every number exact and within bounds
 * (per-unit rates 0 to 1e9; base, flat, min and max 0 to 1e15; concurrency 1 to 1e6). Anchors and aliases are allowed.
 * Does not run the cases: checkRateCard does.
 * @throws invalid_rate_card, inexact_number
 */
export function parseRateCard(text: string): RateCard {
  const document = parseYaml(text);
  const fields = readFields({ document, path: '', node: document.contents }, CARD_KEYS);
  const name = readText(requireField(fields, 'name'));
  const lightAgentsCountAsUsers = readFlag(requireField(fields, 'lightAgentsCountAsUsers'));
  const unpaid = requireField(fields, 'unpaid');
  const editions = parseEditions(requireField(fields, 'editions'));
  const cases = fields.entries.get('cases');
  const card = createRateCard({
    name,
    lightAgentsCountAsUsers,
    unpaid: readText(unpaid),
    editions,
    cases: cases === undefined ? [] : readList(cases).map(parseCase),
  });
  if (card.editions.has(card.unpaid)) return card;
  const known = [...card.editions.keys()].join(', ');
  throw invalidAt(unpaid.path, `no edition is called "${card.unpaid}"`, `Name one of the editions: ${known}.`);
}

function parseEditions(place: CardNode): readonly ReturnType<typeof parseEdition>[] {
  const entries = [...readEntries(place)];
  if (entries.length === 0) throw invalidAt(place.path, 'it has no edition', 'Add every edition that the source has.');
  return entries.map(([edition, entry]) => parseEdition(edition, entry));
}

/** Integers come as bigint: a double would already have rounded them. */
function parseYaml(text: string): Document {
  const document = parseDocument(text, { intAsBigInt: true, merge: false, uniqueKeys: true, logLevel: 'error' });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw invalidYaml((problem.message.split('\n')[0] ?? '').replace(/:$/, ''));
  // YAML 1.1 reads yes as true and 010 as eight.
  if (document.directives?.yaml.version === '1.1') throw invalidYaml('it asks for YAML 1.1; only 1.2 is read');
  return document;
}

function invalidYaml(wrong: string): RolloutError {
  const message = `The rate card is not valid YAML: ${wrong}.`;
  return new RolloutError('invalid_rate_card', { message, next: 'Correct the line that is named.' });
}
