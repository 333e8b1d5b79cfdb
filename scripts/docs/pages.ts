// Which block of which page is generated from what. Writes nothing: main.ts and the tests decide what becomes of a
// page.
import { renderConfigReference, renderConfigSchema, renderRateCardSchema } from './config-schema.js';
import { drawStages, drawWhatRunsWhere } from './draw-pictures.js';
import { replaceBlock } from './markdown.js';
import { type ReadSql, readFunctions, readRelations } from './read-schema.js';
import { renderCommands } from './render-commands.js';
import { renderDependencies } from './render-dependencies.js';
import { renderErrorIndex, renderErrors } from './render-errors.js';
import { renderColumns, renderFunctions } from './render-schema.js';
import { renderHolds, renderTransitions } from './render-stages.js';
import { THEMES } from './svg.js';

export interface GeneratedBlock {
  /** Of the page, from the project's folder. */
  readonly page: string;
  readonly name: string;
  readonly body: string;
}

/** Blocks that need nothing but the code. */
export function listCodeBlocks(): readonly GeneratedBlock[] {
  return [
    { page: 'docs/reference/commands.md', name: 'commands', body: renderCommands() },
    { page: 'docs/reference/configuration.md', name: 'keys', body: renderConfigReference() },
    { page: 'docs/reference/dependencies.md', name: 'packages', body: renderDependencies() },
    { page: 'docs/reference/errors.md', name: 'index of codes', body: renderErrorIndex() },
    { page: 'docs/reference/errors.md', name: 'codes', body: renderErrors() },
    { page: 'docs/reference/stages-and-holds.md', name: 'transitions', body: renderTransitions() },
    { page: 'docs/reference/stages-and-holds.md', name: 'holds', body: renderHolds() },
  ];
}

/** Blocks that need a cell and a control database as `init` makes them. */
export async function listSchemaBlocks(databases: {
  readonly cell: ReadSql;
  readonly control: ReadSql;
}): Promise<readonly GeneratedBlock[]> {
  const [cell, functions, control] = await Promise.all([
    readRelations(databases.cell, 'credit_rollout'),
    readFunctions(databases.cell, 'credit_rollout'),
    readRelations(databases.control, 'credit_rollout_control'),
  ]);
  const cellPage = 'docs/reference/schema-cell.md';
  const controlPage = 'docs/reference/schema-control.md';
  return [
    ...cell.map((relation) => ({ page: cellPage, name: relation.name, body: renderColumns(relation) })),
    { page: cellPage, name: 'functions', body: renderFunctions(functions) },
    ...control.map((relation) => ({ page: controlPage, name: relation.name, body: renderColumns(relation) })),
  ];
}

/** The page with every block that is generated for it. Throws when the page lacks one of them. */
export function applyBlocks(page: string, text: string, blocks: readonly GeneratedBlock[]): string {
  return blocks
    .filter((block) => block.page === page)
    .reduce((changed, { name, body }) => replaceBlock(changed, name, body), text);
}

/** Files that are generated as a whole: the schemas for editors, and the pictures that are drawn, not recorded. */
export const listGeneratedFiles = (): readonly { readonly path: string; readonly text: string }[] => [
  { path: 'docs/reference/rollout.config.schema.json', text: renderConfigSchema() },
  { path: 'docs/reference/rate-card.schema.json', text: renderRateCardSchema() },
  ...THEMES.flatMap((theme) => [
    { path: `docs/pictures/what-runs-where-${theme.name}.svg`, text: drawWhatRunsWhere(theme) },
    { path: `docs/pictures/stages-${theme.name}.svg`, text: drawStages(theme) },
  ]),
];
